//! Adapters that real PEFT saved, run on our model: the answers PEFT gave (`tests/fixtures/README.md`, peft-saved and multi).
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::adapter::{Adapter, Base, Head, Missing, TaskType, load as load_adapter, product, weighted_sum};
use ia3_web::backend::Backend;
use ia3_web::models::{Model, Output};
use ia3_web::session::Pooling;
use std::collections::BTreeMap;
use support::run::forward;
use support::*;

const TOLERANCE: f32 = 1e-4;

/// A fixture's model on every device, with a batch.
struct Bench {
    devices: Vec<(&'static str, Backend)>,
    model: Model,
    base: Base,
    folder: &'static str,
    inputs: serde_json::Value,
}

impl Bench {
    fn new(pooling: Pooling, inputs: &str) -> Bench {
        let folder = session::folder(pooling);
        let (model, base) = model(folder, pooling, 3);
        let mut devices = devices();
        devices.iter_mut().for_each(|(_, backend)| load(backend, &model, folder));
        Bench { devices, model, base, folder, inputs: json(inputs) }
    }

    fn adapter(&self, folder: &str) -> Adapter {
        let read = |file: &str| (file.to_string(), bytes(&format!("{folder}/{file}")));
        let files = ["adapter_config.json", "adapter_model.safetensors"].map(read);
        load_adapter(&BTreeMap::from(files), &self.base).unwrap().adapter
    }

    /// The base with its own head, where its file has one.
    fn unadapted(&self) -> Adapter {
        let mut base = product(&[], &self.base.sites);
        if self.base.task == TaskType::SeqCls {
            let mut found = tensors(&format!("{}/model.safetensors", self.folder));
            let mut part = |name: &str| found.remove(name).unwrap().data;
            base.head = Some(Head::single(&self.base, part("classifier.weight"), part("classifier.bias")));
        }
        base
    }

    /// Compares what comes out with an adapter on every device.
    fn check(&mut self, what: &str, adapter: &Adapter, output: Output, expected: &[f32]) {
        let batch = batch(&self.inputs, &self.model);
        for (device, backend) in &mut self.devices {
            let found = forward(backend, &self.model, &self.base, adapter, &batch, output);
            assert_close(&format!("{device} {what}"), &found, expected, TOLERANCE);
        }
    }
}

#[test]
fn saved_folders_give_pefts_logits() {
    let mut bench = Bench::new(Pooling::Pooler, "peft-saved/inputs.json");
    let expected = tensors("peft-saved/expected.safetensors");
    let plain = ["list", "regex", "all-linear", "doubled-modules-to-save", "fp16", "old-version"];
    for (folder, name) in plain.map(|name| (name, name)).into_iter().chain([("subfolder/support", "subfolder")]) {
        let adapter = bench.adapter(&format!("peft-saved/{folder}"));
        bench.check(name, &adapter, Output::Logits, &expected[&format!("{name}.logits")].data);
    }
}

#[test]
fn a_saved_feature_extractor_gives_pefts_embeddings() {
    let mut bench = Bench::new(Pooling::Mean, "peft-saved/inputs.json");
    let adapter = bench.adapter("peft-saved/feature-extraction");
    let expected = &tensors("peft-saved/expected.safetensors")["feature-extraction.embeddings"].data;
    bench.check("feature-extraction", &adapter, Output::Embedding, expected);
}

#[test]
fn each_adapter_and_the_base_give_pefts_logits() {
    let mut bench = Bench::new(Pooling::Pooler, "multi/inputs.json");
    let expected = tensors("multi/expected.safetensors");
    let base = bench.unadapted();
    bench.check("base", &base, Output::Logits, &expected["logits.base"].data);
    for name in ["first", "other", "same"] {
        let mut adapter = bench.adapter(&format!("multi/{name}"));
        adapter.head = adapter.head.or_else(|| base.head.clone());
        bench.check(name, &adapter, Output::Logits, &expected[&format!("logits.{name}")].data);
    }
}

#[test]
fn active_adapters_multiply_as_in_peft() {
    let expected = tensors("multi/expected.safetensors");
    let mut bench = Bench::new(Pooling::Pooler, "multi/inputs.json");
    let first = bench.adapter("multi/first");
    for name in ["other", "same"] {
        let second = bench.adapter(&format!("multi/{name}"));
        let both = product(&[&first, &second], &bench.base.sites);
        bench.check(name, &both, Output::Logits, &expected[&format!("logits.first*{name}")].data);
    }
}

#[test]
fn a_weighted_sum_gives_pefts_logits() {
    let expected = tensors("multi/expected.safetensors");
    let mut bench = Bench::new(Pooling::Pooler, "multi/inputs.json");
    let weights: Vec<f32> = serde_json::from_value(bench.inputs["weights"].clone()).unwrap();
    for name in ["other", "same"] {
        let sources = [bench.adapter("multi/first"), bench.adapter(&format!("multi/{name}"))];
        let mut sum = weighted_sum(&sources.each_ref(), &weights, Missing::Zero, &bench.base.sites).unwrap();
        sum.head = bench.unadapted().head;
        bench.check(name, &sum, Output::Logits, &expected[&format!("logits.weighted-{name}")].data);
    }
}

#[test]
fn adapters_of_the_bare_encoder_give_pefts_embeddings() {
    let expected = tensors("multi/mean/expected.safetensors");
    let mut bench = Bench::new(Pooling::Mean, "multi/inputs.json");
    let [first, other, same] = ["first", "other", "same"].map(|name| bench.adapter(&format!("multi/mean/{name}")));
    let both = product(&[&first, &same], &bench.base.sites);
    let adapters =
        [("base", bench.unadapted()), ("first*same", both), ("first", first), ("other", other), ("same", same)];
    for (name, adapter) in adapters {
        bench.check(name, &adapter, Output::Embedding, &expected[&format!("embeddings.{name}")].data);
    }
}

/// Its tensors loaded as a model of their own, without an adapter.
#[test]
fn pefts_merged_model_gives_the_logits_of_the_adapter() {
    let mut bench = Bench::new(Pooling::Pooler, "multi/inputs.json");
    let expected = tensors("multi/expected.safetensors");
    let merged = tensors("multi/merged-first.safetensors");
    let bare: Tensors = merged.into_iter().map(|(name, tensor)| (name.replacen("bert.", "", 1), tensor)).collect();
    let mut base = bench.unadapted();
    base.head = bench.adapter("multi/first").head;
    bench.devices.iter_mut().for_each(|(_, backend)| load_tensors(backend, &bench.model, &bare));
    bench.check("merged", &base, Output::Logits, &expected["logits.first"].data);
}
