//! Cross-entropy of logits against labels, with the gradient made beside the loss.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::Kernel;
use candle_core::Tensor;

/// Inputs `logits (B, C)`, `labels (B)`, `weights (B)` (how much each row counts; they sum to one, padding rows are 0).
/// Outputs `loss (1) = -Σ_b weights[b] log softmax(logits[b])[labels[b]]` and `dlogits (B, C)`, its gradient.
#[derive(Debug)]
pub struct CrossEntropy;

impl Op for CrossEntropy {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![1], inputs[0].clone()])
    }

    /// The loss ends the graph, so its own gradient is one.
    fn grad(&self, _graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(at.outputs[1]), None, None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let classes = inputs[0].dim(1)?;
        let labels = integers(&inputs[1])?;
        let mut loss = 0.0;
        let dlogits = with_floats(&[&inputs[0], &inputs[2]], |x| {
            let mut d = x[0].to_vec();
            for ((row, label), weight) in d.chunks_exact_mut(classes).zip(&labels).zip(x[1]) {
                let label = *label as usize;
                let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum = row.iter().map(|x| (x - max).exp()).sum::<f32>();
                loss += weight * (sum.ln() + max - row[label]);
                row.iter_mut().for_each(|x| *x = weight * (*x - max).exp() / sum);
                row[label] -= weight;
            }
            Ok(d)
        })?;
        Ok(vec![tensor(vec![loss], &[1])?, tensor(dlogits, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let sizes = [("batch", io.inputs[0][0]), ("classes", io.inputs[0][1]), ("loss_offset", io.output_offsets[0])];
        Kernel::new(include_str!("cross_entropy.wgsl"), 3, &sizes, [1; 3])
    }
}
