//! Contrastive losses over the similarities of a labelled batch, with the gradient made beside the loss.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::Kernel;
use candle_core::Tensor;

/// Which loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PairLossKind {
    /// SetFit's recipe: mean over all pairs `i < j` of `(s_ij - [same label])²` (sentence-transformers' `CosineSimilarityLoss`).
    Cosine,
    /// Supervised contrastive loss (Khosla et al. 2020, L_out): mean over anchors that have a positive of
    /// `-1/|P(i)| Σ_{p in P(i)} log(exp(s_ip / t) / Σ_{a ≠ i} exp(s_ia / t))`.
    SupervisedContrastive {
        /// The temperature t.
        temperature: f32,
    },
}

/// Inputs `S (B, B)`, `labels (B)`, `weights (B)`: rows of weight 0 are padding and take no part. The loss is multiplied by
/// the sum of the weights: one for a batch, 1 / k for each of k micro-batches, whose losses and gradients so average.
/// Outputs `loss (1)` and `dS (B, B)`.
#[derive(Debug, Clone, Copy)]
pub struct PairLoss(pub PairLossKind);

/// Loss and gradient over the rows that count.
fn cosine(s: &[f32], labels: &[u32], rows: &[usize], batch: usize, ds: &mut [f32]) -> f32 {
    let pairs = (rows.len() * rows.len().saturating_sub(1) / 2).max(1) as f32;
    let mut loss = 0.0;
    for (at, i) in rows.iter().enumerate() {
        for j in &rows[at + 1..] {
            let error = s[i * batch + j] - f32::from(labels[*i] == labels[*j]);
            loss += error * error / pairs;
            // Half to each of the two places that hold this pair.
            ds[i * batch + j] = error / pairs;
            ds[j * batch + i] = error / pairs;
        }
    }
    loss
}

fn supervised_contrastive(s: &[f32], labels: &[u32], rows: &[usize], batch: usize, t: f32, ds: &mut [f32]) -> f32 {
    let positives = |i: usize| rows.iter().filter(|j| **j != i && labels[**j] == labels[i]).count();
    let anchors = rows.iter().filter(|i| positives(**i) > 0).count().max(1) as f32;
    let mut loss = 0.0;
    for &i in rows {
        let count = positives(i) as f32;
        if count == 0.0 {
            continue;
        }
        let others = || rows.iter().copied().filter(move |j| *j != i);
        let max = others().map(|j| s[i * batch + j]).fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = others().map(|j| ((s[i * batch + j] - max) / t).exp()).sum();
        for j in others() {
            let log_p = (s[i * batch + j] - max) / t - sum.ln();
            let share = f32::from(labels[j] == labels[i]) / count;
            loss -= share * log_p / anchors;
            ds[i * batch + j] = (log_p.exp() - share) / (t * anchors);
        }
    }
    loss
}

impl Op for PairLoss {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![1], inputs[0].clone()])
    }

    /// The loss ends the graph, so its own gradient is one.
    fn grad(&self, _graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(at.outputs[1]), None, None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let batch = inputs[0].dim(0)?;
        let labels = integers(&inputs[1])?;
        let mut ds = vec![0.0; batch * batch];
        let loss = with_floats(&[&inputs[0], &inputs[2]], |x| {
            let rows: Vec<usize> = (0..batch).filter(|b| x[1][*b] > 0.0).collect();
            let loss = match self.0 {
                PairLossKind::Cosine => cosine(x[0], &labels, &rows, batch, &mut ds),
                PairLossKind::SupervisedContrastive { temperature } => {
                    supervised_contrastive(x[0], &labels, &rows, batch, temperature, &mut ds)
                }
            };
            let share: f32 = x[1].iter().sum();
            ds.iter_mut().for_each(|ds| *ds *= share);
            Ok(loss * share)
        })?;
        Ok(vec![tensor(vec![loss], &[1])?, tensor(ds, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let sizes = [("batch", io.inputs[0][0]), ("loss_offset", io.output_offsets[0])];
        let kernel = Kernel::new(include_str!("pair_loss.wgsl"), 3, &sizes, [1; 3]);
        match self.0 {
            PairLossKind::Cosine => kernel.with("supervised", false),
            PairLossKind::SupervisedContrastive { temperature } => {
                kernel.with("supervised", true).with("temperature", temperature)
            }
        }
    }
}
