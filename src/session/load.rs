//! The weights: streamed in, packed as the graph wants them, put on the device. And what they will need, told beforehand.

use super::Session;
use crate::adapter::{AdapterConfig, Base, Head, Layout, Pooling};
use crate::backend::TrainState;
use crate::checkpoint::{Header, HostTensor, ModelConfig, StreamReader};
use crate::error::{Error, Result};
use crate::graph::Leaf;
use crate::models::{BatchShape, Model, Output};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use std::collections::BTreeMap;

/// What training a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Bytes of the weights in f32.
    pub weight_bytes: usize,
    /// Bytes of weights, activations of a training step, and training state.
    pub memory_bytes: usize,
}

/// A tensor the graph reads, being put together from tensors of the file.
#[derive(Debug)]
struct Packed {
    shape: Vec<usize>,
    /// Names in the file (bare) and, when they have come, their elements.
    parts: Vec<(String, Option<HostTensor>)>,
}

/// The weights on their way in.
pub(super) struct Loader {
    reader: Option<StreamReader>,
    wanted: BTreeMap<String, Packed>,
    classifier: BTreeMap<String, HostTensor>,
}

impl Model {
    /// Every tensor the graph reads: its name, parts joined by `+`, and shape.
    pub(super) fn weights(&self) -> Result<Vec<(String, Vec<usize>)>> {
        let layout = Layout::new(&[], &[], None);
        let (graph, _) = self.graph(BatchShape { batch: 1, length: 1 }, &layout, 1, Output::Embedding)?;
        let weight = |value: &crate::graph::Value| match &value.leaf {
            Some(Leaf::Weight(name)) => Some((name.clone(), value.shape.clone())),
            _ => None,
        };
        Ok(graph.values.iter().filter_map(weight).collect())
    }
}

impl Session {
    /// Gets ready for the bytes of `model.safetensors`; a second call loads them again. Length and hash are checked where given.
    pub fn begin_weights(&mut self, content_length: Option<u64>, sha256: Option<[u8; 32]>) -> Result<()> {
        if self.backend.is_none() {
            return Err(Error::NotReady { what: "no device is open yet: open one first".into() });
        }
        let packed = |(name, shape): (String, Vec<usize>)| {
            let parts = name.split('+').map(|part| (part.to_string(), None)).collect();
            (name, Packed { shape, parts })
        };
        let wanted = self.model.weights()?.into_iter().map(packed).collect();
        let reader = Some(StreamReader::new(content_length, sha256));
        // Programs hold on to the tensors they were made with.
        self.programs.clear();
        if let Some(run) = &mut self.run {
            run.leave_device();
        }
        self.loader = Some(Loader { reader, wanted, classifier: BTreeMap::new() });
        self.loaded = false;
        Ok(())
    }

    /// Takes the next bytes of the file.
    pub fn feed_weights(&mut self, chunk: &[u8]) -> Result<()> {
        let mut loader = self.loader.take().ok_or_else(not_begun)?;
        let mut reader = loader.reader.take().expect("a loader has a reader between calls");
        let found = reader.feed(chunk, &mut |name, tensor| self.take_tensor(&mut loader, name, tensor));
        loader.reader = Some(reader);
        self.loader = Some(loader);
        found
    }

    /// Checks that the file was whole and held everything the model needs.
    pub fn finish_weights(&mut self) -> Result<()> {
        let mut loader = self.loader.take().ok_or_else(not_begun)?;
        let reader = loader.reader.take().expect("a loader has a reader between calls");
        let skipped = reader.skipped().to_vec();
        reader.finish()?;
        if let Some(packed) = loader.wanted.values().next() {
            let missing = packed.parts.iter().find(|(_, tensor)| tensor.is_none());
            let name = missing.map_or_else(String::new, |(name, _)| name.clone());
            return Err(match skipped.into_iter().find(|(skipped, _)| bare(skipped) == name) {
                Some((name, dtype)) => Error::TensorDtype { name, dtype },
                None => Error::TensorMissing { name },
            });
        }
        if self.options.pooling == Pooling::Pooler && self.base_head.is_none() {
            self.base_head = Some(self.classifier(loader.classifier)?);
        }
        self.loaded = true;
        Ok(())
    }

