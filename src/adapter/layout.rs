//! Where each vector and the head lie in the one flat buffer that is trained, switched and exported as a whole.

use std::collections::BTreeSet;

use super::{Adapter, HeadLayer, Place, Site, places_where};

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

/// The place of one of the head's layers in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadLayout {
    /// Path of the layer's module.
    pub module: String,
    /// First element of the weight, `(out_features, in_features)` row by row.
    pub weight_offset: usize,
    /// First element of the bias, `(out_features)`, right after the weight.
    pub bias_offset: usize,
    /// Rows of the weight.
    pub out_features: usize,
    /// Length of a row.
    pub in_features: usize,
    /// There is a bias.
    pub bias: bool,
}

/// A layer of a head before it has a place: module, rows, columns, and whether there is a bias.
pub type HeadSize = (String, usize, usize, bool);

/// The whole buffer: all vectors in order of their sites, then the head. Offsets count f32 elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The vectors, without gaps, from element 0.
    pub vectors: Vec<LayoutVector>,
    /// The head's layers, after the vectors.
    pub head: Vec<HeadLayout>,
    /// Elements in all.
    pub len: usize,
}

impl Layout {
    /// The layout for `places` (indices into `sites`) in the order given, and a head of these layers.
    pub fn new(sites: &[Site], places: &[(usize, Place)], head: &[HeadSize]) -> Layout {
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
        let layer = |(module, out_features, in_features, bias): &HeadSize| HeadLayout {
            module: module.clone(),
            weight_offset: take(out_features * in_features),
            bias_offset: take(if *bias { *out_features } else { 0 }),
            out_features: *out_features,
            in_features: *in_features,
            bias: *bias,
        };
        let head = head.iter().map(layer).collect();
        Layout { vectors, head, len }
    }

    /// The layout that holds every one of `adapters`: all their places, and a head with as many rows as the largest of
    /// theirs. An adapter with fewer classes leaves the last rows zero; whoever reads its logits ignores those.
    pub fn union(sites: &[Site], adapters: &[&Adapter]) -> Layout {
        let held: BTreeSet<_> = adapters.iter().flat_map(|adapter| adapter.vectors.keys()).collect();
        let places = places_where(sites, |key| held.contains(key));
        let heads = adapters.iter().filter_map(|adapter| adapter.head.as_ref());
        let largest = heads.max_by_key(|head| head.labels.len());
        let size =
            |layer: &HeadLayer| (layer.module.clone(), layer.out_features(), layer.in_features, !layer.bias.is_empty());
        let head: Vec<HeadSize> = largest.iter().flat_map(|head| &head.layers).map(size).collect();
        Layout::new(sites, &places, &head)
    }

    /// First element of the head.
    pub fn head_start(&self) -> usize {
        self.head.first().map_or(self.len, |layer| layer.weight_offset)
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
        for (layout, layer) in self.head.iter().zip(adapter.head.iter().flat_map(|head| &head.layers)) {
            buffer[layout.weight_offset..][..layer.weight.len()].copy_from_slice(&layer.weight);
            buffer[layout.bias_offset..][..layer.bias.len()].copy_from_slice(&layer.bias);
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
        for (layout, layer) in self.head.iter().zip(adapter.head.iter_mut().flat_map(|head| &mut head.layers)) {
            let (rows, values) = (layer.bias.len(), layer.weight.len());
            layer.weight.copy_from_slice(&buffer[layout.weight_offset..][..values]);
            layer.bias.copy_from_slice(&buffer[layout.bias_offset..][..rows]);
        }
    }
}
