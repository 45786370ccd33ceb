//! Conversations, which arrive as their chat template wrote them: as what a language model goes on from, and as examples.

use super::Session;
use super::examples::bad;
use crate::checkpoint::Tokenizer;
use crate::error::{Error, Result};
use crate::train::{Asked, LanguageRow, Sequence};
use serde::Deserialize;

/// What a language model goes on from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// A text, around which the tokenizer puts its special tokens.
    Text(String),
    /// A conversation as its chat template wrote it, special tokens included.
    Rendered {
        /// The text.
        rendered: String,
    },
}

/// A part of a conversation as its chat template wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Piece {
    /// The text, special tokens included.
    pub text: String,
    /// Is it learned?
    pub learned: bool,
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Prompt {
        Prompt::Text(text.into())
    }
}

impl Prompt {
    /// Has it no characters?
    pub(super) fn is_empty(&self) -> bool {
        let (Prompt::Text(text) | Prompt::Rendered { rendered: text }) = self;
        text.is_empty()
    }

    /// The text that an encoder reads; a conversation is for decoders.
    pub(super) fn text(&self, index: usize) -> Result<&str> {
        match self {
            Prompt::Text(text) => Ok(text),
            Prompt::Rendered { .. } => {
                Err(bad(index, "holds a conversation, which an encoder-decoder model cannot go on from: give a text"))
            }
        }
    }
}

impl Session {
    /// Tokens of what a decoder goes on from.
    pub(super) fn given(&self, prompt: &Prompt) -> Result<Vec<u32>> {
        match prompt {
            Prompt::Text(text) => {
                Ok(self.tokenizer.encode(text, None, self.model.common().longest.saturating_mul(4))?.ids)
            }
            Prompt::Rendered { rendered } => self.tokenizer.plain(rendered),
        }
    }
}

/// A conversation as a row, asked for the tokens that are learned: those with a byte of a learned piece. The pieces
/// are tokenised as one text, since tokens may reach from one into the next, and without adding special tokens. One that is longer than
/// `max_length` loses tokens from its start. [`Error::BadExample`] where none is left that is learned.
pub fn conversation(tokenizer: &Tokenizer, index: usize, pieces: &[Piece], max_length: usize) -> Result<LanguageRow> {
    let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    if text.is_empty() {
        return Err(Error::EmptyText { index });
    }
    let mut end = 0;
    let mut learned = Vec::new();
    for piece in pieces {
        let start = end;
        end += piece.text.len();
        learned.extend(piece.learned.then_some((start, end)));
    }
    let found = tokenizer.written(&text)?;
    let inside = |source: &Option<crate::checkpoint::Source>| {
        let overlaps = |(start, end): &(usize, usize)| source.is_some_and(|s| s.start < *end && s.end > *start);
        learned.iter().any(overlaps)
    };
    let cut = found.ids.len().saturating_sub(max_length);
    let (ids, sources) = (&found.ids[cut..], &found.sources[cut..]);
    let learned = sources.iter().enumerate().skip(1).filter(|(_, source)| inside(source));
    let asked: Vec<Asked> = learned.map(|(at, _)| Asked { place: at - 1, id: ids[at] }).collect();
    if asked.is_empty() {
        let kept = if cut > 0 {
            format!(" within the last {max_length}, which are kept: raise maxLength")
        } else {
            String::new()
        };
        return Err(bad(index, format!("has no token of the assistant to learn{kept}")));
    }
    // The last token tells none, so it is not read.
    let read = ids[..ids.len() - 1].to_vec();
    Ok(LanguageRow { input: None, sequence: Sequence::alone(read, asked), truncated: cut > 0 })
}
