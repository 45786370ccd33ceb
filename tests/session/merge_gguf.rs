//! Adapters folded into a GGUF: into the scales of its blocks where those can take them up.

use super::blocks::{SAFETENSORS, mixed, scores};
use super::merge::merged_as;
use crate::support::session::*;
use crate::support::{assert_close, bytes, devices};
use ia3_web::Error;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::BlockType;
use ia3_web::checkpoint::gguf::{Gguf, GgufTensor, Value};
use ia3_web::session::{
    Continuation, Dtype, InferOptions, MergeFormat, MergeOptions, Pooling, Session, SessionOptions, Task,
};
use pollster::block_on;
use serde_json::{Value as Json, json};
use std::path::Path;

pub const GGUF: MergeOptions = MergeOptions { format: Some(MergeFormat::Gguf), requantise: false };

fn add(session: &mut Session, options: Json) {
    session.add_adapter("a", serde_json::from_value(options).unwrap()).unwrap();
}

/// A session on `file`, as it describes itself.
pub fn loaded(file: &[u8], task: Task) -> Session {
    let head = parse(file);
    let options = SessionOptions { task, labels: Vec::new(), ..options(Pooling::Mean) };
    let mut session = Session::new(&head.config().unwrap(), &head.metadata.tokenizer().unwrap(), options).unwrap();
    session.set_backend(Backend::cpu());
    load_file(&mut session, file, 9973).unwrap();
    session
}

pub fn parse(file: &[u8]) -> Gguf<'_> {
    Gguf::parse("m.gguf", file).unwrap().unwrap()
}

fn numbers(file: &[u8], tensor: &GgufTensor) -> Vec<f32> {
    let mut found = Vec::new();
    tensor.kind.dequantise(&file[tensor.start as usize..][..tensor.bytes as usize], &mut found);
    found
}

/// PEFT's targets, and one whose rows llama.cpp has in another order.
fn usual() -> Json {
    json!({"targetModules": ["q_proj", "k_proj", "v_proj", "down_proj"], "feedforwardModules": ["down_proj"], "init": {"uniform": 0.9}})
}

#[test]
fn a_merged_gguf_alone_answers_as_model_and_adapter_did() {
    for (device, backend) in devices() {
        let mut session = mixed(backend, None);
        add(&mut session, usual());
        let (expected, base) = (scores(&mut session, &active(&["a"])), scores(&mut session, &BASE));
        let file = merged_as(&mut session, "a", MergeOptions::default());
        let found = scores(&mut loaded(&file, Task::TextGeneration), &BASE);
        assert_close(device, &found, &expected, 2e-3);
        let moved = expected.iter().zip(&base).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(moved > 0.1, "the adapter shows: {moved}");
        assert_eq!(scores(&mut session, &BASE), base);
    }
}

/// Settings, names, order and formats are the file's; tensors without a vector are so byte for byte.
#[test]
fn a_merged_gguf_is_the_file_but_for_its_scales() {
    let own = bytes("gguf/mixed.gguf");
    let mut session = mixed(Backend::cpu(), None);
    add(&mut session, usual());
    let file = merged_as(&mut session, "a", GGUF);
    let (before, after) = (parse(&own), parse(&file));
    assert_eq!(after.head_bytes, before.head_bytes);
    assert_eq!(file[..4], *b"GGUF");
    assert_eq!(file[8..after.head_bytes as usize], own[8..before.head_bytes as usize]);
    assert_eq!(after.tensors, before.tensors);
    let mut changed = Vec::new();
    for tensor in &after.tensors {
        let part = tensor.start as usize..(tensor.start + tensor.bytes) as usize;
        if file[part.clone()] != own[part] {
            changed.push(tensor.name.rsplit('.').nth(1).unwrap());
        }
    }
    changed.sort_unstable();
    changed.dedup();
    // The second layer's `ffn_down` is BF16, whose elements have no scale in common.
    assert_eq!(changed, ["attn_k", "attn_q", "attn_v", "ffn_down", "ffn_up"]);
    let ones = {
        add_ones(&mut session);
        merged_as(&mut session, "ones", GGUF)
    };
    assert_eq!(ones, [&own[..4], &3_u32.to_le_bytes(), &own[8..]].concat()[..ones.len()]);
    write_for_python(&session, "mixed", &file);
}

