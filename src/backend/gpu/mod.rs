//! A GPU through WebGPU: a device, the base model's weights on it, and what it takes to run plans.

mod adapter;
mod faults;
mod halved;
mod memory;
mod pipelines;
mod profile;
mod program;
mod readback;
mod training;
mod weights;

pub use adapter::DeviceInfo;
pub use program::{Bound, Program};
pub use training::GpuTraining;

use super::{Inputs, Progress, StepResult, TrainState};
use crate::error::Result;
use crate::graph::Value;
use crate::kernel::{AdapterKind, Kernel};
use crate::plan::Plan;
use crate::train::Optimizer;
use faults::Faults;
use memory::{Buffer, Memory};
use pipelines::Pipelines;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use weights::Weights;

/// What ran since a device was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Compute dispatches.
    pub dispatches: usize,
    /// Submits that held any.
    pub submits: usize,
}

/// What programs change and keep between their runs, by name.
#[derive(Debug)]
pub struct States(HashMap<String, Buffer>);

/// A GPU device with the base model's weights.
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: DeviceInfo,
    kind: AdapterKind,
    faults: Faults,
    memory: Memory,
    pipelines: Pipelines,
    weights: Weights,
    counts: Cell<Counts>,
}

impl Gpu {
    /// Opens the fastest GPU there is, without weights.
    pub async fn open() -> Result<Gpu> {
        let (device, queue, info) = adapter::open().await?;
        let faults = Faults::watch(&device);
        Ok(Gpu {
            memory: Memory::new(&device, &faults),
            kind: if info.is_fallback { AdapterKind::Software } else { AdapterKind::Hardware },
            device,
            queue,
            info,
            faults,
            pipelines: Pipelines::default(),
            weights: Weights::default(),
            counts: Cell::default(),
        })
    }

    /// What the device is.
    pub fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// The kind of kernels it runs.
    pub fn kind(&self) -> AdapterKind {
        self.kind
    }

    /// Makes programs compiled from now on use the kernels for another kind of GPU than this one, to compare them.
    pub fn set_kind(&mut self, kind: AdapterKind) {
        self.kind = kind;
    }

    /// What ran since the device was opened.
    pub fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Bytes of all buffers: weights, working memory, training, read-backs.
    pub fn held_bytes(&self) -> u64 {
        self.memory.held_bytes()
    }

    /// Gives the device back; every later call fails as it does after the loss of a device.
    pub fn destroy(&self) {
        self.faults.lose("it was given back");
        self.device.destroy();
    }

    /// Compiles the kernels of `plans`, so that making programs of them later need not wait.
    pub async fn prepare(&mut self, plans: &[Plan], progress: Progress<'_>) -> Result<()> {
        self.settle().await?;
        let total = plans.iter().map(|plan| plan.steps.len()).sum();
        let mut done = 0;
        for (plan, step) in plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, step))) {
            program::pipeline(self, plan, step).await?;
            done += 1;
            progress(done, total);
        }
        Ok(())
    }

    /// Makes a plan ready to run on the buffers it is bound to.
    pub async fn compile(&mut self, plan: Plan, bound: Bound<'_>) -> Result<Program> {
        self.settle().await?;
        Program::new(self, plan, bound).await
    }

    /// Zeroed states for a plan.
    pub async fn states(&mut self, plan: &Plan) -> Result<States> {
        self.settle().await?;
        let bytes = plan.states().map(|(_, value)| value.words() as u64 * 4).sum();
        let buffer = |(name, value): (&str, &Value)| {
            Ok((name.to_string(), self.memory.storage("a cache of keys and values", value.words())?))
        };
        let make = || Ok(States(plan.states().map(buffer).collect::<Result<_>>()?));
        self.memory.reserve("a cache of keys and values", bytes, make).await
    }

    /// Runs a forward program; `table` is `(adapters, parameters)`, flat. Returns the plan's results, flat.
    pub async fn forward(&mut self, program: &mut Program, inputs: &Inputs, table: &[f32]) -> Result<Vec<Vec<f32>>> {
        self.faults.check()?;
        program.forward(self, inputs, table).await
    }

    /// Starts a training run from `state`, or goes on with one. `settings` are those of any step: they tell the optimiser.
    pub async fn begin_training(&mut self, state: &TrainState, settings: &Optimizer) -> Result<GpuTraining> {
        self.settle().await?;
        GpuTraining::new(self, state, settings).await
    }

    /// Submits one optimiser step over the sum of the micro-batches' gradients; it may still be running when this returns.
    pub async fn train_step(
        &mut self,
        training: &mut GpuTraining,
        program: &mut Program,
        batches: &[Inputs],
        settings: &Optimizer,
    ) -> Result<()> {
        self.faults.check()?;
        training.step(self, program, batches, settings).await
    }

    /// Steps finished since the last call, in order; waits until at most `in_flight` are still running.
    pub async fn completed(&mut self, training: &mut GpuTraining, in_flight: usize) -> Result<Vec<StepResult>> {
        self.faults.check()?;
        training.completed(self, in_flight).await
    }

    /// Waits until the device has reported all that went wrong with what was asked of it so far.
    async fn settle(&self) -> Result<()> {
        self.memory.reserve("weights", 0, || Ok(())).await
    }

    fn device(&self) -> &wgpu::Device {
        &self.device
    }

    fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    async fn pipeline(
        &mut self,
        name: &str,
        kernel: &Kernel,
        half: Vec<bool>,
    ) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout)> {
        self.pipelines.get(&self.device, &self.faults, name, kernel, half).await
    }

    fn submit(&self, encoder: wgpu::CommandEncoder, dispatches: usize) {
        let Counts { dispatches: before, submits } = self.counts.get();
        self.counts.set(Counts { dispatches: before + dispatches, submits: submits + 1 });
        self.queue.submit([encoder.finish()]);
    }
}

/// In a browser a device lives on until the garbage collector finds it; this one was opened here and nobody else has it.
impl Drop for Gpu {
    fn drop(&mut self) {
        self.device.destroy();
    }
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("info", &self.info).field("kind", &self.kind).finish_non_exhaustive()
    }
}
