//! The classification head and its files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Base, Pooling};
use crate::checkpoint::HostTensor;
use crate::checkpoint::safetensors::{read_all, write};
use crate::{Error, Result};

/// Class names beside a SEQ_CLS adapter, which PEFT leaves to the base model's configuration.
pub const LABELS_FILE: &str = "labels.json";
/// Weight and bias of a head that is no part of the Hugging Face model.
pub const HEAD_FILE: &str = "head.safetensors";
/// What that head needs beside its numbers.
pub const HEAD_CONFIG_FILE: &str = "head_config.json";
const MAX_LABELS_BYTES: usize = 4 << 20;

/// A linear classification head.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// `(labels, hidden)`, row by row.
    pub weight: Vec<f32>,
    /// `(labels)`.
    pub bias: Vec<f32>,
    /// Name of each class.
    pub labels: Vec<String>,
    /// Length of the head's input.
    pub hidden: usize,
}

/// `head_config.json`: logits are `weight · e + bias`, with `e` the pooled and normalised embedding.
#[derive(Serialize, Deserialize)]
struct HeadConfig {
    labels: Vec<String>,
    pooling: String,
    normalize: bool,
}

impl Head {
    /// A head from its two tensors. `key` names them in errors. Classes are named by `labels`, or else by the session
    /// if it has as many, or else `LABEL_0`, `LABEL_1` and so on, as in transformers.
    pub(super) fn new(
        key: &str,
        weight: HostTensor,
        bias: HostTensor,
        labels: Option<Vec<String>>,
        base: &Base,
    ) -> Result<Head> {
        let rows = weight.shape.first().copied().unwrap_or(0);
        check_shape(&format!("{key}weight"), &weight.shape, &[rows.max(1), base.hidden])?;
        check_shape(&format!("{key}bias"), &bias.shape, &[rows])?;
        let labels = match labels {
            Some(labels) => labels,
            None if base.labels.len() == rows => base.labels.clone(),
            None => (0..rows).map(|i| format!("LABEL_{i}")).collect(),
        };
        if labels.len() != rows || labels.iter().collect::<BTreeSet<_>>().len() != rows {
            return Err(bad(format!("its head has {rows} classes, which its {} labels do not name", labels.len())));
        }
        Ok(Head { weight: weight.data, bias: bias.data, labels, hidden: base.hidden })
    }

    /// Weight `(labels, hidden)` and bias `(labels)`.
    pub(super) fn tensors(&self) -> [(&'static str, HostTensor); 2] {
        let weight = HostTensor::new(vec![self.labels.len(), self.hidden], self.weight.clone());
        [("weight", weight), ("bias", HostTensor::new(vec![self.labels.len()], self.bias.clone()))]
    }

    /// The head's own files in an adapter's folder for `pooling`.
    pub(super) fn files(&self, pooling: Pooling) -> Vec<(String, Vec<u8>)> {
        let json = |result: serde_json::Result<Vec<u8>>| result.expect("strings always serialise");
        match pooling {
            Pooling::Pooler => vec![(LABELS_FILE.into(), json(serde_json::to_vec(&self.labels)))],
            Pooling::Mean => {
                let tensors = self.tensors().map(|(name, tensor)| (name.to_string(), tensor));
                let config = HeadConfig { labels: self.labels.clone(), pooling: "mean".into(), normalize: true };
                vec![
                    (HEAD_FILE.into(), write(&BTreeMap::from(tensors))),
                    (HEAD_CONFIG_FILE.into(), json(serde_json::to_vec(&config))),
                ]
            }
        }
    }
}

/// `labels.json`: a list of names.
pub(super) fn read_labels(bytes: &[u8]) -> Result<Vec<String>> {
    from_json(LABELS_FILE, bytes)
}

/// The head in files of its own.
pub(super) fn read_head(weights: &[u8], config: &[u8], base: &Base) -> Result<Head> {
    let config: HeadConfig = from_json(HEAD_CONFIG_FILE, config)?;
    if config.pooling != "mean" || !config.normalize {
        return Err(bad(format!("{HEAD_CONFIG_FILE} asks for other than the normalised mean of the token states")));
    }
    let mut tensors = read_all(weights).map_err(|error| unreadable(HEAD_FILE, error))?;
    let mut take = |name| tensors.remove(name).ok_or_else(|| bad(format!("{HEAD_FILE} has no tensor '{name}'")));
    Head::new("", take("weight")?, take("bias")?, Some(config.labels), base)
}

pub(super) fn check_shape(key: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::AdapterMismatch { reason: format!("'{key}' has shape {found:?} where {expected:?} is needed") })
}

/// An error of the container, said of the adapter's file.
pub(super) fn unreadable(file: &str, error: Error) -> Error {
    match error {
        Error::NotSafetensors { reason, .. } => bad(format!("{file} is not a safetensors file: {reason}")),
        Error::FileTruncated { expected, actual, .. } => Error::FileTruncated { file: file.into(), expected, actual },
        Error::FileLength { expected, actual, .. } => Error::FileLength { file: file.into(), expected, actual },
        other => other,
    }
}

fn from_json<'a, T: Deserialize<'a>>(file: &str, bytes: &'a [u8]) -> Result<T> {
    if bytes.len() > MAX_LABELS_BYTES {
        return Err(bad(format!("{file} has {} bytes, more than any list of labels", bytes.len())));
    }
    serde_json::from_slice(bytes).map_err(|error| bad(format!("{file}: {error}")))
}

pub(super) fn bad(reason: String) -> Error {
    Error::BadAdapter { reason }
}
