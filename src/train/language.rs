//! Rows of a language model, padded to one shape.

use super::batch::bucket;
use super::sequence::{Asked, LanguageRow};
use crate::backend::{Data, Inputs};
use crate::kernel::AdapterKind;
use crate::models::{BatchShape, Padding};
use crate::ops::mark;

/// Rows of a language model, before padding.
#[derive(Debug, Clone, Default)]
pub struct LanguageBatch<'a> {
    /// The rows.
    pub rows: Vec<&'a LanguageRow>,
    /// Table row of each row's adapter; empty stands for row 0.
    pub slots: Vec<usize>,
    /// What each token that is asked for weighs.
    pub weight: f32,
    /// Where the texts of the rows are choices that are ranked: tokens of each, and whether it is the answer. Examples have equally many;
    /// one without tokens stands for none.
    pub choices: Vec<(usize, bool)>,
}

impl LanguageBatch<'_> {
    /// The smallest shape that holds the rows.
    pub fn shape(&self) -> BatchShape {
        let decoder = self.rows.iter().map(|row| row.sequence.ids.len()).max().unwrap_or(1).max(1);
        let encoder = self.rows.iter().filter_map(|row| row.input.as_ref()).map(Vec::len).max();
        BatchShape {
            batch: self.rows.len(),
            length: encoder.unwrap_or(decoder),
            written: decoder,
            asked: self.rows.iter().map(|row| row.sequence.asked_for()).sum::<usize>().max(1),
            segmented: self.rows.iter().any(|row| row.sequence.segmented()),
            cache: None,
            room: 0,
        }
    }

    /// The batch padded to `shape`. Padding rows attend to one padding token, so that they stay finite.
    pub fn inputs(&self, shape: BatchShape, padding: Padding) -> Inputs {
        let mut slots = vec![0; shape.batch];
        slots.iter_mut().zip(&self.slots).for_each(|(padded, slot)| *padded = *slot as u32);
        let mut inputs = vec![("slots", Data::U32(slots))];
        // An encoder-decoder model knows what its decoder starts with.
        let length = if padding.start.is_some() {
            let texts = self.rows.iter().map(|row| row.input.as_deref().unwrap_or_default());
            let [ids, mask] = padded_texts(texts, shape.batch, shape.length, padding);
            inputs.extend([("ids", ids), ("mask", mask)]);
            shape.written
        } else {
            shape.length
        };
        let names = match padding.start {
            Some(_) => ["decoder_ids", "decoder_mask", "decoder_segments"],
            None => ["ids", "mask", "segments"],
        };
        let texts = self.rows.iter().map(|row| row.sequence.ids.as_slice());
        let [ids, mask] = padded_texts(texts, shape.batch, length, padding);
        let (positions, marks) = self.places(shape.batch, length);
        inputs.extend(names.into_iter().zip([ids, mask, marks]));
        inputs.push(("positions", positions));
        inputs.extend(self.asked(shape.asked, shape.batch, length));
        inputs.extend(self.ranked());
        inputs
    }

    /// Position and mark of each token.
    fn places(&self, batch: usize, length: usize) -> (Data, Data) {
        let (mut positions, mut marks) = (vec![0; batch * length], vec![0; batch * length]);
        (0..batch).for_each(|row| marks[row * length] = mark(0, 0));
        for (row, LanguageRow { sequence, .. }) in self.rows.iter().enumerate() {
            for (at, (position, segment)) in sequence.positions.iter().zip(&sequence.segments).enumerate() {
                positions[row * length + at] = *position;
                marks[row * length + at] = mark(*segment, *position);
            }
        }
        (Data::U32(positions), Data::U32(marks))
    }

    /// What tells the tokens asked for, in order and by source; and the tokens with their weights.
    fn asked(&self, count: usize, batch: usize, length: usize) -> Inputs {
        let own = |(row, found): (usize, &&LanguageRow)| {
            let source = move |asked: Asked| ((row * length + asked.place) as u32, asked.id);
            found.sequence.asked.concat().into_iter().map(source).collect::<Vec<_>>()
        };
        let (mut sources, mut asked): (Vec<u32>, Vec<u32>) = self.rows.iter().enumerate().flat_map(own).unzip();
        let real = sources.len();
        assert!(real <= count, "a batch asks for {real} tokens, and its shape has room for {count}");
        let mut order: Vec<u32> = (0..count as u32).collect();
        order[..real].sort_by_key(|at| sources[*at as usize]);
        let mut starts = vec![0; batch * length + 1];
        sources.iter().for_each(|source| starts[*source as usize + 1] += 1);
        (1..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
        let mut weights = vec![self.weight; real];
        sources.resize(count, 0);
        asked.resize(count, 0);
        weights.resize(count, 0.0);
        vec![
            ("sources", Data::U32(sources)),
            ("source_order", Data::U32(order)),
            ("source_starts", Data::U32(starts)),
            ("asked", Data::U32(asked)),
            ("asked_weights", Data::F32(weights)),
        ]
    }

    fn ranked(&self) -> Inputs {
        if self.choices.is_empty() {
            return Inputs::new();
        }
        let mut starts = vec![0];
        self.choices.iter().for_each(|(tokens, _)| starts.push(starts[starts.len() - 1] + *tokens as u32));
        let answers = self.choices.iter().map(|(_, answer)| u32::from(*answer)).collect();
        vec![("choice_starts", Data::U32(starts)), ("answers", Data::U32(answers))]
    }
}

/// Ids and mask of padded texts, `(batch, length)` each. Rows without text attend to one padding token, so that they stay finite.
pub fn padded_texts<'a>(
    texts: impl Iterator<Item = &'a [u32]>,
    batch: usize,
    length: usize,
    padding: Padding,
) -> [Data; 2] {
    let (mut ids, mut mask) = (vec![padding.token; batch * length], vec![0.0; batch * length]);
    (0..batch).for_each(|row| mask[row * length] = 1.0);
    for (row, text) in texts.enumerate() {
        ids[row * length..][..text.len()].copy_from_slice(text);
        mask[row * length..][..text.len()].fill(1.0);
    }
    [Data::U32(ids), Data::F32(mask)]
}

/// A shape with room for `shape`, of few for each kind of device, as [`bucket`]: `longest` tokens a row at most.
pub fn padded(shape: BatchShape, longest: usize, kind: AdapterKind) -> BatchShape {
    let [length, written] = [shape.length, shape.written].map(|tokens| bucket(tokens, longest, kind));
    let step = match kind {
        AdapterKind::Software => 8,
        AdapterKind::Hardware => (shape.asked.next_power_of_two() / 4).max(16),
    };
    BatchShape { length, written, asked: shape.asked.next_multiple_of(step), ..shape }
}
