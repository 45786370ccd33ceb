//! A layer of a task's head: a linear layer whose weight and bias are part of the table, chosen by batch row.

use super::host::{slots, tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise, grid};
use candle_core::Tensor;

/// Inputs `x (N, H)`, `table (A, P)`, `slots (B)`; N is a multiple of B. Output `y (N, labels) = x Wᵀ + b`, where the table row of each
/// batch row holds `W (labels, H)` and then, if there is one, `b (labels)` from `offset` on.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Where the weight starts in a table row.
    pub offset: usize,
    /// Columns of the output.
    pub labels: usize,
    /// There is a bias.
    pub bias: bool,
}

/// Inputs `dy (N, labels)`, `x (N, H)`, `table`, `slots`; outputs `dx (N, H)` and `dhead`, that of the weight and then of the bias.
/// Training uses one adapter, so the sum runs over all rows.
#[derive(Debug, Clone, Copy)]
pub struct HeadGrad {
    /// The head.
    pub head: Head,
    /// Size of `x`'s rows.
    pub hidden: usize,
}

impl Head {
    /// Elements of weight and bias.
    fn len(&self, hidden: usize) -> usize {
        self.labels * (hidden + usize::from(self.bias))
    }

    /// The kernels' sizes, from the shapes of `x`, `table` and `slots`.
    fn sizes(&self, inputs: &[&Shape]) -> [(&'static str, usize); 6] {
        let [x, table, slots] = inputs else { unreachable!("a head has three inputs") };
        [
            ("rows", x[0]),
            ("hidden", x[1]),
            ("labels", self.labels),
            ("rows_a_slot", x[0] / slots[0]),
            ("parameters", table[1]),
            ("offset", self.offset),
        ]
    }
}

impl Op for Head {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, table, slots) = (inputs[0], inputs[1], inputs[2]);
        if self.offset + self.len(x[1]) > table[1] || x[0] % slots[0] != 0 {
            return Err(Error::Shape { op: format!("{self:?}"), reason: format!("x {x:?} and table {table:?}") });
        }
        Ok(vec![vec![x[0], self.labels]])
    }

    /// The length is that of the gradient, which only the shapes tell; the offset is what a caller needs.
    fn table_range(&self) -> Option<(usize, usize)> {
        Some((self.offset, self.labels))
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let [x, table, slots] = *at.inputs else { unreachable!("Head has three inputs") };
        let hidden = graph.shape(x)[1];
        let found = graph.apply(HeadGrad { head: *self, hidden }, &[at.dy(), x, table, slots])?;
        Ok(vec![at.wants[0].then_some(found[0]), Some(found[1]), None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (rows, hidden) = inputs[0].dims2()?;
        let parameters = inputs[1].dim(1)?;
        let (rows_a_slot, slots) = slots(&inputs[2], rows)?;
        let y = with_floats(&[&inputs[0], &inputs[1]], |x| {
            let mut y = Vec::with_capacity(rows * self.labels);
            for (n, row) in x[0].chunks_exact(hidden).enumerate() {
                let head = &x[1][slots[n / rows_a_slot] * parameters + self.offset..];
                let dot =
                    |label: usize| head[label * hidden..][..hidden].iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
                let bias = |label: usize| if self.bias { head[self.labels * hidden + label] } else { 0.0 };
                y.extend((0..self.labels).map(|label| dot(label) + bias(label)));
            }
            Ok(y)
        })?;
        Ok(vec![tensor(y, &[rows, self.labels])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let groups = grid(io.inputs[0][0] * self.labels);
        Kernel::new(include_str!("head.wgsl"), 3, &self.sizes(io.inputs), groups).with("biased", self.bias)
    }
}

impl Op for HeadGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[1].clone(), vec![self.head.len(self.hidden)]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let Head { offset, labels, bias } = self.head;
        let (rows, hidden) = inputs[1].dims2()?;
        let parameters = inputs[2].dim(1)?;
        let (rows_a_slot, slots) = slots(&inputs[3], rows)?;
        let mut dx = vec![0.0; rows * hidden];
        let mut dhead = vec![0.0; self.head.len(hidden)];
        with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |t| {
            for n in 0..rows {
                let x = &t[1][n * hidden..][..hidden];
                let weight = &t[2][slots[n / rows_a_slot] * parameters + offset..];
                for (c, dy) in t[0][n * labels..][..labels].iter().enumerate() {
                    for i in 0..hidden {
                        dx[n * hidden + i] += dy * weight[c * hidden + i];
                        dhead[c * hidden + i] += dy * x[i];
                    }
                    if bias {
                        dhead[labels * hidden + c] += dy;
                    }
                }
            }
            Ok(())
        })?;
        Ok(vec![tensor(dx, &[rows, hidden])?, tensor(dhead, &[self.head.len(hidden)])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let count = io.outputs[0].iter().product::<usize>() + self.head.len(self.hidden);
        Kernel::new(include_str!("head_grad.wgsl"), 4, &self.head.sizes(&io.inputs[1..]), elementwise(count))
            .with("biased", self.head.bias)
            .with_size("dhead_offset", io.output_offsets[1])
    }
}
