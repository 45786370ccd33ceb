//! A plan on a GPU: buffers for its slots and leaves, and one pipeline and bind group for each step. Runs allocate nothing.

use super::memory::Buffer;
use super::readback::Readback;
use super::training::GpuTraining;
use super::{Gpu, States};
use crate::backend::{Data, Inputs};
use crate::error::{Error, Result};
use crate::graph::{Dtype, Id, Io, Leaf};
use crate::kernel::Kernel;
use crate::plan::{Home, Plan, Step};
use std::rc::Rc;

/// One prepared dispatch.
#[derive(Debug)]
pub struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    grid: [u32; 3],
}

impl Dispatch {
    /// A dispatch of `pipeline` on `buffers`, in the order of the bindings.
    pub fn new(
        device: &wgpu::Device,
        (pipeline, layout): (wgpu::ComputePipeline, wgpu::BindGroupLayout),
        buffers: &[&wgpu::Buffer],
        grid: [u32; 3],
    ) -> Dispatch {
        let entries: Vec<_> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries };
        Dispatch { pipeline, group: device.create_bind_group(&descriptor), grid }
    }

    /// Adds it to a compute pass.
    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        let [x, y, z] = self.grid;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Buffers from outside that a program works on, apart from the weights.
#[derive(Debug, Clone, Copy)]
pub enum Bound<'a> {
    /// None.
    Nothing,
    /// What is trained, and its gradients.
    Training(&'a GpuTraining),
    /// What stays between runs.
    States(&'a States),
}

/// The buffers of a program.
#[derive(Debug)]
struct Buffers {
    slots: Vec<Buffer>,
    /// Parts of the batch that the plan reads.
    batch: Vec<(&'static str, usize, Buffer)>,
    constants: Vec<(Rc<[u32]>, Buffer)>,
    /// The adapters' vectors of a forward program; a training program reads those being trained.
    table: Option<Buffer>,
}

/// A plan that is ready to run.
#[derive(Debug)]
pub struct Program {
    plan: Plan,
    buffers: Buffers,
    dispatches: Vec<Dispatch>,
    readback: Option<Readback>,
}

impl Program {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How many dispatches a run has.
    pub fn dispatches(&self) -> usize {
        self.dispatches.len()
    }

    /// Compiles the kernels of a plan and allocates what it works on.
    pub(super) async fn new(gpu: &mut Gpu, plan: Plan, outside: Bound<'_>) -> Result<Program> {
        let mut compiled = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            compiled.push(pipeline(gpu, &plan, step).await?);
        }
        let memory = gpu.memory();
        let results: usize = plan.results.iter().map(|id| plan.values[id.0].elements()).sum();
        let (buffers, readback) = memory
            .reserve("working memory", plan.bytes(), || {
                let buffers = Buffers::new(gpu, &plan, !matches!(outside, Bound::Training(_)))?;
                let readback = (results > 0).then(|| Readback::new(memory, results)).transpose()?;
                Ok((buffers, readback))
            })
            .await?;
        let mut dispatches = Vec::with_capacity(compiled.len());
        for (step, (kernel, pipeline)) in plan.steps.iter().zip(compiled) {
            let read = kernel.inputs.iter().map(|input| &step.inputs[*input]);
            let bound = read.chain(&step.outputs).map(|id| buffers.get(&plan, *id, gpu, outside));
            let bound = bound.collect::<Result<Vec<_>>>()?;
            dispatches.push(Dispatch::new(gpu.device(), pipeline, &bound, kernel.grid));
        }
        Ok(Program { plan, buffers, dispatches, readback })
    }

    /// Runs a forward program.
    pub(super) async fn forward(&mut self, gpu: &Gpu, inputs: &Inputs, table: &[f32]) -> Result<Vec<Vec<f32>>> {
        self.write(gpu.queue(), inputs)?;
        if let Some(buffer) = &self.buffers.table {
            gpu.queue().write_buffer(buffer, 0, bytemuck::cast_slice(table));
        }
        let readback = self.readback.as_mut().expect("a forward plan has results");
        readback.reset();
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            self.dispatches.iter().for_each(|dispatch| dispatch.encode(&mut pass));
        }
        let mut to = 0;
        for id in &self.plan.results {
            let count = self.plan.values[id.0].elements();
            readback.copy(&mut encoder, self.buffers.get(&self.plan, *id, gpu, Bound::Nothing)?, 0, to, count);
            to += count;
        }
        gpu.submit(encoder, self.dispatches.len());
        readback.request();
        let mut data = readback.read(gpu.device(), gpu.faults()).await?;
        let mut results = Vec::with_capacity(self.plan.results.len());
        for id in &self.plan.results {
            let rest = data.split_off(self.plan.values[id.0].elements());
            results.push(std::mem::replace(&mut data, rest));
        }
        Ok(results)
    }

    /// Puts a batch into the program's buffers.
    pub(super) fn write(&self, queue: &wgpu::Queue, inputs: &Inputs) -> Result<()> {
        for (name, elements, buffer) in &self.buffers.batch {
            let found = inputs.iter().find(|(found, _)| found == name).map(|(_, data)| data);
            let bytes: &[u8] = match found {
                Some(Data::F32(data)) => bytemuck::cast_slice(data),
                Some(Data::U32(data)) => bytemuck::cast_slice(data),
                None => &[],
            };
            if bytes.len() != elements * 4 {
                let reason = format!("batch part '{name}' has {} bytes, not {}", bytes.len(), elements * 4);
                return Err(Error::Backend { reason });
            }
            queue.write_buffer(buffer, 0, bytes);
        }
        Ok(())
    }

    /// Adds one dispatch, by its number, to a compute pass.
    pub(super) fn encode_one(&self, at: usize, pass: &mut wgpu::ComputePass) {
        self.dispatches[at].encode(pass);
    }

    /// Adds all dispatches to a compute pass.
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass) {
        self.dispatches.iter().for_each(|dispatch| dispatch.encode(pass));
    }
}

