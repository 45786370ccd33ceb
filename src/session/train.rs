//! Training an adapter of a session, one optimiser step a call.

use super::examples::Example;
use super::infer::{InferOptions, Selection};
use super::objective::{pair_loss, rank_loss};
use super::run::{EndReason, Run, TrainEvent, TrainResult};
use super::tokenized::Examples;
use super::{Session, Task, mismatch};
use crate::adapter::{Adapter, Layout};
use crate::backend::TrainState;
use crate::error::{Error, Result};
use crate::models::Output;
use crate::train::{
    Metrics, Objective, Sampler, Settings, TrainOptions, logistic_regression, pack, padded, training_plan,
};

/// Pull of logistic regression towards the prototypes; chosen on the tasks of the README.
const RIDGE: f32 = 1e-3;
/// Steps that may run on a GPU while the next is prepared.
const IN_FLIGHT: usize = 2;

impl Session {
    /// Starts training an adapter. Returns the number of steps and the objective that was chosen.
    pub async fn begin_training(
        &mut self,
        name: &str,
        examples: &[Example],
        validation: &[Example],
        options: &TrainOptions,
    ) -> Result<(usize, Objective)> {
        self.check_loaded()?;
        if let Some(run) = &self.run {
            return Err(Error::Busy { what: format!("training of adapter '{}'", run.name) });
        }
        if self.options.task == Task::FeatureExtraction {
            return Err(mismatch(self.options.task, Task::TextClassification));
        }
        let options = self.told(examples, options)?;
        let (labels, longest, layers) = (self.base.labels.len(), self.model.common().longest, self.base.layers());
        let settings = |count: usize| options.resolve(count, labels, longest, layers);
        let mut settled = settings(examples.len())?;
        let mut examples = self.examples(examples, Some(settled.max_length))?;
        if settled.packing {
            examples.language = pack(&examples.language, settled.max_length);
            settled = settings(examples.len())?;
        }
        let settings = settled;
        self.check_classes(&examples)?;
        let validation = self.examples(validation, Some(settings.max_length))?;
        let adapter = self.adapter(name)?.clone();
        let adapter = self.with_head(adapter, &examples).await?;
        self.adapters.insert(name.into(), adapter.clone());
        let run = self.run(name, settings, adapter, examples, validation)?;
        let answer = (run.settings.steps, run.settings.objective);
        self.run = Some(run);
        self.judge().await?;
        if let Some(run) = &mut self.run {
            run.before = run.best.as_ref().map(|best| best.metrics.clone());
        }
        Ok(answer)
    }

    /// One optimiser step. Returns what happened since the last call; after [`TrainEvent::End`] nothing more will.
    pub async fn train_step(&mut self) -> Result<Vec<TrainEvent>> {
        let mut run = self.run.take().ok_or_else(no_run)?;
        let found = self.advance(&mut run).await;
        self.run = Some(run);
        let (mut events, evaluate) = found?;
        if evaluate {
            let metrics = self.judge().await?;
            let step = self.run.as_ref().map_or(0, |run| run.state.step);
            events.extend(metrics.map(|Metrics { accuracy, macro_f1, loss, .. }| TrainEvent::Eval {
                step,
                accuracy,
                macro_f1,
                loss,
            }));
        }
        let run = self.run.as_mut().expect("the run was just put back");
        if run.end.is_none() && run.state.step >= run.settings.steps {
            run.end = Some(EndReason::Completed);
        }
        events.extend(run.end.map(|reason| TrainEvent::End { reason }));
        Ok(events)
    }

