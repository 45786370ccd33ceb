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
    processors: Option<Vec<PostProcessor>>,
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

/// What a template makes.
#[derive(Default)]
pub(super) struct Row {
    pub ids: Vec<u32>,
    pub type_ids: Vec<u32>,
    /// Text (0 or 1) and token of it; None for special tokens.
    pub sources: Vec<Option<(usize, usize)>>,
}

/// The row for one text and the row for a pair.
pub(super) struct Template {
    single: Vec<Piece>,
    pair: Vec<Piece>,
}

impl Template {
    /// From the file's section; without one, as GPT-2 has it, a row is its texts.
    pub fn new(section: Option<PostProcessor>) -> Result<Template> {
        let template = match section {
            Some(section) => Template::read(section)?,
            None => Template::plain(),
        };
        template.check()?;
        Ok(template)
    }

    fn plain() -> Template {
        let sequence = |text, type_id| Piece::Sequence { text, type_id };
        Template { single: vec![sequence(Text::A, 0)], pair: vec![sequence(Text::A, 0), sequence(Text::B, 0)] }
    }

    fn read(section: PostProcessor) -> Result<Template> {
        let sequence = |text, type_id| Piece::Sequence { text, type_id };
        let kind = section.kind.clone();
        let template = match (kind.as_str(), section) {
            ("BertProcessing", PostProcessor { cls: Some((_, cls)), sep: Some((_, sep)), .. }) => {
                let special = |id, type_id| Piece::Special { ids: vec![id], type_id };
                let head = || vec![special(cls, 0), sequence(Text::A, 0), special(sep, 0)];
                let mut pair = head();
                pair.extend([sequence(Text::B, 1), special(sep, 1)]);
                Template { single: head(), pair }
            }
            ("RobertaProcessing", PostProcessor { cls: Some((_, cls)), sep: Some((_, sep)), .. }) => {
                let special = |id| Piece::Special { ids: vec![id], type_id: 0 };
                let head = || vec![special(cls), sequence(Text::A, 0), special(sep)];
                let mut pair = head();
                pair.extend([special(sep), sequence(Text::B, 0), special(sep)]);
                Template { single: head(), pair }
            }
            // Changes offsets only, which are trimmed where they are used.
            ("ByteLevel", _) => Template::plain(),
            ("Sequence", PostProcessor { processors: Some(processors), .. }) => {
                let mut adding = processors.into_iter().filter(|processor| processor.kind != "ByteLevel");
                match (adding.next(), adding.next()) {
                    (None, _) => Template::plain(),
                    (Some(one), None) if one.kind != "Sequence" => Template::read(one)?,
                    (Some(_), _) => return Err(bad("post_processor Sequence adds special tokens twice".into())),
                }
            }
            (
                "TemplateProcessing",
                PostProcessor { single: Some(single), pair: Some(pair), special_tokens: Some(tokens), .. },
            ) => Template { single: pieces(single, &tokens)?, pair: pieces(pair, &tokens)? },
            (kind @ ("BertProcessing" | "RobertaProcessing" | "TemplateProcessing" | "Sequence"), _) => {
                return Err(bad(format!("its {kind} lacks a field")));
            }
            (kind, _) => return Err(bad(format!("post_processor {kind} is not supported"))),
        };
        Ok(template)
    }

    /// Special tokens in a row.
    pub fn added(&self, pair: bool) -> usize {
        let row = if pair { &self.pair } else { &self.single };
        row.iter().map(|piece| if let Piece::Special { ids, .. } = piece { ids.len() } else { 0 }).sum()
    }

    /// Token ids and token type ids of the whole row, and which of the first and second text's tokens each one is.
    pub fn row(&self, first: &[u32], second: Option<&[u32]>) -> Row {
        let mut row = Row::default();
        for piece in if second.is_some() { &self.pair } else { &self.single } {
            let (part, type_id, text) = match piece {
                Piece::Special { ids, type_id } => (ids.as_slice(), type_id, None),
                Piece::Sequence { text: Text::A, type_id } => (first, type_id, Some(0)),
                Piece::Sequence { text: Text::B, type_id } => (second.unwrap_or_default(), type_id, Some(1)),
            };
            row.ids.extend_from_slice(part);
            row.type_ids.resize(row.ids.len(), *type_id);
            row.sources.extend((0..part.len()).map(|at| text.map(|text| (text, at))));
        }
        row
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
