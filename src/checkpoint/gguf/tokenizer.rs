//! The `tokenizer.json` that a GGUF's settings amount to.
//!
//! Three kinds can be read: `gpt2`, a byte-level BPE whose merges are listed, `bert`, WordPiece with the words' starts marked, and `llama`,
//! SentencePiece's BPE (see `sentencepiece.rs`).

use super::{Metadata, not_gguf};
use crate::Result;
use serde_json::{Value, json};

/// What `tokenizer.ggml.token_type` says of a token.
pub(super) const NORMAL: f64 = 1.0;
pub(super) const UNKNOWN: f64 = 2.0;
const CONTROL: f64 = 3.0;
pub(super) const USER_DEFINED: f64 = 4.0;

/// Where a word starts, in BERT's lists, and a space, in SentencePiece's.
pub(super) const START: char = '\u{2581}';

/// Patterns that cut texts before a byte-level BPE, by `tokenizer.ggml.pre`; None: GPT-2's own, which the tokenizer knows.
const PATTERNS: [(&str, Option<&str>); 7] = [
    ("gpt-2", None),
    ("smollm", None),
    ("llama-bpe", Some(LLAMA3)),
    ("llama3", Some(LLAMA3)),
    ("llama-v3", Some(LLAMA3)),
    ("qwen2", Some(QWEN2)),
    ("deepseek-r1-qwen", Some(QWEN2)),
];

const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

