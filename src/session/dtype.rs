//! The number formats in which matrices of the base model and activations are kept.

use crate::checkpoint::{BlockType, Incoming, Kept};
use crate::error::Result;
use crate::models::{Model, Weight};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Formats that can be asked for, by transformers.js' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dtype {
    /// Floats of 32 bits.
    F32,
    /// Floats of 16 bits.
    F16,
    /// 8 bits and a scale for every 32 elements: GGUF's Q8_0.
    Q8,
    /// 4 bits, a scale and a minimum for every 32 elements: GGUF's Q4_1.
    Q4,
}

impl Dtype {
    /// All, from those that need the most memory to those that need the least.
    pub(super) const ALL: [Dtype; 4] = [Dtype::F32, Dtype::F16, Dtype::Q8, Dtype::Q4];

    /// As an option.
    pub(super) fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Q8 => "q8",
            Dtype::Q4 => "q4",
        }
    }
}

/// Number formats in which activations can be kept: see [`crate::halve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActivationDtype {
    /// Floats of 32 bits.
    #[default]
    F32,
    /// Floats of 16 bits, where the device has WebGPU's `shader-f16`; elsewhere of 32.
    F16,
}

/// Kernels read four elements at a time.
const AT_ONCE: usize = 4;

/// Chooses the formats in which a model's tensors are kept. What no graph reads stays as the file has it.
pub(super) fn choice(dtype: Option<Dtype>, model: &Model) -> Result<Kept> {
    let model = model.clone();
    let parts = |weight: Weight| weight.parts.into_iter().map(move |(name, _)| (name, weight.matrix));
    let read: BTreeMap<String, bool> = model.weights()?.into_iter().flat_map(parts).collect();
    Ok(Box::new(move |incoming| match read.get(model.bare(incoming.name)) {
        Some(matrix) => kept(dtype, &incoming, *matrix),
        None => incoming.kind,
    }))
}

/// The format in which a tensor is kept that the graph reads. Without a wish the matrices of a GGUF stay as they are, and those of other files
/// become floats; so does everything that is no matrix, and a matrix whose rows are not whole blocks.
fn kept(dtype: Option<Dtype>, incoming: &Incoming, matrix: bool) -> BlockType {
    let wanted = match dtype {
        Some(Dtype::F32) => BlockType::F32,
        Some(Dtype::F16) => BlockType::F16,
        Some(Dtype::Q8) => BlockType::Q8_0,
        Some(Dtype::Q4) => BlockType::Q4_1,
        None if incoming.gguf => incoming.kind,
        None => BlockType::F32,
    };
    let row = incoming.shape.last().copied().unwrap_or(1);
    let whole = row.is_multiple_of(wanted.elements().max(AT_ONCE));
    if matrix && incoming.shape.len() == 2 && whole { wanted } else { BlockType::F32 }
}
