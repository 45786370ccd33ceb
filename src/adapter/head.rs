//! The head of a task: one or more linear layers, and its files.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Base, TaskType};
use crate::checkpoint::HostTensor;
use crate::checkpoint::safetensors::{read_all, write};
use crate::{Error, Result};

/// Class names beside an adapter whose head is in PEFT's file, which PEFT leaves to the base model's configuration.
pub const LABELS_FILE: &str = "labels.json";
/// Weight and bias of a head that is no part of the Hugging Face model.
pub const HEAD_FILE: &str = "head.safetensors";
/// What that head needs beside its numbers.
pub const HEAD_CONFIG_FILE: &str = "head_config.json";
const MAX_LABELS_BYTES: usize = 4 << 20;

/// A head: linear layers in the order of the data flow, with what the model file puts between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The layers; the last gives the logits.
    pub layers: Vec<HeadLayer>,
    /// Name of each class.
    pub labels: Vec<String>,
}

/// One layer of a head.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadLayer {
    /// Its path in the Hugging Face model.
    pub module: String,
    /// `(out, in)`, row by row.
    pub weight: Vec<f32>,
    /// `(out)`; empty where there is none.
    pub bias: Vec<f32>,
    /// Length of its input.
    pub in_features: usize,
}

/// `head_config.json`: logits are `weight · e + bias`, with `e` the pooled and normalised embedding.
#[derive(Serialize, Deserialize)]
struct HeadConfig {
    labels: Vec<String>,
    pooling: String,
    normalize: bool,
}

impl HeadLayer {
    /// Rows of the weight.
    pub fn out_features(&self) -> usize {
        self.weight.len() / self.in_features
    }

    /// Its tensors by their names in a file.
    fn tensors(&self) -> impl Iterator<Item = (&'static str, HostTensor)> {
        let rows = self.out_features();
        let weight = ("weight", HostTensor::new(vec![rows, self.in_features], self.weight.clone()));
        let bias = (!self.bias.is_empty()).then(|| ("bias", HostTensor::new(vec![rows], self.bias.clone())));
        [Some(weight), bias].into_iter().flatten()
    }
}

impl Head {
    /// A head of one layer for `base`, which has one.
    pub fn single(base: &Base, weight: Vec<f32>, bias: Vec<f32>) -> Head {
        let layer = &base.head[0];
        let layer = HeadLayer { module: layer.module.clone(), weight, bias, in_features: layer.in_features };
        Head { layers: vec![layer], labels: base.labels.clone() }
    }

    /// The layer that gives the logits.
    pub fn last(&self) -> &HeadLayer {
        self.layers.last().expect("a head has a layer")
    }

    /// Elements of all layers.
    pub fn elements(&self) -> usize {
        self.layers.iter().map(|layer| layer.weight.len() + layer.bias.len()).sum()
    }

    /// Puts the rows of the last layer in the order of `labels`. [`Error::AdapterMismatch`] if the head was trained for others.
    pub fn arrange(&mut self, labels: &[String]) -> Result<()> {
        let place = |label: &String| self.labels.iter().position(|found| found == label);
        let order: Option<Vec<usize>> = labels.iter().map(place).collect();
        let order = order.filter(|order| order.len() == self.labels.len()).ok_or_else(|| {
            let (theirs, ours) = (self.labels.join(", "), labels.join(", "));
            Error::AdapterMismatch { reason: format!("its head tells apart {theirs}; this model's labels are {ours}") }
        })?;
        let last = self.layers.last_mut().expect("a head has a layer");
        let row = |at: &usize| &last.weight[at * last.in_features..(at + 1) * last.in_features];
        last.weight = order.iter().flat_map(row).copied().collect();
        if !last.bias.is_empty() {
            last.bias = order.iter().map(|at| last.bias[*at]).collect();
        }
        self.labels = labels.to_vec();
        Ok(())
    }

