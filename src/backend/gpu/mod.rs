//! A GPU through wgpu.

use super::{Inputs, StepResult, TrainState};
use crate::checkpoint::HostTensor;
use crate::error::Result;
use crate::kernel::AdapterKind;
use crate::plan::Plan;
use crate::train::AdamW;

/// A GPU device.
#[derive(Debug)]
pub struct Gpu {}
/// A plan on a GPU.
#[derive(Debug)]
pub struct Program {}
/// Training buffers.
#[derive(Debug)]
pub struct GpuTraining {}

impl Program {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        todo!()
    }
}

impl Gpu {
    pub fn load(&mut self, _name: &str, _tensor: HostTensor) -> Result<()> {
        todo!()
    }
    pub async fn read(&self, _name: &str) -> Result<HostTensor> {
        todo!()
    }
    pub fn weight_bytes(&self) -> usize {
        todo!()
    }
    pub fn kind(&self) -> AdapterKind {
        todo!()
    }
    pub async fn compile(&mut self, _plan: Plan, _training: Option<&GpuTraining>) -> Result<Program> {
        todo!()
    }
    pub async fn forward(&mut self, _program: &mut Program, _inputs: &Inputs, _table: &[f32]) -> Result<Vec<Vec<f32>>> {
        todo!()
    }
    pub async fn begin_training(&mut self, _state: &TrainState) -> Result<GpuTraining> {
        todo!()
    }
    pub async fn train_step(
        &mut self,
        _training: &mut GpuTraining,
        _program: &mut Program,
        _batches: &[Inputs],
        _settings: &AdamW,
    ) -> Result<()> {
        todo!()
    }
    pub async fn completed(&mut self, _training: &mut GpuTraining, _in_flight: usize) -> Result<Vec<StepResult>> {
        todo!()
    }
}
