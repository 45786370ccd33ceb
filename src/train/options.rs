//! What a training run can be told.

use super::layer_rates::LayerRates;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Cross-entropy of the head's logits; vectors and head learn together.
    CrossEntropy,
    /// A contrastive loss of the embeddings, then a logistic-regression head on them (SetFit, arXiv 2209.11055).
    Contrastive,
    /// T-Few's losses of ranked choices (arXiv 2205.05638): language model, unlikelihood, length-normalised.
    TFew,
}

/// How much each of T-Few's losses counts.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LossWeights {
    /// Cross-entropy of the answer's tokens.
    pub language_model: f32,
    /// -log(1 - p) of the tokens of wrong choices.
    pub unlikelihood: f32,
    /// Cross-entropy of the choices' mean log-probabilities.
    pub length_normalized: f32,
}

/// All alike, as in the paper.
impl Default for LossWeights {
    fn default() -> Self {
        LossWeights { language_model: 1.0, unlikelihood: 1.0, length_normalized: 1.0 }
    }
}

/// Where T-Few's paper and its code differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossVariant {
    /// The paper's formulas, means over examples.
    Paper,
    /// r-three/t-few's: language-model and unlikelihood loss are means over the tokens of a batch, 0.01 is added to 1 - p.
    Code,
}

/// Options that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Preset {
    /// T-Few's recipe: its losses, Adafactor, 1000 steps of 8 examples at 3e-3 after 60 of warm-up, then straight down; gradients
    /// clipped to 1; texts of up to 256 tokens.
    TFew,
}

/// Which contrastive loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContrastiveLoss {
    /// Cosine similarity of pairs against 1 (same label) or 0.
    Cosine,
    /// Supervised contrastive loss (arXiv 2004.11362).
    Supervised,
}

/// How the learning rate goes down after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Straight down to 0.
    Linear,
    /// Half a cosine down to 0.
    Cosine,
    /// Not at all.
    Constant,
}

/// The optimiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerOption {
    /// `torch.optim.AdamW`.
    Adamw,
    /// transformers' `Adafactor` without first moment and relative steps: the learning rate is a share of each vector's size.
    Adafactor,
}

/// Options of a training run; what is left out follows from the task, see [`TrainOptions::resolve`].
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TrainOptions {
    /// What is left out follows from this first.
    pub preset: Option<Preset>,
    /// Optimiser steps; wins over `epochs`.
    pub steps: Option<usize>,
    /// Passes over the examples.
    pub epochs: Option<f32>,
    /// Examples a micro-batch.
    pub batch_size: Option<usize>,
    /// Peak learning rate of the IA3 vectors.
    pub learning_rate: Option<f32>,
    /// Peak learning rate of the head.
    pub head_learning_rate: Option<f32>,
    /// What that of the vectors is multiplied with, layer by layer.
    pub layer_learning_rates: Option<LayerRates>,
    /// What is minimised.
    pub objective: Option<Objective>,
    /// Which contrastive loss, with that objective.
    pub contrastive_loss: Option<ContrastiveLoss>,
    /// Temperature of the supervised contrastive loss.
    pub temperature: Option<f32>,
    /// How much each loss counts, with the objective T-Few.
    pub loss_weights: Option<LossWeights>,
    /// Whose formulas, with that objective.
    pub loss_variant: Option<LossVariant>,
    /// The optimiser.
    pub optimizer: Option<OptimizerOption>,
    /// Decoupled weight decay.
    pub weight_decay: Option<f32>,
    /// Share of the steps in which the learning rate rises from 0.
    pub warmup_ratio: Option<f32>,
    /// How the learning rate goes down.
    pub schedule: Option<Schedule>,
    /// Micro-batches whose gradients make one step.
    pub gradient_accumulation: Option<usize>,
    /// Largest global gradient norm; 0 clips nothing.
    pub max_grad_norm: Option<f32>,
    /// Tokens after which a text is cut.
    pub max_length: Option<usize>,
    /// Examples share rows of `max_length` tokens, and what counts examples counts rows. Text generation without choices alone.
    pub packing: Option<bool>,
    /// Seed of the order of examples.
    pub seed: Option<u64>,
    /// Evaluations without improvement after which the run ends; needs validation examples.
    pub patience: Option<usize>,
    /// Steps between evaluations.
    pub eval_every: Option<usize>,
    /// Compute the activations of each block again for its backward pass, instead of keeping them.
    pub activation_checkpointing: bool,
}

impl TrainOptions {
    /// The options with those of the preset where they say nothing themselves.
    pub fn with_preset(&self) -> TrainOptions {
        let told = self.clone();
        match self.preset {
            None => told,
            Some(Preset::TFew) => TrainOptions {
                steps: told.steps.or(Some(1000).filter(|_| told.epochs.is_none())),
                batch_size: told.batch_size.or(Some(8)),
                learning_rate: told.learning_rate.or(Some(3e-3)),
                objective: told.objective.or(Some(Objective::TFew)),
                optimizer: told.optimizer.or(Some(OptimizerOption::Adafactor)),
                warmup_ratio: told.warmup_ratio.or(Some(0.06)),
                schedule: told.schedule.or(Some(Schedule::Linear)),
                max_grad_norm: told.max_grad_norm.or(Some(1.0)),
                ..told
            },
        }
    }

    /// [`Error::BadOption`] names the option that makes no sense.
    pub(super) fn check(&self, longest: usize) -> Result<()> {
        let bad = |option: &str, reason: String| Err(Error::BadOption { option: option.into(), reason });
        let counts = [
            ("steps", self.steps),
            ("batchSize", self.batch_size),
            ("gradientAccumulation", self.gradient_accumulation),
            ("patience", self.patience),
            ("evalEvery", self.eval_every),
        ];
        for (option, value) in counts {
            if value == Some(0) {
                return bad(option, "is 0: give at least 1".into());
            }
        }
        let weights = self.loss_weights;
        let sizes = [
            ("epochs", self.epochs, 1e-3, 1e6),
            ("learningRate", self.learning_rate, 0.0, 1e3),
            ("headLearningRate", self.head_learning_rate, 0.0, 1e3),
            ("temperature", self.temperature, 1e-3, 1e3),
            ("weightDecay", self.weight_decay, 0.0, 1e3),
            ("warmupRatio", self.warmup_ratio, 0.0, 1.0),
            ("maxGradNorm", self.max_grad_norm, 0.0, 1e6),
            ("lossWeights.languageModel", weights.map(|weights| weights.language_model), 0.0, 1e3),
            ("lossWeights.unlikelihood", weights.map(|weights| weights.unlikelihood), 0.0, 1e3),
            ("lossWeights.lengthNormalized", weights.map(|weights| weights.length_normalized), 0.0, 1e3),
        ];
        for (option, value, least, most) in sizes {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                return bad(option, format!("is {value}: give a number from {least} to {most}"));
            }
        }
        match self.max_length {
            Some(length) if length < 3 || length > longest => {
                bad("maxLength", format!("is {length}: this model takes 3 to {longest} tokens"))
            }
            _ => Ok(()),
        }
    }
}
