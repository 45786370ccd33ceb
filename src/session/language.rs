//! Texts and how they go on: for training a language model, and for asking how probable a continuation is.

use super::chat::Prompt;
use super::examples::bad;
use super::infer::{InferOptions, Selection, Text};
use super::{Session, Task, mismatch};
use crate::error::{Error, Result};
use crate::models::{BatchShape, Common, Output};
use crate::train::{Continued, LanguageBatch, LanguageRow, Metrics, padded};
use serde::{Deserialize, Serialize};

/// A text and what might follow it, or for an encoder-decoder model what it might become.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Continuation {
    /// What is given; may be empty.
    pub prompt: Prompt,
    /// What might follow. It is tokenised by itself: where a space belongs between the two, it begins with it.
    pub continuation: String,
}

/// How probable a continuation is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Scored {
    /// Log-probability of each token of the continuation, in nats.
    pub token_log_probs: Vec<f32>,
    /// Their sum.
    pub log_prob: f32,
    /// Is each token the most probable one: what greedy decoding from the prompt writes?
    pub is_greedy: bool,
    /// Did the prompt lose tokens: from its start, or where an encoder reads it from its end?
    pub truncated: bool,
}

/// What a language model says of one token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Its cross-entropy, in nats.
    pub(super) loss: f32,
    /// Is no token more probable?
    pub(super) greedy: bool,
}

