//! Prompt templates: how a labelled text is put to a language model, and what its labels are called there.

use super::infer::Text;
use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A prompt with places for a text, and a choice for each label.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Template {
    /// `{{text}}` and `{{textPair}}` stand for the text and the second text of a pair.
    pub prompt: String,
    /// What follows the prompt, by label.
    pub choices: BTreeMap<String, String>,
}

impl Template {
    /// The prompt for a text. [`Error::BadOption`] where it has a place for something else, or for a second text that is not there.
    pub fn fill(&self, text: &Text) -> Result<String> {
        let mut parts = self.prompt.split("{{");
        let mut filled = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let (place, rest) = part.split_once("}}").ok_or_else(|| bad("has a place that '}}' does not close"))?;
            filled += match (place.trim(), &text.text_pair) {
                ("text", _) => &text.text,
                ("textPair", Some(pair)) => pair,
                ("textPair", None) => return Err(bad("has a place for textPair: give every text one")),
                (other, _) => return Err(bad(format!("has a place '{other}': there are text and textPair"))),
            };
            filled += rest;
        }
        Ok(filled)
    }
}

fn bad(reason: impl Into<String>) -> Error {
    Error::BadOption { option: "template".into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(prompt: &str, pair: Option<&str>) -> Result<String> {
        let text = Text { text: "a {{b}}".into(), text_pair: pair.map(String::from) };
        Template { prompt: prompt.into(), choices: BTreeMap::new() }.fill(&text)
    }

    #[test]
    fn places_are_filled_and_no_others_allowed() {
        assert_eq!(filled("{{text}}\nIs this spam?", None).unwrap(), "a {{b}}\nIs this spam?");
        assert_eq!(filled("{{ textPair }}, {{text}}}", Some("c")).unwrap(), "c, a {{b}}}");
        for prompt in ["{{text", "{{label}}", "{{textPair}}"] {
            assert_eq!(filled(prompt, None).unwrap_err().code(), "bad-option", "{prompt}");
        }
    }
}
