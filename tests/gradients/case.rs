//! One op between trainable inputs and a loss, with room for the same computation in candle beside it.

use crate::support::random::Random;
use crate::support::{assert_close, run::gradient};
use candle_core::{DType, Device, Tensor, Var};
use ia3_web::Result;
use ia3_web::autodiff::gradients;
use ia3_web::backend::{Backend, Data, Inputs};
use ia3_web::checkpoint::{BlockType, Elements, HostTensor, StoredTensor};
use ia3_web::cores::Cores;
use ia3_web::graph::{Dtype, Grad, Graph, Id, Io, Leaf, Op, Shape};
use ia3_web::kernel::Kernel;
use ia3_web::ops::Rows;
use ia3_web::plan::Plan;

/// Relative to the largest element. The twins work in f32, candle here in f64.
const TOLERANCE: f32 = 2e-5;

/// A part of the table as a value, so that any op's input can be trained.
#[derive(Debug)]
struct Parameter {
    offset: usize,
    shape: Shape,
}

impl Op for Parameter {
    fn shapes(&self, _inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![self.shape.clone()])
    }

    fn table_range(&self) -> Option<(usize, usize)> {
        Some((self.offset, self.shape.iter().product()))
    }

    /// A copy: each part of the table wants a gradient of its own, even where an op gives two inputs the same one.
    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(Rows { start: 0, len: self.shape[0] }, &[at.dy()])?)])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let count = self.shape.iter().product();
        Ok(vec![inputs[0].flatten_all()?.narrow(0, self.offset, count)?.reshape(self.shape.as_slice())?])
    }

    fn kernel(&self, _io: &Io) -> Kernel {
        unreachable!("only twins are compared with candle")
    }
}

/// Inputs `y`, `w` of one shape; outputs `Σ y ⊙ w` and its gradient, `w`: makes a loss of any value.
#[derive(Debug)]
struct WeightedSum;

impl Op for WeightedSum {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![1], inputs[0].clone()])
    }

    fn grad(&self, _graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(at.outputs[1]), None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let sum = (&inputs[0] * &inputs[1])?.sum_all()?.reshape(1)?;
        Ok(vec![sum, inputs[1].clone()])
    }

    fn kernel(&self, _io: &Io) -> Kernel {
        unreachable!("only twins are compared with candle")
    }
}

/// A graph whose inputs exist twice: as values of ours and as tensors of candle's.
pub struct Case {
    pub graph: Graph,
    /// The trained inputs, ours.
    pub x: Vec<Id>,
    /// The trained inputs, candle's.
    pub vars: Vec<Var>,
    pub table: Id,
    /// Where each trained input starts in the table.
    pub offsets: Vec<usize>,
    parameters: Vec<f32>,
    backend: Backend,
    inputs: Inputs,
    random: Random,
}

