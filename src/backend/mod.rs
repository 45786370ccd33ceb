//! Devices that run plans: the CPU through candle, a GPU through WebGPU. Both run the same plan.

pub mod cpu;
pub mod gpu;

use crate::checkpoint::StoredTensor;
use crate::cores::Cores;
use crate::error::Result;
use crate::kernel::AdapterKind;
use crate::plan::Plan;
use crate::train::Optimizer;

/// Part of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Floats.
    F32(Vec<f32>),
    /// Ids, labels, slots.
    U32(Vec<u32>),
}

/// A batch by the names of its leaves.
pub type Inputs = Vec<(&'static str, Data)>;

/// Tells the time. Nothing here can by itself: in a browser the page has the clock.
pub trait Clock {
    /// Milliseconds since some moment that stays the same.
    fn milliseconds(&self) -> f64;
}

/// Told while kernels are compiled: how many are done, and how many there are.
pub type Progress<'a> = &'a dyn Fn(usize, usize);

/// What is trained and the optimiser's memory of it; about 55 kB for a small encoder, so it is kept on the CPU side after every step.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainState {
    /// The table row being trained, `(P)`.
    pub parameters: Vec<f32>,
    /// First moments, `(P)`; Adafactor's of rows.
    pub first: Vec<f32>,
    /// Second moments, `(P)`; Adafactor's of columns.
    pub second: Vec<f32>,
    /// Optimiser steps done.
    pub step: usize,
}

/// A finished optimiser step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepResult {
    /// Which step, from 1.
    pub step: usize,
    /// The loss before the step.
    pub loss: f32,
    /// Global norm of the gradient before clipping.
    pub grad_norm: f32,
    /// The state after the step; unchanged if loss or norm were not finite.
    pub state: TrainState,
}

/// A device with the base model's weights on it.
#[derive(Debug)]
pub enum Backend {
    /// The CPU.
    Cpu(cpu::Cpu),
    /// A GPU.
    Gpu(Box<gpu::Gpu>),
}

/// A plan made ready for one device.
#[derive(Debug)]
pub enum Program {
    /// The CPU runs the plan itself.
    Cpu(cpu::Program),
    /// Pipelines, buffers and bind groups of the plan.
    Gpu(gpu::Program),
}

/// What the programs of one plan or of several change and keep between their runs, on one device.
#[derive(Debug)]
pub enum States {
    /// In main memory.
    Cpu(cpu::States),
    /// On a GPU.
    Gpu(gpu::States),
}

/// A training run on one device.
#[derive(Debug)]
pub enum Training {
    /// On the CPU.
    Cpu(cpu::CpuTraining),
    /// On a GPU.
    Gpu(Box<gpu::GpuTraining>),
}

const OTHER_DEVICE: &str = "a program runs on the device it was made for";

impl Backend {
    /// A CPU without weights.
    pub fn cpu() -> Backend {
        Backend::Cpu(cpu::Cpu::default())
    }

    /// Lets threads share the work of every op on the CPU.
    pub fn share(&mut self, cores: Cores) {
        if let Backend::Cpu(cpu) = self {
            cpu.share(cores);
        }
    }

    /// Takes over one tensor of the base model.
    pub fn load(&mut self, name: &str, tensor: StoredTensor) -> Result<()> {
        match self {
            Backend::Cpu(cpu) => cpu.load(name, tensor),
            Backend::Gpu(gpu) => gpu.load(name, tensor),
        }
    }

    /// Waits until the device has said whether it had the memory for all weights so far.
    pub async fn check_weights(&mut self) -> Result<()> {
        match self {
            Backend::Cpu(_) => Ok(()),
            Backend::Gpu(gpu) => gpu.check_weights().await,
        }
    }

    /// A copy of one tensor of the base model.
    pub async fn read(&self, name: &str) -> Result<StoredTensor> {
        match self {
            Backend::Cpu(cpu) => cpu.read(name),
            Backend::Gpu(gpu) => gpu.read(name).await,
        }
    }

    /// Bytes of the weights on the device.
    pub fn weight_bytes(&self) -> usize {
        match self {
            Backend::Cpu(cpu) => cpu.weight_bytes(),
            Backend::Gpu(gpu) => gpu.weight_bytes(),
        }
    }

    /// Compiles what `plans` will need, so that making programs of them later need not wait. The CPU needs nothing.
    pub async fn prepare(&mut self, plans: &[Plan], progress: Progress<'_>) -> Result<()> {
        match self {
            Backend::Cpu(_) => Ok(()),
            Backend::Gpu(gpu) => gpu.prepare(plans, progress).await,
        }
    }

    /// Makes a forward plan ready to run.
    pub async fn compile(&mut self, plan: Plan) -> Result<Program> {
        Ok(match self {
            Backend::Cpu(_) => Program::Cpu(cpu::Program::new(plan, &cpu::States::default())),
            Backend::Gpu(gpu) => Program::Gpu(gpu.compile(plan, gpu::Bound::Nothing).await?),
        })
    }

