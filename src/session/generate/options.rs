//! How text is generated.

use super::sampling::Sampling;
use crate::error::{Error, Result};
use serde::Deserialize;

/// How text is generated. Field names are those of `src/js/generation-types.ts`, where they are explained.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenerateOptions {
    /// Tokens of each row at most.
    pub max_new_tokens: usize,
    /// See [`Sampling::temperature`].
    pub temperature: f32,
    /// See [`Sampling::top_k`].
    pub top_k: Option<usize>,
    /// See [`Sampling::top_p`].
    pub top_p: Option<f32>,
    /// See [`Sampling::min_p`].
    pub min_p: Option<f32>,
    /// See [`Sampling::repetition_penalty`].
    pub repetition_penalty: f32,
    /// Of the draws; each row has its own.
    pub seed: u64,
    /// Texts that end a row; they are not part of it.
    pub stop: Vec<String>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        GenerateOptions {
            max_new_tokens: 64,
            temperature: 0.0,
            top_k: None,
            top_p: None,
            min_p: None,
            repetition_penalty: 1.0,
            seed: 0,
            stop: Vec::new(),
        }
    }
}

impl GenerateOptions {
    /// How tokens are chosen. [`Error::BadOption`] for numbers that make no sense.
    pub fn sampling(&self) -> Result<Sampling> {
        let GenerateOptions { temperature, top_k, top_p, min_p, repetition_penalty, .. } = *self;
        let sampling = Sampling { temperature, top_k, top_p, min_p, repetition_penalty };
        sampling.check()?;
        if self.stop.iter().any(String::is_empty) {
            let reason = "holds an empty text, which is everywhere: leave it out".into();
            return Err(Error::BadOption { option: "stop".into(), reason });
        }
        Ok(sampling)
    }
}
