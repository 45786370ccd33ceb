//! The files of a folder on the Hub that a GGUF stands for.

use super::{Gguf, Metadata};
use crate::Result;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// llama.cpp's names of special tokens, misspelt as they are, and those of `tokenizer_config.json`.
const SPECIAL: [(&str, &str); 7] = [
    ("bos", "bos_token"),
    ("eos", "eos_token"),
    ("unknown", "unk_token"),
    ("seperator", "sep_token"),
    ("padding", "pad_token"),
    ("cls", "cls_token"),
    ("mask", "mask_token"),
];

/// The setting of the template that is used unless another is named; others follow it behind a dot.
const TEMPLATE: &str = "tokenizer.chat_template";

/// `config.json`, `tokenizer.json` and `tokenizer_config.json` of the GGUF called `file` in errors, by name; None where `start` ends
/// before the data begin. The errors of [`Gguf::parse`], [`Gguf::config`] and [`Metadata::tokenizer`].
pub fn files(file: &str, start: &[u8]) -> Result<Option<BTreeMap<String, Vec<u8>>>> {
    let Some(found) = Gguf::parse(file, start)? else { return Ok(None) };
    let settings = &found.metadata;
    let [config, tokenizer, chat] = [found.config()?, settings.tokenizer()?, settings.tokenizer_config()?];
    let named = [("config.json", config), ("tokenizer.json", tokenizer), ("tokenizer_config.json", chat)];
    Ok(Some(named.map(|(name, bytes)| (name.to_string(), bytes)).into()))
}

impl Metadata<'_> {
    /// What `tokenizer_config.json` would say of how this file's model chats: `chat_template`, as a list where there are several, and the
    /// special tokens. [`crate::Error::NotGguf`] for a setting that cannot be one.
    pub fn tokenizer_config(&self) -> Result<Vec<u8>> {
        let mut config = Map::new();
        let names = self.list("tokenizer.ggml.tokens")?.and_then(|list| list.texts()).unwrap_or_default();
        for (own, name) in SPECIAL {
            let id = self.whole(&format!("tokenizer.ggml.{own}_token_id"))?;
            let token = id.and_then(|id| names.get(usize::try_from(id).ok()?));
            config.extend(token.map(|token| (name.to_string(), json!(token))));
        }
        config.extend(self.chat_template()?.map(|template| ("chat_template".to_string(), template)));
        Ok(serde_json::to_vec(&config).expect("texts always serialise"))
    }

    fn chat_template(&self) -> Result<Option<Value>> {
        let usual = self.get(TEMPLATE).map(|_| self.text(TEMPLATE)).transpose()?;
        let prefix = format!("{TEMPLATE}.");
        let others: Vec<&str> = self.names().filter_map(|name| name.strip_prefix(&prefix)).collect();
        if others.is_empty() {
            return Ok(usual.map(|template| json!(template)));
        }
        let entry = |name: &str, template: &str| json!({"name": name, "template": template});
        let mut list: Vec<Value> = usual.map(|template| entry("default", template)).into_iter().collect();
        for name in others {
            list.push(entry(name, self.text(&format!("{prefix}{name}"))?));
        }
        Ok(Some(Value::Array(list)))
    }
}
