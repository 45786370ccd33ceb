//! Generating text, one token of each row a call.

mod kept;
mod options;
mod row;
pub mod sampling;
mod writer;

pub use options::GenerateOptions;

pub(super) use kept::Kept;

use super::answering::Answering;
use super::chat::Prompt;
use super::infer::{InferOptions, Selection};
use super::{Session, Task, mismatch};
use crate::error::{Error, Result};
use row::Row;
use sampling::Sampling;
use serde::Serialize;

/// Tokens that a cache without a last position is made for beyond those that are there.
const AHEAD: usize = 512;

/// Why a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// A token that ends texts, or a stop string.
    Stop,
    /// As many tokens as were asked for.
    Length,
    /// The caller ended the generation.
    Aborted,
}

/// A token that was generated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The prompt's number.
    pub row: usize,
    /// The token.
    pub id: u32,
    /// Text that is known now; may be empty, since text is held back until its characters are whole and it is no start of a stop string.
    pub text: String,
    /// Why the row ends with this token, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<FinishReason>,
}

/// What was generated for one prompt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Generated {
    /// The text, without special tokens and up to a stop string.
    pub text: String,
    /// All tokens, one that ended the text included.
    pub token_ids: Vec<u32>,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
}

/// A generation under way. All that is needed to go on, on whatever device there is.
#[derive(Debug)]
pub(super) struct Generation {
    with: Answering,
    /// What an encoder reads for each row, where there is one.
    texts: Vec<Vec<u32>>,
    rows: Vec<Row>,
    sampling: Sampling,
    stop: Vec<String>,
    most: usize,
    /// Tokens of the longest row when it has all that were asked for.
    longest: usize,
    /// Tokens that ran through the model so far.
    read: usize,
}

impl Session {
    /// Starts generating what follows each prompt, or what an encoder-decoder model makes of it. One generation at a time; its adapters are as
    /// they are now, whatever becomes of them. [`Error::BadOption`] where prompt and new tokens are more than the model takes; a decoder beside
    /// an encoder takes any number of tokens.
    pub fn begin_generation(
        &mut self,
        prompts: &[Prompt],
        selection: &Selection,
        options: &GenerateOptions,
    ) -> Result<()> {
        self.check_generates()?;
        if self.generation.is_some() {
            return Err(Error::Busy { what: "a generation".into() });
        }
        let sampling = options.sampling()?;
        let with = self.answering(selection, prompts.len(), false, InferOptions::default())?;
        let begun = prompts.iter().enumerate().map(|(index, prompt)| self.row(index, prompt, options));
        let (texts, rows): (Vec<_>, Vec<_>) = begun.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let texts = texts.into_iter().flatten().collect();
        let (stop, most) = (options.stop.clone(), options.max_new_tokens);
        let Some(longest) = rows.iter().map(|row| row.given.saturating_add(most)).max() else {
            return Err(Error::BadOption {
                option: "prompt".into(),
                reason: "is an empty list: give at least one".into(),
            });
        };
        self.generation = Some(Generation { with, texts, rows, sampling, stop, most, longest, read: 0 });
        Ok(())
    }

    /// The next token of each row that has not ended; none when all have. Where the device was changed meanwhile, or its memory was needed for
    /// something else, the tokens so far are read again.
    pub async fn next_tokens(&mut self) -> Result<Vec<Token>> {
        let mut generation = self.generation.take().ok_or_else(no_generation)?;
        let found = self.advance_generation(&mut generation).await;
        self.generation = Some(generation);
        found
    }

    /// Ends the generation; rows that have not ended are [`FinishReason::Aborted`]. The cache stays for the next.
    pub fn end_generation(&mut self) -> Result<Vec<Generated>> {
        let Generation { rows, stop, .. } = self.generation.take().ok_or_else(no_generation)?;
        rows.into_iter().map(|row| row.generated(&self.tokenizer, &stop)).collect()
    }

    /// Tokens that ran through the model for the generation under way: those of prompts that were not read before, and what it generated.
    pub fn generation_reads(&self) -> usize {
        self.generation.as_ref().map_or(0, |generation| generation.read)
    }

    fn check_generates(&self) -> Result<()> {
        match self.options.task {
            Task::TextGeneration | Task::Text2textGeneration => self.check_loaded(),
            other => Err(mismatch(other, Task::TextGeneration)),
        }
    }

    async fn advance_generation(&mut self, generation: &mut Generation) -> Result<Vec<Token>> {
        self.check_loaded()?;
        let (needed, wanted) = generation.tokens();
        let Generation { with, texts, rows, sampling, stop, most, read, .. } = generation;
        let asked: Vec<Option<&[u32]>> = rows.iter().map(Row::unfinished).collect();
        if asked.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let backend = self.backend.as_mut().expect("a loaded session has a device");
        if !self.kept.as_ref().is_some_and(|kept| kept.serves(with, texts, needed)) {
            // The old cache goes first, so that there is room for the new one.
            self.kept = None;
            self.kept = Some(Kept::new(&self.model, backend, with, texts, wanted).await?);
        }
        let kept = self.kept.as_mut().expect("a cache was just made");
        let logits = kept.follow(&self.model, backend, texts, &asked, read).await?;
        let mut tokens = Vec::with_capacity(rows.len());
        for (at, (row, logits)) in rows.iter_mut().zip(logits).enumerate() {
            let Some(mut logits) = logits else { continue };
            let id = row.choose(sampling, &mut logits);
            let ended = self.model.common().ends.contains(&id);
            let text = row.push(id, ended, *most, &self.tokenizer, stop)?;
            tokens.push(Token { row: at, id, text, finish_reason: row.finish });
        }
        Ok(tokens)
    }
}

impl Generation {
    /// Tokens that a cache has to have room for now, and that a new one is made for.
    fn tokens(&self) -> (usize, usize) {
        if self.texts.is_empty() {
            return (self.longest, self.longest);
        }
        // A decoder beside an encoder may be asked for any number of tokens, most of which it will not write.
        let now = self.rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        (now, self.longest.min(now + AHEAD))
    }
}

fn no_generation() -> Error {
    Error::NotReady { what: "no generation is under way: begin one first".into() }
}
