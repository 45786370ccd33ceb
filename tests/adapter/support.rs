//! Shorthand of the adapter tests.

use std::collections::BTreeMap;
use std::fs;

use ia3_web::Result;
use ia3_web::adapter::{Adapter, AdapterConfig, Base, Fresh, Head, Init, Targets, load};
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::{read_all, write};
use ia3_web::session::Pooling;
use serde_json::Value;

pub use super::tiny_bert::{base, fixtures};

pub type Files = BTreeMap<String, Vec<u8>>;

pub fn folder(path: &str) -> Files {
    let entries = fs::read_dir(fixtures(path)).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

pub fn tensors(path: &str) -> BTreeMap<String, HostTensor> {
    read_all(&fs::read(fixtures(path)).unwrap()).unwrap()
}

pub fn multi(name: &str) -> Adapter {
    load(&folder(&format!("multi/{name}")), &base(Pooling::Pooler)).unwrap().adapter
}

pub fn list(names: &[&str]) -> Option<Targets> {
    Some(Targets::List(names.iter().map(|name| name.to_string()).collect()))
}

pub fn pattern(pattern: &str) -> Option<Targets> {
    Some(Targets::Regex(pattern.into()))
}

pub fn fresh(base: &Base, config: AdapterConfig) -> Adapter {
    let mut config = AdapterConfig { init_ia3_weights: false, ..config };
    let places = base.settle(&mut config).unwrap();
    let mut adapter = Adapter::new(config, &base.sites, &places, Fresh { seed: 7, ..Fresh::default() });
    let weight = (0..base.labels.len() * 24).map(|i| i as f32).collect();
    adapter.head = Some(Head::single(base, weight, vec![0.5; base.labels.len()]));
    adapter
}

/// An adapter with vectors and shifts that show.
pub fn shifted(base: &Base, seed: u64) -> Adapter {
    let mut config = AdapterConfig::default();
    let places = base.settle(&mut config).unwrap();
    let told = Fresh { init: Init::Uniform(0.5), seed, shift: true, per_head: false };
    let mut adapter = Adapter::new(config, &base.sites, &places, told);
    for (key, shift) in &mut adapter.shifts {
        *shift = adapter.vectors[key].iter().map(|value| value - 1.25).collect();
    }
    adapter
}

pub fn code<T>(result: Result<T>) -> &'static str {
    result.err().map_or("no error", |error| error.code())
}

/// `files` with the tensors of its adapter changed.
pub fn with_tensors(mut files: Files, change: impl Fn(&mut BTreeMap<String, HostTensor>)) -> Files {
    let mut tensors = read_all(&files["adapter_model.safetensors"]).unwrap();
    change(&mut tensors);
    files.insert("adapter_model.safetensors".into(), write(&tensors));
    files
}

pub fn with_config(mut files: Files, change: impl Fn(&mut Value)) -> Files {
    let mut config = serde_json::from_slice(&files["adapter_config.json"]).unwrap();
    change(&mut config);
    files.insert("adapter_config.json".into(), serde_json::to_vec(&config).unwrap());
    files
}

pub fn vector_key(layer: usize, name: &str) -> String {
    format!("base_model.model.bert.encoder.layer.{layer}.{name}.ia3_l")
}
