//! A training run: what it trains, how far it is, and the best it found.

use super::tokenized::Examples;
use crate::adapter::{Adapter, Layout};
use crate::backend::{Inputs, Program, StepResult, TrainState, Training};
use crate::models::{BatchShape, Padding};
use crate::train::{Batch, LanguageBatch, LanguageRow, Metrics, Objective, Ranked, Sampler, Settings};
use rand::SeedableRng;
use rand::prelude::IndexedRandom;
use rand::rngs::SmallRng;
use serde::Serialize;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// All steps were done.
    Completed,
    /// Validation stopped improving.
    Patience,
    /// Loss or gradient was no longer finite.
    Diverged,
    /// The caller stopped it.
    Aborted,
    /// An error ended it.
    Failed,
}

/// What happens during a run. Field names are those of the events in `src/js/training-types.ts`, where they are explained.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum TrainEvent {
    /// An optimiser step is done.
    Step { step: usize, total_steps: usize, loss: f32, learning_rate: f32, grad_norm: f32 },
    /// The validation examples were evaluated.
    Eval { step: usize, accuracy: f64, macro_f1: f64, loss: f64 },
    /// No more steps follow.
    End { reason: EndReason },
}

/// What a run achieved.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainResult {
    /// Loss of each step, before its update.
    pub losses: Vec<f32>,
    /// Steps done.
    pub steps: usize,
    /// The step whose vectors the adapter has now.
    pub best_step: usize,
    /// Validation metrics before the first step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Metrics>,
    /// Validation metrics of the vectors that were kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Metrics>,
    /// Why it ended.
    pub reason: EndReason,
    /// What was minimised.
    pub objective: Objective,
}

/// The best state so far.
#[derive(Debug)]
pub struct Best {
    /// After which step.
    pub step: usize,
    /// The adapter then.
    pub adapter: Adapter,
    /// Its validation metrics.
    pub metrics: Metrics,
}

/// A run under way.
#[derive(Debug)]
pub struct Run {
    pub(super) name: String,
    pub(super) settings: Settings,
    pub(super) layout: Layout,
    pub(super) examples: Examples,
    pub(super) validation: Examples,
    pub(super) sampler: Sampler,
    /// Steps submitted; steps done are `state.step`.
    pub(super) submitted: usize,
    /// After the last completed step. It is all that is needed to go on with another device.
    pub(super) state: TrainState,
    /// Before the last completed step: its parameters are known to give a finite loss.
    pub(super) good: TrainState,
    pub(super) losses: Vec<f32>,
    pub(super) before: Option<Metrics>,
    pub(super) best: Option<Best>,
    pub(super) stale: usize,
    pub(super) end: Option<EndReason>,
    /// The shape of every batch: the longest example decides.
    pub(super) shape: BatchShape,
    /// The device's part: buffers and the program that uses them. Absent before the first step and after a device was lost.
    pub(super) device: Option<(Training, Program)>,
}

impl Run {
    /// Name of the adapter that is trained.
    pub fn adapter(&self) -> &str {
        &self.name
    }

    /// Bytes of working memory.
    pub fn bytes(&self) -> u64 {
        self.device.as_ref().map_or(0, |(_, program)| program.plan().bytes())
    }

    /// Programs that are ready: one or none.
    pub fn program_count(&self) -> usize {
        usize::from(self.device.is_some())
    }

    /// Forgets the device; the next step goes on from the last completed one, with the examples it would have had.
    pub fn leave_device(&mut self) {
        self.device = None;
        self.submitted = self.state.step;
        self.sampler = Sampler::new(&self.examples.classes(), self.sampler.classes(), self.settings.seed);
        for _ in 0..self.submitted * self.settings.gradient_accumulation {
            self.sampler.batch(self.settings.batch_size);
        }
    }

    /// The micro-batches of the next step; none where no step follows.
    pub(super) fn inputs(&mut self, padding: Padding) -> Vec<Inputs> {
        if self.end.is_some() || self.submitted >= self.settings.steps {
            return Vec::new();
        }
        let (shape, count) = (self.shape, self.settings.gradient_accumulation);
        let numbers = self.submitted * count..(self.submitted + 1) * count;
        numbers.map(|number| self.batch(number, shape, padding)).collect()
    }

    /// The next micro-batch, the `number`th of the run.
    fn batch(&mut self, number: usize, shape: BatchShape, padding: Padding) -> Inputs {
        let Settings { batch_size, gradient_accumulation, seed, .. } = self.settings;
        let picked = self.sampler.batch(batch_size);
        let Examples { texts, targets, language, ranked } = &self.examples;
        if !texts.is_empty() {
            let batch = Batch {
                rows: picked.iter().map(|at| &texts[*at]).collect(),
                targets: picked.iter().map(|at| &targets[*at]).collect(),
                weight: 1.0 / (batch_size * gradient_accumulation) as f32,
                ..Batch::default()
            };
            return batch.inputs(shape, padding);
        }
        if !language.is_empty() {
            let rows: Vec<&LanguageRow> = picked.iter().map(|at| &language[*at]).collect();
            // The mean over the tokens of a micro-batch, each token alike.
            let asked = rows.iter().map(|row| row.sequence.asked_for()).sum::<usize>();
            let weight = 1.0 / (asked.max(1) * gradient_accumulation) as f32;
            return LanguageBatch { rows, weight, ..LanguageBatch::default() }.inputs(shape, padding);
        }
        // The number decides the forms, so that a run that goes on elsewhere meets the same ones.
        let mut rng = SmallRng::seed_from_u64(seed ^ (number as u64 + 1) << 32);
        let form = |at: &usize| ranked[*at].choose(&mut rng).expect("an example has a form");
        let picked: Vec<&Ranked> = picked.iter().map(form).collect();
        Ranked::batch(&picked, self.examples.choices()).inputs(shape, padding)
    }

    /// Takes in finished steps and tells of them.
    pub(super) fn finish(&mut self, results: Vec<StepResult>, events: &mut Vec<TrainEvent>) {
        for StepResult { step, loss, grad_norm, state } in results {
            if self.end == Some(EndReason::Diverged) {
                break;
            }
            if !loss.is_finite() || !grad_norm.is_finite() {
                // The loss is that of the parameters the last step made, so those go.
                self.state = self.good.clone();
                self.end = Some(EndReason::Diverged);
                break;
            }
            self.losses.push(loss);
            self.good = std::mem::replace(&mut self.state, state);
            let learning_rate = self.settings.learning_rate * self.settings.rate(step - 1);
            events.push(TrainEvent::Step { step, total_steps: self.settings.steps, loss, learning_rate, grad_norm });
        }
    }

    /// Takes in an evaluation: keeps the adapter if it is the best so far, counts towards patience if it is not.
    pub(super) fn judge(&mut self, adapter: Adapter, metrics: Metrics) {
        let better = |best: &Best| (metrics.accuracy, -metrics.loss) > (best.metrics.accuracy, -best.metrics.loss);
        if self.best.as_ref().is_none_or(better) {
            self.best = Some(Best { step: self.state.step, adapter, metrics });
            self.stale = 0;
        } else {
            self.stale += 1;
            if self.settings.patience.is_some_and(|patience| self.stale >= patience) {
                self.end = Some(EndReason::Patience);
            }
        }
    }
}
