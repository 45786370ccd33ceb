//! What a run's settings mean to the device: the loss ops and the optimiser of a step.

use crate::adapter::Layout;
use crate::ops::{PairLossKind, RankLoss, RankVariant};
use crate::train::{
    Adafactor, AdamW, ContrastiveLoss, LossVariant, LossWeights, Optimizer, OptimizerOption, Rates, Settings,
};

impl Settings {
    /// The optimiser's settings for the step after `done` steps.
    pub(super) fn optimizer(&self, done: usize, layout: &Layout) -> Optimizer {
        let (step, rate) = (done + 1, self.rate(done));
        let [vectors, head] = [self.learning_rate * rate, self.head_learning_rate * rate];
        let segments = Rates { vectors, head, layers: &self.layer_rates }.segments(layout);
        let (weight_decay, max_grad_norm) = (self.weight_decay, self.max_grad_norm);
        match self.optimizer {
            OptimizerOption::Adamw => {
                let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
                AdamW { step, segments, weight_decay, beta1, beta2, eps, max_grad_norm }.into()
            }
            OptimizerOption::Adafactor => {
                Adafactor { step, segments, weight_decay, max_grad_norm, ..Adafactor::default() }.into()
            }
        }
    }
}

/// The contrastive loss that the settings ask for.
pub(super) fn pair_loss(settings: &Settings) -> PairLossKind {
    match settings.contrastive_loss {
        ContrastiveLoss::Cosine => PairLossKind::Cosine,
        ContrastiveLoss::Supervised => PairLossKind::SupervisedContrastive { temperature: settings.temperature },
    }
}

/// T-Few's loss for examples of so many choices; each micro-batch counts its share.
pub(super) fn rank_loss(settings: &Settings, choices: usize) -> RankLoss {
    let LossWeights { language_model, unlikelihood, length_normalized } = settings.loss_weights;
    let share = |weight: f32| weight / settings.gradient_accumulation as f32;
    RankLoss {
        examples: settings.batch_size,
        choices,
        language: share(language_model),
        unlikelihood: share(unlikelihood),
        normalized: share(length_normalized),
        variant: match settings.loss_variant {
            LossVariant::Paper => RankVariant::Paper,
            LossVariant::Code => RankVariant::Code,
        },
    }
}
