//! Training: what a run is told, its batches and learning rates, its optimiser, heads and metrics.

mod adamw;
mod batch;
mod metrics;
mod options;
mod plans;
mod prototype;
mod sampler;
mod schedule;

pub use adamw::AdamW;
pub use batch::{Batch, Encoded, Target, bucket};
pub use metrics::{Metrics, argmax, best_span, softmax};
pub use options::{ContrastiveLoss, Objective, Optimizer, Schedule, Settings, TrainOptions};
pub use plans::{forward_plan, training_plan};
pub use prototype::{PROTOTYPE_SCALE, logistic_regression, prototypes};
pub use sampler::Sampler;
