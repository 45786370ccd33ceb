//! Generating text, one token of each row a call.

mod kept;
pub mod sampling;
mod writer;

pub(super) use kept::Kept;

use super::answering::Answering;
use super::chat::Prompt;
use super::infer::{InferOptions, Selection};
use super::{Session, Task, mismatch};
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use sampling::Sampling;
use serde::{Deserialize, Serialize};
use writer::Writer;

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
    rows: Vec<Row>,
    sampling: Sampling,
    stop: Vec<String>,
    most: usize,
    /// Tokens of the longest row when it has all that were asked for.
    longest: usize,
    /// Tokens that ran through the model so far.
    read: usize,
}

#[derive(Debug)]
struct Row {
    /// Prompt and what was generated.
    ids: Vec<u32>,
    prompt: usize,
    text: String,
    writer: Writer,
    random: SmallRng,
    finish: Option<FinishReason>,
}

impl Session {
    /// Starts generating what follows each prompt. One generation at a time; its adapters are as they are now, whatever becomes of them.
    /// [`Error::BadOption`] where prompt and new tokens are more than the model takes.
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
        let rows = prompts.iter().enumerate().map(|(index, prompt)| self.row(index, prompt, options));
        let rows = rows.collect::<Result<Vec<_>>>()?;
        let Some(longest) = rows.iter().map(|row| row.prompt + options.max_new_tokens).max() else {
            return Err(Error::BadOption {
                option: "prompt".into(),
                reason: "is an empty list: give at least one".into(),
            });
        };
        let (stop, most) = (options.stop.clone(), options.max_new_tokens);
        self.generation = Some(Generation { with, rows, sampling, stop, most, longest, read: 0 });
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
        let generated = |mut row: Row| {
            if row.finish.is_none() {
                row.text += &row.writer.finish(&self.tokenizer, &stop)?;
            }
            let finish_reason = row.finish.unwrap_or(FinishReason::Aborted);
            let (token_ids, prompt_tokens) = (row.ids.split_off(row.prompt), row.prompt);
            Ok(Generated { text: row.text, token_ids, finish_reason, prompt_tokens })
        };
        rows.into_iter().map(generated).collect()
    }

    /// Tokens that ran through the model for the generation under way: those of prompts that were not read before, and what it generated.
    pub fn generation_reads(&self) -> usize {
        self.generation.as_ref().map_or(0, |generation| generation.read)
    }

    fn check_generates(&self) -> Result<()> {
        match self.options.task {
            Task::TextGeneration => self.check_loaded(),
            Task::Text2textGeneration => {
                let reason = "is 'text2text-generation': encoder-decoder models do not generate here, load a decoder with 'text-generation'";
                Err(Error::BadOption { option: "task".into(), reason: reason.into() })
            }
            other => Err(mismatch(other, Task::TextGeneration)),
        }
    }

    fn row(&self, index: usize, prompt: &Prompt, options: &GenerateOptions) -> Result<Row> {
        let ids = self.given(prompt)?;
        if ids.is_empty() {
            return Err(Error::EmptyText { index });
        }
        let (most, longest) = (options.max_new_tokens, self.model.common().longest);
        if most == 0 || most.saturating_add(ids.len()) > longest {
            let count = ids.len();
            let reason = format!(
                "is {most}, and prompt number {index} (counting from 0) has {count} tokens: the model takes 1 to {longest} of both together"
            );
            return Err(Error::BadOption { option: "maxNewTokens".into(), reason });
        }
        let random = SmallRng::seed_from_u64(options.seed.wrapping_add(index as u64));
        let (prompt, writer) = (ids.len(), Writer::after(&ids));
        Ok(Row { ids, prompt, text: String::new(), writer, random, finish: None })
    }

    async fn advance_generation(&mut self, generation: &mut Generation) -> Result<Vec<Token>> {
        self.check_loaded()?;
        let Generation { with, rows, sampling, stop, most, longest, read } = generation;
        let asked: Vec<Option<&[u32]>> =
            rows.iter().map(|row| Some(row.ids.as_slice()).filter(|_| row.finish.is_none())).collect();
        if asked.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let backend = self.backend.as_mut().expect("a loaded session has a device");
        if !self.kept.as_ref().is_some_and(|kept| kept.serves(with, *longest)) {
            // The old cache goes first, so that there is room for the new one.
            self.kept = None;
            self.kept = Some(Kept::new(&self.model, backend, with, *longest).await?);
        }
        let kept = self.kept.as_mut().expect("a cache was just made");
        let logits = kept.follow(&self.model, backend, &asked, read).await?;
        let mut tokens = Vec::with_capacity(rows.len());
        for (at, (row, logits)) in rows.iter_mut().zip(logits).enumerate() {
            let Some(mut logits) = logits else { continue };
            let id = sampling.choose(&mut logits, &row.ids, &mut row.random);
            row.ids.push(id);
            let ended = self.model.common().ends.contains(&id);
            let mut text = row.writer.push(&self.tokenizer, id, stop)?;
            row.finish = match () {
                () if ended || row.writer.stopped() => Some(FinishReason::Stop),
                () if row.ids.len() - row.prompt >= *most => Some(FinishReason::Length),
                () => None,
            };
            if row.finish.is_some() {
                text += &row.writer.finish(&self.tokenizer, stop)?;
                if row.writer.stopped() {
                    row.finish = Some(FinishReason::Stop);
                }
            }
            row.text += &text;
            tokens.push(Token { row: at, id, text, finish_reason: row.finish });
        }
        Ok(tokens)
    }
}

impl GenerateOptions {
    fn sampling(&self) -> Result<Sampling> {
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

fn no_generation() -> Error {
    Error::NotReady { what: "no generation is under way: begin one first".into() }
}