impl Session {
    /// How probable each continuation is, token by token.
    pub async fn score(
        &mut self,
        rows: &[Continuation],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Vec<Scored>> {
        if !self.options.task.is_language() {
            return Err(mismatch(self.options.task, Task::TextGeneration));
        }
        let length = self.length(options.max_length)?;
        let continued = |(index, Continuation { prompt, continuation }): (usize, &Continuation)| {
            self.continued(index, prompt, continuation, false, length)
        };
        let rows = rows.iter().enumerate().map(continued).collect::<Result<Vec<_>>>()?;
        let told = self.tokens(&rows.iter().collect::<Vec<_>>(), selection, options).await?;
        let scored = |(tokens, row): (Vec<Told>, &LanguageRow)| {
            let token_log_probs: Vec<f32> = tokens.iter().map(|token| -token.loss).collect();
            let is_greedy = tokens.iter().all(|token| token.greedy);
            Scored { log_prob: token_log_probs.iter().sum(), token_log_probs, is_greedy, truncated: row.truncated }
        };
        Ok(told.into_iter().zip(&rows).map(scored).collect())
    }

    /// The mean loss of all tokens that are asked for, and the share of the texts that greedy decoding writes exactly.
    pub(super) async fn language_metrics(
        &mut self,
        rows: &[LanguageRow],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Metrics> {
        let told = self.tokens(&rows.iter().collect::<Vec<_>>(), selection, options).await?;
        let (mut texts, mut exact, mut tokens, mut loss) = (0, 0, 0, 0.0);
        for (row, told) in rows.iter().zip(told) {
            let mut told = told.into_iter();
            for text in &row.sequence.asked {
                let own: Vec<Told> = told.by_ref().take(text.len()).collect();
                texts += 1;
                exact += usize::from(own.iter().all(|token| token.greedy));
                tokens += own.len();
                loss += own.iter().map(|token| f64::from(token.loss)).sum::<f64>();
            }
        }
        let accuracy = exact as f64 / texts.max(1) as f64;
        Ok(Metrics { accuracy, macro_f1: 0.0, loss: loss / tokens.max(1) as f64, confusion: Vec::new() })
    }

    /// What is told of the tokens asked for in each row. Rows of similar length run together.
    pub(super) async fn tokens(
        &mut self,
        rows: &[&LanguageRow],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Vec<Vec<Told>>> {
        let table = self.answering(selection, rows.len(), false, options)?;
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| (rows[*at].input.as_ref().map(Vec::len), rows[*at].sequence.ids.len()));
        let mut results = vec![Vec::new(); rows.len()];
        for chunk in order.chunks(table.batch_size) {
            let own = chunk.iter().map(|at| rows[*at]).collect();
            let slots = chunk.iter().map(|at| table.slots[*at]).collect();
            let batch = LanguageBatch { rows: own, slots, weight: 1.0, ..LanguageBatch::default() };
            let Common { longest, padding, .. } = *self.model.common();
            let kind = self.backend.as_ref().expect("a loaded session has a device").kind();
            let shape = padded(BatchShape { batch: chunk.len().next_power_of_two(), ..batch.shape() }, longest, kind);
            let found = self.run_program(&table, shape, Output::Tokens, &batch.inputs(shape, padding)).await?;
            let (losses, hits) = found.split_at(shape.asked);
            let mut found = losses.iter().zip(hits).map(|(loss, hit)| Told { loss: *loss, greedy: *hit > 0.0 });
            for at in chunk {
                results[*at] = found.by_ref().take(rows[*at].sequence.asked_for()).collect();
            }
        }
        Ok(results)
    }

    /// A text with one continuation. `ended`: the token that ends a text belongs to it.
    pub(super) fn continued(
        &self,
        index: usize,
        prompt: &Prompt,
        continuation: &str,
        ended: bool,
        max_length: usize,
    ) -> Result<LanguageRow> {
        let prompt = self.prompt(index, prompt, &[continuation], ended, max_length)?;
        Ok(prompt.rows(max_length).remove(0))
    }

    /// Tokens of a text and of what follows it. `ended`: the token that ends a text follows each continuation. A continuation that is too
    /// long is refused.
    pub(super) fn prompt(
        &self,
        index: usize,
        prompt: &Prompt,
        continuations: &[&str],
        ended: bool,
        max_length: usize,
    ) -> Result<Continued> {
        let (writes, what) = match self.options.task {
            Task::Text2textGeneration => (true, "an output"),
            _ => (false, "a continuation"),
        };
        let tokens = |continuation: &&str| {
            let mut ids = self.tokenizer.plain(continuation)?;
            if ids.is_empty() {
                return Err(bad(index, format!("has {what} without tokens: give it some words")));
            }
            ids.extend(self.model.common().ends.first().filter(|_| ended));
            Ok(ids)
        };
        let continuations = continuations.iter().map(tokens).collect::<Result<Vec<_>>>()?;
        if writes {
            self.rewritten(index, prompt.text(index)?, continuations, max_length)
        } else {
            self.followed(index, prompt, continuations, max_length)
        }
    }

    /// What an encoder reads, and what its decoder writes. A text that is too long loses tokens from its end.
    fn rewritten(&self, index: usize, text: &str, outputs: Vec<Vec<u32>>, max_length: usize) -> Result<Continued> {
        let text = self.encode_one(index, &Text { text: text.into(), text_pair: None }, max_length)?;
        if let Some(count) = outputs.iter().map(Vec::len).find(|count| *count > max_length) {
            let reason = format!("has an output of {count} tokens, and {max_length} are kept: raise maxLength");
            return Err(bad(index, reason));
        }
        let start = self.model.common().padding.start.expect("a decoder that writes has a token to start with");
        let started = |output: Vec<u32>| [vec![start], output].concat();
        Ok(Continued {
            input: Some(text.ids),
            continuations: outputs.into_iter().map(started).collect(),
            truncated: text.truncated,
            ..Continued::default()
        })
    }

    /// A text and what follows. A text that leaves no room for the longest continuation loses tokens from its start.
    fn followed(
        &self,
        index: usize,
        prompt: &Prompt,
        continuations: Vec<Vec<u32>>,
        max_length: usize,
    ) -> Result<Continued> {
        let mut given = self.given(prompt)?;
        let count = continuations.iter().map(Vec::len).max().unwrap_or(0);
        // A first token has nothing before it that could tell it.
        let room = max_length.checked_sub(count).filter(|room| *room > 0 || prompt.is_empty());
        let Some(room) = room else {
            let reason =
                format!("continues for {count} tokens, and {max_length} with the prompt are kept: raise maxLength");
            return Err(bad(index, reason));
        };
        let cut = given.len().saturating_sub(room);
        given.drain(..cut);
        if continuations.iter().any(|continuation| given.len() + continuation.len() < 2) {
            return Err(Error::EmptyText { index });
        }
        Ok(Continued { given, continuations, truncated: cut > 0, ..Continued::default() })
    }
}