impl Buffers {
    fn new(gpu: &Gpu, plan: &Plan, own_table: bool) -> Result<Buffers> {
        let memory = gpu.memory();
        let slots = plan.slots.iter().map(|words| memory.storage("activations", *words));
        let slots = slots.collect::<Result<_>>()?;
        let mut buffers = Buffers { slots, batch: Vec::new(), constants: Vec::new(), table: None };
        for id in plan.steps.iter().flat_map(|step| &step.inputs) {
            let elements = plan.values[id.0].elements();
            match &plan.values[id.0].leaf {
                Some(Leaf::Batch(name)) if buffers.part(name).is_none() => {
                    buffers.batch.push((name, elements, memory.storage(name, elements)?));
                }
                Some(Leaf::Table) if own_table && buffers.table.is_none() => {
                    buffers.table = Some(memory.storage("the adapters' vectors", elements)?);
                }
                Some(Leaf::Constant(bits)) if buffers.constant(bits).is_none() => {
                    let buffer = memory.storage("constants", elements)?;
                    gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(bits));
                    buffers.constants.push((bits.clone(), buffer));
                }
                Some(Leaf::Batch(_) | Leaf::Constant(_) | Leaf::Table | Leaf::Weight(_) | Leaf::State(_)) | None => {}
            }
        }
        Ok(buffers)
    }

    fn part(&self, name: &str) -> Option<&Buffer> {
        self.batch.iter().find(|(found, _, _)| *found == name).map(|(_, _, buffer)| buffer)
    }

    fn constant(&self, bits: &Rc<[u32]>) -> Option<&Buffer> {
        self.constants.iter().find(|(found, _)| Rc::ptr_eq(found, bits)).map(|(_, buffer)| buffer)
    }

    fn get<'a>(&'a self, plan: &Plan, id: Id, gpu: &'a Gpu, outside: Bound<'a>) -> Result<&'a wgpu::Buffer> {
        let home = plan.homes[id.0].as_ref().expect("a plan places every value it uses");
        Ok(match home {
            Home::Slot(slot) => &self.slots[*slot],
            Home::Leaf(Leaf::Weight(name)) => gpu.weight(name)?,
            Home::Leaf(Leaf::Batch(name)) => self.part(name).expect("every part that a step reads has a buffer"),
            Home::Leaf(Leaf::Constant(bits)) => {
                self.constant(bits).expect("every constant that a step reads has a buffer")
            }
            Home::Leaf(Leaf::Table) => match outside {
                Bound::Training(training) => training.parameters(),
                Bound::Nothing | Bound::States(_) => {
                    self.table.as_ref().expect("a table that a step reads has a buffer")
                }
            },
            Home::Leaf(Leaf::State(name)) => match outside {
                Bound::States(States(states)) => states.get(name).unwrap_or_else(|| panic!("the states lack '{name}'")),
                Bound::Nothing | Bound::Training(_) => panic!("'{name}' belongs to states that are not bound"),
            },
            Home::Gradient(_) => match outside {
                Bound::Training(training) => training.gradients(),
                Bound::Nothing | Bound::States(_) => panic!("only a training plan has gradients"),
            },
        })
    }
}

/// A step's kernel, compiled.
pub(super) async fn pipeline(
    gpu: &mut Gpu,
    plan: &Plan,
    step: &Step,
) -> Result<(Kernel, (wgpu::ComputePipeline, wgpu::BindGroupLayout))> {
    let kernel = kernel(plan, step, gpu);
    let bound = kernel.inputs.iter().map(|input| &step.inputs[*input]).chain(&step.outputs);
    let half = bound.map(|id| plan.values[id.0].dtype == Dtype::F16).collect();
    let pipeline = gpu.pipeline(&format!("{:?}", step.op), &kernel, half).await?;
    Ok((kernel, pipeline))
}

fn kernel(plan: &Plan, step: &Step, gpu: &Gpu) -> Kernel {
    let shapes = |ids: &[Id]| ids.iter().map(|id| &plan.values[id.0].shape).collect::<Vec<_>>();
    let offset = |id: &Id| match plan.homes[id.0] {
        Some(Home::Gradient(offset)) => offset,
        Some(Home::Slot(_) | Home::Leaf(_)) | None => 0,
    };
    step.op.kernel(&Io {
        inputs: &shapes(&step.inputs),
        outputs: &shapes(&step.outputs),
        output_offsets: &step.outputs.iter().map(offset).collect::<Vec<_>>(),
        adapter: gpu.kind(),
    })
}