    /// Puts one tensor of the file where it belongs.
    fn take_tensor(&mut self, loader: &mut Loader, name: &str, tensor: HostTensor) -> Result<()> {
        let bare = bare(name);
        let Some(key) = loader.wanted.keys().find(|key| key.split('+').any(|part| part == bare)).cloned() else {
            if bare.starts_with("classifier.") {
                loader.classifier.insert(bare.into(), tensor);
            } else {
                self.extra.insert(bare.into(), tensor);
            }
            return Ok(());
        };
        let packed = loader.wanted.get_mut(&key).expect("the key was just found");
        let mut expected = packed.shape.clone();
        expected[0] /= packed.parts.len();
        if tensor.shape != expected {
            return Err(Error::TensorShape { name: name.into(), expected, found: tensor.shape });
        }
        let part = packed.parts.iter_mut().find(|(part, _)| part == bare).expect("the key holds this part");
        part.1 = Some(tensor);
        if packed.parts.iter().all(|(_, tensor)| tensor.is_some()) {
            let Packed { shape, parts } = loader.wanted.remove(&key).expect("the key was just found");
            let mut tensors = parts.into_iter().filter_map(|(_, tensor)| tensor);
            let mut data = tensors.next().expect("a packed tensor has a part").data;
            tensors.for_each(|tensor| data.extend(tensor.data));
            self.backend
                .as_mut()
                .expect("a loader is made only with a device")
                .load(&key, HostTensor { shape, data })?;
        }
        Ok(())
    }

    /// The file's own classifier if it has one for these labels; else one drawn as transformers draws it, N(0, 0.02) and zero bias.
    fn classifier(&self, mut found: BTreeMap<String, HostTensor>) -> Result<Head> {
        let (labels, hidden) = (self.base.labels.clone(), self.base.hidden);
        let (weight, bias) = (found.remove("classifier.weight"), found.remove("classifier.bias"));
        if let (Some(weight), Some(bias)) = (weight, bias)
            && weight.shape == [labels.len(), hidden]
            && bias.shape == [labels.len()]
        {
            return Ok(Head { weight: weight.data, bias: bias.data, labels, hidden });
        }
        let mut rng = SmallRng::seed_from_u64(self.options.seed);
        let mut normal = || -> f32 {
            // Box-Muller.
            let (u, v): (f32, f32) = (rng.random::<f32>().max(f32::MIN_POSITIVE), rng.random());
            (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
        };
        let weight = (0..labels.len() * hidden).map(|_| 0.02 * normal()).collect();
        Ok(Head { weight, bias: vec![0.0; labels.len()], labels, hidden })
    }
}

/// What training with an adapter of PEFT's default targets will hold, from `config.json` and the start of `model.safetensors`.
pub fn estimate(config: &[u8], header: &[u8], pooling: Pooling, labels: usize, shape: BatchShape) -> Result<Estimate> {
    let model = Model { config: ModelConfig::from_json(config)?, pooling };
    let header = Header::parse(header)?;
    let elements: usize = header.tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
    let base = Base {
        model_type: model.config.model_type.clone(),
        sites: model.sites()?,
        pooling,
        hidden: model.config.hidden_size,
        labels: (0..labels).map(|label| label.to_string()).collect(),
    };
    let mut adapter = AdapterConfig::default();
    let places = base.settle(&mut adapter)?;
    let layout = Layout::new(&base.sites, &places, Some((labels.max(1), base.hidden)));
    let plan = crate::train::training_plan(&model, shape, &layout, Output::CrossEntropy)?;
    let state = std::mem::size_of::<TrainState>() + 4 * 4 * layout.len;
    let weight_bytes = elements * 4;
    Ok(Estimate { weight_bytes, memory_bytes: weight_bytes + plan.bytes() + state })
}

/// A tensor's name without what a model with a task head puts before it.
fn bare(name: &str) -> &str {
    name.strip_prefix("bert.").unwrap_or(name)
}

fn not_begun() -> Error {
    Error::NotReady { what: "no weights are being loaded: begin first".into() }
}
