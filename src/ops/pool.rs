//! One vector per text out of its token vectors.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// How token vectors become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// Mean over the tokens that are not padding (sentence-transformers).
    Mean,
    /// The first token, `[CLS]` (BERT's pooler).
    First,
}

/// Inputs `x (B S, H)`, `mask (B, S)`; output `(B, H)`.
#[derive(Debug, Clone, Copy)]
pub struct Pool(pub PoolKind);

/// Inputs `dy (B, H)`, `mask (B, S)`; output `dx (B S, H)`.
#[derive(Debug, Clone, Copy)]
pub struct PoolGrad(pub PoolKind);

impl PoolKind {
    /// The weight of each token in its text's vector, `(B S)`.
    fn weights(self, mask: &Tensor) -> Result<Vec<f32>> {
        let mut weights = Vec::with_capacity(mask.elem_count());
        for row in mask.to_vec2::<f32>()? {
            let count = row.iter().sum::<f32>().max(1e-9);
            weights.extend(row.iter().enumerate().map(|(s, m)| match self {
                PoolKind::Mean => m / count,
                PoolKind::First => f32::from(s == 0),
            }));
        }
        Ok(weights)
    }

    fn kernel(self, wgsl: &'static str, mask: &Shape, hidden: usize) -> Kernel {
        let sizes = [("batch", mask[0]), ("length", mask[1]), ("hidden", hidden)];
        Kernel::new(wgsl, 2, &sizes, elementwise(mask[0] * hidden)).with("first", self == PoolKind::First)
    }
}

impl Op for Pool {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[1][0], inputs[0][1]]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(PoolGrad(self.0), &[at.dy(), at.inputs[1]])?), None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let weights = self.0.weights(&inputs[1])?;
        let (batch, length) = inputs[1].dims2()?;
        let hidden = inputs[0].dim(1)?;
        let y = with_floats(&[&inputs[0]], |x| {
            let mut y = vec![0.0; batch * hidden];
            for (n, (row, weight)) in x[0].chunks_exact(hidden).zip(&weights).enumerate() {
                let y = &mut y[n / length * hidden..][..hidden];
                y.iter_mut().zip(row).for_each(|(y, x)| *y += weight * x);
            }
            Ok(y)
        })?;
        Ok(vec![tensor(y, &[batch, hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        self.0.kernel(include_str!("pool.wgsl"), io.inputs[1], io.inputs[0][1])
    }
}

impl Op for PoolGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[1][0] * inputs[1][1], inputs[0][1]]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let weights = self.0.weights(&inputs[1])?;
        let (length, hidden) = (inputs[1].dim(1)?, inputs[0].dim(1)?);
        let dx = with_floats(&[&inputs[0]], |dy| {
            let rows = weights.iter().enumerate();
            Ok(rows
                .flat_map(|(n, weight)| dy[0][n / length * hidden..][..hidden].iter().map(move |dy| weight * dy))
                .collect())
        })?;
        Ok(vec![tensor(dx, &[weights.len(), hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        self.0.kernel(include_str!("pool_grad.wgsl"), io.inputs[1], io.inputs[0][1])
    }
}