impl Metadata<'_> {
    /// `tokenizer.json` of this file. [`crate::Error::NotGguf`] where a kind is not known or settings are missing.
    pub fn tokenizer(&self) -> Result<Vec<u8>> {
        let names = self.texts("tokenizer.ggml.tokens")?;
        let kinds = match self.list("tokenizer.ggml.token_type")? {
            None => vec![NORMAL; names.len()],
            Some(list) => list.numbers().unwrap_or_default(),
        };
        if kinds.len() != names.len() {
            return Err(self.wrong_tokenizer(format!(
                "it has {} tokens and {} types of them",
                names.len(),
                kinds.len()
            )));
        }
        let added: Vec<Value> = names
            .iter()
            .zip(&kinds)
            .enumerate()
            .filter(|(_, (name, kind))| match **kind {
                CONTROL | UNKNOWN => true,
                // Those of white space are found as others are, by their merges.
                USER_DEFINED => !name.trim_matches([START, ' ', '\n', '\t', '\r']).is_empty(),
                _ => false,
            })
            .map(|(id, (name, kind))| {
                json!({"id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": *kind != USER_DEFINED})
            })
            .collect();
        let parts = match self.text("tokenizer.ggml.model")? {
            "gpt2" => self.byte_level(&names)?,
            "bert" => self.word_piece(&names)?,
            "llama" => self.sentence_piece(&names, &kinds)?,
            other => return Err(self.wrong_tokenizer(format!("its kind is '{other}', not gpt2, bert or llama"))),
        };
        let [normalizer, pre_tokenizer, post_processor, model] = parts;
        let decoder = match model["type"].as_str() {
            Some("WordPiece") => json!({"type": "WordPiece", "prefix": "##", "cleanup": true}),
            _ if model["byte_fallback"] == json!(true) => self.spaces_decoder()?,
            _ => bytes(true),
        };
        let file = json!({"version": "1.0", "added_tokens": added, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
            "post_processor": post_processor, "decoder": decoder, "model": model});
        Ok(serde_json::to_vec(&file).expect("texts and numbers always serialise"))
    }

    fn byte_level(&self, names: &[&str]) -> Result<[Value; 4]> {
        let pre = self.text("tokenizer.ggml.pre")?;
        let Some((_, pattern)) = PATTERNS.iter().find(|(name, _)| *name == pre) else {
            let known = PATTERNS.map(|(name, _)| name).join(", ");
            return Err(self.wrong_tokenizer(format!("it cuts texts by the rules '{pre}'; those known are {known}")));
        };
        let before = match (pre, pattern) {
            (_, Some(pattern)) => {
                json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
            }
            ("smollm", None) => json!({"type": "Digits", "individual_digits": true}),
            (_, None) => Value::Null,
        };
        let parts: Vec<Value> = [before, bytes(pattern.is_none())].into_iter().filter(|part| !part.is_null()).collect();
        let merges = self.texts("tokenizer.ggml.merges")?;
        let model = json!({"type": "BPE", "vocab": vocabulary(names), "merges": merges, "ignore_merges": pattern == &Some(LLAMA3)});
        let normalizer = if *pattern == Some(QWEN2) { json!({"type": "NFC"}) } else { Value::Null };
        Ok([normalizer, json!({"type": "Sequence", "pretokenizers": parts}), self.ends(false)?, model])
    }

    fn word_piece(&self, names: &[&str]) -> Result<[Value; 4]> {
        let plain = |name: &&str| match name.strip_prefix(START) {
            Some(word) => word.to_string(),
            None if name.starts_with('[') && name.ends_with(']') => (*name).to_string(),
            None => format!("##{name}"),
        };
        let names: Vec<String> = names.iter().map(plain).collect();
        let vocabulary: serde_json::Map<String, Value> =
            names.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
        let model = json!({"type": "WordPiece", "vocab": vocabulary, "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100});
        let id = |name: &str| names.iter().position(|found| found == name);
        let (Some(start), Some(end)) = (id("[CLS]"), id("[SEP]")) else {
            return Err(self.wrong_tokenizer("it has no [CLS] or no [SEP]".into()));
        };
        let normalizer = json!({"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true});
        let post = json!({"type": "BertProcessing", "sep": ["[SEP]", end], "cls": ["[CLS]", start]});
        Ok([normalizer, json!({"type": "BertPreTokenizer"}), post, model])
    }

    /// The tokens that begin and end every text, where the file says so. `begins`: one begins it where the file says nothing.
    pub(super) fn ends(&self, begins: bool) -> Result<Value> {
        let names = self.texts("tokenizer.ggml.tokens")?;
        let token = |kind: &str| -> Result<Option<(String, u64)>> {
            let usual = begins && kind == "bos";
            if !self.flag(&format!("tokenizer.ggml.add_{kind}_token"))?.unwrap_or(usual) {
                return Ok(None);
            }
            let id = self.whole(&format!("tokenizer.ggml.{kind}_token_id"))?;
            Ok(id.and_then(|id| names.get(usize::try_from(id).ok()?).map(|name| ((*name).to_string(), id))))
        };
        let (start, end) = (token("bos")?, token("eos")?);
        if start.is_none() && end.is_none() {
            return Ok(Value::Null);
        }
        let special = |token: &Option<(String, u64)>, text: usize| {
            token.as_ref().map(|(name, _)| json!({"SpecialToken": {"id": name, "type_id": text}}))
        };
        let text = |name: &str, text: usize| {
            let sequence = json!({"Sequence": {"id": name, "type_id": text}});
            [special(&start, text), Some(sequence), special(&end, text)].into_iter().flatten()
        };
        let entry = |(name, id): &(String, u64)| (name.clone(), json!({"id": name, "ids": [id], "tokens": [name]}));
        let tokens: serde_json::Map<String, Value> = [&start, &end].into_iter().flatten().map(entry).collect();
        Ok(json!({"type": "TemplateProcessing", "single": text("A", 0).collect::<Vec<_>>(),
            "pair": text("A", 0).chain(text("B", 1)).collect::<Vec<_>>(), "special_tokens": tokens}))
    }

    fn texts(&self, name: &str) -> Result<Vec<&str>> {
        match self.list(name)?.and_then(|list| list.texts()) {
            Some(texts) => Ok(texts),
            None => Err(not_gguf(self.file(), format!("its {name} is absent or no list of texts"))),
        }
    }

    pub(super) fn wrong_tokenizer(&self, reason: String) -> crate::Error {
        not_gguf(self.file(), format!("its tokenizer cannot be used: {reason}"))
    }
}

/// The part that makes bytes of characters, and characters of bytes.
fn bytes(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

pub(super) fn vocabulary(names: &[&str]) -> serde_json::Map<String, Value> {
    names.iter().enumerate().map(|(id, name)| ((*name).to_string(), json!(id))).collect()
}
