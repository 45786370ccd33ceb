//! The tensors in the flat buffer, each with the learning rate it has in a step.

use crate::adapter::{Layout, LayoutVector};

/// A tensor in the flat buffer, with a learning rate of its own; a vector is a matrix of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// First element.
    pub offset: usize,
    /// Rows.
    pub rows: usize,
    /// Elements of a row.
    pub columns: usize,
    /// Learning rate.
    pub learning_rate: f32,
}

/// The learning rates of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates<'a> {
    /// Of vectors and shifts.
    pub vectors: f32,
    /// Of the head.
    pub head: f32,
    /// What the rate of a transformer layer's vectors is multiplied with; 1 where there is none for it.
    pub layers: &'a [f32],
}

impl Rates<'_> {
    /// The tensors of a layout: vectors, their shifts, weights and biases of the head.
    pub fn segments(&self, layout: &Layout) -> Vec<Segment> {
        let row = |offset, columns, learning_rate| Segment { offset, rows: 1, columns, learning_rate };
        let mut found = Vec::new();
        for vector in &layout.vectors {
            let LayoutVector { offset, len, shifted, .. } = *vector;
            let rate = self.vectors * vector.layer.and_then(|layer| self.layers.get(layer)).unwrap_or(&1.0);
            found.push(row(offset, len, rate));
            found.extend(shifted.then(|| row(offset + len, len, rate)));
        }
        for layer in &layout.head {
            let weight = row(layer.weight_offset, layer.in_features, self.head);
            found.push(Segment { rows: layer.out_features, ..weight });
            found.extend(layer.bias.then(|| row(layer.bias_offset, layer.out_features, self.head)));
        }
        found
    }
}

impl Segment {
    /// Its elements.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.rows * self.columns
    }

    /// The segment as the kernels' `Segment` lays it out.
    pub fn packed(&self) -> [u32; 4] {
        [self.offset as u32, self.rows as u32, self.columns as u32, self.learning_rate.to_bits()]
    }
}
