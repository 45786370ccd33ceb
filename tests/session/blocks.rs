//! Matrices kept in blocks: answers, training and merging are those of the numbers that the blocks stand for, and they take the memory of
//! the blocks.

use super::merge::merged_as;
use crate::support::session::*;
use crate::support::{assert_close, bytes, devices};
use ia3_web::backend::Backend;
use ia3_web::checkpoint::BlockType;
use ia3_web::checkpoint::gguf::Gguf;
use ia3_web::session::{
    AdapterOptions, Continuation, Dtype, Example, InferOptions, MergeFormat, MergeOptions, Pooling, Selection, Session,
    SessionOptions, TargetOption, Task,
};
use ia3_web::train::TrainOptions;
use pollster::block_on;

/// Sums are made in another order.
const TOLERANCE: f32 = 2e-5;

pub const SAFETENSORS: MergeOptions = MergeOptions { format: Some(MergeFormat::Safetensors), requantise: false };

fn told(dtype: Option<Dtype>) -> SessionOptions {
    SessionOptions { task: Task::TextGeneration, labels: Vec::new(), dtype, ..options(Pooling::Mean) }
}

/// A model with a matrix in every format.
pub fn mixed(backend: Backend, dtype: Option<Dtype>) -> Session {
    of_file("gguf/mixed.gguf", backend, dtype)
}

/// A language model of a GGUF among the fixtures.
pub fn of_file(name: &str, backend: Backend, dtype: Option<Dtype>) -> Session {
    let file = bytes(name);
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    let mut session = Session::new(&head.config().unwrap(), &head.metadata.tokenizer().unwrap(), told(dtype)).unwrap();
    session.set_backend(backend);
    load_file(&mut session, &file, 9973).unwrap();
    session
}

const ROWS: [(&str, &str); 3] = [("the cat was", "good"), ("a dog", "and the worst, not bad"), ("not", "bad")];

pub fn scores(session: &mut Session, selection: &Selection) -> Vec<f32> {
    let rows =
        ROWS.map(|(prompt, continuation)| Continuation { prompt: prompt.into(), continuation: continuation.into() });
    let found = block_on(session.score(&rows, selection, InferOptions::default())).unwrap();
    found.into_iter().flat_map(|scored| scored.token_log_probs).collect()
}

pub fn examples() -> Vec<Example> {
    ROWS.map(|(prompt, completion)| Example::Completed { prompt: prompt.into(), completion: completion.into() }).into()
}

/// Vectors at outputs and inputs, so that packed layers are taken apart.
fn adapter() -> AdapterOptions {
    let list = |names: &[&str]| Some(TargetOption::List(names.iter().map(|name| (*name).into()).collect()));
    AdapterOptions {
        target_modules: list(&["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "down_proj"]),
        feedforward_modules: list(&["q_proj", "up_proj", "down_proj"]),
        ..Default::default()
    }
}

#[test]
fn answers_and_training_are_those_of_the_numbers() {
    let mut floats = mixed(Backend::cpu(), Some(Dtype::F32));
    let before = scores(&mut floats, &BASE);
    floats.add_adapter("a", adapter()).unwrap();
    let options = TrainOptions { learning_rate: Some(1e-2), ..steps(4) };
    let (_, expected) = train_on(&mut floats, "a", &examples(), &[], &options);
    let after = scores(&mut floats, &active(&["a"]));
    for (device, backend) in devices() {
        let mut session = mixed(backend, None);
        assert_close(device, &scores(&mut session, &BASE), &before, TOLERANCE);
        session.add_adapter("a", adapter()).unwrap();
        let (_, result) = train_on(&mut session, "a", &examples(), &[], &options);
        assert_close(device, &result.losses, &expected.losses, TOLERANCE);
        assert!(expected.losses[3] < expected.losses[0], "{:?}", expected.losses);
        // AdamW's first steps divide gradients by their own size, so the smallest differ most.
        assert_close(device, &scores(&mut session, &active(&["a"])), &after, 1e-3);
    }
}

#[test]
fn matrices_take_the_memory_of_their_blocks() {
    let file = bytes("gguf/mixed.gguf");
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    let in_file: u64 = head.tensors.iter().map(|tensor| tensor.bytes).sum();
    for (device, backend) in devices() {
        let session = mixed(backend, None);
        // Kernels read whole words: two bytes more for each block of four of the formats.
        let most = if device == "cpu" { in_file } else { in_file + in_file / 9 };
        let found = session.weight_bytes() as u64;
        assert!((in_file..=most).contains(&found), "{device}: {found} bytes of {in_file}");
    }
}

#[test]
fn a_merged_file_has_the_numbers() {
    let mut merged = Vec::new();
    for dtype in [None, Some(Dtype::F32)] {
        for (_, backend) in devices() {
            let mut session = mixed(backend, dtype);
            session.add_adapter("a", AdapterOptions { init_ia3_weights: Some(false), ..adapter() }).unwrap();
            merged.push(merged_as(&mut session, "a", SAFETENSORS));
        }
    }
    assert!(merged.windows(2).all(|pair| pair[0] == pair[1]));
}

/// A model whose file holds floats, kept in other formats: further from the floats the fewer bits there are.
#[test]
fn floats_are_quantised_while_they_are_loaded() {
    let mut floats = mixed(Backend::cpu(), Some(Dtype::F32));
    floats.add_adapter("ones", Default::default()).unwrap();
    let file = merged_as(&mut floats, "ones", SAFETENSORS);
    let expected = scores(&mut floats, &BASE);
    let gguf = bytes("gguf/mixed.gguf");
    let head = Gguf::parse("m.gguf", &gguf).unwrap().unwrap();
    let (config, tokenizer) = (head.config().unwrap(), head.metadata.tokenizer().unwrap());
    let kept = |dtype: Option<Dtype>, backend: Backend| {
        let mut session = Session::new(&config, &tokenizer, told(dtype)).unwrap();
        session.set_backend(backend);
        load_file(&mut session, &file, 997).unwrap();
        session
    };
    let mut plain = kept(None, Backend::cpu());
    assert_eq!(scores(&mut plain, &BASE), expected);
    let mut before = (plain.weight_bytes(), 0.0);
    for (dtype, kind) in [(Dtype::F16, BlockType::F16), (Dtype::Q8, BlockType::Q8_0), (Dtype::Q4, BlockType::Q4_1)] {
        let mut both = Vec::new();
        for (device, backend) in devices() {
            let mut session = kept(Some(dtype), backend);
            assert!(session.model().formats.len() > 14);
            assert!(session.model().formats.values().all(|found| found.kind == kind), "{device}");
            both.push((session.weight_bytes(), scores(&mut session, &BASE)));
        }
        assert_close("devices", &both[1].1, &both[0].1, TOLERANCE);
        let error = expected.iter().zip(&both[0].1).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(both[0].0 < before.0 && error > before.1, "{dtype:?}: {} bytes, error {error}", both[0].0);
        before = (both[0].0, error);
    }
    let largest = expected.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
    assert!(before.1 < 0.1 * largest, "{} of {largest}", before.1);
}
