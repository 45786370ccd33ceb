//! What the tests share: fixtures as real PEFT left them, models with their weights on a device, and comparing.
#![allow(dead_code)] // Each test binary uses its part.

#[cfg(target_arch = "wasm32")]
mod embedded;
pub mod golden;
pub mod random;
pub mod run;
pub mod session;

use ia3_web::adapter::{Adapter, AdapterConfig, Base, Head, Layout, Place, Pooling};
use ia3_web::backend::{Backend, Inputs};
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::checkpoint::{HostTensor, ModelConfig};
use ia3_web::graph::Leaf;
use ia3_web::models::{BatchShape, Model, Output};
use ia3_web::train::{Batch, Encoded};
use serde_json::Value;
use std::collections::BTreeMap;
#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

pub type Tensors = BTreeMap<String, HostTensor>;

/// The contents of a file under `tests/fixtures`.
#[cfg(not(target_arch = "wasm32"))]
pub fn bytes(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The contents of a file under `tests/fixtures`, of those that browser tests read.
#[cfg(target_arch = "wasm32")]
pub fn bytes(name: &str) -> Vec<u8> {
    embedded::bytes(name).to_vec()
}

pub fn tensors(name: &str) -> Tensors {
    read_all(&bytes(name)).unwrap()
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// The devices every golden is checked on. A machine without a Vulkan driver fails here, loudly.
pub fn devices() -> Vec<(&'static str, Backend)> {
    let gpu = pollster::block_on(ia3_web::backend::gpu::Gpu::open())
        .expect("golden tests need a Vulkan driver, at least a software one");
    vec![("cpu", Backend::cpu()), ("webgpu", Backend::Gpu(Box::new(gpu)))]
}

/// A fixture's model and what adapters see of it.
pub fn model(folder: &str, pooling: Pooling, labels: usize) -> (Model, Base) {
    let config = ModelConfig::from_json(&bytes(&format!("{folder}/config.json"))).unwrap();
    let model = Model { config, pooling };
    let base = Base {
        model_type: model.config.model_type.clone(),
        sites: model.sites().unwrap(),
        pooling,
        hidden: model.config.hidden_size,
        labels: (0..labels).map(|label| format!("LABEL_{label}")).collect(),
    };
    (model, base)
}

/// Puts a fixture's weights on a device.
pub fn load(backend: &mut Backend, model: &Model, folder: &str) {
    let found = tensors(&format!("{folder}/model.safetensors"));
    load_tensors(backend, model, &found.into_iter().map(|(name, t)| (name.replacen("bert.", "", 1), t)).collect());
}

/// Puts weights on a device, packed as the model's graph wants them. Their names have no prefix.
pub fn load_tensors(backend: &mut Backend, model: &Model, bare: &Tensors) {
    let layout = Layout::new(&[], &[], None);
    let (graph, _) = model.graph(BatchShape { batch: 1, length: 1 }, &layout, 1, Output::Embedding).unwrap();
    for value in &graph.values {
        if let Some(Leaf::Weight(name)) = &value.leaf {
            let data = name.split('+').flat_map(|part| bare[part].data.clone()).collect();
            backend.load(name, HostTensor { shape: value.shape.clone(), data }).unwrap();
        }
    }
}

fn rows(case: &Value, name: &str) -> Vec<Vec<u32>> {
    serde_json::from_value(case[name].clone()).unwrap()
}

/// The batch of a case; labels are all 0 where it has none.
pub fn batch(case: &Value) -> (BatchShape, Inputs) {
    let (ids, mask, types) = (rows(case, "input_ids"), rows(case, "attention_mask"), rows(case, "token_type_ids"));
    let labels: Vec<usize> = serde_json::from_value(case["labels"].clone()).unwrap_or_default();
    let text = |row: usize| {
        let count = mask[row].iter().sum::<u32>() as usize;
        Encoded { ids: ids[row][..count].to_vec(), types: types[row][..count].to_vec(), truncated: false }
    };
    let texts: Vec<Encoded> = (0..ids.len()).map(text).collect();
    let weight = 1.0 / texts.len() as f32;
    let batch = Batch { rows: texts.iter().collect(), slots: Vec::new(), labels, weight };
    let shape = BatchShape { batch: ids.len(), length: ids[0].len() };
    (shape, batch.inputs(shape, 0))
}

/// The adapter of a case: its configuration resolved by our rules, its vectors and head from the golden file.
pub fn adapter(case: &Value, golden: &Tensors, base: &Base) -> Adapter {
    let config = AdapterConfig::from_json(&serde_json::to_vec(&with_type(&case["config"])).unwrap()).unwrap().0;
    let mut config = config;
    let places = base.settle(&mut config).unwrap();
    let mut adapter = Adapter::new(config, &base.sites, &places, 0);
    for ((module, _), vector) in &mut adapter.vectors {
        vector.copy_from_slice(&golden[&format!("base_model.model.{module}.ia3_l")].data);
    }
    let head = |weight: &str, bias: &str| Head {
        weight: golden[weight].data.clone(),
        bias: golden[bias].data.clone(),
        labels: base.labels.clone(),
        hidden: base.hidden,
    };
    adapter.head = Some(match base.pooling {
        Pooling::Pooler => head("base_model.model.classifier.weight", "base_model.model.classifier.bias"),
        Pooling::Mean => head("head.weight", "head.bias"),
    });
    adapter
}

fn with_type(config: &Value) -> Value {
    let mut config = config.clone();
    config["peft_type"] = "IA3".into();
    config
}

/// Name of a vector's tensor in a PEFT file.
pub fn peft_name(module: &str, _place: Place) -> String {
    format!("base_model.model.{module}.ia3_l")
}

/// Largest difference of two vectors relative to the largest element expected.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let scale = expected.iter().fold(0f32, |most, x| most.max(x.abs())).max(1e-6);
    found
        .iter()
        .zip(expected)
        .fold(0f32, |most, (a, b)| if a.is_nan() { f32::INFINITY } else { most.max((a - b).abs()) })
        / scale
}

/// Fails with the name of what differs by more than `tolerance`, relative to its largest element.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    let error = relative_error(found, expected);
    assert!(error <= tolerance, "{what}: relative error {error:e} above {tolerance:e}");
}
