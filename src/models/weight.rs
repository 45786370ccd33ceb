//! Frozen tensors and the forms in which files store linear layers.

use crate::graph::Shape;

/// A frozen tensor that a graph reads: one of the model's file, or several packed along the first dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Name of its leaf: the parts' names, joined by `+`.
    pub leaf: String,
    /// Name in the file, without what a task model puts before it, and shape of each part.
    pub parts: Vec<(String, Shape)>,
}

impl Weight {
    /// Shape of the whole.
    pub fn shape(&self) -> Shape {
        let mut shape = self.parts[0].1.clone();
        shape[0] = self.parts.iter().map(|(_, part)| part[0]).sum();
        shape
    }
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
