//! One value for each attention head: a run takes the steps that the values themselves would take, each used for all of its channels.

use crate::support::golden::Bench;
use crate::support::random::Random;
use crate::support::{assert_close, batch, devices, json, load_tensors, run::gradient};
use crate::tiny::{self, SHAPE};
use ia3_web::adapter::{Adapter, AdapterConfig, Fresh, Init, Layout, Place, TaskType};
use ia3_web::backend::{Backend, Inputs, TrainState};
use ia3_web::models::{Model, Output};
use ia3_web::ops::PairLossKind;
use ia3_web::train::{Adafactor, AdamW, Batch, Optimizer, Rates, Target, training_plan};
use pollster::block_on;

const STEPS: usize = 4;
const TOLERANCE: f32 = 1e-4;

fn adamw(step: usize, layout: &Layout) -> Optimizer {
    let segments = Rates { vectors: 2e-2, head: 1e-2, layers: &[] }.segments(layout);
    // Every gradient here is larger, so that the norm decides each step: it counts a head once and not once a channel.
    let max_grad_norm = 1e-2;
    AdamW { step, segments, weight_decay: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-3, max_grad_norm }.into()
}

fn adafactor(step: usize, layout: &Layout) -> Optimizer {
    let segments = Rates { vectors: 2e-2, head: 1e-2, layers: &[] }.segments(layout);
    Adafactor { step, segments, ..Adafactor::default() }.into()
}

/// Adds up the gradient of every channel for each head.
fn folded(found: &[f32], channels: &Layout, heads: &Layout) -> Vec<f32> {
    let mut folded = Vec::new();
    for (heads, channels) in heads.vectors.iter().zip(&channels.vectors) {
        let found = &found[channels.offset..][..channels.elements()];
        folded.extend(found.chunks(heads.repeat).map(|head| head.iter().sum::<f32>()));
    }
    folded.extend(&found[channels.head_start()..]);
    folded
}

/// The run's own parameters after some steps.
fn trained(
    backend: &mut Backend,
    (model, layout, adapter): (&Model, &Layout, &Adapter),
    batch: &[Inputs],
    settings: fn(usize, &Layout) -> Optimizer,
) -> Vec<f32> {
    let parameters = layout.pack(adapter);
    let zeros = vec![0.0; parameters.len()];
    let state = TrainState { parameters, first: zeros.clone(), second: zeros, step: 0 };
    let plan = training_plan(model, SHAPE, layout, Output::CrossEntropy, false).unwrap();
    let mut training = block_on(backend.begin_training(&state, &settings(1, layout))).unwrap();
    let mut program = block_on(backend.compile_training(plan, &training)).unwrap();
    for step in 1..=STEPS {
        block_on(backend.train_step(&mut training, &mut program, batch, &settings(step, layout))).unwrap();
    }
    block_on(backend.completed(&mut training, 0)).unwrap().pop().unwrap().state.parameters
}

/// The same from gradients of every channel, added up for each head.
fn expected(
    backend: &mut Backend,
    (model, layout, adapter): (&Model, &Layout, &Adapter),
    batch: &[Inputs],
    settings: fn(usize, &Layout) -> Optimizer,
) -> Vec<f32> {
    let mut adapter = Adapter { per_head: false, ..adapter.clone() };
    let channels = Layout::union(&model.sites().unwrap(), &[&adapter]);
    let mut parameters = layout.pack(&adapter);
    let (mut first, mut second) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
    for step in 1..=STEPS {
        layout.unpack(&parameters, &mut adapter);
        let plan = training_plan(model, SHAPE, &channels, Output::CrossEntropy, false).unwrap();
        let (_, found) = gradient(backend, plan, &channels.pack(&adapter), batch);
        let found = folded(&found, &channels, layout);
        settings(step, layout).update(&mut parameters, &mut first, &mut second, &found, Optimizer::norm(&found));
    }
    parameters
}

