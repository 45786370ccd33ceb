//! Finding a GPU: its adapter, a device on it, and what it says about itself.

use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// What a device is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeviceInfo {
    /// Who made it, as far as the browser tells.
    pub vendor: String,
    /// Its family, as far as the browser tells.
    pub architecture: String,
    /// A line for people.
    pub description: String,
    /// It is a rasteriser on the CPU.
    pub is_fallback: bool,
    /// Its kernels may read and write 16-bit floats: WebGPU's `shader-f16`.
    pub shader_f16: bool,
    /// The limits that matter here, by their WebGPU names.
    pub limits: BTreeMap<String, f64>,
}

impl DeviceInfo {
    /// What to call the device: its description, or where the browser has none, its maker and family.
    pub fn name(&self) -> String {
        let known =
            if self.description.is_empty() { [&*self.vendor, &*self.architecture] } else { [&*self.description, ""] };
        known.join(" ").trim().to_string()
    }
}

/// Opens the fastest adapter there is.
pub async fn open() -> Result<(wgpu::Device, wgpu::Queue, DeviceInfo)> {
    let unavailable = |reason: String| Error::WebGpuUnavailable { reason };
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    // wgpu lists every backend it was built without; what a person needs to know is shorter.
    let adapter =
        instance.request_adapter(&options).await.map_err(|_| unavailable("no graphics adapter was found".into()))?;
    let limits = limits(&adapter.limits());
    let required_features = adapter.features() & wgpu::Features::SHADER_F16;
    let descriptor =
        wgpu::DeviceDescriptor { required_limits: limits.clone(), required_features, ..Default::default() };
    let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| unavailable(error.to_string()))?;
    let info = adapter.get_info();
    let (vendor, architecture) = identity(&info).await;
    let is_fallback = info.device_type == wgpu::DeviceType::Cpu;
    let info = DeviceInfo {
        vendor,
        architecture,
        description: info.name,
        is_fallback,
        shader_f16: !required_features.is_empty(),
        limits: named(&limits),
    };
    Ok((device, queue, info))
}

/// What WebGPU grants everywhere, but buffers as large as this adapter has: word embeddings are the largest.
fn limits(adapter: &wgpu::Limits) -> wgpu::Limits {
    wgpu::Limits {
        max_buffer_size: adapter.max_buffer_size,
        max_storage_buffer_binding_size: adapter.max_storage_buffer_binding_size,
        ..wgpu::Limits::default()
    }
}

fn named(limits: &wgpu::Limits) -> BTreeMap<String, f64> {
    let pairs = [
        ("maxBufferSize", limits.max_buffer_size as f64),
        ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size as f64),
        ("maxStorageBuffersPerShaderStage", f64::from(limits.max_storage_buffers_per_shader_stage)),
        ("maxComputeWorkgroupStorageSize", f64::from(limits.max_compute_workgroup_storage_size)),
        ("maxComputeInvocationsPerWorkgroup", f64::from(limits.max_compute_invocations_per_workgroup)),
        ("maxComputeWorkgroupsPerDimension", f64::from(limits.max_compute_workgroups_per_dimension)),
    ];
    pairs.map(|(name, value)| (name.to_string(), value)).into()
}

/// Vendor and architecture.
#[cfg(not(target_arch = "wasm32"))]
async fn identity(info: &wgpu::AdapterInfo) -> (String, String) {
    (format!("{:#06x}", info.vendor), info.driver.clone())
}

/// Vendor and architecture. wgpu passes on no more than the description, so this asks the browser again.
#[cfg(target_arch = "wasm32")]
async fn identity(_info: &wgpu::AdapterInfo) -> (String, String) {
    let text = |info: &wasm_bindgen::JsValue, name: &str| {
        js_sys::Reflect::get(info, &name.into()).ok().and_then(|value| value.as_string()).unwrap_or_default()
    };
    match browser_info().await {
        Ok(info) => (text(&info, "vendor"), text(&info, "architecture")),
        Err(_) => Default::default(),
    }
}

/// `(await navigator.gpu.requestAdapter({powerPreference: "high-performance"})).info`
#[cfg(target_arch = "wasm32")]
async fn browser_info() -> std::result::Result<wasm_bindgen::JsValue, wasm_bindgen::JsValue> {
    use js_sys::{Function, Object, Promise, Reflect};
    use wasm_bindgen::JsCast;
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into())?;
    let gpu = Reflect::get(&navigator, &"gpu".into())?;
    let options = Object::new();
    Reflect::set(&options, &"powerPreference".into(), &"high-performance".into())?;
    let request: Function = Reflect::get(&gpu, &"requestAdapter".into())?.dyn_into()?;
    let promise: Promise = request.call1(&gpu, &options)?.dyn_into()?;
    let adapter = wasm_bindgen_futures::JsFuture::from(promise).await?;
    Reflect::get(&adapter, &"info".into())
}
