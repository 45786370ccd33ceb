//! Every row of a batch against every other.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Input `x (B, H)`; output `S = x xᵀ (B, B)`. With rows of unit length these are cosines.
#[derive(Debug)]
pub struct Similarity;

/// Inputs `dS (B, B)`, `x (B, H)`; output `dx = (dS + dSᵀ) x`.
#[derive(Debug)]
pub struct SimilarityGrad;

impl Op for Similarity {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0], inputs[0][0]]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(SimilarityGrad, &[at.dy(), at.inputs[0]])?)])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].matmul(&inputs[0].t()?)?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (batch, hidden) = (io.inputs[0][0], io.inputs[0][1]);
        let sizes = [("batch", batch), ("hidden", hidden)];
        Kernel::new(include_str!("similarity.wgsl"), 1, &sizes, elementwise(batch * batch))
    }
}

impl Op for SimilarityGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[1].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let batch = inputs[0].dim(0)?;
        let both = with_floats(&[&inputs[0]], |x| {
            Ok((0..batch * batch).map(|at| x[0][at] + x[0][at % batch * batch + at / batch]).collect())
        })?;
        Ok(vec![tensor(both, &[batch, batch])?.matmul(&inputs[1])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (batch, hidden) = (io.inputs[1][0], io.inputs[1][1]);
        let sizes = [("batch", batch), ("hidden", hidden)];
        Kernel::new(include_str!("similarity_grad.wgsl"), 2, &sizes, elementwise(batch * hidden))
    }
}
