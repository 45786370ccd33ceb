//! The attention of decoders as model files write it: over the tokens of a batch, or over a cache of keys and values.

use super::layers::Builder;
use super::shape::MOST_AT_ONCE;
use crate::error::Result;
use crate::graph::{Dtype, Id, Leaf};
use crate::ops::{Attention, CachedAttention, Store};

impl Builder<'_> {
    /// Attention of a decoder over `qkv` in rows that may have segments; `of` names the parts of the batch that say so, and which tokens
    /// are padding. `bias` has what the op reads if it is biased: [`Attention`]'s, or [`CachedAttention`]'s two where the batch has a cache.
    /// Keys and values then go there and are read from there.
    pub fn attention(&mut self, op: Attention, qkv: Id, of: [&'static str; 2], bias: &[Id]) -> Result<Id> {
        if let Some(capacity) = self.shape.cache {
            // Of a window's keys those of tokens that come together may take the place of others, not of their own.
            let room = op.window.map_or(capacity, |window| capacity.min(window + MOST_AT_ONCE));
            let (cache, places) = (self.cache(op, room), self.batch("places"));
            let cache = self.graph.one(Store { end: capacity }, &[qkv, places, cache])?;
            return self.cached_attention(op, [qkv, cache], "positions", bias);
        }
        let segmented = self.shape.segmented;
        let mask = self.batch(of[usize::from(segmented)]);
        let inputs = [&[qkv, mask], bias].concat();
        self.graph.one(Attention { segmented, ..op }, &inputs)
    }

    /// Attention of a decoder over what an encoder read: `keys (B S, 2 key_heads head)`, keys and values. Where the batch has a cache they go
    /// there; without them those are read that are there already.
    pub fn cross_attention(&mut self, op: Attention, queries: Id, keys: Option<Id>) -> Result<Id> {
        if self.shape.cache.is_none() {
            let keys = keys.expect("without a cache there are keys");
            let mask = self.batch("mask");
            return self.graph.one(op, &[queries, keys, mask]);
        }
        let mut cache = self.cache(op, self.shape.room);
        if let Some(keys) = keys {
            let places = self.batch("encoded_places");
            cache = self.graph.one(Store { end: self.shape.room }, &[keys, places, cache])?;
        }
        self.cached_attention(op, [queries, cache], "encoded_ends", &[])
    }

    /// The next cache, of `capacity` tokens a row.
    fn cache(&mut self, op: Attention, capacity: usize) -> Id {
        let shape = vec![self.shape.batch, capacity, 2 * op.key_heads * op.head];
        let name = format!("cache.{}", self.caches);
        self.caches += 1;
        self.graph.leaf(Leaf::State(name), shape, Dtype::F32)
    }

    /// Attention over a cache up to the places that a part of the batch names.
    fn cached_attention(&mut self, op: Attention, x: [Id; 2], ends: &'static str, bias: &[Id]) -> Result<Id> {
        let Attention { heads, key_heads, head, scale, window, biased, .. } = op;
        let [queries, cache] = x;
        let inputs = [&[queries, self.batch(ends), cache], bias].concat();
        self.graph.one(CachedAttention { heads, key_heads, head, scale, window, biased }, &inputs)
    }
}
