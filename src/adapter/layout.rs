//! Where each vector and the head lie in the one flat buffer that is trained, switched and exported as a whole.

use std::collections::BTreeSet;

use super::{Adapter, Head, Place, Site, places_where};

/// One vector's place in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutVector {
    /// Path of the module.
    pub module: String,
    /// Which side of it is scaled.
    pub place: Place,
    /// First element.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
}

/// The head's place in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLayout {
    /// First element of the weight, `(labels, hidden)` row by row.
    pub weight_offset: usize,
    /// First element of the bias, `(labels)`.
    pub bias_offset: usize,
    /// Rows of the weight.
    pub labels: usize,
    /// Length of a row.
    pub hidden: usize,
}

/// The whole buffer: all vectors in order of their sites, then the head. Offsets count f32 elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The vectors, without gaps, from element 0.
    pub vectors: Vec<LayoutVector>,
    /// The head, after the vectors.
    pub head: Option<HeadLayout>,
    /// Elements in all.
    pub len: usize,
}

impl Layout {
    /// The layout for `places` (indices into `sites`) in the order given, and a head of `(labels, hidden)`.
    pub fn new(sites: &[Site], places: &[(usize, Place)], head: Option<(usize, usize)>) -> Layout {
        let mut len = 0;
        let mut take = |n: usize| {
            len += n;
            len - n
        };
        let vectors = places.iter().map(|(index, place)| {
            let site = &sites[*index];
            let len = site.len(*place);
            LayoutVector { module: site.module.clone(), place: *place, offset: take(len), len }
        });
        let vectors = vectors.collect();
        let head = head.map(|(labels, hidden)| HeadLayout {
            weight_offset: take(labels * hidden),
            bias_offset: take(labels),
            labels,
            hidden,
        });
        Layout { vectors, head, len }
    }

    /// The layout that holds every one of `adapters`: all their places, and a head with as many rows as the largest of
    /// theirs. An adapter with fewer classes leaves the last rows zero; whoever reads its logits ignores those.
    pub fn union(sites: &[Site], adapters: &[&Adapter]) -> Layout {
        let held: BTreeSet<_> = adapters.iter().flat_map(|adapter| adapter.vectors.keys()).collect();
        let places = places_where(sites, |key| held.contains(key));
        let heads = adapters.iter().filter_map(|adapter| adapter.head.as_ref());
        let head = heads.max_by_key(|head| head.labels.len()).map(|head| (head.labels.len(), head.hidden));
        Layout::new(sites, &places, head)
    }

    /// The adapter as one buffer of `len` elements. Where it has no vector stand ones, where it has no head zeros.
    pub fn pack(&self, adapter: &Adapter) -> Vec<f32> {
        let mut buffer = vec![0.0; self.len];
        for LayoutVector { module, place, offset, len } in &self.vectors {
            let into = &mut buffer[*offset..offset + len];
            match adapter.vectors.get(&(module.clone(), *place)) {
                Some(vector) => into.copy_from_slice(vector),
                None => into.fill(1.0),
            }
        }
        if let (Some(layout), Some(head)) = (&self.head, &adapter.head) {
            buffer[layout.weight_offset..][..head.weight.len()].copy_from_slice(&head.weight);
            buffer[layout.bias_offset..][..head.bias.len()].copy_from_slice(&head.bias);
        }
        buffer
    }

    /// Copies a buffer back into the vectors and the head that `adapter` has.
    pub fn unpack(&self, buffer: &[f32], adapter: &mut Adapter) {
        for LayoutVector { module, place, offset, len } in &self.vectors {
            if let Some(vector) = adapter.vectors.get_mut(&(module.clone(), *place)) {
                vector.copy_from_slice(&buffer[*offset..offset + len]);
            }
        }
        if let (Some(layout), Some(Head { weight, bias, .. })) = (&self.head, &mut adapter.head) {
            let (rows, values) = (bias.len(), weight.len());
            weight.copy_from_slice(&buffer[layout.weight_offset..][..values]);
            bias.copy_from_slice(&buffer[layout.bias_offset..][..rows]);
        }
    }
}
