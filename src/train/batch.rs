//! Texts as token ids, padded to one shape.

use crate::backend::{Data, Inputs};
use crate::kernel::AdapterKind;
use crate::models::BatchShape;

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

/// Rows of a batch, before padding.
#[derive(Debug, Clone, Default)]
pub struct Batch<'a> {
    /// The texts.
    pub rows: Vec<&'a Encoded>,
    /// Table row of each text's adapter; empty stands for row 0.
    pub slots: Vec<usize>,
    /// Label of each text, when a loss is computed.
    pub labels: Vec<usize>,
    /// How much each text counts in the loss.
    pub weight: f32,
}

impl Batch<'_> {
    /// The batch padded to `shape`. Padding rows attend to one padding token, so that they stay finite, and weigh nothing.
    pub fn inputs(&self, shape: BatchShape, pad: u32) -> Inputs {
        let BatchShape { batch, length } = shape;
        let (mut ids, mut types) = (vec![pad; batch * length], vec![0; batch * length]);
        let (mut mask, mut weights) = (vec![0.0; batch * length], vec![0.0; batch]);
        let (mut slots, mut labels) = (vec![0; batch], vec![0; batch]);
        (0..batch).for_each(|row| mask[row * length] = 1.0);
        for (row, text) in self.rows.iter().enumerate() {
            let (start, count) = (row * length, text.ids.len());
            ids[start..start + count].copy_from_slice(&text.ids);
            types[start..start + count].copy_from_slice(&text.types);
            mask[start..start + count].fill(1.0);
            weights[row] = self.weight;
            slots[row] = self.slots.get(row).map_or(0, |slot| *slot as u32);
            labels[row] = self.labels.get(row).map_or(0, |label| *label as u32);
        }
        vec![
            ("ids", Data::U32(ids)),
            ("types", Data::U32(types)),
            ("mask", Data::F32(mask)),
            ("weights", Data::F32(weights)),
            ("slots", Data::U32(slots)),
            ("labels", Data::U32(labels)),
        ]
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
