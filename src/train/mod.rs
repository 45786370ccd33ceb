//! Training: what a run is told, its batches and learning rates, its optimiser, heads and metrics.

mod adafactor;
mod adamw;
mod batch;
mod language;
mod layer_rates;
mod metrics;
mod optimizer;
mod options;
mod plans;
mod prototype;
mod ranked;
mod sampler;
mod schedule;
mod segment;
mod sequence;
mod settings;

pub use adafactor::Adafactor;
pub use adamw::AdamW;
pub use batch::{Batch, Encoded, Target, bucket};
pub use language::{LanguageBatch, padded, padded_texts};
pub use layer_rates::LayerRates;
pub use metrics::{Metrics, argmax, best_span, softmax};
pub use optimizer::Optimizer;
pub use options::{
    ContrastiveLoss, LossVariant, LossWeights, Objective, OptimizerOption, Preset, Schedule, TrainOptions,
};
pub use plans::{forward_plan, training_plan};
pub use prototype::{PROTOTYPE_SCALE, logistic_regression, prototypes};
pub use ranked::Ranked;
pub use sampler::Sampler;
pub use segment::{Rates, Segment};
pub use sequence::{Asked, Continued, LanguageRow, Sequence, pack};
pub use settings::Settings;
