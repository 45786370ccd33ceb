//! Compiled kernels, shared by everything that runs on a device.

use super::faults::{Faults, describe};
use super::halved::halved;
use crate::error::Result;
use crate::kernel::Kernel;
use std::collections::HashMap;

/// A kernel's bindings: how many it reads and how many it writes.
type Bindings = (usize, usize);

/// A WGSL file and which of its bindings hold 16 bits an element.
type Source = (&'static str, Vec<bool>);

/// A source and the values of its constants.
type Key = (Source, Vec<(&'static str, u64)>);

/// Pipelines by file and constants. All kernels with the same number of bindings share one layout.
#[derive(Debug, Default)]
pub struct Pipelines {
    layouts: HashMap<Bindings, (wgpu::BindGroupLayout, wgpu::PipelineLayout)>,
    modules: HashMap<Source, wgpu::ShaderModule>,
    pipelines: HashMap<Key, wgpu::ComputePipeline>,
}

impl Pipelines {
    /// The pipeline of a kernel and the layout of its bind group. `half` says of each binding, those it reads and then those it writes,
    /// whether it holds 16 bits an element. A new pipeline is awaited, which lets the page live on while the browser compiles; `name` names
    /// it in errors.
    pub async fn get(
        &mut self,
        device: &wgpu::Device,
        faults: &Faults,
        name: &str,
        kernel: &Kernel,
        half: Vec<bool>,
    ) -> Result<(wgpu::ComputePipeline, wgpu::BindGroupLayout)> {
        let bindings = (kernel.inputs.len(), half.len() - kernel.inputs.len());
        let (group, layout) = self.layouts.entry(bindings).or_insert_with(|| layout(device, bindings));
        let constants = kernel.constants.iter().map(|(name, value)| (*name, value.to_bits())).collect();
        let key = ((kernel.wgsl, half), constants);
        if let Some(pipeline) = self.pipelines.get(&key) {
            return Ok((pipeline.clone(), group.clone()));
        }
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = self.modules.entry(key.0.clone()).or_insert_with(|| module(device, name, &key.0));
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: Some(layout),
            module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &kernel.constants,
                ..Default::default()
            },
            cache: None,
        });
        if let Some(error) = scope.pop().await {
            return Err(describe(error, name, 0));
        }
        faults.check()?;
        self.pipelines.insert(key, pipeline.clone());
        Ok((pipeline, group.clone()))
    }
}

fn module(device: &wgpu::Device, name: &str, (wgsl, half): &Source) -> wgpu::ShaderModule {
    let source = wgpu::ShaderSource::Wgsl(halved(wgsl, half));
    device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(name), source })
}

fn layout(device: &wgpu::Device, (reads, writes): Bindings) -> (wgpu::BindGroupLayout, wgpu::PipelineLayout) {
    let entry = |binding: usize| wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: binding < reads },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<_> = (0..reads + writes).map(entry).collect();
    let group = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
    let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&group)],
        immediate_size: 0,
    });
    (group, pipeline)
}
