//! Whole tiny models: loss and every gradient of vectors and head, for each way to pool, loss and arrangement of vectors.

use crate::losses;
use crate::reference::{Bert, Texts};
use crate::support::random::Random;
use crate::support::{Tensors, assert_close, devices, load_tensors, run::gradient};
use crate::tiny::{self, LABELS, SHAPE};
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
use ia3_web::adapter::{Adapter, AdapterConfig, Fresh, Layout, Place, Targets};
use ia3_web::models::Output;
use ia3_web::ops::PairLossKind;
use ia3_web::session::Pooling;
use ia3_web::train::{Batch, Encoded, Target, training_plan};

const TOLERANCE: f32 = 1e-4;

fn tensor(data: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(data, shape, &Device::Cpu).unwrap().to_dtype(DType::F64).unwrap()
}

fn var(data: &[f32], shape: &[usize]) -> Var {
    Var::from_tensor(&tensor(data, shape)).unwrap()
}

fn reference(weights: &Tensors, adapter: &Adapter) -> Bert {
    let bare = |module: &str| module.trim_start_matches("bert.").to_string();
    let vector = |((module, place), data): (&(String, Place), &Vec<f32>)| {
        let heads = adapter.per_head && *place == Place::Output && module.contains(".self.");
        let repeat = if heads { tiny::HIDDEN / tiny::HEADS } else { 1 };
        let data: Vec<f32> = data.iter().step_by(repeat).copied().collect();
        ((bare(module), *place), var(&data, &[data.len()]))
    };
    let head = adapter.head.as_ref().unwrap().last();
    Bert {
        weights: weights.iter().map(|(name, found)| (name.clone(), tensor(&found.data, &found.shape))).collect(),
        vectors: adapter.vectors.iter().map(vector).collect(),
        shifts: adapter.shifts.iter().map(vector).collect(),
        head: [var(&head.weight, &[LABELS, head.in_features]), var(&head.bias, &[LABELS])],
    }
}

/// Rows padded to one length.
fn padded(texts: &[Encoded], of: impl Fn(&Encoded) -> &[u32]) -> Tensor {
    let row = |text: &Encoded| [of(text), &vec![0; SHAPE.length - text.ids.len()]].concat();
    Tensor::from_vec(texts.iter().flat_map(row).collect::<Vec<u32>>(), (SHAPE.batch, SHAPE.length), &Device::Cpu)
        .unwrap()
}

fn expected(bert: &Bert, texts: &[Encoded], labels: &[usize], pooling: Pooling, output: Output) -> (f32, GradStore) {
    let ones: Vec<Encoded> =
        texts.iter().map(|text| Encoded { ids: vec![1; text.ids.len()], ..text.clone() }).collect();
    let mask = padded(&ones, |text| &text.ids).to_dtype(DType::F64).unwrap();
    let inputs = Texts { ids: padded(texts, |text| &text.ids), types: padded(texts, |text| &text.types), mask };
    let labels = Tensor::from_iter(labels.iter().map(|label| *label as u32), &Device::Cpu).unwrap();
    let weights = tensor(&[1.0 / SHAPE.batch as f32; SHAPE.batch], &[SHAPE.batch]);
    let embeddings = bert.embed(&inputs, pooling).unwrap();
    let similarity = || losses::normalize(&embeddings).and_then(|unit| unit.matmul(&unit.t()?)).unwrap();
    let loss = match output {
        Output::Contrastive(PairLossKind::Cosine) => losses::cosine(&similarity(), &labels, &weights),
        Output::Contrastive(PairLossKind::SupervisedContrastive { temperature }) => {
            losses::supervised_contrastive(&similarity(), &labels, &weights, temperature.into())
        }
        _ => losses::cross_entropy(&bert.logits(&embeddings).unwrap(), &labels, &weights),
    };
    let loss = loss.unwrap();
    (loss.to_scalar::<f64>().unwrap() as f32, loss.backward().unwrap())
}

fn flat(gradients: &GradStore, var: &Var) -> Vec<f32> {
    let gradient = gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    gradient.into_iter().map(|g| g as f32).collect()
}

fn check(pooling: Pooling, output: Output, config: AdapterConfig) {
    check_with(pooling, output, config, Fresh::default());
}

