//! Root-mean-square normalisation of groups of columns, with a frozen weight.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, grid};
use candle_core::Tensor;

/// Inputs `x (N, C)`, `weight (size)`: each of `groups` groups of `size` columns from `start` on becomes
/// `x / sqrt(mean(x²) + eps) * (weight + plus) * times` (arXiv 1910.07467); other columns pass. One group is a whole row; several are the heads
/// of queries or keys in a packed projection.
#[derive(Debug, Clone, Copy)]
pub struct RmsNorm {
    /// Added to the mean of the squares.
    pub eps: f32,
    /// Added to the weight: 1 where the file holds what differs from one (Gemma).
    pub plus: f32,
    /// Multiplied with the weight.
    pub times: f32,
    /// First normalised column.
    pub start: usize,
    /// Groups of columns, side by side.
    pub groups: usize,
}

/// Inputs `dy (N, C)`, `x (N, C)`, `weight (size)`; output `dx`. With `r = 1 / sqrt(mean(x²) + eps)` and `g = dy ⊙ (weight + plus) times`:
/// `dx = r (g - x r² mean(g ⊙ x))`.
#[derive(Debug, Clone, Copy)]
pub struct RmsNormGrad(pub RmsNorm);

impl RmsNorm {
    /// Of whole rows.
    pub fn rows(eps: f32, plus: f32) -> RmsNorm {
        RmsNorm { eps, plus, times: 1.0, start: 0, groups: 1 }
    }

    fn check(&self, x: &Shape, weight: &Shape) -> Result<()> {
        if self.start + self.groups * weight[0] <= x[1] {
            return Ok(());
        }
        Err(Error::Shape { op: format!("{self:?}"), reason: format!("x {x:?} and weight {weight:?}") })
    }

    /// The inverse of the root of a group's mean square.
    fn inverse(&self, group: &[f32]) -> f32 {
        1.0 / (group.iter().map(|x| x * x).sum::<f32>() / group.len() as f32 + self.eps).sqrt()
    }

    fn kernel_of(&self, wgsl: &'static str, inputs: usize, io: &Io) -> Kernel {
        let (rows, columns) = (io.outputs[0][0], io.outputs[0][1]);
        let size = io.inputs[inputs - 1][0];
        let (width, height) = io.adapter.row_group();
        let sizes = [
            ("rows", rows),
            ("columns", columns),
            ("start", self.start),
            ("groups", self.groups),
            ("size", size),
            ("width", width),
            ("height", height),
        ];
        Kernel::new(wgsl, inputs, &sizes, grid((rows * self.groups).div_ceil(height)))
            .with("eps", self.eps)
            .with("plus", self.plus)
            .with("times", self.times)
    }
}

impl Op for RmsNorm {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        self.check(inputs[0], inputs[1])?;
        Ok(vec![inputs[0].clone()])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(RmsNormGrad(*self), &[at.dy(), at.inputs[0], at.inputs[1]])?), None])
    }

    fn writes_half(&self) -> bool {
        true
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let columns = inputs[0].dim(1)?;
        let y = with_floats(&[&inputs[0], &inputs[1]], |x| {
            let mut y = x[0].to_vec();
            let size = x[1].len();
            cores.rows(&mut y, columns, |_, y| {
                for row in y.chunks_exact_mut(columns) {
                    for group in row[self.start..self.start + self.groups * size].chunks_exact_mut(size) {
                        let scale = self.inverse(group);
                        group.iter_mut().zip(x[1]).for_each(|(y, w)| *y *= scale * (w + self.plus) * self.times);
                    }
                }
            });
            Ok(y)
        })?;
        Ok(vec![tensor(y, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        self.kernel_of(include_str!("rms_norm.wgsl"), 2, io)
    }
}

impl Op for RmsNormGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let columns = inputs[0].dim(1)?;
        let dx = with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |x| {
            let mut dx = x[0].to_vec();
            let size = x[2].len();
            let range = self.0.start..self.0.start + self.0.groups * size;
            cores.rows(&mut dx, columns, |first, dx| {
                for (dx, row) in dx.chunks_exact_mut(columns).zip(x[1][first * columns..].chunks_exact(columns)) {
                    let groups = dx[range.clone()].chunks_exact_mut(size).zip(row[range.clone()].chunks_exact(size));
                    for (g, row) in groups {
                        let scale = self.0.inverse(row);
                        g.iter_mut().zip(x[2]).for_each(|(g, w)| *g *= (w + self.0.plus) * self.0.times);
                        let along = g.iter().zip(row).map(|(g, x)| g * x).sum::<f32>() / size as f32 * scale * scale;
                        g.iter_mut().zip(row).for_each(|(g, x)| *g = (*g - x * along) * scale);
                    }
                }
            });
            Ok(dx)
        })?;
        Ok(vec![tensor(dx, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        self.0.kernel_of(include_str!("rms_norm_grad.wgsl"), 3, io)
    }
}
