//! Reading PEFT's `adapter_config.json`, with the quirks of every PEFT version.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::config::{AdapterConfig, CONFIG_FILE, PeftType, Targets, TaskType};
use crate::{Error, Result};

/// Full module names of a large model take a tenth of this.
const MAX_BYTES: usize = 1 << 20;
/// Each becomes a compiled pattern.
const MAX_MODULES_TO_SAVE: usize = 64;
const KEYS: [&str; 13] = [
    "auto_mapping",
    "base_model_name_or_path",
    "exclude_modules",
    "fan_in_fan_out",
    "feedforward_modules",
    "inference_mode",
    "init_ia3_weights",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "revision",
    "target_modules",
    "task_type",
];

impl AdapterConfig {
    /// Reads `adapter_config.json`; the second part of the answer lists keys that were ignored. [`Error::BadAdapter`]
    /// where the file is another method's or another library's, or a field has the wrong kind of value. A
    /// `feedforward_modules` that is no subset of `target_modules` is accepted, although PEFT itself wrote such files
    /// and then refuses them.
    pub fn from_json(bytes: &[u8]) -> Result<(AdapterConfig, Vec<String>)> {
        if bytes.len() > MAX_BYTES {
            return Err(bad(format!("has {} bytes, more than any adapter's", bytes.len())));
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| bad(format!("is not a JSON object: {error}")))?;
        check_method(&fields)?;
        let flag = |key: &str, default| match field(&fields, key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(bad(format!("has a {key} that is neither true nor false"))),
        };
        let config = AdapterConfig {
            auto_mapping: field(&fields, "auto_mapping").cloned(),
            base_model_name_or_path: text(&fields, "base_model_name_or_path")?,
            exclude_modules: targets(&fields, "exclude_modules")?,
            fan_in_fan_out: flag("fan_in_fan_out", false)?,
            feedforward_modules: targets(&fields, "feedforward_modules")?,
            inference_mode: flag("inference_mode", false)?,
            init_ia3_weights: flag("init_ia3_weights", true)?,
            modules_to_save: modules_to_save(&fields)?,
            peft_type: PeftType::Ia3,
            peft_version: text(&fields, "peft_version")?,
            revision: text(&fields, "revision")?,
            target_modules: targets(&fields, "target_modules")?,
            task_type: task_type(&fields)?,
        };
        let ignored = fields.keys().filter(|key| !KEYS.contains(&key.as_str()));
        Ok((config, ignored.map(|key| format!("{CONFIG_FILE}: ignored the unknown key '{key}'")).collect()))
    }
}

fn check_method(fields: &Map<String, Value>) -> Result<()> {
    match field(fields, "peft_type") {
        Some(Value::String(method)) if method == "IA3" => Ok(()),
        Some(other) => Err(bad(format!("is of the method {}: only IA3 adapters can be loaded", short(other)))),
        None if fields.get("config").and_then(|config| config.get("architecture")).is_some() => {
            Err(bad("was written by the adapters library: train or save the adapter with Hugging Face PEFT".into()))
        }
        None => Err(bad("has no peft_type: give the adapter_config.json that PEFT saved".into())),
    }
}

/// A field that is there and not null.
fn field<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

fn text(fields: &Map<String, Value>, key: &str) -> Result<Option<String>> {
    match field(fields, key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(bad(format!("has a {key} that is not a string"))),
    }
}

fn list(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|name| name.as_str().map(str::to_string)).collect()
}

fn targets(fields: &Map<String, Value>, key: &str) -> Result<Option<Targets>> {
    match field(fields, key) {
        None => Ok(None),
        Some(Value::String(pattern)) => Ok(Some(Targets::Regex(pattern.clone()))),
        Some(value) => match list(value) {
            Some(names) => Ok(Some(Targets::List(names))),
            None => Err(bad(format!("has a {key} that is neither a string nor a list of strings"))),
        },
    }
}

/// PEFT appends a task's head again on every load, so files list it several times.
fn modules_to_save(fields: &Map<String, Value>) -> Result<Option<Vec<String>>> {
    let Some(value) = field(fields, "modules_to_save") else { return Ok(None) };
    let mut names = list(value).ok_or_else(|| bad("has a modules_to_save that is not a list of strings".into()))?;
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    if names.len() > MAX_MODULES_TO_SAVE {
        return Err(bad(format!("names {} modules_to_save, more than any model has", names.len())));
    }
    Ok(Some(names))
}

fn task_type(fields: &Map<String, Value>) -> Result<Option<TaskType>> {
    match field(fields, "task_type") {
        None => Ok(None),
        Some(name) => {
            let wrong = |error| bad(format!("has a task_type that PEFT does not know: {error}"));
            TaskType::deserialize(name).map(Some).map_err(wrong)
        }
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

fn bad(reason: String) -> Error {
    Error::BadAdapter { reason: format!("{CONFIG_FILE} {reason}") }
}
