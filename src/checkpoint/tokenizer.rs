//! Text to token ids, by Hugging Face's own tokenizers crate, for files of the BERT kind.
//!
//! The crate is given only parts that were checked here: much of what a hostile `tokenizer.json` can ask of it panics.

use serde::Deserialize;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Model, NormalizedString, Normalizer, TokenizerImpl};

use super::template::{PostProcessor, Template};
use crate::{Error, Result};

/// The largest vocabularies in use take half of this.
const MAX_BYTES: usize = 64 << 20;
const MAX_ADDED_TOKENS: usize = 10_000;
/// Splitting a word costs the square of its length; BERT's own bound is 100 characters.
const MAX_WORD_CHARS: usize = 1_000;
const MAX_PREFIX: usize = 16;

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

/// The last two types stand for a post-processor and a decoder, which are never set.
type Inner = TokenizerImpl<WordPiece, BertNormalizer, BertPreTokenizer, BertProcessing, WordPieceDecoder>;

/// A model's tokenizer.
pub struct Tokenizer {
    inner: Inner,
    template: Template,
    largest_id: u32,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Which parts the file asks for; read before their contents, so that errors name the part and not a field of it.
#[derive(Deserialize)]
struct Kinds {
    normalizer: Option<Kind>,
    pre_tokenizer: Option<Kind>,
    model: Kind,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<FileToken>,
    normalizer: Option<BertNormalizer>,
    post_processor: Option<PostProcessor>,
    model: WordPiece,
}

#[derive(Deserialize)]
struct FileToken {
    id: u32,
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

impl Tokenizer {
    /// Reads `tokenizer.json`: WordPiece with BERT's normalizer and pre-tokenizer, anything else is
    /// [`Error::BadTokenizer`]. The file's own settings for padding and truncation are ignored.
    pub fn from_bytes(bytes: &[u8]) -> Result<Tokenizer> {
        if bytes.len() > MAX_BYTES {
            return Err(bad(format!("it has {} bytes, more than any tokenizer", bytes.len())));
        }
        let kinds: Kinds = serde_json::from_slice(bytes).map_err(unreadable)?;
        supported("model", Some(kinds.model), &["WordPiece"])?;
        supported("normalizer", kinds.normalizer, &["BertNormalizer", "none"])?;
        supported("pre_tokenizer", kinds.pre_tokenizer, &["BertPreTokenizer"])?;

        let file: File = serde_json::from_slice(bytes).map_err(unreadable)?;
        check_model(&file.model)?;
        let template = Template::new(file.post_processor)?;
        let mut inner = TokenizerImpl::new(file.model);
        inner.with_normalizer(file.normalizer).map_err(refused)?.with_pre_tokenizer(Some(BertPreTokenizer));
        add_tokens(&mut inner, file.added_tokens)?;

        let (special, _) = template.row(&[], Some(&[]));
        let (single, _) = template.row(&[], None);
        let vocabulary = inner.get_vocab(true);
        let largest_id = vocabulary.into_values().chain(special).chain(single).max().unwrap_or(0);
        Ok(Tokenizer { inner, template, largest_id })
    }

    /// Checks that every id this tokenizer can give is one the model has an embedding for.
    pub fn check(&self, vocab_size: usize, type_vocab_size: usize) -> Result<()> {
        if self.largest_id as usize >= vocab_size {
            let id = self.largest_id;
            return Err(bad(format!("it gives token ids up to {id}, the model has {vocab_size} tokens")));
        }
        let (_, pair) = self.template.row(&[0], Some(&[0]));
        let (_, single) = self.template.row(&[0], None);
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
        let added = self.template.added(pair.is_some());
        let room = max_length.checked_sub(added).filter(|room| *room > 0).ok_or_else(|| Error::BadOption {
            option: "maxLength".into(),
            reason: format!("is {max_length}: the special tokens alone take {added}, give more"),
        })?;
        let ids = |text| Ok::<_, Error>(self.inner.encode_fast(text, false).map_err(refused)?.get_ids().to_vec());
        let mut first = ids(text)?;
        let mut second = pair.map(ids).transpose()?;
        let (keep_first, keep_second) = longest_first(first.len(), second.as_ref().map_or(0, Vec::len), room);
        let truncated = keep_first < first.len() || second.as_ref().is_some_and(|ids| keep_second < ids.len());
        first.truncate(keep_first);
        if let Some(ids) = &mut second {
            ids.truncate(keep_second);
        }
        let (ids, type_ids) = self.template.row(&first, second.as_deref());
        Ok(Encoding { ids, type_ids, truncated })
    }

