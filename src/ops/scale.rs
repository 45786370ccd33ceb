//! The IA3 scale: some channels of an activation times a vector of the table, and perhaps plus another, chosen by batch row.

use super::host::{slots, tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise, grid};
use candle_core::Tensor;

/// Inputs `x (N, C)`, `table (A, P)`, `slots (B)`; N is a multiple of B.
/// `y[n, start + i] = x[n, start + i] * l[i / repeat] + b[i / repeat]` for `i < len`; other channels pass. In the table row
/// `slots[n / (N / B)]` stand `l (len / repeat)` from `offset` on and, if there is a shift, `b (len / repeat)` right after it.
/// Formula: PEFT `tuners/ia3/layer.py`, `Linear.forward`, with one adapter per batch row (IA3 paper, section 3.3); the shift is
/// that of scale-and-shift tuning (SSF, arXiv 2210.08823, equation 3), `h' = h ⊙ w + b`.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// First scaled channel.
    pub start: usize,
    /// Number of scaled channels.
    pub len: usize,
    /// Parameter of the table that scales the first of them.
    pub offset: usize,
    /// Neighbouring channels that share a parameter: 1, or the size of an attention head. `len`, `start` and C are multiples of it.
    pub repeat: usize,
    /// There is a shift.
    pub shifted: bool,
}

/// Inputs `dy (N, C)`, `x (N, C)`, `table (A, P)`, `slots (B)`; outputs `dx (N, C)` and `dl`, the gradient of the op's part of the table.
/// `dx = dy ⊙ l` on the scaled channels, `dy` on the others; `dl[i / repeat] = Σ_n dy[n, start + i] * x[n, start + i]`, the sum taken over
/// the channels of a parameter too; after it, if there is a shift, `db[i / repeat] = Σ_n dy[n, start + i]`.
/// Training uses one adapter, so the sum runs over all rows.
#[derive(Debug, Clone, Copy)]
pub struct ScaleGrad(pub Scale);

impl Scale {
    /// Parameters of the vector, and of the shift.
    fn parameters(&self) -> usize {
        self.len / self.repeat
    }

    /// Elements of the table that the op reads.
    pub(super) fn table_len(&self) -> usize {
        self.parameters() * (1 + usize::from(self.shifted))
    }

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

    /// Vector and shift as the channels see them, `(len)` each, from a table row; no shift is zeros.
    fn vectors(&self, row: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (l, b) = row[self.offset..self.offset + self.table_len()].split_at(self.parameters());
        let each = |values: &[f32]| values.iter().flat_map(|x| std::iter::repeat_n(*x, self.repeat)).collect();
        (each(l), if self.shifted { each(b) } else { vec![0.0; self.len] })
    }

    /// Sums over the channels of a parameter.
    fn folded(&self, channels: &[f32]) -> impl Iterator<Item = f32> {
        channels.chunks_exact(self.repeat).map(|each| each.iter().sum())
    }
}

impl Op for Scale {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, table, slots) = (inputs[0], inputs[1], inputs[2]);
        let uneven = [self.start, self.len, x[1]].iter().any(|size| size % self.repeat != 0);
        let outside = self.start + self.len > x[1] || self.offset + self.table_len() > table[1];
        if uneven || outside || x[0] % slots[0] != 0 {
            return Err(Error::Shape {
                op: format!("{self:?}"),
                reason: format!("x {x:?}, table {table:?}, slots {slots:?}"),
            });
        }
        Ok(vec![x.clone()])
    }

    fn table_range(&self) -> Option<(usize, usize)> {
        Some((self.offset, self.table_len()))
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let [x, table, slots] = *at.inputs else { unreachable!("Scale has three inputs") };
        let found = graph.apply(ScaleGrad(*self), &[at.dy(), x, table, slots])?;
        Ok(vec![at.wants[0].then_some(found[0]), at.wants[1].then_some(found[1]), None])
    }

    fn reads_half(&self, input: usize) -> bool {
        input == 0
    }

    fn writes_half(&self) -> bool {
        true
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let (channels, parameters) = (inputs[0].dim(1)?, inputs[1].dim(1)?);
        let (rows, slots) = slots(&inputs[2], inputs[0].dim(0)?)?;
        let y = with_floats(&[&inputs[0], &inputs[1]], |x| {
            let mut y = x[0].to_vec();
            let vectors: Vec<_> = slots.iter().map(|slot| self.vectors(&x[1][slot * parameters..])).collect();
            cores.rows(&mut y, channels, |first, y| {
                for (row, at) in y.chunks_exact_mut(channels).zip(first..) {
                    let (l, b) = &vectors[at / rows];
                    let scaled = row[self.start..self.start + self.len].iter_mut();
                    scaled.zip(l.iter().zip(b)).for_each(|(y, (l, b))| *y = *y * l + b);
                }
            });
            Ok(y)
        })?;
        Ok(vec![tensor(y, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let count = io.outputs[0].iter().product();
        Kernel::new(include_str!("scale.wgsl"), 3, &self.sizes(io.inputs), elementwise(count))
            .with_size("start", self.start)
            .with_size("len", self.len)
            .with_size("repeat", self.repeat)
            .with("shifted", self.shifted)
    }
}

impl Op for ScaleGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone(), vec![self.0.table_len()]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let Scale { start, len, shifted, .. } = self.0;
        let (channels, parameters) = (inputs[0].dim(1)?, inputs[2].dim(1)?);
        let (rows, slots) = slots(&inputs[3], inputs[0].dim(0)?)?;
        let (mut dl, mut db) = (vec![0.0; len], vec![0.0; if shifted { len } else { 0 }]);
        let dx = with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |x| {
            let mut dx = x[0].to_vec();
            let of_slot = dx.chunks_exact_mut(rows * channels).zip(x[1].chunks_exact(rows * channels));
            for (slot, (dx, scaled)) in slots.iter().zip(of_slot) {
                let (l, _) = self.0.vectors(&x[2][slot * parameters..]);
                for (dx, x) in dx.chunks_exact_mut(channels).zip(scaled.chunks_exact(channels)) {
                    let (dx, x) = (&mut dx[start..start + len], &x[start..start + len]);
                    dl.iter_mut().zip(dx.iter().zip(x)).for_each(|(dl, (dy, x))| *dl += dy * x);
                    db.iter_mut().zip(&*dx).for_each(|(db, dy)| *db += dy);
                    dx.iter_mut().zip(&l).for_each(|(dx, l)| *dx *= l);
                }
            }
            Ok(dx)
        })?;
        let dl: Vec<f32> = self.0.folded(&dl).chain(self.0.folded(&db)).collect();
        Ok(vec![tensor(dx, inputs[0].dims())?, tensor(dl, &[self.0.table_len()])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (width, height) = io.adapter.column_group();
        let grid = grid((io.outputs[0][1] / self.0.repeat).div_ceil(width));
        Kernel::new(include_str!("scale_grad.wgsl"), 4, &self.0.sizes(&io.inputs[1..]), grid)
            .with_size("start", self.0.start)
            .with_size("len", self.0.len)
            .with_size("repeat", self.0.repeat)
            .with("shifted", self.0.shifted)
            .with_size("dl_offset", io.output_offsets[1])
            .with_size("width", width)
            .with_size("height", height)
    }
}
