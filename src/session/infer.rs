//! Answers for texts: labels, vectors, metrics, each row with the adapter asked for.

use super::examples::{Example, encoded};
use super::tokenized::Examples;
use super::{Session, Task, mismatch};
use crate::error::{Error, Result};
use crate::models::{BatchShape, Common, Output};
use crate::train::{Batch, Encoded, Metrics, argmax, bucket, softmax};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A text, or a pair.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Text {
    /// The text.
    pub text: String,
    /// The second text of a pair.
    #[serde(default)]
    pub text_pair: Option<String>,
}

/// Which adapters answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Selection {
    /// These, multiplied, for every row; none is the base model.
    Active(Vec<String>),
    /// One a row; None is the base model.
    Rows(Vec<Option<String>>),
}

/// How to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InferOptions {
    /// Texts run together.
    pub batch_size: Option<usize>,
    /// Tokens after which a text is cut.
    pub max_length: Option<usize>,
}

/// The classification of one text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// The most probable label.
    pub label: String,
    /// Its probability.
    pub score: f32,
    /// Probability of every label.
    pub scores: BTreeMap<String, f32>,
    /// Was the text cut?
    pub truncated: bool,
}

/// Vectors of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// One vector a text.
    pub rows: Vec<Vec<f32>>,
    /// Was each text cut?
    pub truncated: Vec<bool>,
}

impl Session {
    /// Classifies texts.
    pub async fn classify(
        &mut self,
        texts: &[Text],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Vec<Answer>> {
        self.check_task(Task::TextClassification)?;
        let texts = self.encode(texts, options.max_length)?;
        let logits = self.logits(&texts, selection, options).await?;
        let answer = |(row, text): (&Vec<f32>, &Encoded)| {
            let scores = softmax(row);
            let best = argmax(&scores);
            let labels = &self.base.labels;
            Answer {
                label: labels[best].clone(),
                score: scores[best],
                scores: labels.iter().cloned().zip(scores).collect(),
                truncated: text.truncated,
            }
        };
        Ok(logits.iter().zip(&texts).map(answer).collect())
    }

    /// The vector of each text, as the head sees it.
    pub async fn embed(&mut self, texts: &[Text], selection: &Selection, options: InferOptions) -> Result<Embeddings> {
        let texts = self.encode(texts, options.max_length)?;
        let rows = self.forward(&texts, selection, Output::Embedding, options).await?;
        Ok(Embeddings { rows, truncated: texts.iter().map(|text| text.truncated).collect() })
    }

    /// Quality on labelled examples.
    pub async fn evaluate(
        &mut self,
        examples: &[Example],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Metrics> {
        let examples = self.examples(examples, options.max_length)?;
        self.measure(&examples, selection, options).await
    }

    /// Quality on examples that are tokens already.
    pub(super) async fn measure(
        &mut self,
        examples: &Examples,
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Metrics> {
        if !examples.ranked.is_empty() {
            return self.rank_metrics(&examples.ranked, selection, options).await;
        }
        if self.options.task.is_language() {
            return self.language_metrics(&examples.language, selection, options).await;
        }
        let logits = self.logits(&examples.texts, selection, options).await?;
        Ok(Metrics::of(&logits, &examples.targets, self.base.labels.len()))
    }

    /// Tokens of texts. [`Error::EmptyText`] names the first one without words.
    pub(super) fn encode(&self, texts: &[Text], max_length: Option<usize>) -> Result<Vec<Encoded>> {
        let length = self.length(max_length)?;
        texts.iter().enumerate().map(|(index, text)| self.encode_one(index, text, length)).collect()
    }

    /// Tokens of the text with this number.
    pub(super) fn encode_one(&self, index: usize, text: &Text, length: usize) -> Result<Encoded> {
        if text.text.trim().is_empty() || text.text_pair.as_ref().is_some_and(|pair| pair.trim().is_empty()) {
            return Err(Error::EmptyText { index });
        }
        let found = self.tokenizer.encode(&text.text, text.text_pair.as_deref(), length)?;
        if found.ids.is_empty() {
            return Err(Error::EmptyText { index });
        }
        Ok(encoded(found))
    }

    /// Tokens after which a text is cut.
    pub(super) fn length(&self, max_length: Option<usize>) -> Result<usize> {
        let longest = self.model.common().longest;
        let length = max_length.unwrap_or(longest);
        if !(3..=longest).contains(&length) {
            let reason = format!("is {length}: this model takes 3 to {longest} tokens");
            return Err(Error::BadOption { option: "maxLength".into(), reason });
        }
        Ok(length)
    }

    pub(super) async fn logits(
        &mut self,
        texts: &[Encoded],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Vec<Vec<f32>>> {
        if self.options.task == Task::FeatureExtraction {
            return Err(mismatch(self.options.task, Task::TextClassification));
        }
        self.forward(texts, selection, Output::Logits, options).await
    }

    /// Runs texts in batches of similar length and puts the results back in order.
    pub(super) async fn forward(
        &mut self,
        texts: &[Encoded],
        selection: &Selection,
        output: Output,
        options: InferOptions,
    ) -> Result<Vec<Vec<f32>>> {
        let table = self.answering(selection, texts.len(), output == Output::Logits, options)?;
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|at| texts[*at].ids.len());
        let mut results = vec![Vec::new(); texts.len()];
        for chunk in order.chunks(table.batch_size) {
            let rows: Vec<&Encoded> = chunk.iter().map(|at| &texts[*at]).collect();
            let slots = chunk.iter().map(|at| table.slots[*at]).collect();
            let batch = Batch { rows, slots, ..Batch::default() };
            let Common { longest, padding, .. } = *self.model.common();
            let kind = self.backend.as_ref().expect("a loaded session has a device").kind();
            let shape = BatchShape::new(chunk.len().next_power_of_two(), bucket(batch.longest(), longest, kind));
            let found = self.run_program(&table, shape, output, &batch.inputs(shape, padding)).await?;
            for (at, row) in chunk.iter().zip(found.chunks_exact(found.len() / shape.batch)) {
                results[*at] = row.to_vec();
            }
        }
        Ok(results)
    }
}
