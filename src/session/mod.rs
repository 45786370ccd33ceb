//! One base model on one device, its adapters, and the programs made for the batch shapes that came by.

mod adapters;
mod answering;
mod chat;
mod dtype;
mod estimate;
mod examples;
mod generate;
mod heads;
mod infer;
mod language;
mod load;
mod matmul;
mod merge;
mod merge_gguf;
mod objective;
mod options;
mod profile;
mod programs;
mod rank;
mod run;
mod shortage;
mod start;
mod task;
mod template;
mod tokenized;
mod tokens;
mod train;

pub use adapters::{AdapterOptions, CombineOptions, ParameterCount, TargetOption};
pub use chat::{Piece, Prompt, conversation};
pub use dtype::{ActivationDtype, Dtype};
pub use estimate::{DeviceOption, Estimate, EstimateOptions, estimate};
pub use examples::{Example, Question};
pub use generate::{FinishReason, GenerateOptions, Generated, Token, sampling};
pub use infer::{Answer, Embeddings, InferOptions, Selection, Text};
pub use language::{Continuation, Scored};
pub use matmul::Matmul;
pub use merge::{MergeFormat, MergeOptions, MergedFile};
pub use options::SessionOptions;
pub use profile::StepTime;
pub use rank::{Choice, ChooseOptions, Ranking};
pub use run::{EndReason, TrainEvent, TrainResult};
pub use start::Start;
pub use task::{Pooling, Task};
pub use template::Template;
pub use tokens::{SpanAnswer, Tagging};

use crate::adapter::{Adapter, AdapterConfig, Base, Head, Layout};
use crate::backend::{Backend, Progress};
use crate::checkpoint::gguf::Outline;
use crate::checkpoint::{StoredTensor, Tokenizer};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::models::{BatchShape, Model, Output};
use crate::plan::Plan;
use crate::train::{forward_plan, training_plan};
use programs::Programs;
use std::collections::BTreeMap;
use task::mismatch;

/// A base model with its adapters.
pub struct Session {
    model: Model,
    base: Base,
    options: SessionOptions,
    tokenizer: Tokenizer,
    backend: Option<Backend>,
    loader: Option<load::Loader>,
    /// Tensors of the file that no graph reads but a merged file must hold, as they came.
    extra: BTreeMap<String, StoredTensor>,
    /// The GGUF that the base model was read from.
    outline: Option<Outline>,
    loaded: bool,
    adapters: BTreeMap<String, Adapter>,
    base_head: Option<Head>,
    programs: Programs,
    run: Option<run::Run>,
    merge: Option<merge::Merge>,
    generation: Option<generate::Generation>,
    /// What generations leave on the device. A generation under way that does not find it reads its tokens again.
    kept: Option<generate::Kept>,
}

impl Session {
    /// Reads configuration and tokenizer. A device and the weights come after.
    pub fn new(config: &[u8], tokenizer: &[u8], options: SessionOptions) -> Result<Session> {
        options.check_labels()?;
        let model = Model::from_json(config, options.task.task_type(options.pooling))?;
        let tokenizer = Tokenizer::from_bytes(tokenizer)?;
        tokenizer.check(model.common().vocab_size, model.common().type_vocab_size)?;
        let base = model.base(options.head_labels())?;
        Ok(Session {
            model,
            base,
            options,
            tokenizer,
            backend: None,
            loader: None,
            extra: BTreeMap::new(),
            outline: None,
            loaded: false,
            adapters: BTreeMap::new(),
            base_head: None,
            programs: Programs::default(),
            run: None,
            merge: None,
            generation: None,
            kept: None,
        })
    }

    /// Puts a device without weights in the place of the one so far. Adapters, a training run and a generation stay.
    pub fn set_backend(&mut self, backend: Backend) {
        self.drop_programs();
        if let Some(run) = &mut self.run {
            run.leave_device();
        }
        self.loaded = false;
        self.model.half_activations = self.options.activation_dtype == ActivationDtype::F16 && backend.keeps_half();
        self.backend = Some(backend);
    }

    /// The number format in which this device keeps activations.
    pub fn activation_dtype(&self) -> ActivationDtype {
        if self.model.half_activations { ActivationDtype::F16 } else { ActivationDtype::F32 }
    }

