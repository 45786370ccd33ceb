//! The static graph: values, and the nodes that compute them. Append-only, so node order is execution order.

use crate::checkpoint::BlockType;
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::kernel::{AdapterKind, Kernel};
use candle_core::Tensor;
use std::any::Any;
use std::fmt::Debug;
use std::rc::Rc;

/// Dimensions, outermost first.
pub type Shape = Vec<usize>;

/// A value of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub usize);

/// Number format of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 32-bit float.
    F32,
    /// 16-bit float: how a value of the forward pass may be kept, though it is computed in 32 bits as all others are. See [`crate::halve`].
    F16,
    /// 32-bit unsigned integer: token ids, labels, adapter slots.
    U32,
    /// A frozen matrix in blocks of the file it comes from; its rows are whole blocks.
    Blocks(BlockType),
}

/// A value that comes from outside the graph.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Leaf {
    /// A frozen tensor of the base model, by the name the model gives it.
    Weight(String),
    /// Part of the batch, by its name: see [`crate::models::BatchShape::part`].
    Batch(&'static str),
    /// Numbers that follow from the model and the batch shape alone, as the bits of their elements.
    Constant(Rc<[u32]>),
    /// Adapter vectors and heads, `(adapters, parameters)`: the only thing that is ever trained.
    Table,
    /// What stays on the device between runs and is changed there, by its name: see [`Op::in_place`].
    State(String),
}

/// Shape, format and, for a leaf, origin of a value.
#[derive(Debug, Clone)]
pub struct Value {
    /// Dimensions, outermost first.
    pub shape: Shape,
    /// Number format.
    pub dtype: Dtype,
    /// Where it comes from, when no node computes it.
    pub leaf: Option<Leaf>,
}

impl Value {
    /// Elements; more than can be addressed are as many as can be, which no device has room for.
    pub fn elements(&self) -> usize {
        self.shape.iter().fold(1, |count, size| count.saturating_mul(*size))
    }

    /// Units of four bytes that it takes where it is computed or kept as a state.
    pub fn words(&self) -> usize {
        self.elements().div_ceil(if self.dtype == Dtype::F16 { 2 } else { 1 })
    }
}

/// One op applied to values.
#[derive(Debug, Clone)]
pub struct Node {
    /// What is computed.
    pub op: Rc<dyn Op>,
    /// What it reads.
    pub inputs: Vec<Id>,
    /// What it writes.
    pub outputs: Vec<Id>,
}

/// Where the gradient rule of an op stands: its node, and what has come down to it.
pub struct Grad<'a> {
    /// The node's inputs.
    pub inputs: &'a [Id],
    /// The node's outputs.
    pub outputs: &'a [Id],
    /// Gradient of each output, where there is one. None for all outputs of a loss.
    pub upstream: &'a [Option<Id>],
    /// Which inputs lead to something trainable; no other gradient may be built.
    pub wants: &'a [bool],
}

impl Grad<'_> {
    /// The gradient of the node's first output.
    pub fn dy(&self) -> Id {
        self.upstream[0].expect("a rule runs only when its first output has a gradient")
    }
}

/// Shapes an op's kernel is made for.
pub struct Io<'a> {
    /// Shapes of the inputs.
    pub inputs: &'a [&'a Shape],
    /// Shapes of the outputs.
    pub outputs: &'a [&'a Shape],
    /// Where in its buffer each output starts, in elements: not 0 where the output is a part of the flat gradient buffer.
    pub output_offsets: &'a [usize],
    /// The kind of GPU.
    pub adapter: AdapterKind,
}

/// An operation: shape rule, gradient rule, CPU twin and GPU kernel.
pub trait Op: Debug + Any {
    /// Shapes of the outputs, all of them f32.
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>>;

