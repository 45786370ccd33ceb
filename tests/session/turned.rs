//! GPT-2 in the blocks of a GGUF, whose matrices are the other way round than those of Hugging Face's files: they stay as they are, and all
//! that is made of them is what their numbers make.

use super::blocks::{SAFETENSORS, examples, of_file, scores};
use super::merge::merged_as;
use super::merge_gguf::{GGUF, loaded, parse};
use crate::support::session::*;
use crate::support::{assert_close, bytes, devices};
use ia3_web::Error;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::BlockType;
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::session::{Dtype, MergeOptions, Session, Task};
use ia3_web::train::TrainOptions;
use serde_json::{Value, json};

const FILE: &str = "gguf/gpt2-blocks.gguf";

fn gpt2(backend: Backend, dtype: Option<Dtype>) -> Session {
    of_file(FILE, backend, dtype)
}

fn add(session: &mut Session, name: &str, options: Value) {
    session.add_adapter(name, serde_json::from_value(options).unwrap()).unwrap();
}

/// Vectors on both sides, so that rows and columns are told apart.
fn everywhere() -> Value {
    json!({"targetModules": ["c_attn", "c_fc", "c_proj"], "feedforwardModules": ["c_fc", "c_proj"], "init": {"uniform": 0.5}, "shift": true})
}

#[test]
fn answers_and_training_are_those_of_the_numbers() {
    let mut floats = gpt2(Backend::cpu(), Some(Dtype::F32));
    let before = scores(&mut floats, &BASE);
    add(&mut floats, "a", everywhere());
    let options = TrainOptions { learning_rate: Some(1e-2), ..steps(3) };
    let (_, expected) = train_on(&mut floats, "a", &examples(), &[], &options);
    let after = scores(&mut floats, &active(&["a"]));
    for (device, backend) in devices() {
        let mut session = gpt2(backend, None);
        assert_close(device, &scores(&mut session, &BASE), &before, 2e-5);
        add(&mut session, "a", everywhere());
        let (_, result) = train_on(&mut session, "a", &examples(), &[], &options);
        assert_close(device, &result.losses, &expected.losses, 2e-5);
        assert_close(device, &scores(&mut session, &active(&["a"])), &after, 1e-3);
    }
}

#[test]
fn its_matrices_take_the_memory_of_their_blocks() {
    let file = bytes(FILE);
    let in_file: u64 = parse(&file).tensors.iter().map(|tensor| tensor.bytes).sum();
    for (device, backend) in devices() {
        let session = gpt2(backend, None);
        let kinds: Vec<_> =
            session.model().formats.values().filter(|format| format.turned).map(|format| format.kind).collect();
        assert!(kinds.len() == 8 && !kinds.contains(&BlockType::F32), "{kinds:?}");
        let most = if device == "cpu" { in_file } else { in_file + in_file / 9 };
        assert!((in_file..=most).contains(&(session.weight_bytes() as u64)), "{device}");
    }
}

/// Hugging Face's file has them as transformers does, and what reads it answers as base and adapter do.
#[test]
fn a_merged_safetensors_has_them_the_other_way_round() {
    let mut merged = Vec::new();
    for dtype in [None, Some(Dtype::F32)] {
        for (_, backend) in devices() {
            let mut session = gpt2(backend, dtype);
            add(&mut session, "a", everywhere());
            merged.push((merged_as(&mut session, "a", SAFETENSORS), scores(&mut session, &active(&["a"]))));
        }
    }
    assert!(merged.windows(2).all(|pair| pair[0].0 == pair[1].0));
    let (file, expected) = &merged[0];
    let tensors = read_all(file).unwrap();
    assert_eq!(tensors["transformer.h.0.attn.c_attn.weight"].shape, [64, 3 * 64]);
    assert_eq!(tensors["transformer.h.0.mlp.c_proj.weight"].shape, [96, 64]);
    // A session that has read the GGUF takes the other file too.
    let mut session = gpt2(Backend::cpu(), None);
    load_file(&mut session, file, 9973).unwrap();
    assert!(session.model().formats.values().all(|format| !format.turned));
    assert_close("merged", &scores(&mut session, &BASE), expected, 1e-4);
}

/// A vector of outputs goes into the scales of rows; one of inputs cannot.
#[test]
fn output_vectors_are_folded_into_scales() {
    let mut session = gpt2(Backend::cpu(), None);
    add(
        &mut session,
        "rows",
        json!({"targetModules": ["c_attn", "c_fc"], "feedforwardModules": [], "init": {"uniform": 0.5}}),
    );
    let file = merged_as(&mut session, "rows", MergeOptions::default());
    let own = bytes(FILE);
    for (before, after) in parse(&own).tensors.iter().zip(&parse(&file).tensors) {
        assert_eq!((&before.name, &before.shape, before.kind), (&after.name, &after.shape, after.kind));
    }
    let expected = scores(&mut session, &active(&["rows"]));
    let base = scores(&mut session, &BASE);
    let found = scores(&mut loaded(&file, Task::TextGeneration), &BASE);
    let error = |other: &[f32]| expected.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error(&found) < 0.01 * error(&base), "{} beside {}", error(&found), error(&base));

    add(
        &mut session,
        "columns",
        json!({"targetModules": ["mlp.c_proj"], "feedforwardModules": ["mlp.c_proj"], "init": {"uniform": 0.5}}),
    );
    match session.begin_merge("columns", GGUF).unwrap_err() {
        Error::NotFoldable { modules, .. } => {
            assert_eq!(modules, ["transformer.h.0.mlp.c_proj", "transformer.h.1.mlp.c_proj"]);
        }
        other => panic!("{other}"),
    }
    let file = merged_as(&mut session, "columns", MergeOptions { requantise: true, ..GGUF });
    let expected = scores(&mut session, &active(&["columns"]));
    let found = scores(&mut loaded(&file, Task::TextGeneration), &BASE);
    assert_close("requantised", &found, &expected, 0.05);
}
