//! The IA3 scale: some channels of an activation times a vector of the table, chosen by batch row.

use super::host::{slots, tensor, with_floats};
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise, grid};
use candle_core::Tensor;

/// Inputs `x (N, C)`, `table (A, P)`, `slots (B)`; N is a multiple of B.
/// `y[n, start + i] = x[n, start + i] * table[slots[n / (N / B)], offset + i]` for `i < len`; other channels pass.
/// Formula: PEFT `tuners/ia3/layer.py`, `Linear.forward`, with one adapter per batch row (IA3 paper, section 3.3).
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// First scaled channel.
    pub start: usize,
    /// Number of scaled channels.
    pub len: usize,
    /// Parameter of the table that scales the first of them.
    pub offset: usize,
}

/// Inputs `dy (N, C)`, `x (N, C)`, `table (A, P)`, `slots (B)`; outputs `dx (N, C)` and `dl (len)`.
/// `dx = dy ⊙ l` on the scaled channels, `dy` on the others; `dl[i] = Σ_n dy[n, start + i] * x[n, start + i]`.
/// Training uses one adapter, so the sum runs over all rows.
#[derive(Debug, Clone, Copy)]
pub struct ScaleGrad(pub Scale);

impl Scale {
    /// The kernels' sizes, from the shapes of `x`, `table` and `slots`.
    pub(super) fn sizes(&self, inputs: &[&Shape]) -> [(&'static str, usize); 5] {
        let [x, table, slots] = inputs else { unreachable!("a scale has three inputs") };
        [
            ("rows", x[0]),
            ("columns", x[1]),
            ("rows_a_slot", x[0] / slots[0]),
            ("parameters", table[1]),
            ("offset", self.offset),
        ]
    }

    /// Multiplies the scaled channels of `y` in place.
    fn apply(&self, y: &mut [f32], channels: usize, table: &[f32], parameters: usize, rows: usize, slots: &[usize]) {
        for (n, row) in y.chunks_exact_mut(channels).enumerate() {
            let first = slots[n / rows] * parameters + self.offset;
            let vector = &table[first..first + self.len];
            row[self.start..self.start + self.len].iter_mut().zip(vector).for_each(|(y, l)| *y *= l);
        }
    }
}

impl Op for Scale {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, table, slots) = (inputs[0], inputs[1], inputs[2]);
        if self.start + self.len > x[1] || self.offset + self.len > table[1] || x[0] % slots[0] != 0 {
            return Err(Error::Shape {
                op: format!("{self:?}"),
                reason: format!("x {x:?}, table {table:?}, slots {slots:?}"),
            });
        }
        Ok(vec![x.clone()])
    }

    fn table_range(&self) -> Option<(usize, usize)> {
        Some((self.offset, self.len))
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let [x, table, slots] = *at.inputs else { unreachable!("Scale has three inputs") };
        let found = graph.apply(ScaleGrad(*self), &[at.dy(), x, table, slots])?;
        Ok(vec![at.wants[0].then_some(found[0]), at.wants[1].then_some(found[1]), None])
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (channels, parameters) = (inputs[0].dim(1)?, inputs[1].dim(1)?);
        let (rows, slots) = slots(&inputs[2], inputs[0].dim(0)?)?;
        let y = with_floats(&[&inputs[0], &inputs[1]], |x| {
            let mut y = x[0].to_vec();
            self.apply(&mut y, channels, x[1], parameters, rows, &slots);
            Ok(y)
        })?;
        Ok(vec![tensor(y, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let count = io.outputs[0].iter().product();
        Kernel::new(include_str!("scale.wgsl"), 3, &self.sizes(io.inputs), elementwise(count))
            .with_size("start", self.start)
            .with_size("len", self.len)
    }
}

impl Op for ScaleGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone(), vec![self.0.len]])
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let Scale { start, len, .. } = self.0;
        let (channels, parameters) = (inputs[0].dim(1)?, inputs[2].dim(1)?);
        let (rows, slots) = slots(&inputs[3], inputs[0].dim(0)?)?;
        let (dx, dl) = with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |x| {
            let mut dx = x[0].to_vec();
            self.0.apply(&mut dx, channels, x[2], parameters, rows, &slots);
            let mut dl = vec![0.0; len];
            for (dy, x) in x[0].chunks_exact(channels).zip(x[1].chunks_exact(channels)) {
                let pairs = dy[start..start + len].iter().zip(&x[start..start + len]);
                dl.iter_mut().zip(pairs).for_each(|(dl, (dy, x))| *dl += dy * x);
            }
            Ok((dx, dl))
        })?;
        Ok(vec![tensor(dx, inputs[0].dims())?, tensor(dl, &[len])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (width, height) = io.adapter.column_group();
        let grid = grid(io.outputs[0][1].div_ceil(width));
        Kernel::new(include_str!("scale_grad.wgsl"), 4, &self.0.sizes(&io.inputs[1..]), grid)
            .with_size("start", self.0.start)
            .with_size("len", self.0.len)
            .with_size("dl_offset", io.output_offsets[1])
            .with_size("width", width)
            .with_size("height", height)
    }
}
