//! Layer normalisation with frozen weight and bias.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, grid};
use candle_core::Tensor;

/// Inputs `x (N, C)`, `weight (C)`, `bias (C)`: `y = (x - mean) / sqrt(var + eps) * weight + bias`, row by row.
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f32,
}

/// Inputs `dy (N, C)`, `x (N, C)`, `weight (C)`; output `dx`. Mean and variance are computed again: it is cheaper than to keep them.
/// With `x̂` the normalised row and `g = dy ⊙ weight`: `dx = (g - mean(g) - x̂ mean(g ⊙ x̂)) / sqrt(var + eps)`.
#[derive(Debug, Clone, Copy)]
pub struct LayerNormGrad(pub LayerNorm);

/// Mean and `1 / sqrt(var + eps)` of one row.
fn statistics(row: &[f32], eps: f32) -> (f32, f32) {
    let mean = row.iter().sum::<f32>() / row.len() as f32;
    let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / row.len() as f32;
    (mean, 1.0 / (variance + eps).sqrt())
}

impl LayerNorm {
    fn row_kernel(&self, wgsl: &'static str, io: &Io) -> Kernel {
        let (rows, columns) = (io.outputs[0][0], io.outputs[0][1]);
        let (width, height) = io.adapter.row_group();
        let sizes = [("rows", rows), ("columns", columns), ("width", width), ("height", height)];
        Kernel::new(wgsl, 3, &sizes, grid(rows.div_ceil(height))).with("eps", self.eps)
    }
}

impl Op for LayerNorm {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(LayerNormGrad(*self), &[at.dy(), at.inputs[0], at.inputs[1]])?), None, None])
    }

    fn writes_half(&self) -> bool {
        true
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let channels = inputs[0].dim(1)?;
        let y = with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |x| {
            let mut y = x[0].to_vec();
            cores.rows(&mut y, channels, |_, y| {
                for row in y.chunks_exact_mut(channels) {
                    let (mean, scale) = statistics(row, self.eps);
                    let affine = x[1].iter().zip(x[2]);
                    row.iter_mut().zip(affine).for_each(|(y, (w, b))| *y = (*y - mean) * scale * w + b);
                }
            });
            Ok(y)
        })?;
        Ok(vec![tensor(y, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        self.row_kernel(include_str!("layer_norm.wgsl"), io)
    }
}

impl Op for LayerNormGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let channels = inputs[0].dim(1)?;
        let dx = with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |x| {
            let mut dx = x[0].to_vec();
            cores.rows(&mut dx, channels, |first, dx| {
                for (g, row) in dx.chunks_exact_mut(channels).zip(x[1][first * channels..].chunks_exact(channels)) {
                    let (mean, scale) = statistics(row, self.0.eps);
                    g.iter_mut().zip(x[2]).for_each(|(g, w)| *g *= w);
                    let count = channels as f32;
                    let along = g.iter().zip(row).map(|(g, x)| g * (x - mean) * scale).sum::<f32>() / count;
                    let average = g.iter().sum::<f32>() / count;
                    g.iter_mut().zip(row).for_each(|(g, x)| *g = (*g - average - (x - mean) * scale * along) * scale);
                }
            });
            Ok(dx)
        })?;
        Ok(vec![tensor(dx, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        self.0.row_kernel(include_str!("layer_norm_grad.wgsl"), io)
    }
}
