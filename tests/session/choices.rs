//! What PEFT has no option for beside shifts: vectors drawn around one, values per attention head, learning rates per layer.

use crate::support::session::*;
use crate::support::{assert_close, bytes};
use ia3_web::Result;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::HostTensor;
use ia3_web::session::{AdapterOptions, Pooling, Selection, Session, SessionOptions, Start, Task};
use ia3_web::train::{LayerRates, Objective, OptimizerOption, TrainOptions};
use serde_json::json;
use std::collections::BTreeMap;

pub fn told(options: serde_json::Value) -> AdapterOptions {
    serde_json::from_value(options).unwrap()
}

pub fn add(session: &mut Session, name: &str, options: serde_json::Value) -> Result<()> {
    session.add_adapter(name, told(options))
}

/// A decoder of the fixtures with the tokenizer of the tiny BERT, whose vocabulary is as large.
pub fn decoder(family: &str) -> Session {
    let told = SessionOptions { task: Task::FeatureExtraction, labels: Vec::new(), ..options(Pooling::Mean) };
    let file = |name: &str| bytes(&format!("families/{family}/{name}"));
    let mut session = Session::new(&file("config.json"), &bytes("tiny-bert/tokenizer.json"), told).unwrap();
    session.set_backend(Backend::cpu());
    load_file(&mut session, &file("model.safetensors"), 4096).unwrap();
    session
}

pub fn cross_entropy(count: usize) -> TrainOptions {
    TrainOptions { objective: Some(Objective::CrossEntropy), ..steps(count) }
}

#[test]
fn rows_with_and_without_shifts_and_heads_answer_as_each_alone() {
    for (device, mut session) in sessions(Pooling::Mean) {
        add_drawn(&mut session, "plain", 3);
        add_shifted(&mut session, "shifted", json!({"targetModules": ["query", "value", "output.dense"]}), 4);
        let heads = json!({"perHead": true, "init": {"uniform": 0.5}, "targetModules": ["key", "query"], "feedforwardModules": []});
        add(&mut session, "heads", heads).unwrap();
        let rows = [None, Some("shifted"), Some("plain"), Some("heads")].map(|name| name.map(String::from));
        let found = embed(&mut session, &Selection::Rows(rows.to_vec()));
        let width = found.len() / rows.len();
        for (at, name) in rows.iter().enumerate() {
            let alone = embed(&mut session, &Selection::Active(name.iter().cloned().collect()));
            let row = at * width..(at + 1) * width;
            assert_close(&format!("{device} {name:?}"), &found[row.clone()], &alone[row], 1e-5);
        }
    }
}

#[test]
fn vectors_are_drawn_around_one_by_seed() {
    let mut session = session(Pooling::Mean);
    let options = [json!({"normal": 0.1}), json!({"uniform": 0.1})];
    for (at, init) in options.iter().enumerate() {
        for (name, seed) in [("a", 1), ("again", 1), ("other", 2)] {
            add(&mut session, &format!("{name}{at}"), json!({"init": init, "seed": seed})).unwrap();
        }
        let vectors = saved(&session, &format!("a{at}"));
        assert_eq!(vectors, saved(&session, &format!("again{at}")));
        assert_ne!(vectors, saved(&session, &format!("other{at}")));
        let values: Vec<f32> = vectors.values().flat_map(|vector| vector.data.clone()).collect();
        let mean = |of: &dyn Fn(f32) -> f32| values.iter().map(|x| of(*x)).sum::<f32>() / values.len() as f32;
        // A uniform distribution of this width deviates by a root of three less.
        let (mean, deviation) = (mean(&|x| x), mean(&|x| (x - 1.0).powi(2)).sqrt());
        assert!((mean - 1.0).abs() < 0.02 && (deviation - [0.1, 0.0577][at]).abs() < 0.01, "{mean} {deviation}");
        assert!(at == 0 || values.iter().all(|x| (x - 1.0).abs() <= 0.1));
    }
    add(&mut session, "ones", json!({"init": "ones"})).unwrap();
    assert!(saved(&session, "ones").values().flat_map(|vector| &vector.data).all(|x| *x == 1.0));
}

