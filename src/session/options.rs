//! How a session is set up.

use super::{ActivationDtype, Dtype, Pooling, Task};
use crate::error::{Error, Result};
use serde::Deserialize;

/// How a session is set up.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionOptions {
    /// Hub id of the base model, for the adapters' configuration files.
    #[serde(default)]
    pub model_id: Option<String>,
    /// Revision of the base model, likewise.
    #[serde(default)]
    pub revision: Option<String>,
    /// What the model is used for.
    pub task: Task,
    /// The labels, in the order of the head's rows.
    #[serde(default)]
    pub labels: Vec<String>,
    /// How token states become one vector: "mean" or "pooler".
    pub pooling: Pooling,
    /// Seed of a fresh pooler head.
    #[serde(default)]
    pub seed: u64,
    /// The number format in which matrices are kept: where it is absent, that of a GGUF's own, and floats of other files.
    #[serde(default)]
    pub dtype: Option<Dtype>,
    /// The number format in which activations are kept.
    #[serde(default)]
    pub activation_dtype: ActivationDtype,
}

impl SessionOptions {
    /// Names of the head's rows: those of a span are its ends.
    pub(super) fn head_labels(&self) -> Vec<String> {
        match self.task {
            Task::QuestionAnswering => ["start", "end"].map(String::from).to_vec(),
            Task::TextGeneration | Task::Text2textGeneration => Vec::new(),
            Task::TextClassification | Task::TokenClassification | Task::FeatureExtraction => self.labels.clone(),
        }
    }

    /// [`Error::BadOption`] for labels that the task has no use for, or cannot use.
    pub(super) fn check_labels(&self) -> Result<()> {
        let bad = |reason: String| Err(Error::BadOption { option: "labels".into(), reason });
        match self.task {
            Task::FeatureExtraction => return Ok(()),
            Task::QuestionAnswering | Task::TextGeneration | Task::Text2textGeneration if self.labels.is_empty() => {
                return Ok(());
            }
            Task::QuestionAnswering | Task::TextGeneration | Task::Text2textGeneration => {
                return bad(format!("names classes, which {} does not have: leave it out", self.task.name()));
            }
            Task::TextClassification | Task::TokenClassification => {}
        }
        if self.labels.len() < 2 {
            return bad("needs at least two names for classification".into());
        }
        for (at, label) in self.labels.iter().enumerate() {
            if self.labels[..at].contains(label) {
                return bad(format!("holds '{label}' twice"));
            }
        }
        Ok(())
    }
}