    /// A head of the base's shape. `take` gives the tensor of a path; `before` comes before paths in errors. Classes are named by
    /// `labels`, or else by the session if it has as many, or else `LABEL_0`, `LABEL_1` and so on, as in transformers.
    pub(super) fn new(
        before: &str,
        mut take: impl FnMut(&str) -> Result<HostTensor>,
        labels: Option<Vec<String>>,
        base: &Base,
    ) -> Result<Head> {
        let mut layers = Vec::with_capacity(base.head.len());
        let mut rows = 0;
        for layer in &base.head {
            let weight = take(&format!("{}.weight", layer.module))?;
            rows = layer.out_features.unwrap_or_else(|| weight.shape.first().copied().unwrap_or(0).max(1));
            check_shape(&format!("{before}{}.weight", layer.module), &weight.shape, &[rows, layer.in_features])?;
            let mut bias = Vec::new();
            if layer.bias {
                let found = take(&format!("{}.bias", layer.module))?;
                check_shape(&format!("{before}{}.bias", layer.module), &found.shape, &[rows])?;
                bias = found.data;
            }
            let (module, in_features) = (layer.module.clone(), layer.in_features);
            layers.push(HeadLayer { module, weight: weight.data, bias, in_features });
        }
        let labels = match labels {
            Some(labels) => labels,
            None if base.labels.len() == rows => base.labels.clone(),
            None => (0..rows).map(|i| format!("LABEL_{i}")).collect(),
        };
        if labels.len() != rows || labels.iter().collect::<BTreeSet<_>>().len() != rows {
            return Err(bad(format!("its head has {rows} classes, which its {} labels do not name", labels.len())));
        }
        Ok(Head { layers, labels })
    }

    /// The layers' tensors by their paths.
    pub fn tensors(&self) -> BTreeMap<String, HostTensor> {
        let layer = |layer: &HeadLayer| {
            let named = |(name, tensor): (&str, HostTensor)| (format!("{}.{name}", layer.module), tensor);
            layer.tensors().map(named).collect::<Vec<_>>()
        };
        self.layers.iter().flat_map(layer).collect()
    }

    /// The head's own files in an adapter's folder for `task`.
    pub(super) fn files(&self, task: TaskType) -> Vec<(String, Vec<u8>)> {
        let json = |result: serde_json::Result<Vec<u8>>| result.expect("strings always serialise");
        match task {
            // The two columns of a span are always start and end.
            TaskType::QuestionAns | TaskType::CausalLm | TaskType::Seq2SeqLm => Vec::new(),
            TaskType::SeqCls | TaskType::TokenCls => {
                vec![(LABELS_FILE.into(), json(serde_json::to_vec(&self.labels)))]
            }
            TaskType::FeatureExtraction => {
                let tensors = self.last().tensors().map(|(name, tensor)| (name.to_string(), tensor)).collect();
                let config = HeadConfig { labels: self.labels.clone(), pooling: "mean".into(), normalize: true };
                vec![(HEAD_FILE.into(), write(&tensors)), (HEAD_CONFIG_FILE.into(), json(serde_json::to_vec(&config)))]
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
    let take = |path: &str| {
        let name = path.rsplit('.').next().unwrap_or(path);
        tensors.remove(name).ok_or_else(|| bad(format!("{HEAD_FILE} has no tensor '{name}'")))
    };
    Head::new("", take, Some(config.labels), base)
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

pub(super) fn from_json<'a, T: Deserialize<'a>>(file: &str, bytes: &'a [u8]) -> Result<T> {
    if bytes.len() > MAX_LABELS_BYTES {
        return Err(bad(format!("{file} has {} bytes, more than any such file", bytes.len())));
    }
    serde_json::from_slice(bytes).map_err(|error| bad(format!("{file}: {error}")))
}

pub(super) fn bad(reason: String) -> Error {
    Error::BadAdapter { reason }
}
