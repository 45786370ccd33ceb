//! The real base model against transformers and PEFT: embeddings, logits, and twenty steps of training in three arrangements of vectors.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::backend::Backend;
use ia3_web::checkpoint::safetensors::write;
use ia3_web::session::Pooling;
use ia3_web::session::{ActivationDtype, EndReason, Example, InferOptions, Session, SessionOptions, Task, Text};
use ia3_web::train::{Objective, Schedule, TrainOptions};
use pollster::block_on;
use serde_json::Value;
use support::session::{BASE, Files, active, load_file, saved, step, text};
use support::{assert_close, hub_file, json, tensors};

/// A file of the base model.
fn base_file(name: &str) -> Vec<u8> {
    hub_file("sentence-transformers/all-MiniLM-L6-v2", name)
}

fn labels() -> Vec<String> {
    serde_json::from_value(json("minilm/run.json")["label_names"].clone()).unwrap()
}

fn session(pooling: Pooling) -> Session {
    let told = SessionOptions {
        model_id: None,
        revision: None,
        task: Task::TextClassification,
        labels: labels(),
        pooling,
        seed: 0,
        dtype: None,
        activation_dtype: ActivationDtype::F32,
    };
    let mut session = Session::new(&base_file("config.json"), &base_file("tokenizer.json"), told).unwrap();
    session.set_backend(Backend::cpu());
    load_file(&mut session, &base_file("model.safetensors"), 1 << 20).unwrap();
    session
}

fn examples() -> Vec<Example> {
    let run = json("minilm/run.json");
    let sentences: Vec<String> = serde_json::from_value(run["sentences"].clone()).unwrap();
    let numbers: Vec<usize> = serde_json::from_value(run["labels"].clone()).unwrap();
    let example = |(sentence, number): (&String, &usize)| Example::Labelled {
        text: text(sentence),
        label: labels()[*number].clone(),
    };
    sentences.iter().zip(&numbers).map(example).collect()
}

fn texts() -> Vec<Text> {
    let sentences: Vec<String> = serde_json::from_value(json("minilm/run.json")["sentences"].clone()).unwrap();
    sentences.iter().map(|sentence| text(sentence)).collect()
}

/// Adds an adapter of ones with the head that the reference run started from.
fn add_with_head(session: &mut Session, name: &str, config: &Value) {
    let option = |name: &str| config.get(name).cloned().unwrap_or(Value::Null);
    let told = serde_json::json!({
        "targetModules": option("target_modules"), "feedforwardModules": option("feedforward_modules"),
    });
    session.add_adapter("ones", serde_json::from_value(told).unwrap()).unwrap();
    let (mut files, mut tensors) = (session.save_adapter("ones").unwrap(), saved(session, "ones"));
    for (name, tensor) in support::tensors("minilm/head.safetensors") {
        tensors.insert(format!("base_model.model.classifier.{name}"), tensor);
    }
    files.insert("adapter_model.safetensors".into(), write(&tensors));
    session.delete_adapter("ones").unwrap();
    load(session, name, &files);
}

fn load(session: &mut Session, name: &str, files: &Files) {
    assert_eq!(session.load_adapter(name, files), Ok(Vec::new()));
}

/// Full-batch AdamW at one rate, as the reference run.
fn optimizer() -> TrainOptions {
    let rate = json("minilm/run.json")["optimizer"]["learning_rate"].as_f64().unwrap() as f32;
    TrainOptions {
        steps: Some(20),
        batch_size: Some(8),
        learning_rate: Some(rate),
        head_learning_rate: Some(rate),
        objective: Some(Objective::CrossEntropy),
        warmup_ratio: Some(0.0),
        schedule: Some(Schedule::Constant),
        max_grad_norm: Some(0.0),
        ..TrainOptions::default()
    }
}

/// Differences between the two logits of each text, from the probabilities.
fn log_odds(session: &mut Session, name: &str) -> Vec<f32> {
    let answers = block_on(session.classify(&texts(), &active(&[name]), InferOptions::default())).unwrap();
    answers.iter().map(|answer| (answer.scores[&labels()[1]] / answer.scores[&labels()[0]]).ln()).collect()
}

fn differences(logits: &[f32]) -> Vec<f32> {
    logits.chunks(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn embeddings_are_those_of_sentence_transformers() {
    let found = block_on(session(Pooling::Mean).embed(&texts(), &BASE, InferOptions::default())).unwrap();
    let expected = tensors("minilm/expected.safetensors");
    assert_close("embeddings", &found.rows.concat(), &expected["embeddings"].data, 1e-4);
}

#[test]
fn twenty_steps_follow_pefts_loss_curve() {
    let (run, expected) = (json("minilm/run.json"), tensors("minilm/expected.safetensors"));
    let mut session = session(Pooling::Pooler);
    for config in ["default", "paper", "regex"] {
        add_with_head(&mut session, config, &run["configs"][config]);
        let start = log_odds(&mut session, config);
        assert_close("logits at the start", &start, &differences(&expected["logits"].data), 1e-3);
        block_on(session.begin_training(config, &examples(), &[], &optimizer())).unwrap();
        step(&mut session, 20).unwrap();
        let losses = block_on(session.end_training(EndReason::Failed)).unwrap().losses;
        let curve: Vec<f32> = serde_json::from_value(run["losses"][config].clone()).unwrap();
        for (at, (found, expected)) in losses.iter().zip(&curve).enumerate() {
            assert!((found - expected).abs() < 1e-3, "{config}, step {}: {found}, not {expected}", at + 1);
        }
        assert_eq!(losses.len(), curve.len());
        let last = &expected[&format!("{config}.final_logits")].data;
        assert_close("logits at the end", &log_odds(&mut session, config), &differences(last), 1e-2);
    }
    for (name, tensor) in tensors("minilm/final.safetensors") {
        assert_close(&name, &saved(&session, "default")[&name].data, &tensor.data, 1e-2);
    }
}

/// 16,128 elements of vectors and 770 of the head: `print_trainable_parameters` of PEFT.
#[test]
fn as_many_parameters_are_trained_as_in_peft() {
    let mut session = session(Pooling::Pooler);
    session.add_adapter("a", Default::default()).unwrap();
    assert_eq!(session.trainable_parameters("a").unwrap().trainable, 16_898);
}
