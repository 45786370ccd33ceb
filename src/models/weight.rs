//! Frozen tensors, the forms in which files store linear layers, and the number formats in which they are kept.

use crate::checkpoint::BlockType;
use crate::graph::Shape;
use std::collections::BTreeMap;

/// How a tensor is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Format {
    /// Its numbers.
    pub kind: BlockType,
    /// A matrix of [`Form::Conv1d`] that is `(out, in)`, as a GGUF has it.
    pub turned: bool,
}

/// Formats of the tensors that are not kept as floats in the order of Hugging Face's files, by their bare names.
pub type Formats = BTreeMap<String, Format>;

/// A frozen tensor that a graph reads: one of the model's file, or several packed along the first dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Name in the file, without what a task model puts before it, and shape of each part.
    pub parts: Vec<(String, Shape)>,
    /// It may be kept in blocks: every op that reads it can.
    pub matrix: bool,
}

/// A leaf that holds a weight or one of its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightLeaf<'a> {
    /// The parts' names, joined by `+`.
    pub name: String,
    /// That of all parts.
    pub format: Format,
    /// Names, and shapes in Hugging Face's files.
    pub parts: &'a [(String, Shape)],
}

impl Weight {
    /// Shape of the whole in Hugging Face's files.
    pub fn shape(&self) -> Shape {
        packed_shape(&self.parts)
    }

    /// The leaves that hold it: one, or one for each part where their formats differ.
    pub fn leaves(&self, formats: &Formats) -> Vec<WeightLeaf<'_>> {
        let format = |(name, _): &(String, Shape)| formats.get(name).copied().unwrap_or_default();
        let first = format(&self.parts[0]);
        let size = if self.parts.iter().all(|part| format(part) == first) { self.parts.len() } else { 1 };
        let leaf = |parts| WeightLeaf { name: joined(parts), format: format(&parts[0]), parts };
        self.parts.chunks(size).map(leaf).collect()
    }
}

impl WeightLeaf<'_> {
    /// Shape of all parts together, as they are kept.
    pub fn shape(&self) -> Shape {
        turned_if(self.format.turned, packed_shape(self.parts))
    }
}

/// From a tensor's shape in Hugging Face's files to that in which it is kept, or back.
pub fn turned_if(turned: bool, mut shape: Shape) -> Shape {
    if turned {
        shape.reverse();
    }
    shape
}

fn packed_shape(parts: &[(String, Shape)]) -> Shape {
    let mut shape = parts[0].1.clone();
    shape[0] = parts.iter().map(|(_, part)| part[0]).sum();
    shape
}

fn joined(parts: &[(String, Shape)]) -> String {
    parts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("+")
}

/// How a family stores its linear layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `weight (out, in)` and `bias (out)`.
    Biased,
    /// `weight (out, in)` alone.
    Unbiased,
    /// `weight (in, out)` and `bias (out)`: transformers' `Conv1D`.
    Conv1d,
}

impl Form {
    /// With or without a bias, as a configuration says.
    pub fn biased(bias: bool) -> Form {
        if bias { Form::Biased } else { Form::Unbiased }
    }
}
