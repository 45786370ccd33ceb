//! One row of a generation: what its decoder reads, and the text that becomes of it.

use super::sampling::Sampling;
use super::writer::Writer;
use super::{FinishReason, GenerateOptions, Generated};
use crate::checkpoint::Tokenizer;
use crate::error::{Error, Result};
use crate::session::chat::Prompt;
use crate::session::infer::Text;
use crate::session::{Session, Task};
use rand::SeedableRng;
use rand::rngs::SmallRng;

/// What one row has to go on with, on whatever device there is.
#[derive(Debug)]
pub struct Row {
    /// The prompt, or beside an encoder the token that a decoder starts with; then what was generated.
    pub ids: Vec<u32>,
    /// Tokens before what was generated.
    pub given: usize,
    /// Tokens of the prompt.
    prompt: usize,
    /// Why it ended, if it has.
    pub finish: Option<FinishReason>,
    text: String,
    writer: Writer,
    random: SmallRng,
}

impl Row {
    /// The tokens that the next one follows, until it has ended.
    pub fn unfinished(&self) -> Option<&[u32]> {
        Some(self.ids.as_slice()).filter(|_| self.finish.is_none())
    }

    /// The next token, from its logits `(V)`.
    pub fn choose(&mut self, sampling: &Sampling, logits: &mut [f32]) -> u32 {
        sampling.choose(logits, &self.ids, &mut self.random)
    }

    /// Adds a token, of `most`; `ended` if it ends texts. Returns the text that is known now.
    pub fn push(
        &mut self,
        id: u32,
        ended: bool,
        most: usize,
        tokenizer: &Tokenizer,
        stop: &[String],
    ) -> Result<String> {
        self.ids.push(id);
        let mut text = self.writer.push(tokenizer, id, stop)?;
        self.finish = match () {
            () if ended || self.writer.stopped() => Some(FinishReason::Stop),
            () if self.ids.len() - self.given >= most => Some(FinishReason::Length),
            () => None,
        };
        if self.finish.is_some() {
            text += &self.writer.finish(tokenizer, stop)?;
            if self.writer.stopped() {
                self.finish = Some(FinishReason::Stop);
            }
        }
        self.text += &text;
        Ok(text)
    }

    /// What it has become.
    pub fn generated(mut self, tokenizer: &Tokenizer, stop: &[String]) -> Result<Generated> {
        if self.finish.is_none() {
            self.text += &self.writer.finish(tokenizer, stop)?;
        }
        let finish_reason = self.finish.unwrap_or(FinishReason::Aborted);
        let (token_ids, prompt_tokens) = (self.ids.split_off(self.given), self.prompt);
        Ok(Generated { text: self.text, token_ids, finish_reason, prompt_tokens })
    }
}

impl Session {
    /// The row of a prompt, and what an encoder reads for it, where there is one.
    pub(super) fn row(
        &self,
        index: usize,
        prompt: &Prompt,
        options: &GenerateOptions,
    ) -> Result<(Option<Vec<u32>>, Row)> {
        let (text, ids, writer) = match self.options.task {
            Task::Text2textGeneration => {
                let text = self.read_by_encoder(index, prompt, options.max_new_tokens)?;
                let start = self.model.common().padding.start.expect("a decoder that writes has a token to start with");
                (Some(text), vec![start], Writer::after(&[]))
            }
            _ => {
                let ids = self.read_by_decoder(index, prompt, options.max_new_tokens)?;
                let writer = Writer::after(&ids);
                (None, ids, writer)
            }
        };
        let random = SmallRng::seed_from_u64(options.seed.wrapping_add(index as u64));
        let (given, prompt) = (ids.len(), text.as_ref().unwrap_or(&ids).len());
        Ok((text, Row { ids, given, prompt, finish: None, text: String::new(), writer, random }))
    }

    /// Tokens of a prompt that leaves room for `most` more.
    fn read_by_decoder(&self, index: usize, prompt: &Prompt, most: usize) -> Result<Vec<u32>> {
        let ids = self.given(prompt)?;
        if ids.is_empty() {
            return Err(Error::EmptyText { index });
        }
        let (count, longest) = (ids.len(), self.model.common().longest);
        if most == 0 || most.saturating_add(count) > longest {
            let reason = format!(
                "is {most}, and prompt number {index} (counting from 0) has {count} tokens: the model takes 1 to {longest} of both together"
            );
            return Err(Error::BadOption { option: "maxNewTokens".into(), reason });
        }
        Ok(ids)
    }

    /// Tokens of a prompt, which alone has to fit into the model.
    fn read_by_encoder(&self, index: usize, prompt: &Prompt, most: usize) -> Result<Vec<u32>> {
        if most == 0 {
            let reason = "is 0: give at least 1".into();
            return Err(Error::BadOption { option: "maxNewTokens".into(), reason });
        }
        let text = Text { text: prompt.text(index)?.into(), text_pair: None };
        let longest = self.model.common().longest;
        let ids = self.encode_one(index, &text, longest.saturating_mul(4))?.ids;
        if ids.len() > longest {
            let count = ids.len();
            let reason = format!(
                "number {index} (counting from 0) has {count} tokens, and the encoder reads {longest} at most: shorten it"
            );
            return Err(Error::BadOption { option: "prompt".into(), reason });
        }
        Ok(ids)
    }
}
