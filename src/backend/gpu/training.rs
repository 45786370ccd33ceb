//! Training on a GPU: what is trained and the optimiser's memory of it, and read-backs that nothing waits for.

use super::Gpu;
use super::memory::Buffer;
use super::program::{Dispatch, Program};
use super::readback::Readback;
use crate::backend::{Inputs, StepResult, TrainState};
use crate::error::Result;
use crate::kernel::Kernel;
use crate::train::Optimizer;
use std::collections::VecDeque;

/// Steps that may be under way at once: more would only lengthen the queue, and a phone's watchdog counts it.
const IN_FLIGHT: usize = 3;

/// A training run on a GPU.
#[derive(Debug)]
pub struct GpuTraining {
    buffers: Buffers,
    /// Adds a micro-batch's gradient to the sum.
    accumulate: Dispatch,
    /// Norm and optimiser on the gradient of one batch, and on the sum of several.
    optimizer: [[Dispatch; 2]; 2],
    idle: Vec<Readback>,
    /// Steps under way, the oldest first.
    pending: VecDeque<(usize, Readback)>,
    finished: Vec<StepResult>,
    /// Parameters, P.
    count: usize,
    /// The last step that changed the parameters.
    step: usize,
}

#[derive(Debug)]
struct Buffers {
    /// `(P)`.
    parameters: Buffer,
    /// Gradient of a batch `(P)` and behind it the loss.
    gradients: Buffer,
    /// Sum of the gradients of several micro-batches `(P + 1)`.
    sum: Buffer,
    /// First moments `(P)`.
    first: Buffer,
    /// Second moments `(P)`.
    second: Buffer,
    /// [`Optimizer::packed`].
    settings: Buffer,
    /// Loss, gradient norm and what it is made of.
    result: Buffer,
}

impl GpuTraining {
    /// What is trained, `(P)`.
    pub(super) fn parameters(&self) -> &wgpu::Buffer {
        &self.buffers.parameters
    }

    /// Where a program's gradients go, `(P + 1)`.
    pub(super) fn gradients(&self) -> &wgpu::Buffer {
        &self.buffers.gradients
    }

    /// Starts, or goes on, from `state`, with the optimiser of these settings.
    pub(super) async fn new(gpu: &mut Gpu, state: &TrainState, settings: &Optimizer) -> Result<GpuTraining> {
        let count = state.parameters.len();
        let kernel = settings.kernel(count);
        let accumulate = Optimizer::accumulate_kernel(count + 1);
        let norm = Optimizer::norm_kernel(count);
        let floats = |kernel: &Kernel, writes: usize| vec![false; kernel.inputs.len() + writes];
        let optimizer = gpu.pipeline("optimizer", &kernel, floats(&kernel, 4)).await?;
        let summer = gpu.pipeline("gradient norm", &norm, floats(&norm, 1)).await?;
        let adder = gpu.pipeline("accumulate", &accumulate, floats(&accumulate, 1)).await?;
        let memory = gpu.memory();
        let packed = settings.packed().len();
        let (buffers, idle) = memory
            .reserve("the trained vectors", count as u64 * 32, || {
                let buffers = Buffers {
                    parameters: memory.storage("parameters", count)?,
                    gradients: memory.storage("gradients", count + 1)?,
                    sum: memory.storage("sum of gradients", count + 1)?,
                    first: memory.storage("first moments", count)?,
                    second: memory.storage("second moments", count)?,
                    settings: memory.storage("optimizer settings", packed)?,
                    result: memory.storage("loss and norm", Optimizer::result_len(count))?,
                };
                let idle = (0..IN_FLIGHT).map(|_| Readback::new(memory, 3 * count + 2)).collect::<Result<_>>()?;
                Ok((buffers, idle))
            })
            .await?;
        let Buffers { parameters, gradients, sum, first, second, settings, result } = &buffers;
        for (buffer, data) in [(parameters, &state.parameters), (first, &state.first), (second, &state.second)] {
            gpu.queue().write_buffer(buffer, 0, bytemuck::cast_slice(data));
        }
        let on = |gradient: &Buffer| {
            let bound: [&wgpu::Buffer; 6] = [gradient, settings, parameters, first, second, result];
            let norm = Dispatch::new(gpu.device(), summer.clone(), &[gradient, result], norm.grid);
            [norm, Dispatch::new(gpu.device(), optimizer.clone(), &bound, kernel.grid)]
        };
        Ok(GpuTraining {
            optimizer: [on(gradients), on(sum)],
            accumulate: Dispatch::new(gpu.device(), adder, &[gradients, sum], accumulate.grid),
            idle,
            pending: VecDeque::new(),
            finished: Vec::new(),
            count,
            step: state.step,
            buffers,
        })
    }

