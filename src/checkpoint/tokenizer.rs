//! Text to token ids, by Hugging Face's own tokenizers crate.

use tokenizers::{Decoder, Model, OffsetType, PreTokenizer, TruncationDirection};

use super::tokenizer_file::{Parts, bad, refused};
use crate::{Error, Result};

/// A row of token ids, special tokens included.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// Token ids.
    pub ids: Vec<u32>,
    /// For each token the text it belongs to: 0 the first, 1 the second.
    pub type_ids: Vec<u32>,
    /// Where each token comes from; None for special tokens.
    pub sources: Vec<Option<Source>>,
    /// Whether tokens were left out to keep to the length asked for.
    pub truncated: bool,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The text: 0 the first, 1 the second. Of a text given word by word, the word.
    pub text: usize,
    /// First byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// A model's tokenizer.
pub struct Tokenizer {
    parts: Parts,
    largest_id: u32,
}

/// Tokens of a text before special tokens are added.
#[derive(Default)]
struct Tokens {
    ids: Vec<u32>,
    sources: Vec<Source>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`: WordPiece, BPE or Unigram with the normalizers and pre-tokenizers of the families known here, anything
    /// else is [`Error::BadTokenizer`]. The file's own settings for padding and truncation are ignored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Tokenizer> {
        let parts = Parts::read(bytes)?;
        let (special, single) = (parts.template.row(&[], Some(&[])), parts.template.row(&[], None));
        let words = parts.model.get_vocab().into_values().chain(parts.added.get_vocab().values().copied());
        let largest_id = words.chain(special.ids).chain(single.ids).max().unwrap_or(0);
        Ok(Tokenizer { parts, largest_id })
    }

    /// Checks that every id this tokenizer can give is one the model has an embedding for.
    pub fn check(&self, vocab_size: usize, type_vocab_size: Option<usize>) -> Result<()> {
        if self.largest_id as usize >= vocab_size {
            let id = self.largest_id;
            return Err(bad(format!("it gives token ids up to {id}, the model has {vocab_size} tokens")));
        }
        let (pair, single) = (self.parts.template.row(&[0], Some(&[0])), self.parts.template.row(&[0], None));
        match (pair.type_ids.into_iter().chain(single.type_ids).max(), type_vocab_size) {
            (Some(id), Some(types)) if id as usize >= types => {
                Err(bad(format!("it gives token type {id}, the model has {types} types")))
            }
            _ => Ok(()),
        }
    }

    /// Token ids of `text`, or of a pair of texts, with special tokens. Rows longer than `max_length` lose tokens from
    /// the end of the longer text first ("longest_first"), as transformers does.
    pub fn encode(&self, text: &str, pair: Option<&str>, max_length: usize) -> Result<Encoding> {
        let room = self.room(pair.is_some(), max_length)?;
        let mut first = self.tokens(text, 0, max_length)?;
        let mut second = pair.map(|pair| self.tokens(pair, 1, max_length)).transpose()?;
        let (keep_first, keep_second) =
            longest_first(first.ids.len(), second.as_ref().map_or(0, |t| t.ids.len()), room);
        let truncated = keep_first < first.ids.len() || second.as_ref().is_some_and(|t| keep_second < t.ids.len());
        first.truncate(keep_first);
        if let Some(tokens) = &mut second {
            tokens.truncate(keep_second);
        }
        Ok(self.row(first, second, truncated))
    }

    /// Token ids of a text without special tokens.
    pub fn plain(&self, text: &str) -> Result<Vec<u32>> {
        Ok(self.tokens(text, 0, usize::MAX)?.ids)
    }

    /// Token ids of a text that holds its special tokens already, and where each comes from.
    pub fn written(&self, text: &str) -> Result<Encoding> {
        let Tokens { ids, sources } = self.tokens(text, 0, usize::MAX)?;
        let sources = sources.into_iter().map(Some).collect();
        Ok(Encoding { type_ids: vec![0; ids.len()], ids, sources, truncated: false })
    }

    /// The text that tokens make, special tokens left out. Where it ends within a character, the replacement character stands for that.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let Parts { added, model, decoder, .. } = &self.parts;
        let name = |id: &u32| added.simple_id_to_token(*id).or_else(|| model.id_to_token(*id));
        let names: Vec<String> = ids.iter().filter_map(name).filter(|name| !added.is_special_token(name)).collect();
        match decoder {
            // Some decoders take it that there is a token.
            _ if names.is_empty() => Ok(String::new()),
            Some(decoder) => decoder.decode(names).map_err(refused),
            None => Ok(names.join(" ")),
        }
    }

    /// Token ids of a text given word by word; each source names its word. Words that a row of `max_length` has no room for are cut.
    pub fn encode_words(&self, words: &[String], max_length: usize) -> Result<Encoding> {
        let room = self.room(false, max_length)?;
        let mut all = Tokens::default();
        for (word, text) in words.iter().enumerate() {
            // As in a sentence, where all words but perhaps the first follow a space.
            let tokens = self.tokens(&format!(" {text}"), word, max_length)?;
            all.ids.extend(tokens.ids);
            all.sources.extend(tokens.sources);
            if all.ids.len() > room {
                break;
            }
        }
        let truncated = all.ids.len() > room;
        all.truncate(room);
        Ok(self.row(all, None, truncated))
    }

    /// Tokens of text that a row has room for.
    fn room(&self, pair: bool, max_length: usize) -> Result<usize> {
        let added = self.parts.template.added(pair);
        max_length.checked_sub(added).filter(|room| *room > 0).ok_or_else(|| Error::BadOption {
            option: "maxLength".into(),
            reason: format!("is {max_length}: the special tokens alone take {added}, give more"),
        })
    }

    fn row(&self, first: Tokens, second: Option<Tokens>, truncated: bool) -> Encoding {
        let row = self.parts.template.row(&first.ids, second.as_ref().map(|tokens| tokens.ids.as_slice()));
        let texts = [Some(first), second];
        let source = |(text, at): (usize, usize)| texts[text].as_ref().map(|tokens| tokens.sources[at]);
        let sources = row.sources.into_iter().map(|found| found.and_then(source)).collect();
        Encoding { ids: row.ids, type_ids: row.type_ids, sources, truncated }
    }

    /// Tokens of a text alone. Stops after the word that makes them `enough`: that saves work on long texts, and the
    /// crate does the same, so that its lengths of two long texts, which decide which of them gets an odd token, are ours.
    fn tokens(&self, text: &str, number: usize, enough: usize) -> Result<Tokens> {
        let mut words = self.parts.added.extract_and_normalize(self.parts.normalizer.as_ref(), text);
        let right = Some((enough, TruncationDirection::Right));
        let split = self.parts.pre_tokenizer.as_ref().map_or(Ok(()), |splitter| splitter.pre_tokenize(&mut words));
        let encoding = split
            .and_then(|()| self.parts.model.tokenize_in_pretokenized(&mut words, right))
            .and_then(|()| words.into_encoding(None, 0, OffsetType::Byte))
            .map_err(refused)?;
        let source = |(start, end): &(usize, usize)| Source { text: number, start: *start, end: *end };
        Ok(Tokens { ids: encoding.get_ids().to_vec(), sources: encoding.get_offsets().iter().map(source).collect() })
    }
}

impl Tokens {
    fn truncate(&mut self, count: usize) {
        self.ids.truncate(count);
        self.sources.truncate(count);
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
