//! IA3 adapters: vectors at named places of a model, and a classification head.
//!
//! The vectors multiply (arXiv 2205.05638, section 3.3): an ordinary target's output, `y = (W x + b) ⊙ l`, or a
//! feed-forward target's input, `y = W (x ⊙ l) + b`. All ones is the base model. A shift may be added at the same place. Which
//! modules are targets is said in the terms of Hugging Face PEFT, whose files are read and written.

pub mod base;
pub mod blocks;
pub mod combine;
pub mod config;
mod config_file;
pub mod defaults;
mod folder;
pub mod fresh;
pub mod head;
mod keys;
mod layers;
pub mod layout;
pub mod merge;
pub mod pattern;
pub mod peft;
mod per_head;
mod python;
mod random;
pub mod settle;
pub mod shift;
pub mod targets;

use std::collections::BTreeMap;

pub use base::{Base, HeadModule};
pub use combine::{Missing, product, weighted_sum};
pub use config::{AdapterConfig, Targets, TaskType};
pub use fresh::{Fresh, Init};
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
    /// The weight is (in, out) in Hugging Face's files, as transformers' `Conv1D` has it, and not (out, in).
    pub conv1d: bool,
    /// It is kept the other way round.
    pub turned: bool,
    /// There is a bias.
    pub bias: bool,
    /// Channels of an attention head, where the output is queries, keys or values: head after head, as many as there are.
    pub head_size: Option<usize>,
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

/// Vectors by module path and side.
pub type Vectors = BTreeMap<(String, Place), Vec<f32>>;

/// An IA3 adapter.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// What PEFT's configuration file says of it, with targets filled in.
    pub config: AdapterConfig,
    /// The vectors. Elsewhere the adapter leaves the model as it is.
    pub vectors: Vectors,
    /// The shifts b of `h ⊙ l + b`, each beside a vector; none in an adapter as PEFT knows it.
    pub shifts: Vectors,
    /// Every attention head has one value, which stands for all of its channels in vectors and shifts.
    pub per_head: bool,
    /// The head trained with the vectors.
    pub head: Option<Head>,
}

/// The places on `sites` whose keys `held` accepts, in the order of `sites`, output before input.
fn places_where(sites: &[Site], held: impl Fn(&(String, Place)) -> bool) -> Vec<(usize, Place)> {
    let both = |index| [(index, Place::Output), (index, Place::Input)];
    let all = (0..sites.len()).flat_map(both);
    all.filter(|(index, place)| held(&(sites[*index].module.clone(), *place))).collect()
}