    /// Lets threads share the work, if the device is the CPU.
    pub fn share(&mut self, cores: Cores) {
        if let Some(backend) = &mut self.backend {
            backend.share(cores);
        }
    }

    /// The device.
    pub fn backend(&self) -> Option<&Backend> {
        self.backend.as_ref()
    }

    /// The architecture.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Bytes of the weights on the device.
    pub fn weight_bytes(&self) -> usize {
        self.backend.as_ref().map_or(0, Backend::weight_bytes)
    }

    /// Bytes of working memory of the programs that are ready.
    pub fn activation_bytes(&self) -> u64 {
        let run = self.run.as_ref().map_or(0, run::Run::bytes);
        match &self.backend {
            Some(Backend::Cpu(_)) => {
                self.programs.largest().max(run) + self.kept.as_ref().map_or(0, |kept| kept.bytes(false))
            }
            Some(Backend::Gpu(_)) => {
                self.programs.bytes() + run + self.kept.as_ref().map_or(0, |kept| kept.bytes(true))
            }
            None => 0,
        }
    }

    /// Bytes of the adapters' vectors and heads.
    pub fn adapter_bytes(&self) -> usize {
        let size = |adapter: &Adapter| {
            let vectors = adapter.vectors.values().chain(adapter.shifts.values());
            vectors.map(Vec::len).sum::<usize>() + adapter.head.as_ref().map_or(0, Head::elements)
        };
        self.adapters.values().map(size).sum::<usize>() * 4
    }

    /// Programs that are ready.
    pub fn program_count(&self) -> usize {
        let kept = self.kept.as_ref().map_or(0, generate::Kept::program_count);
        self.programs.len() + kept + self.run.as_ref().map_or(0, run::Run::program_count)
    }

    /// Compiles what a batch shape needs for answers of the base model and, where the model has labels, for training with PEFT's
    /// default targets, so that the first calls do not have to. Texts are cut to what the model takes.
    pub async fn warm_up(&mut self, shape: BatchShape, progress: Progress<'_>) -> Result<()> {
        self.check_loaded()?;
        let shape = BatchShape::new(shape.batch, shape.length.min(self.model.common().longest));
        self.check_shape(shape)?;
        let bare = Layout::new(&self.base.sites, &[], &[]);
        let mut plans = vec![forward_plan(&self.model, shape, &bare, 1, Output::Embedding)?];
        if self.options.task == Task::TextClassification {
            plans.push(self.training_plan(shape, None)?);
        }
        self.backend.as_mut().expect("a loaded session has a device").prepare(&plans, progress).await
    }

    /// The plan of a training step in words, for an adapter of the session or one with PEFT's default targets.
    pub fn plan_text(&self, shape: BatchShape, adapter: Option<&str>) -> Result<String> {
        Ok(self.training_plan(shape, adapter)?.to_string())
    }

    fn training_plan(&self, shape: BatchShape, adapter: Option<&str>) -> Result<Plan> {
        let head = self.base.head_sizes();
        let layout = match adapter {
            Some(name) => Layout::with_head(&self.base.sites, &[self.adapter(name)?], &head),
            None => {
                let places = self.base.settle(&mut AdapterConfig::usual(&self.base.model_type))?;
                Layout::new(&self.base.sites, &places, &head)
            }
        };
        training_plan(&self.model, shape, &layout, Output::CrossEntropy, false)
    }

    /// Gives back the device with everything on it. Adapters can still be saved.
    pub fn close(&mut self) {
        self.drop_programs();
        self.run = None;
        self.generation = None;
        self.merge = None;
        self.loaded = false;
        self.backend = None;
    }

    /// Forgets what was compiled, and what is kept for it on the device.
    fn drop_programs(&mut self) {
        self.programs.clear();
        self.kept = None;
    }

    fn check_shape(&self, BatchShape { batch, length, .. }: BatchShape) -> Result<()> {
        let longest = self.model.common().longest;
        if batch == 0 || length == 0 || length > longest {
            let reason = format!("is {batch} x {length}: give at least one text of 1 to {longest} tokens");
            return Err(Error::BadOption { option: "shape".into(), reason });
        }
        Ok(())
    }

    fn check_loaded(&self) -> Result<()> {
        if self.loaded {
            Ok(())
        } else {
            Err(Error::NotReady { what: "the weights are not loaded yet: load them first".into() })
        }
    }
}