/// SplitMix64's numbers, worked out in Python.
#[test]
fn a_seed_draws_the_same_numbers_everywhere() {
    let mut session = session(Pooling::Mean);
    add(&mut session, "normal", json!({"init": {"normal": 0.02}, "seed": 42})).unwrap();
    add(&mut session, "uniform", json!({"init": {"uniform": 0.02}, "seed": 42})).unwrap();
    let first = |name: &str| {
        saved(&session, name)["base_model.model.encoder.layer.0.attention.self.key.ia3_l"].data[..3].to_vec()
    };
    assert_eq!(
        (first("normal"), first("uniform")),
        (vec![1.0082943, 0.9821623, 1.0345919], vec![1.0096626, 0.98639643, 0.99114406],)
    );
}

#[test]
fn attention_heads_have_one_value_each() {
    // Vectors of keys and values are three heads of eight channels.
    let heads = |name: &str| name.contains(".key.") || name.contains(".value.");
    let mut expected: Option<BTreeMap<String, HostTensor>> = None;
    for (device, mut session) in sessions(Pooling::Pooler) {
        add(&mut session, "a", json!({"perHead": true})).unwrap();
        assert_eq!(session.trainable_parameters("a").unwrap().trainable, 2 * (2 * 3 + 24 + 40) + 75, "{device}");
        let losses = train(&mut session, "a", &cross_entropy(6)).losses;
        assert!(losses[5] < losses[0], "{device} {losses:?}");
        let found = saved(&session, "a");
        for (name, tensor) in expected.get_or_insert_with(|| found.clone()) {
            assert_close(&format!("{device} {name}"), &found[name].data, &tensor.data, 1e-4);
        }
        for (name, tensor) in found.iter().filter(|(name, _)| heads(name)) {
            assert_eq!(tensor.shape, [24, 1], "{name}");
            let values: Vec<f32> = tensor.data.iter().step_by(8).copied().collect();
            assert!(tensor.data.iter().enumerate().all(|(at, x)| *x == values[at / 8]), "{device} {name}");
            assert!(values[0] != values[1] && values[1] != values[2], "{device} {name} {values:?}");
        }
    }
}

/// Grouped queries have fewer key heads, and the paper's targets are keys and values.
#[test]
fn key_heads_are_those_that_queries_share() {
    let mut session = decoder("qwen2");
    add(
        &mut session,
        "a",
        json!({"perHead": true, "targetModules": ["q_proj", "k_proj", "v_proj"], "feedforwardModules": []}),
    )
    .unwrap();
    // Three layers with six query heads, three key heads and three value heads; the head of this task has no labels.
    let head = 24 + 1;
    assert_eq!(session.trainable_parameters("a").unwrap().trainable - head, 3 * (6 + 3 + 3));
    let mut gpt2 = decoder("gpt2");
    add(&mut gpt2, "a", json!({"perHead": true, "targetModules": ["c_attn"], "feedforwardModules": []})).unwrap();
    assert_eq!(gpt2.trainable_parameters("a").unwrap().trainable - (20 + 1), 2 * 3 * 4);
}

