//! Kernels against their CPU twins, for every place that has a GPU: an op with random inputs, and what the twin makes of them.
#![allow(dead_code)] // Each test binary uses its part.

use ia3_web::backend::cpu::{self, Cpu};
use ia3_web::backend::gpu::{Bound, Gpu};
use ia3_web::backend::{Data, Inputs};
use ia3_web::checkpoint::{BlockType, Elements, StoredTensor};
use ia3_web::cores::Cores;
use ia3_web::graph::{Dtype, Graph, Id, Io, Leaf, Op, Shape};
use ia3_web::kernel::AdapterKind;
use ia3_web::ops::*;
use ia3_web::plan::Plan;
use std::rc::Rc;

#[path = "kernel_cases.rs"]
mod cases;
#[path = "kernel_check.rs"]
mod check;
pub use cases::*;
#[allow(unused_imports)] // Likewise.
pub use check::*;

/// An op and what it reads.
#[derive(Clone)]
pub struct Case {
    op: Rc<dyn Op>,
    inputs: Vec<Input>,
}

/// Shape and contents of an input.
type Input = (Vec<usize>, Contents);

/// What an input holds.
#[derive(Clone)]
enum Contents {
    /// Random floats between -1 and 1.
    Floats,
    /// The same of a base model's matrix, which is never in 16 bits unless it is in blocks.
    Matrix,
    /// Random integers below this one.
    Below(u32),
    /// These numbers.
    Given(Vec<f32>),
    /// These integers.
    Chosen(Vec<u32>),
    /// A frozen matrix of random blocks in this format.
    Blocks(BlockType),
}

/// Names of leaves; an op has at most this many inputs.
const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

/// A small generator (xorshift), so that every run sees the same numbers.
pub struct Random(u32);

impl Random {
    /// The generator for a seed that is not 0.
    pub fn new(seed: u32) -> Self {
        Random(seed)
    }

    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Floats between -1 and 1.
    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next() as f32 / u32::MAX as f32 * 2.0 - 1.0).collect()
    }

    /// Blocks of `count` elements whose scales are of the size that weights have.
    fn blocks(&mut self, kind: BlockType, count: usize) -> Vec<u8> {
        let scales: &[usize] = match kind {
            BlockType::F32 => unreachable!("floats are not in blocks"),
            BlockType::F16 | BlockType::BF16 => {
                let bytes = |x: f32| match kind {
                    BlockType::F16 => half::f16::from_f32(x).to_le_bytes(),
                    _ => half::bf16::from_f32(x).to_le_bytes(),
                };
                return self.floats(count).into_iter().flat_map(bytes).collect();
            }
            BlockType::Q4_0 | BlockType::Q5_0 | BlockType::Q8_0 => &[0],
            BlockType::Q4_1 | BlockType::Q5_1 | BlockType::Q4_K | BlockType::Q5_K => &[0, 2],
            BlockType::Q6_K => &[208],
        };
        let size = kind.block_bytes();
        let mut bytes: Vec<u8> =
            self.below(256, count / kind.elements() * size).into_iter().map(|byte| byte as u8).collect();
        for block in bytes.chunks_exact_mut(size) {
            for at in scales {
                let scale = half::f16::from_f32(self.floats(1)[0] / 64.0);
                block[*at..at + 2].copy_from_slice(&scale.to_le_bytes());
            }
        }
        bytes
    }

    /// Integers below `end`.
    pub fn below(&mut self, end: u32, count: usize) -> Vec<u32> {
        (0..count).map(|_| self.next() % end).collect()
    }
}

impl Case {
    /// A case whose inputs are made by [`floats`] and the like.
    fn new(op: impl Op + 'static, inputs: Vec<Input>) -> Case {
        Case { op: Rc::new(op), inputs }
    }

    /// Elements of all inputs together.
    pub fn elements(&self) -> usize {
        self.inputs.iter().map(|(shape, _)| shape.iter().product::<usize>()).sum()
    }

