//! SentencePiece's BPE as LLaMA, Mistral and Gemma have it: a vocabulary with scores and no list of merges. Characters that are no token
//! fall back to those of their bytes.
//!
//! SentencePiece joins the two neighbours that make the token of the highest score, the leftmost first
//! (<https://github.com/google/sentencepiece/blob/master/src/bpe_model.cc>). A BPE does the same with a merge for every way to cut a token
//! into two, in the order of the scores, as transformers' `generate_merges` (`convert_slow_tokenizer.py`) lists them.

use super::Metadata;
use super::tokenizer::{NORMAL, START, UNKNOWN, USER_DEFINED, vocabulary};
use crate::Result;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Longest token that is cut into two, which costs the square of its length: Gemma's longest, of spaces, has 93 bytes.
const LONGEST: usize = 256;

impl Metadata<'_> {
    /// Normaliser, pre-tokenizer, post-processor and model. `kinds` are the tokens' types.
    pub(super) fn sentence_piece(&self, names: &[&str], kinds: &[f64]) -> Result<[Value; 4]> {
        let scores = self.list("tokenizer.ggml.scores")?.and_then(|list| list.numbers()).unwrap_or_default();
        if scores.len() != names.len() {
            let (names, scores) = (names.len(), scores.len());
            return Err(self.wrong_tokenizer(format!("it has {names} tokens and {scores} scores of them")));
        }
        let merges = self.merges(names, kinds, &scores)?;
        let unknown = match self.whole("tokenizer.ggml.unknown_token_id")? {
            Some(id) => usize::try_from(id).ok(),
            None => kinds.iter().position(|kind| *kind == UNKNOWN),
        };
        let unknown = unknown.and_then(|id| names.get(id));
        let model = json!({"type": "BPE", "vocab": vocabulary(names), "merges": merges, "unk_token": unknown, "fuse_unk": true,
            "byte_fallback": true});
        let spaces = json!({"type": "Replace", "pattern": {"String": " "}, "content": START});
        let prefix = json!({"type": "Prepend", "prepend": START});
        let steps = if self.begins_with_space()? { vec![prefix, spaces] } else { vec![spaces] };
        let normalizer = json!({"type": "Sequence", "normalizers": steps});
        // Tokens may hold several words, so that nothing is cut.
        let whole = json!({"type": "Metaspace", "replacement": START, "prepend_scheme": "never", "split": false});
        Ok([normalizer, whole, self.ends(true)?, model])
    }

    /// What makes text of tokens.
    pub(super) fn spaces_decoder(&self) -> Result<Value> {
        let spaces = json!({"type": "Replace", "pattern": {"String": START}, "content": " "});
        let mut steps = vec![spaces, json!({"type": "ByteFallback"}), json!({"type": "Fuse"})];
        if self.begins_with_space()? {
            steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        Ok(json!({"type": "Sequence", "decoders": steps}))
    }

    /// Whether a space is put before every text.
    fn begins_with_space(&self) -> Result<bool> {
        Ok(self.flag("tokenizer.ggml.add_space_prefix")?.unwrap_or(true))
    }

    /// Pairs of tokens that make another, the likeliest first; of one token those whose first part is longest.
    fn merges<'n>(&self, names: &[&'n str], kinds: &[f64], scores: &[f64]) -> Result<Vec<[&'n str; 2]>> {
        let pieces = || (0..names.len()).filter(|id| [NORMAL, USER_DEFINED].contains(&kinds[*id]));
        let known: BTreeSet<&str> = pieces().map(|id| names[id]).collect();
        let mut found = Vec::new();
        for id in pieces() {
            let name = names[id];
            if name.len() > LONGEST {
                return Err(self.wrong_tokenizer(format!("token {id} has {} bytes, more than {LONGEST}", name.len())));
            }
            for (at, _) in name.char_indices().skip(1) {
                let (left, right) = name.split_at(at);
                if known.contains(left) && known.contains(right) {
                    found.push((id, left, right));
                }
            }
        }
        found.sort_by(|(a, a_left, _), (b, b_left, _)| {
            scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)).then(b_left.len().cmp(&a_left.len()))
        });
        Ok(found.into_iter().map(|(_, left, right)| [left, right]).collect())
    }
}