fn in_candle(data: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(data, shape, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap()
}

impl Case {
    /// With trained inputs of these shapes.
    pub fn new(shapes: &[&[usize]]) -> Case {
        let mut random = Random::new(11);
        let total = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
        let parameters = random.floats(total, 0.1, 1.0);
        let mut graph = Graph::default();
        let table = graph.leaf(Leaf::Table, vec![1, total], Dtype::F32);
        let (mut x, mut vars, mut offsets, mut offset) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for shape in shapes {
            let count: usize = shape.iter().product();
            x.push(graph.one(Parameter { offset, shape: shape.to_vec() }, &[table]).unwrap());
            vars.push(Var::from_tensor(&in_candle(&parameters[offset..offset + count], shape)).unwrap());
            offsets.push(offset);
            offset += count;
        }
        Case { graph, x, vars, table, offsets, parameters, backend: Backend::cpu(), inputs: Vec::new(), random }
    }

    /// A frozen input.
    pub fn frozen(&mut self, shape: &[usize]) -> (Id, Tensor) {
        let name = format!("frozen {}", self.graph.values.len());
        let data = self.random.floats(shape.iter().product(), 0.2, 1.0);
        let tensor = in_candle(&data, shape);
        self.backend.load(&name, HostTensor::new(shape.to_vec(), data).into()).unwrap();
        (self.graph.leaf(Leaf::Weight(name), shape.to_vec(), Dtype::F32), tensor)
    }

    /// A frozen matrix in blocks, and the numbers that it stands for.
    pub fn frozen_in(&mut self, kind: BlockType, shape: &[usize]) -> (Id, Tensor) {
        let name = format!("frozen {}", self.graph.values.len());
        let bytes = shape.iter().product::<usize>() / kind.elements() * kind.block_bytes();
        // Scales of 16 bits between 0 and 2: their upper byte is below 64.
        let bytes = (0..bytes).map(|at| (at * 37 % 61) as u8).collect();
        let stored = StoredTensor { shape: shape.to_vec(), elements: Elements::Blocks { kind, bytes } };
        let tensor = in_candle(&stored.clone().dequantised().data, shape);
        self.backend.load(&name, stored).unwrap();
        (self.graph.leaf(Leaf::Weight(name), shape.to_vec(), Dtype::Blocks(kind)), tensor)
    }

    /// A part of the batch.
    pub fn floats(&mut self, name: &'static str, shape: &[usize], data: &[f32]) -> (Id, Tensor) {
        self.inputs.push((name, Data::F32(data.to_vec())));
        (self.graph.leaf(Leaf::Batch(name), shape.to_vec(), Dtype::F32), in_candle(data, shape))
    }

    /// A part of the batch.
    pub fn integers(&mut self, name: &'static str, data: &[u32]) -> (Id, Tensor) {
        let tensor = Tensor::from_slice(data, data.len(), &Device::Cpu).unwrap();
        (self.integers_in(name, &[data.len()], data), tensor)
    }

    /// The same of more than one dimension, ours alone.
    pub fn integers_in(&mut self, name: &'static str, shape: &[usize], data: &[u32]) -> Id {
        self.inputs.push((name, Data::U32(data.to_vec())));
        self.graph.leaf(Leaf::Batch(name), shape.to_vec(), Dtype::U32)
    }

    pub fn one(&mut self, op: impl Op + 'static, inputs: &[Id]) -> Id {
        self.graph.one(op, inputs).unwrap()
    }

    /// Compares `Σ y ⊙ w` for random `w`, and its gradients, with those of the reference for `y`.
    pub fn check(mut self, y: Id, reference: candle_core::Result<Tensor>) {
        let (weights, in_candle) = self.frozen(&self.graph.shape(y).clone());
        let loss = self.one(WeightedSum, &[y, weights]);
        self.check_loss(loss, reference.and_then(|y| (y * in_candle)?.sum_all()));
    }

    /// Compares a loss and its gradients with those of the reference.
    pub fn check_loss(mut self, loss: Id, reference: candle_core::Result<Tensor>) {
        let reference = reference.unwrap();
        let parts = gradients(&mut self.graph, loss).unwrap();
        let plan = Plan::training(&self.graph, loss, &parts, self.parameters.len());
        let (found, gradient) = gradient(&mut self.backend, plan, &self.parameters, &[self.inputs]);
        assert_close("loss", &[found], &[reference.to_scalar::<f64>().unwrap() as f32], TOLERANCE);
        let expected = reference.backward().unwrap();
        for (at, (var, offset)) in self.vars.iter().zip(&self.offsets).enumerate() {
            let expected = expected.get(var).expect("the reference uses every input").flatten_all().unwrap();
            let expected: Vec<f32> = expected.to_vec1::<f64>().unwrap().iter().map(|g| *g as f32).collect();
            assert_close(
                &format!("gradient of input {at}"),
                &gradient[*offset..][..expected.len()],
                &expected,
                TOLERANCE,
            );
        }
    }
}
