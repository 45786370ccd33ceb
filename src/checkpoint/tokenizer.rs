//! Text to token ids, by Hugging Face's own tokenizers crate, for files of the BERT kind.

use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{Model, OffsetType, PreTokenizer, TruncationDirection};

use super::tokenizer_file::{Parts, bad, refused};
use crate::{Error, Result};

/// A row of token ids, special tokens included.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// For each token the text it belongs to: 0 the first, 1 the second.
    pub type_ids: Vec<u32>,
    /// Whether tokens were left out to keep to the length asked for.
    pub truncated: bool,
}

/// A model's tokenizer.
pub struct Tokenizer {
    parts: Parts,
    largest_id: u32,
}

impl Tokenizer {
    /// Reads `tokenizer.json`: WordPiece with BERT's normalizer and pre-tokenizer, anything else is
    /// [`Error::BadTokenizer`]. The file's own settings for padding and truncation are ignored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Tokenizer> {
        let parts = Parts::read(bytes)?;
        let (special, _) = parts.template.row(&[], Some(&[]));
        let (single, _) = parts.template.row(&[], None);
        let words = parts.model.get_vocab().into_values().chain(parts.added.get_vocab().values().copied());
        let largest_id = words.chain(special).chain(single).max().unwrap_or(0);
        Ok(Tokenizer { parts, largest_id })
    }

    /// Checks that every id this tokenizer can give is one the model has an embedding for.
    pub fn check(&self, vocab_size: usize, type_vocab_size: usize) -> Result<()> {
        if self.largest_id as usize >= vocab_size {
            let id = self.largest_id;
            return Err(bad(format!("it gives token ids up to {id}, the model has {vocab_size} tokens")));
        }
        let (_, pair) = self.parts.template.row(&[0], Some(&[0]));
        let (_, single) = self.parts.template.row(&[0], None);
        match pair.into_iter().chain(single).max() {
            Some(id) if id as usize >= type_vocab_size => {
                Err(bad(format!("it gives token type {id}, the model has {type_vocab_size} types")))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Token ids of `text`, or of a pair of texts, with special tokens. Rows longer than `max_length` lose tokens from
    /// the end of the longer text first ("longest_first"), as transformers does.
    pub fn encode(&self, text: &str, pair: Option<&str>, max_length: usize) -> Result<Encoding> {
        let added = self.parts.template.added(pair.is_some());
        let room = max_length.checked_sub(added).filter(|room| *room > 0).ok_or_else(|| Error::BadOption {
            option: "maxLength".into(),
            reason: format!("is {max_length}: the special tokens alone take {added}, give more"),
        })?;
        let mut first = self.ids(text, max_length)?;
        let mut second = pair.map(|pair| self.ids(pair, max_length)).transpose()?;
        let (keep_first, keep_second) = longest_first(first.len(), second.as_ref().map_or(0, Vec::len), room);
        let truncated = keep_first < first.len() || second.as_ref().is_some_and(|ids| keep_second < ids.len());
        first.truncate(keep_first);
        if let Some(ids) = &mut second {
            ids.truncate(keep_second);
        }
        let (ids, type_ids) = self.parts.template.row(&first, second.as_deref());
        Ok(Encoding { ids, type_ids, truncated })
    }

    /// Token ids of a text alone. Stops after the word that makes them `enough`: that saves work on long texts, and the
    /// crate does the same, so that its lengths of two long texts, which decide which of them gets an odd token, are ours.
    fn ids(&self, text: &str, enough: usize) -> Result<Vec<u32>> {
        let mut words = self.parts.added.extract_and_normalize(self.parts.normalizer.as_ref(), text);
        let right = Some((enough, TruncationDirection::Right));
        let encoding = BertPreTokenizer
            .pre_tokenize(&mut words)
            .and_then(|()| self.parts.model.tokenize_in_pretokenized(&mut words, right))
            .and_then(|()| words.into_encoding(None, 0, OffsetType::None));
        Ok(encoding.map_err(refused)?.get_ids().to_vec())
    }

    /// The id that fills short rows: that of `[PAD]`, or 0 where the vocabulary has none.
    pub fn pad_id(&self) -> u32 {
        self.parts.added.token_to_id("[PAD]", &self.parts.model).unwrap_or(0)
    }
}

/// How many tokens of each text to keep where `room` is not enough, by the rule of transformers' fast tokenizers:
/// shorten the longer one, and where that would make it the shorter, share the room, the odd token to the longer one.
fn longest_first(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    let (short, long) = (first.min(second), first.max(second));
    let (short, long) = if short <= room / 2 { (short, long.min(room - short)) } else { (room / 2, room.div_ceil(2)) };
    if first <= second { (short, long) } else { (long, short) }
}
