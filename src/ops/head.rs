//! The classification head: a linear layer whose weight and bias are part of the table, chosen by batch row.

use super::host::{slots, tensor, with_floats};
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise, grid};
use candle_core::Tensor;

/// Inputs `x (B, H)`, `table (A, P)`, `slots (B)`; output `logits (B, labels) = x Wᵀ + b`, where the table row of each batch row
/// holds `W (labels, H)` and then `b (labels)` from `offset` on.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Where the weight starts in a table row.
    pub offset: usize,
    /// Number of labels.
    pub labels: usize,
}

/// Inputs `dy (B, labels)`, `x (B, H)`, `table`, `slots`; outputs `dx (B, H)` and `dhead (labels H + labels)`, weight then bias.
/// Training uses one adapter, so the sum runs over all rows.
#[derive(Debug, Clone, Copy)]
pub struct HeadGrad {
    /// The head.
    pub head: Head,
    /// Size of `x`'s rows.
    pub hidden: usize,
}

impl Head {
    fn sizes(&self, batch: usize, hidden: usize, parameters: usize) -> [(&'static str, usize); 5] {
        let Head { offset, labels } = *self;
        [("batch", batch), ("hidden", hidden), ("labels", labels), ("parameters", parameters), ("offset", offset)]
    }
}

impl Op for Head {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, table) = (inputs[0], inputs[1]);
        if self.offset + self.labels * (x[1] + 1) > table[1] {
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

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (batch, hidden) = inputs[0].dims2()?;
        let parameters = inputs[1].dim(1)?;
        let (_, slots) = slots(&inputs[2], batch)?;
        let y = with_floats(&[&inputs[0], &inputs[1]], |x| {
            let mut y = Vec::with_capacity(batch * self.labels);
            for (row, slot) in x[0].chunks_exact(hidden).zip(&slots) {
                let (weight, bias) = x[1][slot * parameters + self.offset..].split_at(self.labels * hidden);
                let dot = |w: &[f32]| w.iter().zip(row).map(|(w, x)| w * x).sum::<f32>();
                y.extend(weight.chunks_exact(hidden).zip(bias).map(|(w, b)| dot(w) + b));
            }
            Ok(y)
        })?;
        Ok(vec![tensor(y, &[batch, self.labels])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (batch, hidden) = (io.inputs[0][0], io.inputs[0][1]);
        let sizes = self.sizes(batch, hidden, io.inputs[1][1]);
        Kernel::new(include_str!("head.wgsl"), 3, &sizes, grid(batch * self.labels))
    }
}

impl Op for HeadGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[1].clone(), vec![self.head.labels * (self.hidden + 1)]])
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let Head { offset, labels } = self.head;
        let (batch, hidden) = inputs[1].dims2()?;
        let parameters = inputs[2].dim(1)?;
        let (_, slots) = slots(&inputs[3], batch)?;
        let mut dx = vec![0.0; batch * hidden];
        let mut dhead = vec![0.0; labels * (hidden + 1)];
        with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |t| {
            for b in 0..batch {
                let x = &t[1][b * hidden..][..hidden];
                let weight = &t[2][slots[b] * parameters + offset..];
                for (c, dy) in t[0][b * labels..][..labels].iter().enumerate() {
                    for i in 0..hidden {
                        dx[b * hidden + i] += dy * weight[c * hidden + i];
                        dhead[c * hidden + i] += dy * x[i];
                    }
                    dhead[labels * hidden + c] += dy;
                }
            }
            Ok(())
        })?;
        Ok(vec![tensor(dx, &[batch, hidden])?, tensor(dhead, &[labels * (hidden + 1)])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (batch, hidden) = (io.inputs[1][0], io.inputs[1][1]);
        let sizes = self.head.sizes(batch, hidden, io.inputs[2][1]);
        let count = batch * hidden + self.head.labels * (hidden + 1);
        Kernel::new(include_str!("head_grad.wgsl"), 4, &sizes, elementwise(count))
            .with_size("dhead_offset", io.output_offsets[1])
    }
}