    /// The contents of the inputs, by the names of the leaves; and the frozen matrices among them.
    fn inputs(&self) -> (Inputs, Vec<(&'static str, StoredTensor)>) {
        let mut random = Random::new(0x9e37_79b9);
        let (mut batch, mut weights) = (Inputs::new(), Vec::new());
        for (name, (shape, contents)) in NAMES.iter().zip(&self.inputs) {
            let count = shape.iter().product();
            batch.push(match contents {
                Contents::Floats | Contents::Matrix => (*name, Data::F32(random.floats(count))),
                Contents::Below(end) => (*name, Data::U32(random.below(*end, count))),
                Contents::Given(data) => (*name, Data::F32(data.clone())),
                Contents::Chosen(data) => (*name, Data::U32(data.clone())),
                Contents::Blocks(kind) => {
                    let elements = Elements::Blocks { kind: *kind, bytes: random.blocks(*kind, count) };
                    weights.push((*name, StoredTensor { shape: shape.clone(), elements }));
                    continue;
                }
            });
        }
        (batch, weights)
    }

    /// What its twin computes, on these threads.
    pub fn on_cpu(&self, cores: &Cores) -> Vec<Vec<f32>> {
        self.run_on_cpu(self.plan(), cores)
    }

    fn run_on_cpu(&self, plan: Plan, cores: &Cores) -> Vec<Vec<f32>> {
        let (inputs, weights) = self.inputs();
        let mut cpu = Cpu::default();
        cpu.share(cores.clone());
        for (name, weight) in weights {
            cpu.load(name, weight).expect("the processor takes the weight");
        }
        let states = cpu::states(&plan).expect("there is room");
        cpu.forward(&cpu::Program::new(plan, &states), &inputs, &[]).expect("the twin runs")
    }

    /// What it is, for messages.
    pub fn name(&self) -> String {
        format!("{:?} on {:?}", self.op, shapes(self))
    }

    /// The source of its kernel on each kind of GPU.
    pub fn sources(&self) -> [&'static str; 2] {
        let inputs: Vec<&Shape> = self.inputs.iter().map(|(shape, _)| shape).collect();
        let outputs = self.op.shapes(&inputs).expect("the shapes fit");
        let (outputs, offsets) = (outputs.iter().collect::<Vec<_>>(), vec![0; outputs.len()]);
        [AdapterKind::Software, AdapterKind::Hardware].map(|adapter| {
            let io = Io { inputs: &inputs, outputs: &outputs, output_offsets: &offsets, adapter };
            self.op.kernel(&io).wgsl
        })
    }

    /// A plan of the op alone, which hands back all of its outputs; a state begins with zeros, and twice of it comes back.
    fn plan(&self) -> Plan {
        let mut graph = Graph::default();
        let inputs = self.leaves(&mut graph);
        let outputs = graph.append(self.op.clone(), &inputs).expect("the shapes fit");
        // A state is no result: what reads it is.
        let results = if self.op.in_place().is_some() { vec![twice(&mut graph, outputs[0])] } else { outputs };
        Plan::forward(&graph, &results)
    }

    /// The same with twice of every float that it reads, and what it may write in 16 bits and its state, in 16 bits; twice of what it writes so
    /// comes back.
    fn half_plan(&self) -> Plan {
        let mut graph = Graph::default();
        let mut inputs = self.leaves(&mut graph);
        let state = self.op.in_place();
        for (at, (id, (_, contents))) in inputs.iter_mut().zip(&self.inputs).enumerate() {
            if state != Some(at) && matches!(contents, Contents::Floats) {
                *id = twice(&mut graph, *id);
            }
            if state == Some(at) || matches!(contents, Contents::Floats) {
                graph.values[id.0].dtype = Dtype::F16;
            }
        }
        let mut outputs = graph.append(self.op.clone(), &inputs).expect("the shapes fit");
        if state.is_some() || self.op.writes_half() {
            graph.values[outputs[0].0].dtype = Dtype::F16;
            outputs[0] = twice(&mut graph, outputs[0]);
        }
        Plan::forward(&graph, &outputs)
    }

    fn leaves(&self, graph: &mut Graph) -> Vec<Id> {
        let state = self.op.in_place().map(|input| NAMES[input]);
        let leaf = |(name, (shape, contents)): (&&'static str, &Input)| {
            let (leaf, dtype) = match contents {
                _ if Some(*name) == state => (Leaf::State(name.to_string()), Dtype::F32),
                Contents::Below(_) | Contents::Chosen(_) => (Leaf::Batch(name), Dtype::U32),
                Contents::Floats | Contents::Matrix | Contents::Given(_) => (Leaf::Batch(name), Dtype::F32),
                Contents::Blocks(kind) => (Leaf::Weight((*name).into()), Dtype::Blocks(*kind)),
            };
            graph.leaf(leaf, shape.clone(), dtype)
        };
        NAMES.iter().zip(&self.inputs).map(leaf).collect()
    }
}

fn twice(graph: &mut Graph, id: Id) -> Id {
    graph.one(Add, &[id, id]).expect("the shapes fit")
}

/// A random tensor.
fn floats(shape: &[usize]) -> Input {
    (shape.to_vec(), Contents::Floats)
}

/// A base model's matrix of floats.
fn matrix(shape: &[usize]) -> Input {
    (shape.to_vec(), Contents::Matrix)
}

/// Random integers below `end`.
fn below(end: u32, shape: &[usize]) -> Input {
    (shape.to_vec(), Contents::Below(end))
}

/// A frozen matrix in blocks.
fn blocks(kind: BlockType, shape: &[usize]) -> Input {
    (shape.to_vec(), Contents::Blocks(kind))
}

/// A mask with `length - row % length` tokens in row `row`.
fn mask(batch: usize, length: usize) -> Input {
    let row = |row: usize| (0..length).map(move |s| f32::from(s < length - row % length));
    (vec![batch, length], Contents::Given((0..batch).flat_map(row).collect()))
}

/// Segment and position of each token in rows of other forms in turn: texts one behind the other; continuations of a text that all share,
/// whose positions go on from its end; both with padding behind, where there is room.
fn marks(batch: usize, length: usize) -> Input {
    let token = |row: usize, at: usize| {
        let (shared, size) = if row.is_multiple_of(2) { (0, 2 + length / 4) } else { (length / 3, 1 + length / 5) };
        match at {
            at if at + row >= length.max(row + 2) => 0,
            at if at < shared => mark(0, at as u32),
            at => mark(1 + ((at - shared) / size) as u32, (shared + (at - shared) % size) as u32),
        }
    };
    let marks = (0..batch).flat_map(|row| (0..length).map(move |at| token(row, at))).collect();
    (vec![batch, length], Contents::Chosen(marks))
}

/// Row weights that sum to `total`; the last of several rows is padding.
fn weights(batch: usize, total: f32) -> Input {
    let live = batch.saturating_sub(1).max(1);
    (vec![batch], Contents::Given((0..batch).map(|b| if b < live { total / live as f32 } else { 0.0 }).collect()))
}

fn shapes(case: &Case) -> Vec<&[usize]> {
    case.inputs.iter().map(|(shape, _)| shape.as_slice()).collect()
}

/// Calls a macro with the functions of `kernel_cases.rs` that make the cases of each op or family of ops, and what else it is given.
macro_rules! with_kernels {
    ($then:ident $(; $($rest:tt)*)?) => {
        $then! {
            activation activation_grad add attention cached_attention columns concat cross_entropy embed gate gather greedy head layer_norm linear
            normalize pair_loss pick pool rank_loss relative_bias rms_norm rope rows scale similarity soft_cap span_loss store token_loss
            total_loss $(; $($rest)*)?
        }
    };
}
pub(crate) use with_kernels;