    /// Zeroed states for `plan`, and for any other plan with states of the same names and shapes.
    pub async fn states(&mut self, plan: &Plan) -> Result<States> {
        Ok(match self {
            Backend::Cpu(_) => States::Cpu(cpu::states(plan)?),
            Backend::Gpu(gpu) => States::Gpu(gpu.states(plan).await?),
        })
    }

    /// Makes a forward plan ready to run that changes `states`.
    pub async fn compile_with(&mut self, plan: Plan, states: &States) -> Result<Program> {
        Ok(match (self, states) {
            (Backend::Cpu(_), States::Cpu(states)) => Program::Cpu(cpu::Program::new(plan, states)),
            (Backend::Gpu(gpu), States::Gpu(states)) => {
                Program::Gpu(gpu.compile(plan, gpu::Bound::States(states)).await?)
            }
            _ => panic!("{OTHER_DEVICE}"),
        })
    }

    /// Makes a training plan ready to run; it will read and write the buffers of `training`.
    pub async fn compile_training(&mut self, plan: Plan, training: &Training) -> Result<Program> {
        Ok(match (self, training) {
            (Backend::Cpu(_), Training::Cpu(_)) => Program::Cpu(cpu::Program::new(plan, &cpu::States::default())),
            (Backend::Gpu(gpu), Training::Gpu(training)) => {
                Program::Gpu(gpu.compile(plan, gpu::Bound::Training(training)).await?)
            }
            _ => panic!("{OTHER_DEVICE}"),
        })
    }

    /// Runs a forward program; `table` is `(adapters, parameters)`, flat. Returns the plan's results, flat.
    pub async fn forward(&mut self, program: &mut Program, inputs: &Inputs, table: &[f32]) -> Result<Vec<Vec<f32>>> {
        match (self, program) {
            (Backend::Cpu(cpu), Program::Cpu(program)) => cpu.forward(program, inputs, table),
            (Backend::Gpu(gpu), Program::Gpu(program)) => gpu.forward(program, inputs, table).await,
            _ => panic!("{OTHER_DEVICE}"),
        }
    }

    /// Starts a training run from `state`, or goes on with one. `settings` are those of any step: they tell the optimiser.
    pub async fn begin_training(&mut self, state: &TrainState, settings: &Optimizer) -> Result<Training> {
        Ok(match self {
            Backend::Cpu(_) => Training::Cpu(cpu::CpuTraining::new(state)),
            Backend::Gpu(gpu) => Training::Gpu(Box::new(gpu.begin_training(state, settings).await?)),
        })
    }

    /// Submits one optimiser step over the sum of the micro-batches' gradients. On a GPU it may still be running when this returns.
    pub async fn train_step(
        &mut self,
        training: &mut Training,
        program: &mut Program,
        batches: &[Inputs],
        settings: &Optimizer,
    ) -> Result<()> {
        match (self, training, program) {
            (Backend::Cpu(cpu), Training::Cpu(training), Program::Cpu(program)) => {
                training.step(cpu, program, batches, settings)
            }
            (Backend::Gpu(gpu), Training::Gpu(training), Program::Gpu(program)) => {
                gpu.train_step(training, program, batches, settings).await
            }
            _ => panic!("{OTHER_DEVICE}"),
        }
    }

    /// Steps finished since the last call, in order; waits until at most `in_flight` are still running.
    pub async fn completed(&mut self, training: &mut Training, in_flight: usize) -> Result<Vec<StepResult>> {
        match (self, training) {
            (Backend::Cpu(_), Training::Cpu(training)) => Ok(training.completed()),
            (Backend::Gpu(gpu), Training::Gpu(training)) => gpu.completed(training, in_flight).await,
            _ => panic!("{OTHER_DEVICE}"),
        }
    }

    /// Runs each step of a program `times` times by itself. Returns the milliseconds of one run of each, in the plan's order.
    pub async fn profile(
        &self,
        program: &Program,
        inputs: &Inputs,
        table: &[f32],
        times: usize,
        clock: &dyn Clock,
    ) -> Result<Vec<f64>> {
        match (self, program) {
            (Backend::Cpu(cpu), Program::Cpu(program)) => cpu.profile(program, inputs, table, times, clock),
            (Backend::Gpu(gpu), Program::Gpu(program)) => gpu.profile(program, inputs, times, clock).await,
            _ => panic!("{OTHER_DEVICE}"),
        }
    }

    /// Whether values may be kept in 16 bits here: see [`crate::halve`]. On the CPU that would only cost time.
    pub fn keeps_half(&self) -> bool {
        match self {
            Backend::Cpu(_) => false,
            Backend::Gpu(gpu) => gpu.info().shader_f16,
        }
    }

    /// The kind of kernels this device wants.
    pub fn kind(&self) -> AdapterKind {
        match self {
            Backend::Cpu(_) => AdapterKind::Software,
            Backend::Gpu(gpu) => gpu.kind(),
        }
    }
}

impl Program {
    /// The plan this was made from.
    pub fn plan(&self) -> &Plan {
        match self {
            Program::Cpu(program) => &program.plan,
            Program::Gpu(program) => program.plan(),
        }
    }
}
