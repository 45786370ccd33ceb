//! The tensor names of an adapter's file, sorted into vectors, head and the rest.

use std::collections::BTreeMap;

use super::head::bad;
use crate::Result;
use crate::checkpoint::HostTensor;

/// The modules at the end of a task model that hold heads, in every family known here.
const HEADS: [&str; 4] = ["classifier", "score", "qa_outputs", "pre_classifier"];

/// A vector and the name it had in the file.
pub(super) struct Vector {
    pub key: String,
    pub tensor: HostTensor,
}

/// What an adapter's file holds.
#[derive(Default)]
pub(super) struct Keys {
    /// By module path.
    pub vectors: BTreeMap<String, Vector>,
    /// Tensors of a head, by path.
    pub head: BTreeMap<String, HostTensor>,
    /// Names without prefix of tensors that are neither.
    pub others: Vec<String>,
}

impl Keys {
    /// What PEFT puts before every module path.
    pub const PREFIX: &str = "base_model.model.";

    /// Sorts a file's tensors. Names may lack the prefix or carry the adapter's name: `<module>.ia3_l.<adapter>`,
    /// `classifier.modules_to_save.<adapter>.weight`.
    pub fn sort(tensors: BTreeMap<String, HostTensor>) -> Result<Keys> {
        let mut keys = Keys::default();
        for (key, tensor) in tensors {
            let path = key.strip_prefix(Keys::PREFIX).unwrap_or(&key);
            if let Some(module) = vector_module(path) {
                let module = module.to_string();
                if let Some(Vector { key: first, .. }) = keys.vectors.get(&module) {
                    return Err(bad(format!("'{first}' and '{key}' are for one module: save one adapter a folder")));
                }
                keys.vectors.insert(module, Vector { key, tensor });
            } else if HEADS.iter().any(|head| path.strip_prefix(head).is_some_and(|rest| rest.starts_with('.'))) {
                if keys.head.insert(unnamed(path), tensor).is_some() {
                    return Err(bad(format!("'{key}' is the second of its kind: save one adapter a folder")));
                }
            } else {
                keys.others.push(path.to_string());
            }
        }
        if keys.vectors.is_empty() {
            return Err(bad("its file has no ia3_l vectors".into()));
        }
        Ok(keys)
    }
}

/// The module of `<module>.ia3_l` or `<module>.ia3_l.<adapter>`; adapter names have no dots.
fn vector_module(path: &str) -> Option<&str> {
    let unnamed = |(module, adapter): (&'_ str, &str)| (!adapter.contains('.')).then_some(module.len());
    let end = path.strip_suffix(".ia3_l").map(str::len).or_else(|| path.rsplit_once(".ia3_l.").and_then(unnamed));
    end.map(|end| &path[..end])
}

/// The path of a head's tensor without `modules_to_save.<adapter>`.
fn unnamed(path: &str) -> String {
    match path.split_once(".modules_to_save.") {
        Some((module, named)) => {
            format!("{module}.{}", named.split_once('.').map_or(named, |(_, parameter)| parameter))
        }
        None => path.to_string(),
    }
}
