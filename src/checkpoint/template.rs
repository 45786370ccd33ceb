//! Where special tokens go around one text or two: the `post_processor` of a `tokenizer.json`.
//!
//! The tokenizers crate would apply it too, but panics on templates that name tokens or texts they lack.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Error, Result};

/// More special tokens than any model puts around its texts.
const MAX_SPECIAL: usize = 64;

/// The section as it stands in the file: the fields of every kind that is supported.
#[derive(Deserialize)]
pub(super) struct PostProcessor {
    #[serde(rename = "type")]
    kind: String,
    single: Option<Vec<FilePiece>>,
    pair: Option<Vec<FilePiece>>,
    special_tokens: Option<BTreeMap<String, SpecialToken>>,
    cls: Option<(String, u32)>,
    sep: Option<(String, u32)>,
}

#[derive(Deserialize)]
enum FilePiece {
    SpecialToken { id: String, type_id: u32 },
    Sequence { id: Text, type_id: u32 },
}

#[derive(Deserialize)]
struct SpecialToken {
    ids: Vec<u32>,
}

/// Which of the two texts.
#[derive(Clone, Copy, PartialEq, Deserialize)]
enum Text {
    A,
    B,
}

/// What is put in a row, from left to right, with its token type.
enum Piece {
    Special { ids: Vec<u32>, type_id: u32 },
    Sequence { text: Text, type_id: u32 },
}

/// The row for one text and the row for a pair.
pub(super) struct Template {
    single: Vec<Piece>,
    pair: Vec<Piece>,
}

impl Template {
    /// From the file's section. BERT's models were trained with special tokens, so a file that adds none is refused;
    /// that also keeps every row from being empty.
    pub fn new(section: Option<PostProcessor>) -> Result<Template> {
        let sequence = |text, type_id| Piece::Sequence { text, type_id };
        let section = section.ok_or_else(|| bad("it has no post_processor".into()))?;
        let kind = section.kind.clone();
        let template = match (kind.as_str(), section) {
            ("BertProcessing", PostProcessor { cls: Some((_, cls)), sep: Some((_, sep)), .. }) => {
                let special = |id, type_id| Piece::Special { ids: vec![id], type_id };
                let head = || vec![special(cls, 0), sequence(Text::A, 0), special(sep, 0)];
                let mut pair = head();
                pair.extend([sequence(Text::B, 1), special(sep, 1)]);
                Template { single: head(), pair }
            }
            (
                "TemplateProcessing",
                PostProcessor { single: Some(single), pair: Some(pair), special_tokens: Some(tokens), .. },
            ) => Template { single: pieces(single, &tokens)?, pair: pieces(pair, &tokens)? },
            (kind @ ("BertProcessing" | "TemplateProcessing"), _) => {
                return Err(bad(format!("its {kind} lacks a field")));
            }
            (kind, _) => return Err(bad(format!("post_processor {kind} is not supported"))),
        };
        template.check()?;
        Ok(template)
    }

    /// Special tokens in a row.
    pub fn added(&self, pair: bool) -> usize {
        let row = if pair { &self.pair } else { &self.single };
        row.iter().map(|piece| if let Piece::Special { ids, .. } = piece { ids.len() } else { 0 }).sum()
    }

    /// Token ids and token type ids of the whole row.
    pub fn row(&self, first: &[u32], second: Option<&[u32]>) -> (Vec<u32>, Vec<u32>) {
        let (mut ids, mut type_ids) = (Vec::new(), Vec::new());
        for piece in if second.is_some() { &self.pair } else { &self.single } {
            let (part, type_id) = match piece {
                Piece::Special { ids, type_id } => (ids.as_slice(), type_id),
                Piece::Sequence { text: Text::A, type_id } => (first, type_id),
                Piece::Sequence { text: Text::B, type_id } => (second.unwrap_or_default(), type_id),
            };
            ids.extend_from_slice(part);
            type_ids.resize(ids.len(), *type_id);
        }
        (ids, type_ids)
    }

    /// Each text once, in rows of bounded length.
    fn check(&self) -> Result<()> {
        for (row, texts) in [(&self.single, &[Text::A][..]), (&self.pair, &[Text::A, Text::B][..])] {
            let count = |wanted| {
                row.iter().filter(|piece| matches!(piece, Piece::Sequence { text, .. } if *text == wanted)).count()
            };
            if [Text::A, Text::B].iter().any(|text| count(*text) != usize::from(texts.contains(text))) {
                return Err(bad("its template must name $A once, and in a pair $B once".into()));
            }
        }
        if self.added(false).min(self.added(true)) == 0 {
            return Err(bad("its template adds no special tokens".into()));
        }
        if self.added(false).max(self.added(true)) > MAX_SPECIAL {
            return Err(bad(format!("its template adds more than {MAX_SPECIAL} special tokens")));
        }
        Ok(())
    }
}

fn pieces(row: Vec<FilePiece>, tokens: &BTreeMap<String, SpecialToken>) -> Result<Vec<Piece>> {
    if row.len() > MAX_SPECIAL {
        return Err(bad(format!("its template has more than {MAX_SPECIAL} pieces")));
    }
    row.into_iter()
        .map(|piece| match piece {
            FilePiece::Sequence { id, type_id } => Ok(Piece::Sequence { text: id, type_id }),
            FilePiece::SpecialToken { id, type_id } => match tokens.get(&id) {
                Some(token) if token.ids.len() <= MAX_SPECIAL => Ok(Piece::Special { ids: token.ids.clone(), type_id }),
                Some(_) => Err(bad(format!("special token '{id}' stands for more than {MAX_SPECIAL} tokens"))),
                None => Err(bad(format!("its template names '{id}', which is not among its special_tokens"))),
            },
        })
        .collect()
}

fn bad(reason: String) -> Error {
    Error::BadTokenizer { reason }
}