    /// Appends the backward pass of one node and returns the gradient of each wanted input. The gradient of a
    /// [`Leaf::Table`] input is that of its [`Op::table_range`].
    fn grad(&self, _graph: &mut Graph, _at: &Grad) -> Result<Vec<Option<Id>>> {
        Err(Error::NoGradient { op: format!("{self:?}") })
    }

    /// Offset and length of the part of the table this op reads; None if it reads no table.
    fn table_range(&self) -> Option<(usize, usize)> {
        None
    }

    /// The input that is changed and then is output 0, where there is one: a [`Leaf::State`]. Every node that reads the output comes after the
    /// change, since node order is execution order. The kernel must not read that input: WebGPU forbids reading and writing one buffer in a
    /// dispatch.
    fn in_place(&self) -> Option<usize> {
        None
    }

    /// Whether an input may be kept in 16 bits where it comes from the forward pass: it is multiplied with a matrix or with others of its
    /// kind. Sums that go on from block to block, what a normalisation takes and what a loss is made of may not.
    fn reads_half(&self, _input: usize) -> bool {
        false
    }

    /// Whether output 0 may be kept in 16 bits: the kernel writes each element once and does not read it again.
    fn writes_half(&self) -> bool {
        false
    }

    /// The CPU twin: contiguous f32 (or u32) tensors in and out. It is the specification of the kernel; `cores` may share its work.
    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>>;

    /// The GPU kernel for these shapes.
    fn kernel(&self, io: &Io) -> Kernel;
}

/// The graph.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Every value, by [`Id`].
    pub values: Vec<Value>,
    /// Every node, in execution order.
    pub nodes: Vec<Node>,
    /// Values that a block of the model begins with, in execution order: see [`crate::recompute`].
    pub checkpoints: Vec<Id>,
}

impl Graph {
    /// Adds a value that comes from outside, or finds it if it is there already.
    pub fn leaf(&mut self, leaf: Leaf, shape: Shape, dtype: Dtype) -> Id {
        if let Some(found) = self.values.iter().position(|value| value.leaf.as_ref() == Some(&leaf)) {
            assert_eq!(self.values[found].shape, shape, "leaf {leaf:?} was asked for in two shapes");
            return Id(found);
        }
        self.value(shape, dtype, Some(leaf))
    }

    /// Appends an op; returns its outputs.
    pub fn apply(&mut self, op: impl Op + 'static, inputs: &[Id]) -> Result<Vec<Id>> {
        self.append(Rc::new(op), inputs)
    }

    /// Appends an op and returns its first output.
    pub fn one(&mut self, op: impl Op + 'static, inputs: &[Id]) -> Result<Id> {
        Ok(self.apply(op, inputs)?[0])
    }

    /// Appends an op that another graph may hold too.
    pub fn append(&mut self, op: Rc<dyn Op>, inputs: &[Id]) -> Result<Vec<Id>> {
        let shapes = op.shapes(&inputs.iter().map(|id| self.shape(*id)).collect::<Vec<_>>())?;
        let outputs: Vec<Id> = shapes.into_iter().map(|shape| self.value(shape, Dtype::F32, None)).collect();
        self.nodes.push(Node { op, inputs: inputs.to_vec(), outputs: outputs.clone() });
        Ok(outputs)
    }

    /// Dimensions of a value.
    pub fn shape(&self, id: Id) -> &Shape {
        &self.values[id.0].shape
    }

    fn value(&mut self, shape: Shape, dtype: Dtype, leaf: Option<Leaf>) -> Id {
        self.values.push(Value { shape, dtype, leaf });
        Id(self.values.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_whole_words_and_no_more_than_there_are() {
        let words = |shape: &[usize], dtype| Value { shape: shape.to_vec(), dtype, leaf: None }.words();
        assert_eq!([Dtype::F32, Dtype::F16].map(|dtype| words(&[3, 5], dtype)), [15, 8]);
        assert_eq!(words(&[usize::MAX / 2, 3], Dtype::F32), usize::MAX);
    }
}
