//! IA3 adapters: vectors at named places of a model, and a classification head.
//!
//! The vectors multiply (arXiv 2205.05638, section 3.3): an ordinary target's output, `y = (W x + b) ⊙ l`, or a
//! feed-forward target's input, `y = W (x ⊙ l) + b`. All ones is the base model. Which modules are targets is said in
//! the terms of Hugging Face PEFT, whose files are read and written.

pub mod base;
pub mod combine;
pub mod config;
mod config_file;
pub mod defaults;
mod folder;
pub mod head;
mod keys;
mod layers;
pub mod layout;
pub mod merge;
mod normal;
pub mod pattern;
pub mod peft;
mod python;
pub mod settle;
pub mod targets;

use std::collections::BTreeMap;

pub use base::{Base, HeadModule};
pub use combine::{Missing, product, weighted_sum};
pub use config::{AdapterConfig, Targets, TaskType};
pub use head::{Head, HeadLayer};
pub use layout::{HeadLayout, Layout, LayoutVector};
pub use peft::{Loaded, load, save};
pub use settle::settle;
pub use targets::resolve;

/// Which side of a linear layer a vector scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The layer's output, bias included: an ordinary target. The vector has `out_features` elements.
    Output,
    /// The layer's input: a feed-forward target. The vector has `in_features` elements.
    Input,
}

/// A linear layer that an adapter may target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Path in the Hugging Face model: `bert.encoder.layer.0.attention.self.key` in one with a task head,
    /// `encoder.layer.0.attention.self.key` in the bare encoder.
    pub module: String,
    /// Length of the layer's input.
    pub in_features: usize,
    /// Length of the layer's output.
    pub out_features: usize,
    /// The weight is stored (in, out), as transformers' `Conv1D` has it, and not (out, in).
    pub conv1d: bool,
}

impl Site {
    /// Elements of a vector at `place`.
    pub fn len(&self, place: Place) -> usize {
        match place {
            Place::Output => self.out_features,
            Place::Input => self.in_features,
        }
    }
}

/// An IA3 adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// What PEFT's configuration file says of it, with targets filled in.
    pub config: AdapterConfig,
    /// The vectors by module path and side. Elsewhere the adapter leaves the model as it is.
    pub vectors: BTreeMap<(String, Place), Vec<f32>>,
    /// The head trained with the vectors.
    pub head: Option<Head>,
}

impl Adapter {
    /// A fresh adapter at `places` (indices into `sites`): ones, or numbers drawn from N(0, 1) by `seed` where the
    /// configuration has `init_ia3_weights` false, which is PEFT's way to make an adapter that shows in tests.
    pub fn new(config: AdapterConfig, sites: &[Site], places: &[(usize, Place)], seed: u64) -> Adapter {
        let mut normal = normal::Normal::new(seed);
        let vectors = places.iter().map(|(index, place)| {
            let site = &sites[*index];
            let values = (0..site.len(*place)).map(|_| if config.init_ia3_weights { 1.0 } else { normal.draw() });
            ((site.module.clone(), *place), values.collect())
        });
        let vectors = vectors.collect();
        Adapter { config, vectors, head: None }
    }
}

/// The places on `sites` whose keys `held` accepts, in the order of `sites`, output before input.
fn places_where(sites: &[Site], held: impl Fn(&(String, Place)) -> bool) -> Vec<(usize, Place)> {
    let both = |index| [(index, Place::Output), (index, Place::Input)];
    let all = (0..sites.len()).flat_map(both);
    all.filter(|(index, place)| held(&(sites[*index].module.clone(), *place))).collect()
}
