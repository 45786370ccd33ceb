//! Texts as token ids, padded to one shape, with what they are compared with; those of a language model are in `language.rs`.

use crate::backend::{Data, Inputs};
use crate::kernel::AdapterKind;
use crate::models::{BatchShape, Padding};

/// A text, or a pair of texts, as the model reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Token ids, special tokens included.
    pub ids: Vec<u32>,
    /// Token type ids: 0, and 1 for the second text of a pair.
    pub types: Vec<u32>,
    /// Did the text have to be cut?
    pub truncated: bool,
}

/// What a row is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The class of the text.
    Class(usize),
    /// The class of each token, None for those that are not compared (transformers' -100).
    Tokens(Vec<Option<usize>>),
    /// First and last token of a span, None for an end that is not compared.
    Span([Option<usize>; 2]),
}

impl Target {
    /// The class of a text; 0 where it has none.
    pub fn class(&self) -> usize {
        match self {
            Target::Class(class) => *class,
            Target::Tokens(_) | Target::Span(_) => 0,
        }
    }
}

/// Rows of a batch, before padding.
#[derive(Debug, Clone, Default)]
pub struct Batch<'a> {
    /// The texts.
    pub rows: Vec<&'a Encoded>,
    /// Table row of each text's adapter; empty stands for row 0.
    pub slots: Vec<usize>,
    /// What each text is compared with, when a loss is computed.
    pub targets: Vec<&'a Target>,
    /// How much each text counts in the loss. Where tokens are compared the whole batch counts as much, each token alike.
    pub weight: f32,
}

impl Batch<'_> {
    /// Tokens of the longest row.
    pub fn longest(&self) -> usize {
        self.rows.iter().map(|text| text.ids.len()).max().unwrap_or(1)
    }

    /// The batch padded to `shape`. Padding rows attend to one padding token, so that they stay finite, and weigh nothing.
    pub fn inputs(&self, shape: BatchShape, padding: Padding) -> Inputs {
        let BatchShape { batch, length, .. } = shape;
        let (mut ids, mut types) = (vec![padding.token; batch * length], vec![0; batch * length]);
        let (mut mask, mut weights) = (vec![0.0; batch * length], vec![0.0; batch]);
        let (mut slots, mut last) = (vec![0; batch], vec![0; batch]);
        (0..batch).for_each(|row| mask[row * length] = 1.0);
        for (row, text) in self.rows.iter().enumerate() {
            let (start, count) = (row * length, text.ids.len());
            ids[start..start + count].copy_from_slice(&text.ids);
            types[start..start + count].copy_from_slice(&text.types);
            mask[start..start + count].fill(1.0);
            weights[row] = self.weight;
            last[row] = padding.last(&text.ids);
            slots[row] = self.slots.get(row).map_or(0, |slot| *slot as u32);
        }
        let positions = ids.chunks_exact(length).flat_map(|row| padding.positions(row)).collect();
        let mut inputs = vec![
            ("ids", Data::U32(ids)),
            ("positions", Data::U32(positions)),
            ("types", Data::U32(types)),
            ("mask", Data::F32(mask)),
            ("weights", Data::F32(weights)),
            ("slots", Data::U32(slots)),
            ("last", Data::U32(last)),
        ];
        inputs.extend(self.classes(batch));
        inputs.extend(self.token_classes(shape));
        inputs.extend(self.spans(batch));
        inputs
    }

    fn classes(&self, batch: usize) -> Inputs {
        let mut labels = vec![0; batch];
        labels.iter_mut().zip(&self.targets).for_each(|(label, target)| *label = target.class() as u32);
        vec![("labels", Data::U32(labels))]
    }

    fn token_classes(&self, BatchShape { batch, length, .. }: BatchShape) -> Inputs {
        let (mut labels, mut weights) = (vec![0; batch * length], vec![0.0; batch * length]);
        let mut compared = Vec::new();
        for (row, target) in self.targets.iter().enumerate() {
            let Target::Tokens(classes) = target else { return Inputs::new() };
            for (at, class) in classes.iter().enumerate() {
                if let Some(class) = class {
                    labels[row * length + at] = *class as u32;
                    compared.push(row * length + at);
                }
            }
        }
        let weight = self.share(self.weight, compared.len());
        compared.iter().for_each(|at| weights[*at] = weight);
        vec![("token_labels", Data::U32(labels)), ("token_weights", Data::F32(weights))]
    }

    /// Start and end of each row, side by side; each side is a mean of its own, and the loss is that of both.
    fn spans(&self, batch: usize) -> Inputs {
        let (mut spans, mut weights) = (vec![0; 2 * batch], vec![0.0; 2 * batch]);
        for side in 0..2 {
            let mut compared = Vec::new();
            for (row, target) in self.targets.iter().enumerate() {
                let Target::Span(span) = target else { return Inputs::new() };
                if let Some(token) = span[side] {
                    spans[2 * row + side] = token as u32;
                    compared.push(2 * row + side);
                }
            }
            let weight = self.share(0.5 * self.weight, compared.len());
            compared.iter().for_each(|at| weights[*at] = weight);
        }
        vec![("spans", Data::U32(spans)), ("span_weights", Data::F32(weights))]
    }

    /// What each of `count` elements weighs when all rows together weigh `weight` each.
    fn share(&self, weight: f32, count: usize) -> f32 {
        weight * self.rows.len() as f32 / count.max(1) as f32
    }
}

/// The padded length for texts of up to `tokens` tokens. A GPU compiles its pipelines for a length, so it gets few of them;
/// on the CPU padding costs more than a new plan.
pub fn bucket(tokens: usize, longest: usize, kind: AdapterKind) -> usize {
    let padded = match kind {
        AdapterKind::Software => tokens.next_multiple_of(8),
        AdapterKind::Hardware => tokens.next_power_of_two().max(16),
    };
    padded.min(longest)
}
