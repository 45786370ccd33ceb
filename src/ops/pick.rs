//! One token of each text.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Inputs `x (B S, H)`, `tokens (B)`; output `y (B, H) = x[b S + tokens[b]]`.
#[derive(Debug)]
pub struct Pick;

/// Inputs `dy (B, H)`, `tokens (B)`; output `dx (B S, H)`, zero but at the tokens.
#[derive(Debug)]
pub struct PickGrad {
    /// Tokens of a text, S.
    pub length: usize,
}

impl Op for Pick {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[1][0], inputs[0][1]]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let length = graph.shape(at.inputs[0])[0] / graph.shape(at.inputs[1])[0];
        Ok(vec![Some(graph.one(PickGrad { length }, &[at.dy(), at.inputs[1]])?), None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let tokens = integers(&inputs[1])?;
        let (rows, hidden) = inputs[0].dims2()?;
        let length = rows / tokens.len();
        let y = with_floats(&[&inputs[0]], |x| {
            let row = |(text, token): (usize, &u32)| &x[0][(text * length + *token as usize) * hidden..][..hidden];
            Ok(tokens.iter().enumerate().flat_map(row).copied().collect())
        })?;
        Ok(vec![tensor(y, &[tokens.len(), hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (batch, hidden) = (io.outputs[0][0], io.outputs[0][1]);
        let sizes = [("batch", batch), ("length", io.inputs[0][0] / batch), ("hidden", hidden)];
        Kernel::new(include_str!("pick.wgsl"), 2, &sizes, elementwise(batch * hidden))
    }
}

impl Op for PickGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0] * self.length, inputs[0][1]]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let tokens = integers(&inputs[1])?;
        let hidden = inputs[0].dim(1)?;
        let mut dx = vec![0.0; tokens.len() * self.length * hidden];
        with_floats(&[&inputs[0]], |dy| {
            for (text, (dy, token)) in dy[0].chunks_exact(hidden).zip(&tokens).enumerate() {
                dx[(text * self.length + *token as usize) * hidden..][..hidden].copy_from_slice(dy);
            }
            Ok(())
        })?;
        Ok(vec![tensor(dx, &[tokens.len() * self.length, hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, hidden) = (io.outputs[0][0], io.outputs[0][1]);
        let sizes = [("rows", rows), ("length", self.length), ("hidden", hidden)];
        Kernel::new(include_str!("pick_grad.wgsl"), 2, &sizes, elementwise(rows * hidden))
    }
}
