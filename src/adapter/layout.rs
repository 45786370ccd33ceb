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
    /// The transformer layer it belongs to, counted from 0; None outside of all layers.
    pub layer: Option<usize>,
    /// First element.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    /// Neighbouring channels that share an element: those of an attention head where each head has one, else 1.
    pub repeat: usize,
    /// A shift of as many elements follows.
    pub shifted: bool,
}

impl LayoutVector {
    /// Elements of vector and shift.
    pub fn elements(&self) -> usize {
        self.len * (1 + usize::from(self.shifted))
    }

    /// Puts the values of channels, or `absent` where there are none, into elements.
    fn pack(&self, values: Option<&Vec<f32>>, absent: f32, into: &mut [f32]) {
        match values {
            Some(values) => into.iter_mut().zip(values.iter().step_by(self.repeat)).for_each(|(to, from)| *to = *from),
            None => into.fill(absent),
        }
    }

    /// The reverse, where there are values.
    fn unpack(&self, elements: &[f32], values: Option<&mut Vec<f32>>) {
        for (to, from) in values.into_iter().flat_map(|values| values.chunks_exact_mut(self.repeat)).zip(elements) {
            to.fill(*from);
        }
    }
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

/// The whole buffer: all vectors in order of their sites, each with its shift right after it, then the head. Offsets count f32 elements.
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
    /// The layout for `places` (indices into `sites`) in the order given, an element a channel, and a head of these layers.
    pub fn new(sites: &[Site], places: &[(usize, Place)], head: &[HeadSize]) -> Layout {
        let vectors = places.iter().map(|(index, place)| vector(&sites[*index], *place, 1, false));
        Layout::placed(vectors, head)
    }

    /// The layout that holds every one of `adapters`: all their places, and a head with as many rows as the largest of
    /// theirs. An adapter with fewer classes leaves the last rows zero; whoever reads its logits ignores those.
    pub fn union(sites: &[Site], adapters: &[&Adapter]) -> Layout {
        let heads = adapters.iter().filter_map(|adapter| adapter.head.as_ref());
        let largest = heads.max_by_key(|head| head.labels.len());
        let size =
            |layer: &HeadLayer| (layer.module.clone(), layer.out_features(), layer.in_features, !layer.bias.is_empty());
        let head: Vec<HeadSize> = largest.iter().flat_map(|head| &head.layers).map(size).collect();
        Layout::with_head(sites, adapters, &head)
    }

    /// The same with a head of these layers. Heads of attention have an element each where all adapters want it so.
    pub fn with_head(sites: &[Site], adapters: &[&Adapter], head: &[HeadSize]) -> Layout {
        let held: BTreeSet<_> = adapters.iter().flat_map(|adapter| adapter.vectors.keys()).collect();
        let vectors = places_where(sites, |key| held.contains(key)).into_iter().map(|(index, place)| {
            let site = &sites[index];
            let key = (site.module.clone(), place);
            let mut holders = adapters.iter().filter(|adapter| adapter.vectors.contains_key(&key));
            let repeat = if holders.all(|adapter| adapter.per_head) { site.repeat(place) } else { 1 };
            vector(site, place, repeat, adapters.iter().any(|adapter| adapter.shifts.contains_key(&key)))
        });
        Layout::placed(vectors, head)
    }

    /// Vectors one after the other, then the head.
    fn placed(vectors: impl Iterator<Item = LayoutVector>, head: &[HeadSize]) -> Layout {
        let mut len = 0;
        let mut take = |n: usize| {
            len += n;
            len - n
        };
        let vectors = vectors.map(|vector| LayoutVector { offset: take(vector.elements()), ..vector }).collect();
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

    /// First element of the head.
    pub fn head_start(&self) -> usize {
        self.head.first().map_or(self.len, |layer| layer.weight_offset)
    }

    /// The adapter as one buffer of `len` elements. Where it has no vector stand ones, where it has no shift or head zeros.
    pub fn pack(&self, adapter: &Adapter) -> Vec<f32> {
        let mut buffer = vec![0.0; self.len];
        for vector in &self.vectors {
            let key = (vector.module.clone(), vector.place);
            let (scale, shift) = buffer[vector.offset..][..vector.elements()].split_at_mut(vector.len);
            vector.pack(adapter.vectors.get(&key), 1.0, scale);
            vector.pack(adapter.shifts.get(&key), 0.0, shift);
        }
        for (layout, layer) in self.head.iter().zip(adapter.head.iter().flat_map(|head| &head.layers)) {
            buffer[layout.weight_offset..][..layer.weight.len()].copy_from_slice(&layer.weight);
            buffer[layout.bias_offset..][..layer.bias.len()].copy_from_slice(&layer.bias);
        }
        buffer
    }

    /// Copies a buffer back into the vectors, the shifts and the head that `adapter` has.
    pub fn unpack(&self, buffer: &[f32], adapter: &mut Adapter) {
        for vector in &self.vectors {
            let key = (vector.module.clone(), vector.place);
            let (scale, shift) = buffer[vector.offset..][..vector.elements()].split_at(vector.len);
            vector.unpack(scale, adapter.vectors.get_mut(&key));
            vector.unpack(shift, adapter.shifts.get_mut(&key));
        }
        for (layout, layer) in self.head.iter().zip(adapter.head.iter_mut().flat_map(|head| &mut head.layers)) {
            let (rows, values) = (layer.bias.len(), layer.weight.len());
            layer.weight.copy_from_slice(&buffer[layout.weight_offset..][..values]);
            layer.bias.copy_from_slice(&buffer[layout.bias_offset..][..rows]);
        }
    }
}

/// A vector that has no place yet.
fn vector(site: &Site, place: Place, repeat: usize, shifted: bool) -> LayoutVector {
    let (module, layer, len) = (site.module.clone(), site.layer(), site.len(place) / repeat);
    LayoutVector { module, place, layer, offset: 0, len, repeat, shifted }
}
