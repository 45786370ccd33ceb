//! The base model as adapters see it: its linear layers, its head and how its modules are named.

use super::layout::HeadSize;
use super::{AdapterConfig, Place, Site, TaskType, resolve, settle};
use crate::{Error, Result};

/// One layer of a head: a linear layer that is trained whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadModule {
    /// Path in the Hugging Face model.
    pub module: String,
    /// Length of the layer's input.
    pub in_features: usize,
    /// Length of its output; None for the last layer, which has a row for each label.
    pub out_features: Option<usize>,
    /// There is a bias.
    pub bias: bool,
}

impl HeadModule {
    /// The layer that gives the logits.
    pub fn last(module: &str, in_features: usize) -> HeadModule {
        HeadModule { module: module.into(), in_features, out_features: None, bias: true }
    }

    /// The same without a bias.
    pub fn unbiased(module: &str, in_features: usize) -> HeadModule {
        HeadModule { bias: false, ..HeadModule::last(module, in_features) }
    }

    /// A square layer before it.
    pub fn inner(module: &str, features: usize) -> HeadModule {
        HeadModule { out_features: Some(features), ..HeadModule::last(module, features) }
    }
}

/// What the adapters of a session are adapters of.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// `model_type` of the model's configuration.
    pub model_type: String,
    /// What a task model puts before the paths of the bare model (`bert.`).
    pub prefix: &'static str,
    /// Every linear layer of the Hugging Face model but the head, in order of the data flow. Layers that the session
    /// does not run, such as a bare encoder's pooler, belong here too: adapters may target them.
    pub sites: Vec<Site>,
    /// PEFT's task type for adapters of this base; decides the file format.
    pub task: TaskType,
    /// The head's layers, in order of the data flow; none for a language model.
    pub head: Vec<HeadModule>,
    /// The session's classes; name those of a head whose files do not.
    pub labels: Vec<String>,
}

impl Base {
    /// Paths of the modules that PEFT trains and saves whole: none where the head is no part of the Hugging Face model.
    pub fn head_modules(&self) -> Vec<&str> {
        match self.task {
            TaskType::FeatureExtraction => Vec::new(),
            _ => self.head.iter().map(|layer| layer.module.as_str()).collect(),
        }
    }

    /// The layers of a head for the session's classes, one class where there are none.
    pub fn head_sizes(&self) -> Vec<HeadSize> {
        let rows = |layer: &HeadModule| layer.out_features.unwrap_or(self.labels.len().max(1));
        let size = |layer: &HeadModule| (layer.module.clone(), rows(layer), layer.in_features, layer.bias);
        self.head.iter().map(size).collect()
    }

    /// Elements of a head for the session's classes.
    pub fn head_len(&self) -> usize {
        self.head_sizes().iter().map(|(_, rows, columns, bias)| rows * (columns + usize::from(*bias))).sum()
    }

    /// [`resolve`] on this base.
    pub fn resolve(&self, config: &AdapterConfig) -> Result<Vec<(usize, Place)>> {
        resolve(config, &self.model_type, &self.sites, &self.head_modules())
    }

    /// [`settle`] on this base; also sets the task type and what PEFT saves for it. [`Error::BadOption`] where
    /// `modules_to_save` names anything but a head.
    pub fn settle(&self, config: &mut AdapterConfig) -> Result<Vec<(usize, Place)>> {
        self.check_modules_to_save(config.modules_to_save.as_deref())?;
        config.task_type = Some(self.task);
        config.auto_mapping = None;
        config.fan_in_fan_out = self.sites.iter().any(|site| site.conv1d);
        let heads = self.task.heads();
        config.modules_to_save = (!heads.is_empty()).then(|| heads.iter().map(|head| head.to_string()).collect());
        settle(config, &self.model_type, &self.sites, &self.head_modules())
    }

    /// [`Error::BadOption`] where a list names anything but what PEFT saves for the task.
    pub fn check_modules_to_save(&self, names: Option<&[String]>) -> Result<()> {
        let allowed = match self.task {
            TaskType::FeatureExtraction => TaskType::SeqCls.heads(),
            task => task.heads(),
        };
        match names.unwrap_or_default().iter().find(|name| !allowed.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => {
                let only = allowed.first().map_or("nothing".into(), |head| format!("only the head, '{head}',"));
                let reason = format!("names '{name}': {only} can be trained whole");
                Err(Error::BadOption { option: "modulesToSave".into(), reason })
            }
        }
    }

    /// Whether two paths name one module, one of them perhaps with the prefix that a model with a task head puts before
    /// the paths of its encoder (`bert.`).
    pub fn same_module(&self, a: &str, b: &str) -> bool {
        self.bare(a) == self.bare(b)
    }

    /// A path without that prefix.
    pub(super) fn bare<'a>(&self, module: &'a str) -> &'a str {
        module.strip_prefix(self.prefix).unwrap_or(module)
    }
}

impl TaskType {
    /// What PEFT appends to `modules_to_save` for the task. Any module whose path ends so is saved whole, so that DistilBERT's
    /// `pre_classifier` is too.
    pub fn heads(self) -> &'static [&'static str] {
        match self {
            TaskType::SeqCls | TaskType::TokenCls => &["classifier", "score"],
            TaskType::QuestionAns => &["qa_outputs"],
            TaskType::CausalLm | TaskType::Seq2SeqLm | TaskType::FeatureExtraction => &[],
        }
    }
}
