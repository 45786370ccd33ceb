//! Biases of attention by the distance of two tokens (T5, Raffel et al. 2019, section 2.1), in buckets that widen with the distance.

use super::layers::Builder;
use crate::error::Result;
use crate::graph::{Dtype, Id, Leaf};
use crate::ops::RelativeBias;

/// Which distances share a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buckets {
    /// Rows of the table of biases.
    pub count: usize,
    /// Distances from this one on are alike.
    pub max_distance: usize,
    /// Keys after the query have half of the buckets; else they all count as distance 0.
    pub both_ways: bool,
}

impl Buckets {
    /// The bias of every head, query and key of texts of `length` tokens, `(heads, S, S)`, from the module's `weight (buckets, heads)`.
    pub fn bias(&self, b: &mut Builder, module: &str, heads: usize, length: usize) -> Result<Id> {
        let weight = b.weight(&format!("{module}.weight"), vec![self.count, heads]);
        let distances = 1 - length as i64..length as i64;
        let buckets = distances.map(|ahead| self.of(ahead) as u32).collect();
        let buckets = b.graph.leaf(Leaf::Constant(buckets), vec![2 * length - 1], Dtype::U32);
        b.graph.one(RelativeBias, &[weight, buckets])
    }

    /// The module's `weight (buckets, heads)`, and its row for each distance from a query back to a key in a cache of `capacity` tokens.
    pub fn back(&self, b: &mut Builder, module: &str, heads: usize, capacity: usize) -> [Id; 2] {
        let weight = b.weight(&format!("{module}.weight"), vec![self.count, heads]);
        let buckets = (0..capacity as i64).map(|back| self.of(-back) as u32).collect();
        [weight, b.graph.leaf(Leaf::Constant(buckets), vec![capacity], Dtype::U32)]
    }

    /// The bucket of a key that stands `ahead` tokens after the query: transformers' `_relative_position_bucket`, in its f32.
    fn of(&self, ahead: i64) -> usize {
        let (count, first, distance) = match (self.both_ways, ahead > 0) {
            (true, true) => (self.count / 2, self.count / 2, ahead.unsigned_abs() as usize),
            (true, false) => (self.count / 2, 0, ahead.unsigned_abs() as usize),
            (false, true) => (self.count, 0, 0),
            (false, false) => (self.count, 0, ahead.unsigned_abs() as usize),
        };
        let exact = count / 2;
        if distance < exact {
            return first + distance;
        }
        let far = (distance as f32 / exact as f32).ln() / (self.max_distance as f32 / exact as f32).ln();
        first + (exact + (far * (count - exact) as f32) as usize).min(count - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_widen_with_the_distance() {
        let both = Buckets { count: 32, max_distance: 128, both_ways: true };
        let expected =
            [(0, 0), (-7, 7), (-8, 8), (-16, 10), (-64, 14), (-127, 15), (-500, 15), (1, 17), (8, 24), (500, 31)];
        expected.iter().for_each(|(ahead, bucket)| assert_eq!(both.of(*ahead), *bucket, "{ahead}"));
        let past = Buckets { both_ways: false, ..both };
        [(3, 0), (0, 0), (-15, 15), (-16, 16), (-32, 21), (-500, 31)]
            .iter()
            .for_each(|(ahead, bucket)| assert_eq!(past.of(*ahead), *bucket, "{ahead}"));
    }
}
