//! Texts and how they go on: for training a language model, and for asking how probable a continuation is.

use super::chat::Prompt;
use super::examples::bad;
use super::infer::{InferOptions, Selection, Text};
use super::run::Examples;
use super::{Session, Task, mismatch};
use crate::error::{Error, Result};
use crate::models::Output;
use crate::train::{Encoded, Metrics, Target};
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
    /// Did the prompt lose tokens: from its start, or where an encoder reads it from its end?
    pub truncated: bool,
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
        let mut examples = Examples::default();
        for (index, Continuation { prompt, continuation }) in rows.iter().enumerate() {
            let (text, target) = match self.options.task {
                Task::Text2textGeneration => self.rewritten(index, prompt.text(index)?, continuation, false, length)?,
                _ => self.continued(index, prompt, continuation, false, length)?,
            };
            examples.texts.push(text);
            examples.targets.push(target);
        }
        let losses = self.token_losses(&examples, selection, options).await?;
        let scored = |(losses, text): (Vec<f32>, &Encoded)| {
            let token_log_probs: Vec<f32> = losses.into_iter().map(|loss| -loss).collect();
            Scored { log_prob: token_log_probs.iter().sum(), token_log_probs, truncated: text.truncated }
        };
        Ok(losses.into_iter().zip(&examples.texts).map(scored).collect())
    }

    /// The mean loss of all tokens that are compared.
    pub(super) async fn language_metrics(
        &mut self,
        examples: &Examples,
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Metrics> {
        let losses = self.token_losses(examples, selection, options).await?.concat();
        let loss = losses.iter().copied().map(f64::from).sum::<f64>() / losses.len().max(1) as f64;
        Ok(Metrics { accuracy: 0.0, macro_f1: 0.0, loss, confusion: Vec::new() })
    }

    /// Losses of the compared tokens of each text.
    pub(super) async fn token_losses(
        &mut self,
        examples: &Examples,
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Vec<Vec<f32>>> {
        let Examples { texts, targets, .. } = examples;
        let rows = self.forward_compared(texts, targets, selection, Output::TokenLosses, options).await?;
        let compared = |(row, target): (Vec<f32>, &Target)| match target {
            Target::Tokens(tokens) => {
                row.into_iter().zip(tokens).filter(|(_, token)| token.is_some()).map(|(x, _)| x).collect()
            }
            Target::Class(_) | Target::Span(_) => Vec::new(),
        };
        Ok(rows.into_iter().zip(targets).map(compared).collect())
    }

    /// Tokens of what an encoder reads, and those its decoder writes. `ended`: the token that ends a text is learned too.
    pub(super) fn rewritten(
        &self,
        index: usize,
        input: &str,
        output: &str,
        ended: bool,
        max_length: usize,
    ) -> Result<(Encoded, Target)> {
        let text = self.encode_one(index, &Text { text: input.into(), text_pair: None }, max_length)?;
        let mut written = self.tokenizer.plain(output)?;
        if written.is_empty() {
            return Err(bad(index, "has an output without tokens: give it some words"));
        }
        written.extend(self.model.common().end.filter(|_| ended));
        if written.len() > max_length {
            let count = written.len();
            return Err(bad(
                index,
                format!("has an output of {count} tokens, and {max_length} are kept: raise maxLength"),
            ));
        }
        Ok((text, Target::Tokens(written.into_iter().map(|id| Some(id as usize)).collect())))
    }

    /// Tokens of a prompt and what follows, each compared with the next where that is not the prompt's. `ended`: the token that ends a
    /// text is learned too. A prompt that is too long loses tokens from its start, a continuation that is too long is refused.
    pub(super) fn continued(
        &self,
        index: usize,
        prompt: &Prompt,
        continuation: &str,
        ended: bool,
        max_length: usize,
    ) -> Result<(Encoded, Target)> {
        let mut given = self.given(prompt)?;
        let mut follows = self.tokenizer.plain(continuation)?;
        if follows.is_empty() {
            return Err(bad(index, "has a continuation without tokens: give it some words"));
        }
        follows.extend(self.model.common().end.filter(|_| ended));
        // A first token has nothing before it that could tell it.
        let room = max_length.checked_sub(follows.len()).filter(|room| *room > 0 || prompt.is_empty());
        let Some(room) = room else {
            let (count, most) = (follows.len(), max_length);
            return Err(bad(
                index,
                format!("continues for {count} tokens, and {most} with the prompt are kept: raise maxLength"),
            ));
        };
        let cut = given.len().saturating_sub(room);
        given.drain(..cut);
        let start = given.len();
        let ids = [given, follows].concat();
        if ids.len() < 2 {
            return Err(Error::EmptyText { index });
        }
        let next = |at: usize| ids.get(at + 1).filter(|_| at + 1 >= start).map(|id| *id as usize);
        let target = Target::Tokens((0..ids.len()).map(next).collect());
        Ok((Encoded { types: vec![0; ids.len()], ids, truncated: cut > 0 }, target))
    }
}