    /// Ends the run and puts the best vectors (with validation) or the last (without) into the adapter.
    /// `reason` is for a run that did not end by itself. Where the device is lost meanwhile the run stays, to be ended on another.
    pub async fn end_training(&mut self, reason: EndReason) -> Result<TrainResult> {
        let mut run = self.run.take().ok_or_else(no_run)?;
        let reason = run.end.unwrap_or(reason);
        if let (Some((training, _)), Some(backend)) = (&mut run.device, &mut self.backend)
            && let Ok(results) = backend.completed(training, 0).await
        {
            run.finish(results, &mut Vec::new());
        }
        run.device = None;
        let (step, adapter, after) = match run.best.take() {
            Some(best) => (best.step, best.adapter, Some(best.metrics)),
            None => match self.trained(&run).await {
                Ok(adapter) => (run.state.step, adapter, None),
                Err(error) => {
                    self.keep(run, &error)?;
                    return Err(error);
                }
            },
        };
        self.adapters.insert(run.name.clone(), adapter);
        let steps = run.losses.len();
        let objective = run.settings.objective;
        Ok(TrainResult { losses: run.losses, steps, best_step: step, before: run.before, after, reason, objective })
    }

    /// Keeps what a run that could not be ended has learned: the run itself until there is a device again, else its vectors.
    fn keep(&mut self, mut run: Run, error: &Error) -> Result<()> {
        if matches!(error, Error::DeviceLost { .. } | Error::NotReady { .. }) {
            run.leave_device();
            self.run = Some(run);
        } else {
            let mut adapter = self.adapter(&run.name)?.clone();
            run.layout.unpack(&run.state.parameters, &mut adapter);
            self.adapters.insert(run.name, adapter);
        }
        Ok(())
    }

    /// Submits the next step and takes in those that are finished. Says whether an evaluation is due.
    async fn advance(&mut self, run: &mut Run) -> Result<(Vec<TrainEvent>, bool)> {
        self.check_loaded()?;
        let backend = self.backend.as_mut().expect("a loaded session has a device");
        if run.device.is_none() {
            // What answered before holds working memory that this step needs more; it is made again when it is asked for.
            self.programs.clear();
            self.kept = None;
            let settings = run.settings.optimizer(run.submitted, &run.layout);
            let training = backend.begin_training(&run.state, &settings).await?;
            let output = match run.settings.objective {
                Objective::CrossEntropy => Output::CrossEntropy,
                Objective::Contrastive => Output::Contrastive(pair_loss(&run.settings)),
                Objective::TFew => Output::Rank(rank_loss(&run.settings, run.examples.choices())),
            };
            let checkpointing = run.settings.activation_checkpointing;
            let plan = training_plan(&self.model, run.shape, &run.layout, output, checkpointing)?;
            let program = backend.compile_training(plan, &training).await?;
            run.device = Some((training, program));
        }
        let inputs = run.inputs(self.model.common().padding);
        let (training, program) = run.device.as_mut().expect("the device's part was just made");
        if !inputs.is_empty() {
            let settings = run.settings.optimizer(run.submitted, &run.layout);
            backend.train_step(training, program, &inputs, &settings).await?;
            run.submitted += 1;
        }
        let last = run.submitted >= run.settings.steps || run.end.is_some();
        let evaluate = !run.validation.is_empty() && (last || run.submitted.is_multiple_of(run.settings.eval_every));
        let results = backend.completed(training, if evaluate || last { 0 } else { IN_FLIGHT }).await?;
        let mut events = Vec::new();
        run.finish(results, &mut events);
        Ok((events, evaluate && run.end.is_none()))
    }

    /// Evaluates the run's vectors on its validation examples, if it has any.
    async fn judge(&mut self) -> Result<Option<Metrics>> {
        let Some(run) = self.run.take_if(|run| !run.validation.is_empty()) else { return Ok(None) };
        let found = self.validate(&run).await;
        let run = self.run.insert(run);
        let (adapter, metrics) = found?;
        run.judge(adapter, metrics.clone());
        Ok(Some(metrics))
    }

    async fn validate(&mut self, run: &Run) -> Result<(Adapter, Metrics)> {
        let adapter = self.trained(run).await?;
        let selection = Selection::Active(vec![run.name.clone()]);
        let kept = self.adapters.insert(run.name.clone(), adapter.clone());
        let metrics = self.measure(&run.validation, &selection, InferOptions::default()).await;
        if let Some(kept) = kept {
            self.adapters.insert(run.name.clone(), kept);
        }
        Ok((adapter, metrics?))
    }

