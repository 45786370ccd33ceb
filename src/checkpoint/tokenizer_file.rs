//! The parts of a `tokenizer.json`, checked.
//!
//! The tokenizers crate is given only what passed here: much of what a hostile file can ask of it panics.

use serde::Deserialize;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::{AddedToken, AddedVocabulary, Model, NormalizedString, Normalizer};

use super::template::{PostProcessor, Template};
use crate::{Error, Result};

/// The largest vocabularies in use take half of this.
const MAX_BYTES: usize = 64 << 20;
const MAX_ADDED_TOKENS: usize = 10_000;
/// Splitting a word costs the square of its length; BERT's own bound is 100 characters.
const MAX_WORD_CHARS: usize = 1_000;
const MAX_PREFIX: usize = 16;

/// What text passes through, in this order, but for the pre-tokenizer, which is always BERT's.
pub(super) struct Parts {
    pub normalizer: Option<BertNormalizer>,
    pub added: AddedVocabulary,
    pub model: WordPiece,
    pub template: Template,
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

impl Parts {
    /// Reads and checks the file.
    pub fn read(bytes: &[u8]) -> Result<Parts> {
        if bytes.len() > MAX_BYTES {
            return Err(bad(format!("it has {} bytes, more than any tokenizer", bytes.len())));
        }
        let kinds: Kinds = serde_json::from_slice(bytes).map_err(unreadable)?;
        supported("model", Some(kinds.model), &["WordPiece"])?;
        supported("normalizer", kinds.normalizer, &["BertNormalizer", "none"])?;
        supported("pre_tokenizer", kinds.pre_tokenizer, &["BertPreTokenizer"])?;

        let File { added_tokens, normalizer, post_processor, model } =
            serde_json::from_slice(bytes).map_err(unreadable)?;
        check_model(&model)?;
        let template = Template::new(post_processor)?;
        let added = added_vocabulary(added_tokens, &model, normalizer.as_ref())?;
        Ok(Parts { normalizer, added, model, template })
    }
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

fn added_vocabulary(
    tokens: Vec<FileToken>,
    model: &WordPiece,
    normalizer: Option<&BertNormalizer>,
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

pub(super) fn refused(error: tokenizers::Error) -> Error {
    bad(error.to_string())
}

pub(super) fn bad(reason: String) -> Error {
    Error::BadTokenizer { reason }
}
