//! The parts of a `tokenizer.json`, checked.
//!
//! The tokenizers crate is given only what passed here: much of what a hostile file can ask of it panics.

use serde::Deserialize;
use serde_json::Value;
use tokenizers::decoders::DecoderWrapper;
use tokenizers::models::ModelWrapper;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{AddedToken, AddedVocabulary, Model, NormalizedString, Normalizer};

use super::template::{PostProcessor, Template};
use crate::{Error, Result};

/// The largest vocabularies in use take half of this.
const MAX_BYTES: usize = 64 << 20;
const MAX_ADDED_TOKENS: usize = 10_000;
/// Splitting a word costs the square of its length; BERT's own bound is 100 characters.
const MAX_WORD_CHARS: usize = 1_000;
const MAX_PREFIX: usize = 16;
/// Parts in a sequence, and sequences in each other.
const MAX_PARTS: usize = 32;

const MODELS: [&str; 3] = ["WordPiece", "BPE", "Unigram"];
const NORMALIZERS: [&str; 12] = [
    "BertNormalizer",
    "Lowercase",
    "NFC",
    "NFD",
    "NFKC",
    "NFKD",
    "Nmt",
    "Precompiled",
    "Prepend",
    "Replace",
    "Strip",
    "StripAccents",
];
const PRE_TOKENIZERS: [&str; 8] =
    ["BertPreTokenizer", "ByteLevel", "Digits", "Metaspace", "Punctuation", "Split", "Whitespace", "WhitespaceSplit"];
const DECODERS: [&str; 8] =
    ["BPEDecoder", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece"];

/// What text passes through, in this order; and what makes text of tokens.
pub(super) struct Parts {
    pub normalizer: Option<NormalizerWrapper>,
    pub added: AddedVocabulary,
    pub pre_tokenizer: Option<PreTokenizerWrapper>,
    pub model: ModelWrapper,
    pub template: Template,
    pub decoder: Option<DecoderWrapper>,
}

#[derive(Deserialize)]
struct ModelKind {
    #[serde(rename = "type")]
    kind: Option<String>,
    dropout: Option<f32>,
}

/// Which parts the file asks for; read before their contents, so that errors name the part and not a field of it.
#[derive(Deserialize)]
struct Kinds {
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    decoder: Option<Value>,
    model: ModelKind,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<FileToken>,
    normalizer: Option<NormalizerWrapper>,
    pre_tokenizer: Option<PreTokenizerWrapper>,
    post_processor: Option<PostProcessor>,
    decoder: Option<DecoderWrapper>,
    model: ModelWrapper,
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

impl Parts {
    /// Reads and checks the file.
    pub fn read(bytes: &[u8]) -> Result<Parts> {
        if bytes.len() > MAX_BYTES {
            return Err(bad(format!("it has {} bytes, more than any tokenizer", bytes.len())));
        }
        let kinds: Kinds = serde_json::from_slice(bytes).map_err(unreadable)?;
        supported("model", kinds.model.kind.as_deref(), &MODELS)?;
        if kinds.model.dropout.is_some_and(|dropout| dropout > 0.0) {
            return Err(bad("its model splits words at random (dropout): save it without".into()));
        }
        all_supported("normalizer", kinds.normalizer.as_ref(), &NORMALIZERS, 0)?;
        all_supported("pre_tokenizer", kinds.pre_tokenizer.as_ref(), &PRE_TOKENIZERS, 0)?;
        all_supported("decoder", kinds.decoder.as_ref(), &DECODERS, 0)?;

        let File { added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model } =
            serde_json::from_slice(bytes).map_err(unreadable)?;
        match (&model, &pre_tokenizer) {
            (ModelWrapper::WordPiece(model), _) => check_word_piece(model)?,
            (_, Some(_)) => {}
            // Whole texts as one word would cost the square of their length.
            (_, None) => {
                return Err(bad("its pre_tokenizer is none: one that splits texts into words is needed".into()));
            }
        }
        let template = Template::new(post_processor)?;
        let added = added_vocabulary(added_tokens, &model, normalizer.as_ref())?;
        Ok(Parts { normalizer, added, pre_tokenizer, model, template, decoder })
    }
}

fn check_word_piece(model: &WordPiece) -> Result<()> {
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

fn added_vocabulary(
    tokens: Vec<FileToken>,
    model: &ModelWrapper,
    normalizer: Option<&NormalizerWrapper>,
) -> Result<AddedVocabulary> {
    if tokens.len() > MAX_ADDED_TOKENS {
        return Err(bad(format!("it has more than {MAX_ADDED_TOKENS} added tokens")));
    }
    for token in &tokens {
        let mut seen = NormalizedString::from(token.content.as_str());
        if let (true, Some(normalizer)) = (token.normalized, normalizer) {
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
    let mut added = AddedVocabulary::new();
    added.add_tokens(tokens, model, normalizer).map_err(refused)?;
    match names.iter().find(|(content, id)| added.token_to_id(content, model) != Some(*id)) {
        Some((content, id)) => Err(bad(format!("added token '{content}' cannot have id {id} beside its vocabulary"))),
        None => Ok(added),
    }
}

/// A part that may be absent, or a sequence of parts.
fn all_supported(part: &str, found: Option<&Value>, kinds: &[&str], depth: usize) -> Result<()> {
    let Some(found) = found.filter(|found| !found.is_null()) else { return Ok(()) };
    let kind = found.get("type").and_then(Value::as_str);
    if kind != Some("Sequence") {
        return supported(part, kind, kinds);
    }
    let parts = ["normalizers", "pretokenizers", "decoders"].iter().find_map(|name| found.get(name)?.as_array());
    match parts {
        Some(parts) if parts.len() <= MAX_PARTS && depth < MAX_PARTS => {
            parts.iter().try_for_each(|found| all_supported(part, Some(found), kinds, depth + 1))
        }
        Some(_) | None => Err(bad(format!("its {part} is a sequence of no or too many parts"))),
    }
}

fn supported(part: &str, found: Option<&str>, supported: &[&str]) -> Result<()> {
    let kind = found.unwrap_or("without type");
    if supported.contains(&kind) {
        Ok(())
    } else {
        Err(bad(format!("its {part} is {kind}; supported: {}", supported.join(", "))))
    }
}

fn unreadable(error: serde_json::Error) -> Error {
    bad(error.to_string())
}

pub(super) fn refused(error: tokenizers::Error) -> Error {
    bad(error.to_string())
}

pub(super) fn bad(reason: String) -> Error {
    Error::BadTokenizer { reason }
}