    /// The adapter with the run's vectors, and the head that goes with them.
    async fn trained(&mut self, run: &Run) -> Result<Adapter> {
        let mut adapter = self.adapter(&run.name)?.clone();
        run.layout.unpack(&run.state.parameters, &mut adapter);
        if run.settings.objective == Objective::Contrastive && run.state.step > 0 {
            let rows = self.embeddings_with(&run.name, &adapter, &run.examples.texts).await?;
            let (weight, bias) = logistic_regression(&rows, &run.examples.classes(), self.base.labels.len(), RIDGE);
            adapter.head = Some(self.make_head(weight, bias));
        }
        Ok(adapter)
    }

    fn run(
        &self,
        name: &str,
        settings: Settings,
        adapter: Adapter,
        examples: Examples,
        validation: Examples,
    ) -> Result<Run> {
        let head = adapter.head.as_ref().filter(|_| settings.objective == Objective::CrossEntropy);
        let layout = Layout::union(&self.base.sites, &[&Adapter { head: head.cloned(), ..adapter.clone() }]);
        let parameters = layout.pack(&adapter);
        let zeros = vec![0.0; parameters.len()];
        let state = TrainState { parameters, first: zeros.clone(), second: zeros, step: 0 };
        let kind = self.backend.as_ref().expect("a loaded session has a device").kind();
        let shape = padded(examples.shape(settings.batch_size), self.model.common().longest, kind);
        Ok(Run {
            name: name.into(),
            sampler: Sampler::new(&examples.classes(), self.base.labels.len().max(1), settings.seed),
            shape,
            good: state.clone(),
            state,
            settings,
            layout,
            examples,
            validation,
            submitted: 0,
            losses: Vec::new(),
            before: None,
            best: None,
            stale: 0,
            end: None,
            device: None,
        })
    }

    /// The options of a run with its objective. [`Error::BadOption`] for the contrastive objective where there is no one vector and one layer
    /// to learn, and for packing what cannot share a row.
    fn told(&self, examples: &[Example], options: &TrainOptions) -> Result<TrainOptions> {
        if examples.is_empty() {
            return Err(Error::EmptyTrainingSet);
        }
        let mut options = options.with_preset();
        let ranked = matches!(examples[0], Example::Ranked { .. } | Example::Prompted { .. });
        let refused = |reason: &str| Err(Error::BadOption { option: "objective".into(), reason: reason.into() });
        match options.objective {
            Some(Objective::TFew) if !ranked => {
                return refused(
                    "is 't-few', which needs examples {input, choices, answer} or {text, label, templates}",
                );
            }
            Some(Objective::CrossEntropy | Objective::Contrastive) if ranked => {
                return refused("is not 't-few', and the examples have choices: leave it out");
            }
            _ if ranked => options.objective = Some(Objective::TFew),
            Some(_) | None => {}
        }
        if options.packing == Some(true) && (ranked || self.options.task != Task::TextGeneration) {
            let reason =
                "is true: only examples of text-generation without choices can share rows, leave it out".into();
            return Err(Error::BadOption { option: "packing".into(), reason });
        }
        if !ranked && (self.options.task != Task::TextClassification || self.base.head.len() != 1) {
            if options.objective == Some(Objective::Contrastive) {
                return refused(
                    "is 'contrastive', which needs text classification with pooling 'mean' or a head of one layer",
                );
            }
            options.objective = Some(Objective::CrossEntropy);
        }
        Ok(options)
    }

    /// Texts of one class teach nothing.
    fn check_classes(&self, examples: &Examples) -> Result<()> {
        let classes = examples.classes();
        match classes.first() {
            Some(first)
                if self.options.task == Task::TextClassification && classes.iter().all(|class| class == first) =>
            {
                Err(Error::SingleClass { label: self.base.labels[*first].clone() })
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn no_run() -> Error {
    Error::NotReady { what: "no training is under way: begin one first".into() }
}
