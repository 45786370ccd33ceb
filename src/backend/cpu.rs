//! The CPU: runs a plan through the candle twins, one op after the other.

use super::{Clock, Data, Inputs, StepResult, TrainState};
use crate::checkpoint::{BlockType, Elements, StoredTensor};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Dtype, Id, Leaf, Value};
use crate::halve::LARGEST;
use crate::plan::{Home, Plan, Step};
use crate::train::Optimizer;
use candle_core::{Device, Tensor};
use half::f16;
use std::collections::HashMap;

/// States by name; a tensor that is cloned is the same memory.
pub type States = HashMap<String, Tensor>;

/// A plan with the states it changes.
#[derive(Debug)]
pub struct Program {
    pub(super) plan: Plan,
    states: States,
}

impl Program {
    /// Binds a plan to the states it changes.
    pub fn new(plan: Plan, states: &States) -> Program {
        Program { plan, states: states.clone() }
    }
}

/// Zeroed states for a plan. [`Error::OutOfMemory`] where there is no room for them.
pub fn states(plan: &Plan) -> Result<States> {
    let zeroed = |(name, value): (&str, &Value)| {
        let (elements, mut data) = (value.elements(), Vec::<f32>::new());
        let full = |_| Error::OutOfMemory { what: "a cache of keys and values".into(), bytes: elements as u64 * 4 };
        data.try_reserve_exact(elements).map_err(full)?;
        data.resize(elements, 0.0);
        Ok((name.to_string(), Tensor::from_vec(data, value.shape.as_slice(), &Device::Cpu)?))
    };
    plan.states().map(zeroed).collect()
}

/// The weights of the base model in main memory.
#[derive(Debug, Default)]
pub struct Cpu {
    /// Matrices in blocks as rows of bytes.
    weights: HashMap<String, (BlockType, Tensor)>,
    cores: Cores,
}

/// What one run leaves behind.
struct Outcome {
    results: Vec<Vec<f32>>,
    gradients: Vec<f32>,
}

impl Cpu {
    /// Lets threads share the work of every op from now on.
    pub fn share(&mut self, cores: Cores) {
        self.cores = cores;
    }

    /// Takes over one tensor of the base model.
    pub fn load(&mut self, name: &str, tensor: StoredTensor) -> Result<()> {
        let StoredTensor { mut shape, elements } = tensor;
        let (kind, tensor) = match elements {
            Elements::Floats(data) => (BlockType::F32, Tensor::from_vec(data, shape, &Device::Cpu)?),
            Elements::Blocks { kind, bytes } => {
                // As the twins want it: rows of bytes.
                let row = shape.last_mut().expect("a matrix has rows");
                *row = *row / kind.elements() * kind.block_bytes();
                (kind, Tensor::from_vec(bytes, shape, &Device::Cpu)?)
            }
        };
        self.weights.insert(name.into(), (kind, tensor));
        Ok(())
    }

    /// A copy of one tensor of the base model.
    pub fn read(&self, name: &str) -> Result<StoredTensor> {
        let (kind, tensor) = self.weights.get(name).ok_or_else(|| Error::TensorMissing { name: name.into() })?;
        let mut shape = tensor.dims().to_vec();
        let flat = tensor.flatten_all()?;
        let elements = match kind {
            BlockType::F32 => Elements::Floats(flat.to_vec1()?),
            kind => {
                let row = shape.last_mut().expect("a matrix has rows");
                *row = *row / kind.block_bytes() * kind.elements();
                Elements::Blocks { kind: *kind, bytes: flat.to_vec1()? }
            }
        };
        Ok(StoredTensor { shape, elements })
    }

    /// Bytes of the weights.
    pub fn weight_bytes(&self) -> usize {
        self.weights.values().map(|(_, tensor)| tensor.elem_count() * tensor.dtype().size_in_bytes()).sum()
    }

    /// Runs a forward program.
    pub fn forward(&self, program: &Program, inputs: &Inputs, table: &[f32]) -> Result<Vec<Vec<f32>>> {
        Ok(self.run(program, inputs, table, |step, inputs| self.compute(step, inputs))?.results)
    }

    /// Runs each step of a program `times` times. Returns the milliseconds of one run of each.
    pub fn profile(
        &self,
        program: &Program,
        inputs: &Inputs,
        table: &[f32],
        times: usize,
        clock: &dyn Clock,
    ) -> Result<Vec<f64>> {
        let mut found = Vec::with_capacity(program.plan.steps.len());
        self.run(program, inputs, table, |step, inputs| {
            let start = clock.milliseconds();
            for _ in 1..times {
                self.compute(step, inputs)?;
            }
            let outputs = self.compute(step, inputs)?;
            found.push((clock.milliseconds() - start) / times as f64);
            Ok(outputs)
        })?;
        Ok(found)
    }

    fn compute(&self, step: &Step, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        step.op.cpu(inputs, &self.cores)
    }