fn add_ones(session: &mut Session) {
    session.add_adapter("ones", Default::default()).unwrap();
}

/// Left with the adapter that is folded in, for a check with PyPI's gguf: see tests/python/gguf.sh.
fn write_for_python(session: &Session, name: &str, file: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/gguf-for-python");
    std::fs::create_dir_all(folder.join(name)).unwrap();
    for (part, bytes) in session.save_adapter("a").unwrap() {
        std::fs::write(folder.join(name).join(part), bytes).unwrap();
    }
    std::fs::write(folder.join(format!("{name}.gguf")), file).unwrap();
    let mut elements = Vec::new();
    for tensor in &parse(file).tensors {
        elements.extend(numbers(file, tensor).into_iter().flat_map(f32::to_le_bytes));
    }
    std::fs::write(folder.join(format!("{name}.bin")), elements).unwrap();
}

/// Columns of one block share a scale, so `q_proj` cannot take up a vector at its input; `up_proj` scales what `down_proj` takes in.
#[test]
fn what_cannot_be_folded_is_named_and_quantised_again_on_request() {
    let told = json!({"targetModules": ["q_proj", "up_proj", "down_proj"], "feedforwardModules": ["q_proj", "up_proj", "down_proj"], "init": {"uniform": 0.5}});
    let mut session = mixed(Backend::cpu(), None);
    add(&mut session, told);
    match session.begin_merge("a", GGUF).unwrap_err() {
        Error::NotFoldable { name, modules } => {
            let expected =
                ["model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "model.layers.1.self_attn.q_proj"];
            assert_eq!((name.as_str(), modules.len()), ("a", 3));
            assert!(expected.iter().all(|module| modules.iter().any(|found| found == module)), "{modules:?}");
        }
        other => panic!("{other}"),
    }
    let expected = scores(&mut session, &active(&["a"]));
    let file = merged_as(&mut session, "a", MergeOptions { requantise: true, ..GGUF });
    let head = parse(&file);
    // Nothing can be quantised to the formats that end in K.
    assert_eq!(head.tensor("blk.0.attn_q.weight").unwrap().kind, BlockType::Q8_0);
    assert_eq!(head.tensor("blk.1.attn_q.weight").unwrap().kind, BlockType::Q5_0);
    assert_eq!(head.tensor("blk.0.attn_k.weight").unwrap().kind, BlockType::Q4_K);
    let found = scores(&mut loaded(&file, Task::TextGeneration), &BASE);
    let error = expected.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let floats = merged_as(&mut session, "a", SAFETENSORS);
    assert!(floats.len() > 3 * file.len());
    let largest = expected.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    assert!(error < 0.05 * largest, "{error} of {largest}");
}

/// Families whose files hold floats, with rows in another order, norms one larger, and biases.
#[test]
fn every_family_is_written_as_llama_cpp_has_it() {
    let rows = [("the cat was", "good"), ("a dog", "and the worst, not bad")];
    let rows =
        rows.map(|(prompt, continuation)| Continuation { prompt: prompt.into(), continuation: continuation.into() });
    for family in ["llama", "llama-linear", "mistral", "qwen2", "qwen3", "gpt2", "gemma3_text"] {
        let own = bytes(&format!("gguf/{family}.gguf"));
        let mut session = loaded(&own, Task::TextGeneration);
        let all = json!({"targetModules": "all-linear", "feedforwardModules": [], "init": {"uniform": 0.5}});
        add(&mut session, all);
        let scores = |session: &mut Session, selection| -> Vec<f32> {
            let found = block_on(session.score(&rows, &selection, InferOptions::default())).unwrap();
            found.into_iter().flat_map(|scored| scored.token_log_probs).collect()
        };
        let expected = scores(&mut session, active(&["a"]));
        let file = merged_as(&mut session, "a", MergeOptions::default());
        assert_close(family, &scores(&mut loaded(&file, Task::TextGeneration), BASE), &expected, 1e-4);
        add_ones(&mut session);
        let ones = merged_as(&mut session, "ones", GGUF);
        for (before, after) in parse(&own).tensors.iter().zip(&parse(&ones).tensors) {
            assert_eq!((&before.name, &before.shape), (&after.name, &after.shape), "{family}");
            // One taken from a norm's weight and added again may differ in the last bit.
            assert_close(&before.name, &numbers(&ones, after), &numbers(&own, before), 1e-6);
        }
        write_for_python(&session, family, &file);
    }
    let mut session = loaded(&bytes("gguf/bert.gguf"), Task::FeatureExtraction);
    add(
        &mut session,
        json!({"targetModules": ["query", "output.dense"], "feedforwardModules": ["output.dense"], "init": {"uniform": 0.5}, "shift": true}),
    );
    let expected = embed(&mut session, &active(&["a"]));
    let file = merged_as(&mut session, "a", MergeOptions::default());
    assert_close("bert", &embed(&mut loaded(&file, Task::FeatureExtraction), &BASE), &expected, 1e-4);
    write_for_python(&session, "bert", &file);
}

#[test]
fn a_merged_gguf_keeps_its_settings() {
    let mut session = mixed(Backend::cpu(), Some(Dtype::Q8));
    add_ones(&mut session);
    let file = merged_as(&mut session, "ones", MergeOptions::default());
    let head = parse(&file);
    assert_eq!(head.metadata.get("general.architecture"), Some(Value::Text("llama")));
    assert_eq!(head.metadata.tokenizer().unwrap(), parse(&bytes("gguf/mixed.gguf")).metadata.tokenizer().unwrap());
    // The matrices in the format that they were kept in.
    let kinds: Vec<_> =
        head.tensors.iter().filter(|tensor| tensor.shape.len() == 2).map(|tensor| tensor.kind).collect();
    assert!(kinds.iter().all(|kind| *kind == BlockType::Q8_0), "{kinds:?}");
    assert_eq!(scores(&mut loaded(&file, Task::TextGeneration), &BASE), scores(&mut session, &BASE));
}

#[test]
fn a_gguf_of_what_is_none_or_has_a_head_is_refused() {
    let refused = |session: &mut Session, word: &str| match session.begin_merge("a", GGUF).unwrap_err() {
        Error::BadOption { option, reason } => {
            assert_eq!(option, "format");
            assert!(reason.contains(word), "{reason}");
        }
        other => panic!("{other}"),
    };
    let mut classifier = session(Pooling::Pooler);
    add(&mut classifier, json!({}));
    refused(&mut classifier, "no place for the head");
    let mut floats = mixed(Backend::cpu(), None);
    add(&mut floats, usual());
    let file = merged_as(&mut floats, "a", SAFETENSORS);
    load_file(&mut floats, &file, 9973).unwrap();
    refused(&mut floats, "not read from a GGUF");
    assert_eq!(floats.begin_merge("a", MergeOptions::default()).unwrap().format, MergeFormat::Safetensors);
}

/// A scale times a vector's element that no 16 bits hold.
#[test]
fn scales_that_overflow_are_refused() {
    let mut session = mixed(Backend::cpu(), None);
    add_ones(&mut session);
    let huge = ia3_web::session::CombineOptions { weights: Some(vec![1e8]), ..Default::default() };
    session.combine_adapters("huge", &["ones".into()], huge).unwrap();
    session.begin_merge("huge", GGUF).unwrap();
    let error = loop {
        match block_on(session.next_merged()) {
            Ok(piece) => assert!(piece.is_some(), "the file ended"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "bad-adapter");
    assert!(error.to_string().contains("'huge'") && error.to_string().contains("16 bits"), "{error}");
}