#[test]
fn a_saved_adapter_remembers_that_its_heads_have_one_value() {
    let mut session = session(Pooling::Pooler);
    add(&mut session, "a", json!({"perHead": true, "shift": true})).unwrap();
    train(&mut session, "a", &cross_entropy(2));
    let mut files = session.save_adapter("a").unwrap();
    session.load_adapter("b", &files).unwrap();
    let count = |session: &Session, name: &str| session.trainable_parameters(name).unwrap().trainable;
    assert_eq!(count(&session, "b"), count(&session, "a"));
    train(&mut session, "a", &cross_entropy(2));
    train(&mut session, "b", &cross_entropy(2));
    assert_eq!(session.save_adapter("b").unwrap(), session.save_adapter("a").unwrap());
    // What PEFT reads alone is an ordinary adapter that answers the same.
    let expected = embed(&mut session, &active(&["a"]));
    files = session.save_adapter("a").unwrap();
    files.remove("ia3_options.json");
    session.load_adapter("channels", &files).unwrap();
    assert_eq!(embed(&mut session, &active(&["channels"])), expected);
    assert!(count(&session, "channels") > count(&session, "a"));
    // It can go on with one value a head if it is told to.
    let again = AdapterOptions { from: Some(Start::Files(files)), ..told(json!({"perHead": true})) };
    session.add_adapter("again", again).unwrap();
    assert_eq!(count(&session, "again"), count(&session, "a"));
}

#[test]
fn a_start_passes_its_shifts_and_heads_on() {
    let mut session = session(Pooling::Mean);
    add_shifted(&mut session, "shifted", json!({}), 8);
    add(&mut session, "heads", json!({"perHead": true, "init": {"normal": 0.3}})).unwrap();
    let from = |name: &str, options| AdapterOptions { from: Some(Start::Name(name.into())), ..told(options) };
    session.add_adapter("a", from("shifted", json!({}))).unwrap();
    assert_eq!(session.save_adapter("a").unwrap(), session.save_adapter("shifted").unwrap());
    session.add_adapter("b", from("heads", json!({"shift": true}))).unwrap();
    assert!(session.save_adapter("b").unwrap().contains_key("ia3_options.json"));
    assert_eq!(embed(&mut session, &active(&["b"])), embed(&mut session, &active(&["heads"])));
    session.add_adapter("c", from("heads", json!({"perHead": false}))).unwrap();
    assert!(!session.save_adapter("c").unwrap().contains_key("ia3_options.json"));
    assert_eq!(saved(&session, "c"), saved(&session, "heads"));
}

#[test]
fn layers_learn_at_rates_of_their_own() {
    let rates = |rates: &[f32]| Some(LayerRates::All(rates.to_vec()));
    for optimizer in [OptimizerOption::Adamw, OptimizerOption::Adafactor] {
        let run = |session: &mut Session, name: &str, learning_rate, layer_learning_rates| {
            add(session, name, json!({"shift": true})).unwrap();
            let told = TrainOptions {
                optimizer: Some(optimizer),
                learning_rate: Some(learning_rate),
                head_learning_rate: Some(0.03),
                layer_learning_rates,
                ..cross_entropy(3)
            };
            train(session, name, &told);
            (saved(session, name), shifts(session, name))
        };
        for (device, mut session) in sessions(Pooling::Pooler) {
            let what = format!("{device} {optimizer:?}");
            let plain = run(&mut session, "plain", 0.02, None);
            assert_eq!(run(&mut session, "ones", 0.02, rates(&[1.0, 1.0])), plain, "{what}");
            // A power of two only moves the exponent.
            assert_eq!(run(&mut session, "halves", 0.04, rates(&[0.5, 0.5])), plain, "{what}");
            let named = Some(LayerRates::Some([("0".to_string(), 0.0)].into()));
            let (vectors, shifts) = run(&mut session, "frozen", 0.02, named);
            let learned = |tensor: &HostTensor, start: f32| tensor.data.iter().any(|x| *x != start);
            for (name, tensor) in vectors.iter().filter(|(name, _)| name.ends_with("ia3_l")) {
                assert_eq!(learned(tensor, 1.0), name.contains("layer.1."), "{what} {name}");
                assert_eq!(
                    learned(&shifts[&name.replace("ia3_l", "ia3_b")], 0.0),
                    name.contains("layer.1."),
                    "{what} {name}"
                );
            }
            let head = "base_model.model.classifier.weight";
            assert_ne!(vectors[head], plain.0[head], "{what}: the head learned beside other vectors");
        }
    }
}
