//! Where the time of a training step goes: each op of its plan, run by itself.

use super::Session;
use crate::adapter::TaskType;
use crate::backend::{Clock, Inputs, TrainState};
use crate::error::Result;
use crate::graph::{Id, Shape};
use crate::models::BatchShape;
use crate::plan::{Plan, Step};
use crate::train::{Adafactor, Asked, Batch, Encoded, LanguageBatch, LanguageRow, Sequence, Target};
use serde::Serialize;

/// Time of one step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepTime {
    /// The op with its settings.
    pub op: String,
    /// Shapes of what it reads.
    pub inputs: Vec<Shape>,
    /// Shapes of what it writes.
    pub outputs: Vec<Shape>,
    /// Milliseconds of one run.
    pub ms: f64,
}

impl Session {
    /// Runs each op of a training step with PEFT's default targets `times` times, on full-length texts of arbitrary tokens.
    /// The session's adapters and its training run stay as they are.
    pub async fn profile(&mut self, shape: BatchShape, times: usize, clock: &dyn Clock) -> Result<Vec<StepTime>> {
        self.check_loaded()?;
        self.check_shape(shape)?;
        let plan = self.training_plan(shape, None)?;
        let inputs = self.arbitrary_inputs(shape);
        let zeros = vec![0.0; plan.gradients - 1];
        let table = vec![1.0; plan.gradients - 1];
        let backend = self.backend.as_mut().expect("a loaded session has a device");
        let state = TrainState { parameters: table.clone(), first: zeros.clone(), second: zeros, step: 0 };
        let training = backend.begin_training(&state, &Adafactor::default().into()).await?;
        let program = backend.compile_training(plan, &training).await?;
        let times = backend.profile(&program, &inputs, &table, times, clock).await?;
        let plan = program.plan();
        Ok(plan.steps.iter().zip(times).map(|(step, ms)| StepTime::new(plan, step, ms)).collect())
    }

    /// Full-length texts of arbitrary tokens, compared with whatever the task has.
    fn arbitrary_inputs(&self, shape: BatchShape) -> Inputs {
        let BatchShape { batch, length, .. } = shape;
        let padding = self.model.common().padding;
        let ids: Vec<u32> = (0..length).map(|at| (at * 97 % self.model.common().vocab_size) as u32).collect();
        let target = match self.base.task {
            TaskType::SeqCls | TaskType::FeatureExtraction => Target::Class(0),
            TaskType::QuestionAns => Target::Span([Some(0), Some(0)]),
            TaskType::TokenCls => Target::Tokens(vec![Some(0); length]),
            TaskType::CausalLm | TaskType::Seq2SeqLm => {
                let asked = (0..length).map(|place| Asked { place, id: 0 }).collect();
                let sequence = Sequence::alone(ids.clone(), asked);
                let row = LanguageRow { input: Some(ids), sequence, truncated: false };
                let rows = vec![&row; batch];
                return LanguageBatch { rows, weight: 1.0, ..LanguageBatch::default() }.inputs(shape, padding);
            }
        };
        let text = Encoded { types: vec![0; length], ids, truncated: false };
        let (rows, targets) = (vec![&text; batch], vec![&target; batch]);
        Batch { rows, targets, weight: 1.0 / batch as f32, ..Batch::default() }.inputs(shape, padding)
    }
}

impl StepTime {
    fn new(plan: &Plan, step: &Step, ms: f64) -> StepTime {
        let shapes = |ids: &[Id]| ids.iter().map(|id| plan.values[id.0].shape.clone()).collect();
        StepTime { op: format!("{:?}", step.op), inputs: shapes(&step.inputs), outputs: shapes(&step.outputs), ms }
    }
}
