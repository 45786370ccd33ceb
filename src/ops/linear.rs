//! A frozen linear layer, and the same weight flipped for its backward pass.

use super::host::{tensor, with_floats};
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::Kernel;
use candle_core::Tensor;

/// Inputs `x (N, in)`, `w (out, in)`, then `bias (out)` if there is one, then `addend (N, out)` if there is one.
/// `y = x wᵀ + bias + addend`; flipped, `x` is `(N, out)` and `y = x w + addend` is `(N, in)`.
/// The weight is frozen: it never gets a gradient.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// Multiply by `w` instead of `wᵀ`: the backward pass of the layer, with the weight as it stands.
    pub flipped: bool,
    /// There is a bias input.
    pub bias: bool,
    /// There is an input to add to the result (a residual, or another gradient).
    pub addend: bool,
}

impl Op for Linear {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, w) = (inputs[0], inputs[1]);
        let (inner, outer) = if self.flipped { (w[0], w[1]) } else { (w[1], w[0]) };
        if x[1] != inner {
            return Err(Error::Shape { op: "Linear".into(), reason: format!("input {x:?} against weight {w:?}") });
        }
        Ok(vec![vec![x[0], outer]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let back = Linear { flipped: !self.flipped, bias: false, addend: false };
        let mut found = vec![None; at.inputs.len()];
        if at.wants[0] {
            found[0] = Some(graph.one(back, &[at.dy(), at.inputs[1]])?);
        }
        if self.addend && at.wants[at.inputs.len() - 1] {
            found[at.inputs.len() - 1] = Some(at.dy());
        }
        Ok(found)
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let w = if self.flipped { inputs[1].clone() } else { inputs[1].t()? };
        let y = inputs[0].matmul(&w)?;
        if inputs.len() == 2 {
            return Ok(vec![y]);
        }
        let columns = y.dim(1)?;
        let rest: Vec<&Tensor> = std::iter::once(&y).chain(&inputs[2..]).collect();
        let sum = with_floats(&rest, |x| {
            let mut sum = x[0].to_vec();
            if self.bias {
                sum.chunks_exact_mut(columns).for_each(|row| add_to(row, x[1]));
            }
            if self.addend {
                add_to(&mut sum, x[x.len() - 1]);
            }
            Ok(sum)
        })?;
        Ok(vec![tensor(sum, y.dims())?])
    }
}

fn add_to(sum: &mut [f32], x: &[f32]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}
