//! What a session's model is used for, and how the states of a text become one vector.

use crate::adapter::TaskType;
use crate::error::Error;
use serde::Deserialize;

/// What a model is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// A label for each text.
    TextClassification,
    /// A label for each word.
    TokenClassification,
    /// The part of a text that answers a question.
    QuestionAnswering,
    /// What follows a text.
    TextGeneration,
    /// What a text becomes: a translation, a summary, an answer.
    Text2textGeneration,
    /// A vector for each text.
    FeatureExtraction,
}

impl Task {
    /// Its name in JavaScript and on the Hub.
    pub(super) fn name(self) -> &'static str {
        match self {
            Task::TextClassification => "text-classification",
            Task::TokenClassification => "token-classification",
            Task::QuestionAnswering => "question-answering",
            Task::TextGeneration => "text-generation",
            Task::Text2textGeneration => "text2text-generation",
            Task::FeatureExtraction => "feature-extraction",
        }
    }

    /// Whether the model tells tokens of its vocabulary.
    pub(super) fn is_language(self) -> bool {
        matches!(self, Task::TextGeneration | Task::Text2textGeneration)
    }

    /// PEFT's task. Pooling decides only where one vector a text is wanted.
    pub fn task_type(self, pooling: Pooling) -> TaskType {
        match self {
            Task::TextClassification | Task::FeatureExtraction => pooling.into(),
            Task::TokenClassification => TaskType::TokenCls,
            Task::QuestionAnswering => TaskType::QuestionAns,
            Task::TextGeneration => TaskType::CausalLm,
            Task::Text2textGeneration => TaskType::Seq2SeqLm,
        }
    }
}

/// A call that a session of task `is` cannot answer, one of task `needed` can.
pub(super) fn mismatch(is: Task, needed: Task) -> Error {
    let reason = format!("is '{}': load the model for '{}' to call this", is.name(), needed.name());
    Error::BadOption { option: "task".into(), reason }
}

/// How the states of a text's tokens become one vector for the head, which decides the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// L2-normalised mean over the attention mask (sentence-transformers): PEFT's FEATURE_EXTRACTION format on the bare
    /// encoder, with the head in files of its own.
    Mean,
    /// As the family's `...ForSequenceClassification` does it: PEFT's SEQ_CLS format, head included.
    Pooler,
}

impl From<Pooling> for TaskType {
    fn from(pooling: Pooling) -> TaskType {
        match pooling {
            Pooling::Mean => TaskType::FeatureExtraction,
            Pooling::Pooler => TaskType::SeqCls,
        }
    }
}
