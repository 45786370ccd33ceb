//! The base model as adapters see it: its linear layers and how its modules are named.

use serde::Deserialize;

use super::targets::CLASSIFIERS;
use super::{AdapterConfig, Place, Site, TaskType, resolve, settle};
use crate::{Error, Result};

/// How the states of a text's tokens become one vector for the head, which decides the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// L2-normalised mean over the attention mask (sentence-transformers): PEFT's FEATURE_EXTRACTION format on the bare
    /// encoder, with the head in files of its own.
    Mean,
    /// The first token through the pooler (`BertForSequenceClassification`): PEFT's SEQ_CLS format, head included.
    Pooler,
}

/// What the adapters of a session are adapters of.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// `model_type` of the model's configuration.
    pub model_type: String,
    /// Every linear layer of the Hugging Face model but the head, in order of the data flow. Layers that the session
    /// does not run, such as a bare encoder's pooler, belong here too: adapters may target them.
    pub sites: Vec<Site>,
    /// Decides the file format.
    pub pooling: Pooling,
    /// Length of the head's input.
    pub hidden: usize,
    /// The session's classes; name those of a head whose files do not.
    pub labels: Vec<String>,
}

impl Base {
    /// Path of the head that PEFT trains and saves, `None` where the head is no part of the Hugging Face model.
    pub fn head_module(&self) -> Option<&'static str> {
        match self.pooling {
            Pooling::Mean => None,
            Pooling::Pooler => Some("classifier"),
        }
    }

    /// PEFT's task type for adapters of this base.
    pub fn task_type(&self) -> TaskType {
        match self.pooling {
            Pooling::Mean => TaskType::FeatureExtraction,
            Pooling::Pooler => TaskType::SeqCls,
        }
    }

    /// [`resolve`] on this base.
    pub fn resolve(&self, config: &AdapterConfig) -> Result<Vec<(usize, Place)>> {
        resolve(config, &self.model_type, &self.sites, self.head_module().as_slice())
    }

    /// [`settle`] on this base; also sets the task type and what PEFT saves for it. [`Error::BadOption`] where
    /// `modules_to_save` names anything but a head.
    pub fn settle(&self, config: &mut AdapterConfig) -> Result<Vec<(usize, Place)>> {
        if let Some(name) = config.modules_to_save.iter().flatten().find(|name| !CLASSIFIERS.contains(&name.as_str())) {
            let reason = format!("names '{name}': only the head, 'classifier', can be trained whole");
            return Err(Error::BadOption { option: "modulesToSave".into(), reason });
        }
        config.task_type = Some(self.task_type());
        config.auto_mapping = None;
        config.modules_to_save = match self.pooling {
            Pooling::Mean => None,
            Pooling::Pooler => Some(CLASSIFIERS.map(str::to_string).to_vec()),
        };
        settle(config, &self.model_type, &self.sites, self.head_module().as_slice())
    }

    /// Whether two paths name one module, one of them perhaps with the prefix that a model with a task head puts before
    /// the paths of its encoder (`bert.`).
    pub fn same_module(&self, a: &str, b: &str) -> bool {
        self.bare(a) == self.bare(b)
    }

    /// A path without that prefix.
    pub(super) fn bare<'a>(&self, module: &'a str) -> &'a str {
        module.strip_prefix(self.prefix()).unwrap_or(module)
    }

    /// Hugging Face's `base_model_prefix` with its dot; empty for model types not known here.
    pub(super) fn prefix(&self) -> &'static str {
        match self.model_type.as_str() {
            "bert" => "bert.",
            _ => "",
        }
    }
}
