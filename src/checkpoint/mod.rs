//! The files of a base model: weights, configuration and tokenizer, apart or together in a GGUF. Every byte of them is untrusted.

mod blocks;
pub mod fields;
pub mod gguf;
pub mod header;
mod intake;
mod quantise;
mod rescale;
pub mod safetensors;
mod start;
mod stored;
pub mod stream;
mod template;
pub mod tokenizer;
mod tokenizer_file;

pub use blocks::{BlockType, scale_and_min};
pub use fields::{Fields, HiddenAct};
pub use header::Header;
pub use quantise::{quantisable, quantise};
pub use start::{Announced, announced};
pub use stored::{Elements, StoredTensor};
pub use stream::{Arrived, Incoming, Kept, StreamReader};
pub use tokenizer::{Encoding, Source, Tokenizer};

/// A tensor in ordinary memory, row by row, whatever number format its file used.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    /// Length of each dimension, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements; as many as the product of `shape`.
    pub data: Vec<f32>,
}

impl HostTensor {
    /// A tensor of `shape` over `data`. Panics where their sizes differ: that is a fault of the caller, not of a file.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "HostTensor: the data must fill the shape");
        HostTensor { shape, data }
    }
}
