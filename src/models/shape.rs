//! The shape of a batch, and of its parts.

use crate::graph::{Dtype, Shape};

/// Tokens of a row that run together at most where they follow on a cache. Caches of layers with a window have room for so many beside it.
pub const MOST_AT_ONCE: usize = 512;

/// Size of a batch: every row is padded to `length` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchShape {
    /// Rows: texts, or several of them in one.
    pub batch: usize,
    /// Tokens a row.
    pub length: usize,
    /// Tokens a row of the decoder of an encoder-decoder model.
    pub written: usize,
    /// Tokens of all rows together whose probabilities a language model is asked for.
    pub asked: usize,
    /// A language model's rows have segments: see [`crate::ops::mark`].
    pub segmented: bool,
    /// Tokens a row that have room in the cache of keys and values, where there is one: then rows are what follows on the tokens in it.
    pub cache: Option<usize>,
    /// Tokens a row of what an encoder read that such a cache has room for. Where there is any, no encoder runs if `length` is 0.
    pub room: usize,
}

impl BatchShape {
    /// Rows of one text each, of which a language model is asked for every token.
    pub const fn new(batch: usize, length: usize) -> BatchShape {
        BatchShape {
            batch,
            length,
            written: length,
            asked: batch.saturating_mul(length),
            segmented: false,
            cache: None,
            room: 0,
        }
    }

    /// The same whose tokens follow on those in a cache for `capacity` of them; asked for is what comes after each row.
    pub const fn cached(batch: usize, length: usize, capacity: usize) -> BatchShape {
        BatchShape { asked: batch, cache: Some(capacity), ..BatchShape::new(batch, length) }
    }

    /// The same of a decoder beside an encoder, which reads `length` tokens a row if any, and whose keys and values have `room` in the cache.
    pub const fn encoded(self, length: usize, room: usize) -> BatchShape {
        BatchShape { length, room, ..self }
    }

    /// Positions are below this.
    pub fn positions(&self) -> usize {
        self.cache.unwrap_or(self.length)
    }

    /// Shape and format of a part of the batch: one element a token, `(B, S)`, or `(B, W)` of a decoder of its own, one a row, `(B)`, one for
    /// each end of a span, `(B, 2)`, or one for each token that is asked for, `(N)`.
    pub fn part(&self, name: &str) -> (Shape, Dtype) {
        let BatchShape { batch, length, written, asked, room, .. } = *self;
        match name {
            "ids" | "types" | "segments" | "token_labels" | "encoded_places" => (vec![batch, length], Dtype::U32),
            "mask" | "token_weights" => (vec![batch, length], Dtype::F32),
            "positions" | "places" => (vec![batch, if room > 0 { written } else { length }], Dtype::U32),
            "decoder_ids" | "decoder_segments" | "encoded_ends" => (vec![batch, written], Dtype::U32),
            "decoder_mask" => (vec![batch, written], Dtype::F32),
            "sources" | "source_order" | "asked" => (vec![asked], Dtype::U32),
            "asked_weights" => (vec![asked], Dtype::F32),
            "weights" => (vec![batch], Dtype::F32),
            "slots" | "labels" | "last" => (vec![batch], Dtype::U32),
            "spans" => (vec![batch, 2], Dtype::U32),
            "span_weights" => (vec![batch, 2], Dtype::F32),
            other => panic!("a batch has no part '{other}'"),
        }
    }
}
