//! The loss of language models: cross-entropy token by token over a vocabulary, some rows at a time.

use super::host::{exp, integers, tensor, with_floats};
use crate::cores::{Cores, parts_of};
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, grid};
use candle_core::Tensor;

/// Inputs `logits (n, V)` of the tokens from `start` on, `labels (N)`, `weights (N)` of all tokens (0 for padding).
/// Outputs `losses (n) = -weights log softmax(logits)[labels]` and `dlogits (n, V)`, the gradient of their sum.
#[derive(Debug, Clone, Copy)]
pub struct TokenLoss {
    /// The first token.
    pub start: usize,
}

/// Inputs `losses (n)`, `x`, `dx` (the gradient of their sum with respect to `x`, made beside them), then perhaps the loss so far `(1)`;
/// output the loss with theirs, `(1)`. Its gradient rule hands `dx` on, so that what lies between `x` and the losses need not be kept
/// for a backward pass: a part of the tokens is done with before the next begins.
#[derive(Debug)]
pub struct TotalLoss;

impl Op for TokenLoss {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0]], inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let (rows, classes) = inputs[0].dims2()?;
        let labels = integers(&inputs[1])?;
        let mut losses = vec![0.0; rows];
        let dlogits = with_floats(&[&inputs[0], &inputs[2]], |x| {
            let mut d = x[0].to_vec();
            let parts = parts_of(&mut d, classes, cores.split(rows)).into_iter();
            let parts = parts.zip(parts_of(&mut losses, 1, cores.split(rows)));
            cores.map(parts.collect(), |((first, d), (_, losses))| {
                for ((row, loss), token) in d.chunks_exact_mut(classes).zip(losses).zip(self.start + first..) {
                    let (label, weight) = (labels[token] as usize, x[1][token]);
                    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let sum = row.iter().map(|x| exp(x - max)).sum::<f32>();
                    *loss = weight * (sum.ln() + max - row[label]);
                    row.iter_mut().for_each(|x| *x = weight * exp(*x - max) / sum);
                    row[label] -= weight;
                }
            });
            Ok(d)
        })?;
        Ok(vec![tensor(losses, &[rows])?, tensor(dlogits, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, classes) = (io.inputs[0][0], io.inputs[0][1]);
        let sizes = [("rows", rows), ("classes", classes), ("start", self.start)];
        Kernel::new(include_str!("token_loss.wgsl"), 3, &sizes, grid(rows))
    }
}

impl Op for TotalLoss {
    fn shapes(&self, _inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![1]])
    }

    /// The loss so far is a loss too: it only has to be reached, so the total stands for its gradient, which nothing reads.
    fn grad(&self, _graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let mut found = vec![None, Some(at.inputs[2]), None];
        found.extend(at.inputs.get(3).map(|_| Some(at.outputs[0])));
        Ok(found)
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let sum = |tensor: &Tensor| with_floats(&[tensor], |x| Ok(x[0].iter().sum::<f32>()));
        let before = inputs.get(3).map_or(Ok(0.0), sum)?;
        Ok(vec![tensor(vec![before + sum(&inputs[0])?], &[1])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let sizes = [("count", io.inputs[0][0]), ("loss_offset", io.output_offsets[0])];
        let mut kernel = Kernel::new(include_str!("total_loss.wgsl"), 1, &sizes, [1; 3]);
        // What the gradient rule alone needs is not bound.
        kernel.inputs.push(if io.inputs.len() > 3 { 3 } else { 0 });
        kernel.with("continued", io.inputs.len() > 3)
    }
}