    /// Runs a program; `compute` makes a step's outputs of its inputs.
    fn run(
        &self,
        program: &Program,
        inputs: &Inputs,
        table: &[f32],
        mut compute: impl FnMut(&Step, &[Tensor]) -> Result<Vec<Tensor>>,
    ) -> Result<Outcome> {
        let Program { plan, states } = program;
        let mut values: Vec<Option<Tensor>> = vec![None; plan.values.len()];
        for (at, value) in plan.values.iter().enumerate() {
            values[at] = match &value.leaf {
                Some(leaf) => self.leaf(leaf, value, (inputs, table, states))?,
                None => None,
            };
        }
        let mut gradients = vec![0.0; plan.gradients];
        for step in &plan.steps {
            let read = |id: &Id| {
                let leaf = &plan.values[id.0].leaf;
                values[id.0].clone().unwrap_or_else(|| panic!("{:?} reads {leaf:?}, which is not there", step.op))
            };
            let outputs = compute(step, &step.inputs.iter().map(read).collect::<Vec<_>>())?;
            for (id, tensor) in step.outputs.iter().zip(outputs) {
                // What is changed in place holds numbers of 16 bits already.
                let half = plan.values[id.0].dtype == Dtype::F16 && step.op.in_place().is_none();
                let tensor = if half { rounded(&tensor)? } else { tensor };
                if let Some(Home::Gradient(offset)) = plan.homes[id.0] {
                    let part = tensor.flatten_all()?.to_vec1::<f32>()?;
                    gradients[offset..offset + part.len()].copy_from_slice(&part);
                }
                values[id.0] = Some(tensor);
            }
            step.frees.iter().for_each(|id| values[id.0] = None);
        }
        let read = |id: &Id| -> Result<Vec<f32>> {
            let value = values[id.0].as_ref().expect("a result is computed");
            Ok(value.flatten_all()?.to_vec1()?)
        };
        Ok(Outcome { results: plan.results.iter().map(read).collect::<Result<_>>()?, gradients })
    }

    /// The tensor a leaf stands for; None for a batch leaf that this plan's live nodes do not read.
    fn leaf(
        &self,
        leaf: &Leaf,
        value: &Value,
        (inputs, table, states): (&Inputs, &[f32], &States),
    ) -> Result<Option<Tensor>> {
        let shape = value.shape.as_slice();
        Ok(match leaf {
            Leaf::Constant(bits) => Some(match value.dtype {
                Dtype::U32 => Tensor::from_slice(bits, shape, &Device::Cpu)?,
                Dtype::F32 => Tensor::from_slice(bytemuck::cast_slice::<u32, f32>(bits), shape, &Device::Cpu)?,
                Dtype::F16 | Dtype::Blocks(_) => unreachable!("a constant is not kept as {:?}", value.dtype),
            }),
            Leaf::Weight(name) => self.weights.get(name).map(|(_, tensor)| tensor.clone()),
            Leaf::State(name) => states.get(name).cloned(),
            Leaf::Table => Some(Tensor::from_slice(table, shape, &Device::Cpu)?),
            Leaf::Batch(name) => match inputs.iter().find(|(found, _)| found == name) {
                Some((_, Data::F32(data))) => Some(Tensor::from_slice(data, shape, &Device::Cpu)?),
                Some((_, Data::U32(data))) => Some(Tensor::from_slice(data, shape, &Device::Cpu)?),
                None => None,
            },
        })
    }
}

/// What a GPU would keep of a value in 16 bits.
fn rounded(tensor: &Tensor) -> Result<Tensor> {
    let mut values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
    values.iter_mut().for_each(|x| *x = f16::from_f32(x.clamp(-LARGEST, LARGEST)).to_f32());
    Ok(Tensor::from_vec(values, tensor.dims(), &Device::Cpu)?)
}

/// A training run on the CPU: each step is complete when it returns.
#[derive(Debug)]
pub struct CpuTraining {
    state: TrainState,
    finished: Vec<StepResult>,
}

impl CpuTraining {
    /// Starts, or goes on, from `state`.
    pub fn new(state: &TrainState) -> Self {
        CpuTraining { state: state.clone(), finished: Vec::new() }
    }

    /// One optimiser step over the sum of the micro-batches' gradients.
    pub fn step(&mut self, cpu: &Cpu, program: &Program, batches: &[Inputs], settings: &Optimizer) -> Result<()> {
        let mut sum = vec![0.0; self.state.parameters.len() + 1];
        for inputs in batches {
            let compute = |step: &Step, inputs: &[Tensor]| cpu.compute(step, inputs);
            let gradients = cpu.run(program, inputs, &self.state.parameters, compute)?.gradients;
            sum.iter_mut().zip(gradients).for_each(|(sum, g)| *sum += g);
        }
        let loss = sum.pop().expect("the loss is the last element");
        let grad_norm = Optimizer::norm(&sum);
        if loss.is_finite() && grad_norm.is_finite() {
            let TrainState { parameters, first, second, .. } = &mut self.state;
            settings.update(parameters, first, second, &sum, grad_norm);
            self.state.step = settings.step();
        }
        self.finished.push(StepResult { step: settings.step(), loss, grad_norm, state: self.state.clone() });
        Ok(())
    }

    /// Takes the steps finished since the last call.
    pub fn completed(&mut self) -> Vec<StepResult> {
        std::mem::take(&mut self.finished)
    }
}
