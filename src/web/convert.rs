//! JavaScript values to ours and back.

use super::error::bad_option;
use crate::backend::Backend;
use crate::error::Error;
use crate::session::{Embeddings, Example, Session, Start};
use crate::train::Objective;
use js_sys::{Array, Float32Array, Object, Reflect, Uint8Array};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

/// The validation examples, which come among the training options.
#[derive(Deserialize)]
pub struct Validation {
    /// The examples; none if left out.
    #[serde(default)]
    pub validation: Vec<Example>,
}

/// Answer of `beginTraining`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// Optimiser steps the run will take.
    pub total_steps: usize,
    /// What it minimises.
    pub objective: Objective,
}

/// Answer of `memory`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    weight_bytes: usize,
    activation_bytes: u64,
    adapter_bytes: usize,
    wasm_bytes: usize,
    gpu_bytes: u64,
    programs: usize,
}

impl Memory {
    /// What a session holds.
    pub fn of(session: &Session) -> Memory {
        let gpu_bytes = match session.backend() {
            Some(Backend::Gpu(gpu)) => gpu.held_bytes(),
            Some(Backend::Cpu(_)) | None => 0,
        };
        Memory {
            weight_bytes: session.weight_bytes(),
            activation_bytes: session.activation_bytes(),
            adapter_bytes: session.adapter_bytes(),
            wasm_bytes: core::arch::wasm32::memory_size(0) * 65_536,
            gpu_bytes,
            programs: session.program_count(),
        }
    }
}

/// Reads a value; the error names the argument.
pub fn from_js<T: DeserializeOwned>(argument: &str, value: JsValue) -> Result<T, JsValue> {
    serde_wasm_bindgen::from_value(value).map_err(|error| bad_option(argument, format!("cannot be read: {error}")))
}

/// Makes a plain object.
pub fn to_js<T: Serialize + ?Sized>(value: &T) -> Result<JsValue, JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
    value.serialize(&serializer).map_err(|error| super::error::to_error(Error::Backend { reason: error.to_string() }))
}

/// A copy of bytes for JavaScript to own.
pub fn bytes_of(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

/// Files by name, as `{name: Uint8Array}`.
pub fn files_into(files: BTreeMap<String, Vec<u8>>) -> JsValue {
    let object = Object::new();
    for (name, bytes) in files {
        set(&object, &name, &bytes_of(&bytes));
    }
    object.into()
}

/// Files by name from `{name: Uint8Array}`.
pub fn files_from(files: &JsValue) -> Result<BTreeMap<String, Vec<u8>>, JsValue> {
    let object: &Object =
        files.dyn_ref().ok_or_else(|| bad_option("files", "is not an object of files by name".into()))?;
    let read = |entry: JsValue| {
        let entry: Array = entry.unchecked_into();
        let name = entry.get(0).as_string().unwrap_or_default();
        match entry.get(1).dyn_into::<Uint8Array>() {
            Ok(bytes) => Ok((name, bytes.to_vec())),
            Err(_) => Err(bad_option("files", format!("holds '{name}', which is not a Uint8Array"))),
        }
    };
    Object::entries(object).iter().map(read).collect()
}

/// What a new adapter starts from: a name, files by name, or undefined.
pub fn start(from: &JsValue) -> Result<Option<Start>, JsValue> {
    match from.as_string() {
        _ if from.is_undefined() => Ok(None),
        Some(name) => Ok(Some(Start::Name(name))),
        None => Ok(Some(Start::Files(files_from(from)?))),
    }
}

/// `{embeddings, hidden, truncated}`, the vectors flat.
pub fn embeddings(found: &Embeddings) -> Result<JsValue, JsValue> {
    let object = Object::new();
    set(&object, "embeddings", &Float32Array::from(found.rows.concat().as_slice()).into());
    set(&object, "hidden", &JsValue::from(found.rows.first().map_or(0, Vec::len) as u32));
    set(&object, "truncated", &to_js(&found.truncated)?);
    Ok(object.into())
}

/// Reads a SHA-256 written as 64 hexadecimal digits.
pub fn sha256_from_hex(hex: &str) -> Result<[u8; 32], JsValue> {
    let bad = || bad_option("sha256", format!("is '{hex}': give 64 hexadecimal digits"));
    let mut hash = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(bad());
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).map_err(|_| bad())?;
    }
    Ok(hash)
}

/// Sets a property of an object of ours.
pub fn set(object: &Object, name: &str, value: &JsValue) {
    Reflect::set(object, &JsValue::from_str(name), value).expect("a plain object takes properties");
}
