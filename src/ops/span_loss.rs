//! The loss of a span of tokens: cross-entropy of its first and of its last token, with the gradient made beside the loss.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::Kernel;
use candle_core::Tensor;

/// Inputs `logits (B S, 2)` (start and end), `spans (B, 2)` (first and last token), `weights (B, 2)` (how much each end counts; 0 for
/// padding rows). Outputs `loss (1) = Σ weights CE`, each a softmax over all S tokens of the row, padding too, as transformers'
/// `ForQuestionAnsweringLoss` has it, and `dlogits (B S, 2)`, its gradient.
#[derive(Debug)]
pub struct SpanLoss;

impl Op for SpanLoss {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        if inputs[0][1] != 2 || !inputs[0][0].is_multiple_of(inputs[1][0]) {
            return Err(Error::Shape { op: "SpanLoss".into(), reason: format!("logits {:?}", inputs[0]) });
        }
        Ok(vec![vec![1], inputs[0].clone()])
    }

    /// The loss ends the graph, so its own gradient is one.
    fn grad(&self, _graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(at.outputs[1]), None, None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let spans = integers(&inputs[1])?;
        let length = 2 * inputs[0].dim(0)? / spans.len();
        let mut loss = 0.0;
        let dlogits = with_floats(&[&inputs[0], &inputs[2]], |x| {
            let mut d = x[0].to_vec();
            for (end, (goal, weight)) in spans.iter().zip(x[1]).enumerate() {
                let at = |token: usize| (end / 2 * length + token) * 2 + end % 2;
                let goal = *goal as usize;
                let max = (0..length).map(|token| x[0][at(token)]).fold(f32::NEG_INFINITY, f32::max);
                let sum: f32 = (0..length).map(|token| (x[0][at(token)] - max).exp()).sum();
                loss += weight * (sum.ln() + max - x[0][at(goal)]);
                for token in 0..length {
                    let probability = (x[0][at(token)] - max).exp() / sum;
                    d[at(token)] = weight * (probability - f32::from(token == goal));
                }
            }
            Ok(d)
        })?;
        Ok(vec![tensor(vec![loss], &[1])?, tensor(dlogits, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let batch = io.inputs[1][0];
        let sizes = [("batch", batch), ("length", io.inputs[0][0] / batch), ("loss_offset", io.output_offsets[0])];
        Kernel::new(include_str!("span_loss.wgsl"), 3, &sizes, [1; 3])
    }
}