#[test]
fn a_run_takes_the_steps_of_the_values_themselves() {
    let random = &mut Random::new(9);
    let model = tiny::model(TaskType::SeqCls);
    let weights = tiny::weights(&model, random);
    let texts = tiny::texts(random);
    let targets = [0, 1, 2, 0, 1, 1].map(Target::Class);
    let (rows, targets) = (texts.iter().collect(), targets.iter().collect());
    let batch = Batch { rows, targets, weight: 1.0 / SHAPE.batch as f32, ..Batch::default() };
    let batch = [batch.inputs(SHAPE, model.common().padding)];
    let fresh = Fresh { per_head: true, ..Fresh::default() };
    let adapter = tiny::adapter(&model, AdapterConfig::default(), fresh, random);
    let layout = Layout::union(&model.sites().unwrap(), &[&adapter]);
    // Keys and values of both layers have a value a head, attention and feed-forward inputs one a channel.
    assert_eq!(layout.head_start(), 2 * (2 * tiny::HEADS + tiny::HIDDEN + 36));
    for settings in [adamw, adafactor] {
        for (device, mut backend) in devices() {
            load_tensors(&mut backend, &model, &weights);
            let told = (&model, &layout, &adapter);
            let (found, expected) =
                (trained(&mut backend, told, &batch, settings), expected(&mut backend, told, &batch, settings));
            assert_close(device, &found, &expected, TOLERANCE);
            assert!(
                crate::support::relative_error(&found, &layout.pack(&adapter)) > 1e-3,
                "{device}: nothing was learned"
            );
        }
    }
}

const FAMILIES: [&str; 12] = [
    "bert",
    "roberta",
    "distilbert",
    "mpnet",
    "gpt2",
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma3_text",
    "t5",
    "t5-gated",
];

/// The heads of a layer by its configuration: those of the keys, which queries may share, or all three where one layer makes all.
fn heads_of(config: &serde_json::Value, module: &str) -> usize {
    let number = |name: &str| config[name].as_u64().map(|number| number as usize);
    let names = ["num_key_value_heads", "num_attention_heads", "n_heads", "n_head", "num_heads"];
    let heads = names.into_iter().find_map(number).unwrap();
    if module.ends_with("c_attn") { 3 * heads } else { heads }
}

/// Keys, values and the inputs of feed-forward layers of every family, shifted too: the gradient of a head's value is the sum over its channels.
#[test]
fn heads_of_every_family_add_up_their_channels() {
    for family in FAMILIES {
        let (case, task, output) = match family.starts_with("t5") {
            true => ("text2text-generation", TaskType::Seq2SeqLm, Output::CrossEntropy),
            false => ("feature-extraction", TaskType::FeatureExtraction, Output::Contrastive(PairLossKind::Cosine)),
        };
        for (device, backend) in devices() {
            let mut bench = Bench::new(backend, &format!("families/{family}"), case, task, 0);
            let mut config = AdapterConfig::paper(&bench.base.model_type).unwrap();
            let places = bench.base.settle(&mut config).unwrap();
            let told = Fresh { init: Init::Uniform(0.5), seed: 3, shift: true, per_head: true };
            let mut adapter = Adapter::new(config, &bench.base.sites, &places, told);
            for (key, shift) in &mut adapter.shifts {
                *shift = adapter.vectors[key].iter().map(|value| value - 1.2).collect();
            }
            let heads = Layout::union(&bench.base.sites, &[&adapter]);
            adapter.per_head = false;
            let channels = Layout::union(&bench.base.sites, &[&adapter]);
            let (shape, inputs) = batch(&bench.case, &bench.model);
            let mut of = |layout: &Layout| {
                let plan = training_plan(&bench.model, shape, layout, output, false).unwrap();
                gradient(&mut bench.backend, plan, &layout.pack(&adapter), std::slice::from_ref(&inputs))
            };
            let ((loss, found), (expected_loss, expected)) = (of(&heads), of(&channels));
            assert_close(&format!("{device} {family} loss"), &[loss], &[expected_loss], TOLERANCE);
            let expected = folded(&expected, &channels, &heads);
            let numbers = json(&format!("families/{family}/config.json"));
            for vector in &heads.vectors {
                let what = format!("{device} {family} {}", vector.module);
                let part = vector.offset..vector.offset + vector.len;
                assert_close(&what, &found[part.clone()], &expected[part], TOLERANCE);
                let whole = vector.place == Place::Input;
                assert_eq!(vector.len == heads_of(&numbers, &vector.module), !whole, "{what}");
            }
            let most = |values: &[f32]| values.iter().fold(0_f32, |most, x| most.max(x.abs()));
            let scale = most(&expected);
            assert!(
                scale > 0.0 && found.iter().zip(&expected).all(|(a, b)| (a - b).abs() <= TOLERANCE * scale),
                "{device} {family}"
            );
        }
    }
}