    /// Submits one optimiser step: one submit, or with several micro-batches one for each,
    /// because they take turns in the program's input buffers.
    pub(super) async fn step(
        &mut self,
        gpu: &Gpu,
        program: &Program,
        batches: &[Inputs],
        settings: &Optimizer,
    ) -> Result<()> {
        self.collect(gpu, IN_FLIGHT - 1).await?;
        let mut readback = self.idle.pop().expect("a read-back is free when fewer steps than there are of them run");
        gpu.queue().write_buffer(&self.buffers.settings, 0, bytemuck::cast_slice(&settings.packed()));
        let several = batches.len() > 1;
        for (at, inputs) in batches.iter().enumerate() {
            let last = at + 1 == batches.len();
            if let Err(error) = program.write(gpu.queue(), inputs) {
                self.idle.push(readback);
                return Err(error);
            }
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            encoder.clear_buffer(&self.buffers.gradients, 0, None);
            if several && at == 0 {
                encoder.clear_buffer(&self.buffers.sum, 0, None);
            }
            self.encode(&mut encoder, program, several, last);
            if last {
                self.copy(&mut encoder, &readback);
            }
            gpu.submit(encoder, program.dispatches() + usize::from(several) + 2 * usize::from(last));
        }
        readback.request();
        self.pending.push_back((settings.step(), readback));
        Ok(())
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, program: &Program, several: bool, last: bool) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        program.encode(&mut pass);
        if several {
            self.accumulate.encode(&mut pass);
        }
        if last {
            self.optimizer[usize::from(several)].iter().for_each(|dispatch| dispatch.encode(&mut pass));
        }
    }

    fn copy(&self, encoder: &mut wgpu::CommandEncoder, readback: &Readback) {
        let count = self.count;
        let Buffers { parameters, first, second, result, .. } = &self.buffers;
        readback.copy(encoder, parameters, 0, 0, count);
        readback.copy(encoder, first, 0, count, count);
        readback.copy(encoder, second, 0, 2 * count, count);
        readback.copy(encoder, result, 0, 3 * count, 2);
    }

    /// Takes the steps finished since the last call; waits until at most `in_flight` are under way.
    pub(super) async fn completed(&mut self, gpu: &Gpu, in_flight: usize) -> Result<Vec<StepResult>> {
        self.collect(gpu, in_flight).await?;
        Ok(std::mem::take(&mut self.finished))
    }

    async fn collect(&mut self, gpu: &Gpu, in_flight: usize) -> Result<()> {
        while let Some((_, readback)) = self.pending.front_mut() {
            if !readback.arrived(gpu.device()) && self.pending.len() <= in_flight {
                break;
            }
            let (step, mut readback) = self.pending.pop_front().expect("there is a first one");
            let data = readback.read(gpu.device(), gpu.faults()).await?;
            self.idle.push(readback);
            self.finish(step, &data);
        }
        Ok(())
    }

    fn finish(&mut self, step: usize, data: &[f32]) {
        let count = self.count;
        let part = |at: usize| data[at * count..][..count].to_vec();
        let (loss, grad_norm) = (data[3 * count], data[3 * count + 1]);
        if loss.is_finite() && grad_norm.is_finite() {
            self.step = step;
        }
        let state = TrainState { parameters: part(0), first: part(1), second: part(2), step: self.step };
        self.finished.push(StepResult { step, loss, grad_norm, state });
    }
}
