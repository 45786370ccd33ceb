//! The settings of a training run, which follow from the task where little was told.

use super::options::{
    ContrastiveLoss, LossVariant, LossWeights, Objective, OptimizerOption, Preset, Schedule, TrainOptions,
};
use crate::error::{Error, Result};

/// Settings of a run, all decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Optimiser steps.
    pub steps: usize,
    /// Examples a micro-batch: no more than there are, so that none counts twice in one.
    pub batch_size: usize,
    /// Peak learning rate of the vectors.
    pub learning_rate: f32,
    /// Peak learning rate of the head.
    pub head_learning_rate: f32,
    /// What that of the vectors is multiplied with in each layer; empty for 1 in all.
    pub layer_rates: Vec<f32>,
    /// What is minimised.
    pub objective: Objective,
    /// Which contrastive loss.
    pub contrastive_loss: ContrastiveLoss,
    /// Its temperature.
    pub temperature: f32,
    /// How much each of T-Few's losses counts.
    pub loss_weights: LossWeights,
    /// Whose formulas for them.
    pub loss_variant: LossVariant,
    /// The optimiser.
    pub optimizer: OptimizerOption,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Steps in which the learning rate rises.
    pub warmup_steps: usize,
    /// How it goes down.
    pub schedule: Schedule,
    /// Micro-batches a step.
    pub gradient_accumulation: usize,
    /// Largest gradient norm, 0 for none.
    pub max_grad_norm: f32,
    /// Tokens after which a text is cut.
    pub max_length: usize,
    /// Examples share rows.
    pub packing: bool,
    /// Seed of the order of examples.
    pub seed: u64,
    /// Evaluations without improvement that end the run.
    pub patience: Option<usize>,
    /// Steps between evaluations.
    pub eval_every: usize,
    /// The backward pass computes activations again.
    pub activation_checkpointing: bool,
}

impl TrainOptions {
    /// Decides every setting for `examples` examples, or rows of packed ones, of `classes` classes and a model of `layers` layers that takes
    /// `longest` tokens.
    /// [`Error::BadOption`] names the option that makes no sense.
    pub fn resolve(&self, examples: usize, classes: usize, longest: usize, layers: usize) -> Result<Settings> {
        let told = self.with_preset();
        told.check(longest)?;
        // With many examples a class, or two classes, single labels carry enough signal and the head learns along with the vectors.
        // With few examples of several classes a batch holds far more pairs than labels.
        let few = classes > 2 && examples < 16 * classes;
        let objective = told.objective.unwrap_or(if few { Objective::Contrastive } else { Objective::CrossEntropy });
        let batch_size = told.batch_size.unwrap_or(match objective {
            Objective::CrossEntropy | Objective::TFew => 8,
            Objective::Contrastive => 16,
        });
        if objective == Objective::Contrastive && batch_size < 2 {
            let reason = "is 1: the contrastive objective compares examples, give at least 2".into();
            return Err(Error::BadOption { option: "batchSize".into(), reason });
        }
        let batch_size = batch_size.min(examples.max(1));
        let gradient_accumulation = told.gradient_accumulation.unwrap_or(1);
        let per_epoch = examples.div_ceil(batch_size * gradient_accumulation).max(1);
        let steps = match (told.steps, told.epochs) {
            (Some(steps), _) => steps,
            (None, Some(epochs)) => ((epochs * per_epoch as f32).ceil() as usize).max(1),
            (None, None) => 60,
        };
        let usual_length = match told.preset {
            Some(Preset::TFew) => 256,
            None => 128,
        };
        Ok(Settings {
            steps,
            batch_size,
            learning_rate: told.learning_rate.unwrap_or(1e-2),
            head_learning_rate: told.head_learning_rate.unwrap_or(1e-2),
            layer_rates: told.layer_learning_rates.map_or(Ok(Vec::new()), |rates| rates.resolve(layers))?,
            objective,
            contrastive_loss: told.contrastive_loss.unwrap_or(ContrastiveLoss::Supervised),
            temperature: told.temperature.unwrap_or(0.1),
            loss_weights: told.loss_weights.unwrap_or_default(),
            loss_variant: told.loss_variant.unwrap_or(LossVariant::Paper),
            optimizer: told.optimizer.unwrap_or(OptimizerOption::Adamw),
            weight_decay: told.weight_decay.unwrap_or(0.0),
            warmup_steps: (told.warmup_ratio.unwrap_or(0.06) * steps as f32).round() as usize,
            schedule: told.schedule.unwrap_or(Schedule::Linear),
            gradient_accumulation,
            max_grad_norm: told.max_grad_norm.unwrap_or(1.0),
            max_length: told.max_length.unwrap_or(usual_length).min(longest),
            packing: told.packing.unwrap_or(false),
            seed: told.seed.unwrap_or(0),
            patience: told.patience,
            eval_every: told.eval_every.unwrap_or((steps / 6).max(1)),
            activation_checkpointing: told.activation_checkpointing,
        })
    }
}
