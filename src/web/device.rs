//! Which device to use, and why.

use crate::backend::Backend;
use crate::backend::gpu::Gpu;
use crate::error::{Error, Result};
use crate::session::ActivationDtype;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was opened.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    device: &'static str,
    reason: String,
    vendor: String,
    architecture: String,
    description: String,
    is_fallback_adapter: bool,
    /// As the session keeps them.
    pub activation_dtype: ActivationDtype,
    limits: BTreeMap<String, f64>,
}

/// Opens what was asked for. "auto" takes WebGPU where it is a real GPU, and the CPU otherwise: on a rasteriser the CPU is 10 to 100
/// times faster.
pub async fn open(device: &str) -> Result<(Backend, DeviceInfo)> {
    match device {
        "wasm" => Ok(cpu("asked for")),
        "webgpu" => gpu(Gpu::open().await?, "asked for"),
        "auto" => match Gpu::open().await {
            Ok(found) if found.info().is_fallback => {
                let name = found.info().name();
                found.destroy();
                Ok(cpu(format!("WebGPU is only a software adapter here ({name}), which is slower than WebAssembly")))
            }
            Ok(found) => gpu(found, "WebGPU on a graphics card"),
            Err(Error::WebGpuUnavailable { reason }) => Ok(cpu(format!("WebGPU is not available: {reason}"))),
            Err(error) => Err(error),
        },
        other => {
            let reason = format!("is '{other}': give \"auto\", \"webgpu\" or \"wasm\"");
            Err(Error::BadOption { option: "device".into(), reason })
        }
    }
}

fn gpu(gpu: Gpu, reason: &str) -> Result<(Backend, DeviceInfo)> {
    let found = gpu.info().clone();
    let info = DeviceInfo {
        device: "webgpu",
        reason: reason.into(),
        vendor: found.vendor,
        architecture: found.architecture,
        description: found.description,
        is_fallback_adapter: found.is_fallback,
        activation_dtype: ActivationDtype::default(),
        limits: found.limits,
    };
    Ok((Backend::Gpu(Box::new(gpu)), info))
}

fn cpu(reason: impl Into<String>) -> (Backend, DeviceInfo) {
    let info = DeviceInfo {
        device: "wasm",
        reason: reason.into(),
        vendor: String::new(),
        architecture: String::new(),
        description: String::new(),
        is_fallback_adapter: false,
        activation_dtype: ActivationDtype::default(),
        limits: BTreeMap::new(),
    };
    (Backend::cpu(), info)
}