fn check_with(pooling: Pooling, output: Output, config: AdapterConfig, fresh: Fresh) {
    let random = &mut Random::new(5);
    let model = tiny::model(pooling.into());
    let weights = tiny::weights(&model, random);
    let mut adapter = tiny::adapter(&model, config, fresh, random);
    let texts = tiny::texts(random);
    let labels = [0, 1, 2, 0, 1, 1];
    let bert = reference(&weights, &adapter);
    let (loss, expected) = expected(&bert, &texts, &labels, pooling, output);
    if matches!(output, Output::Contrastive(_)) {
        adapter.head = None;
    }
    let layout = Layout::union(&model.sites().unwrap(), &[&adapter]);
    let targets = labels.map(Target::Class);
    let (rows, targets) = (texts.iter().collect(), targets.iter().collect());
    let batch = Batch { rows, targets, weight: 1.0 / SHAPE.batch as f32, ..Batch::default() };
    for (device, mut backend) in devices() {
        load_tensors(&mut backend, &model, &weights);
        let plan = training_plan(&model, SHAPE, &layout, output, false).unwrap();
        let (found, gradient) =
            gradient(&mut backend, plan, &layout.pack(&adapter), &[batch.inputs(SHAPE, model.common().padding)]);
        assert_close(&format!("{device} {output:?}"), &[found], &[loss], TOLERANCE);
        for vector in &layout.vectors {
            let key = (vector.module.trim_start_matches("bert.").to_string(), vector.place);
            let what = format!("{device} {output:?} {}", vector.module);
            let (scale, shift) = gradient[vector.offset..][..vector.elements()].split_at(vector.len);
            assert_close(&what, scale, &flat(&expected, &bert.vectors[&key]), TOLERANCE);
            assert_eq!(vector.shifted, fresh.shift, "{what}");
            if vector.module.ends_with(".key") {
                // A shift of all keys adds as much to every score of a query, which no softmax sees.
                assert!(shift.iter().all(|g| g.abs() < 1e-5), "{what} {shift:?}");
            } else if fresh.shift {
                assert_close(&format!("{what} shift"), shift, &flat(&expected, &bert.shifts[&key]), TOLERANCE);
            }
        }
        if !layout.head.is_empty() {
            let found = &gradient[layout.head_start()..];
            let expected = bert.head.each_ref().map(|var| flat(&expected, var)).concat();
            assert_close(&format!("{device} {output:?} head"), found, &expected, TOLERANCE);
        }
    }
}

fn targets(names: &[&str], feedforward: &[&str]) -> AdapterConfig {
    let list = |names: &[&str]| Some(Targets::List(names.iter().map(|name| name.to_string()).collect()));
    AdapterConfig { target_modules: list(names), feedforward_modules: list(feedforward), ..AdapterConfig::default() }
}

const LOSSES: [Output; 3] = [
    Output::CrossEntropy,
    Output::Contrastive(PairLossKind::Cosine),
    Output::Contrastive(PairLossKind::SupervisedContrastive { temperature: 0.5 }),
];

#[test]
fn default_targets_under_mean_pooling() {
    LOSSES.into_iter().for_each(|output| check(Pooling::Mean, output, AdapterConfig::default()));
}

#[test]
fn default_targets_under_the_pooler() {
    LOSSES.into_iter().for_each(|output| check(Pooling::Pooler, output, AdapterConfig::default()));
}

#[test]
fn outputs_of_every_layer() {
    let every = ["query", "key", "value", "dense"];
    check(Pooling::Mean, Output::CrossEntropy, targets(&every[..3], &[]));
    check(Pooling::Pooler, Output::CrossEntropy, targets(&every, &[]));
}

#[test]
fn inputs_of_every_layer() {
    let every = ["query", "key", "value", "dense"];
    check(Pooling::Pooler, Output::CrossEntropy, targets(&every, &every));
}

#[test]
fn shifts_of_outputs_and_inputs() {
    let fresh = Fresh { shift: true, ..Fresh::default() };
    LOSSES.into_iter().for_each(|output| check_with(Pooling::Mean, output, AdapterConfig::default(), fresh));
    let every = ["query", "key", "value", "dense"];
    check_with(Pooling::Pooler, Output::CrossEntropy, targets(&every, &[]), fresh);
    check_with(Pooling::Pooler, Output::CrossEntropy, targets(&every, &every), fresh);
}

#[test]
fn one_value_for_each_attention_head() {
    for shift in [false, true] {
        let fresh = Fresh { per_head: true, shift, ..Fresh::default() };
        check_with(Pooling::Mean, Output::CrossEntropy, AdapterConfig::default(), fresh);
        check_with(
            Pooling::Pooler,
            Output::CrossEntropy,
            targets(&["query", "key", "value", "dense"], &["key"]),
            fresh,
        );
    }
}

#[test]
fn inputs_and_outputs_side_by_side_in_one_projection() {
    check(Pooling::Mean, Output::CrossEntropy, targets(&["query", "key", "value"], &["query"]));
    check(Pooling::Mean, Output::CrossEntropy, targets(&["query", "value", "intermediate.dense"], &["value"]));
}