    /// The id that fills short rows: that of `[PAD]`, or 0 where the vocabulary has none.
    pub fn pad_id(&self) -> u32 {
        self.inner.token_to_id("[PAD]").unwrap_or(0)
    }
}

/// How many tokens of each text to keep where `room` is not enough, by the rule of transformers' fast tokenizers:
/// shorten the longer one, and where that would make it the shorter, share the room, the odd token to the longer.
fn longest_first(first: usize, second: usize, room: usize) -> (usize, usize) {
    if first + second <= room {
        return (first, second);
    }
    let (short, long) = (first.min(second), first.max(second));
    let (short, long) = if short <= room / 2 { (short, long.min(room - short)) } else { (room / 2, room.div_ceil(2)) };
    if first <= second { (short, long) } else { (long, short) }
}

fn check_model(model: &WordPiece) -> Result<()> {
    if model.token_to_id(&model.unk_token).is_none() {
        return Err(bad("its vocabulary lacks its own unk_token".into()));
    }
    if model.max_input_chars_per_word > MAX_WORD_CHARS {
        return Err(bad(format!("max_input_chars_per_word is over {MAX_WORD_CHARS}")));
    }
    if model.continuing_subword_prefix.len() > MAX_PREFIX {
        return Err(bad(format!("continuing_subword_prefix is over {MAX_PREFIX} bytes")));
    }
    Ok(())
}

fn add_tokens(inner: &mut Inner, tokens: Vec<FileToken>) -> Result<()> {
    if tokens.len() > MAX_ADDED_TOKENS {
        return Err(bad(format!("it has more than {MAX_ADDED_TOKENS} added tokens")));
    }
    for token in &tokens {
        let mut seen = NormalizedString::from(token.content.as_str());
        if let (true, Some(normalizer)) = (token.normalized, inner.get_normalizer()) {
            normalizer.normalize(&mut seen).map_err(refused)?;
        }
        // The crate panics where white space is a token and another token strips it.
        if seen.get().trim().is_empty() {
            return Err(bad(format!("added token {} is only white space", token.id)));
        }
    }
    let names: Vec<(String, u32)> = tokens.iter().map(|token| (token.content.clone(), token.id)).collect();
    let tokens = tokens.into_iter().map(|token| AddedToken {
        content: token.content,
        single_word: token.single_word,
        lstrip: token.lstrip,
        rstrip: token.rstrip,
        normalized: token.normalized,
        special: token.special,
    });
    inner.add_tokens(tokens).map_err(refused)?;
    match names.iter().find(|(content, id)| inner.token_to_id(content) != Some(*id)) {
        Some((content, id)) => Err(bad(format!("added token '{content}' cannot have id {id} beside its vocabulary"))),
        None => Ok(()),
    }
}

fn supported(part: &str, found: Option<Kind>, supported: &[&str]) -> Result<()> {
    let kind = found.map_or("none".into(), |kind| kind.kind.unwrap_or("without type".into()));
    if supported.contains(&kind.as_str()) {
        Ok(())
    } else {
        Err(bad(format!("its {part} is {kind}; supported: {}", supported.join(", "))))
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    bad(error.to_string())
}

fn refused(error: tokenizers::Error) -> Error {
    bad(error.to_string())
}

fn bad(reason: String) -> Error {
    Error::BadTokenizer { reason }
}
