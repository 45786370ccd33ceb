//! Weights on their way in.

use crate::support::bytes;
use crate::support::session::*;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::gguf::{self, Gguf};
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::models::BatchShape;
use ia3_web::session::{
    ActivationDtype, Continuation, DeviceOption, Dtype, EstimateOptions, MergeOptions, Pooling, Session,
    SessionOptions, Task, estimate,
};
use pollster::block_on;

#[test]
fn weights_come_in_chunks_of_any_size() {
    let file = weights(Pooling::Mean);
    let expected = embed(&mut session(Pooling::Mean), &BASE);
    for chunk in [1, 7, 4093, file.len()] {
        let mut session = empty(options(Pooling::Mean));
        session.set_backend(Backend::cpu());
        load_file(&mut session, &file, chunk).unwrap();
        assert_eq!(embed(&mut session, &BASE), expected, "chunks of {chunk}");
    }
}

#[test]
fn loading_again_keeps_adapters_and_answers() {
    for (device, mut session) in sessions(Pooling::Mean) {
        add_drawn(&mut session, "a", 1);
        let before = embed(&mut session, &active(&["a"]));
        load_file(&mut session, &weights(Pooling::Mean), 1000).unwrap();
        assert_eq!(embed(&mut session, &active(&["a"])), before, "{device}");
    }
}

#[test]
fn both_poolings_read_both_kinds_of_files() {
    let mut mean = empty(options(Pooling::Mean));
    mean.set_backend(Backend::cpu());
    load_file(&mut mean, &weights(Pooling::Pooler), 5000).unwrap();
    assert_eq!(embed(&mut mean, &BASE), embed(&mut session(Pooling::Mean), &BASE));
    let mut pooler = empty(options(Pooling::Pooler));
    pooler.set_backend(Backend::cpu());
    load_file(&mut pooler, &weights(Pooling::Mean), 5000).unwrap();
    assert_eq!(embed(&mut pooler, &BASE), embed(&mut session(Pooling::Pooler), &BASE));
}

/// The scores of the base where the file has no classifier.
fn drawn_scores(seed: u64) -> Vec<f32> {
    let mut session = empty(SessionOptions { seed, ..options(Pooling::Pooler) });
    session.set_backend(Backend::cpu());
    load_file(&mut session, &weights(Pooling::Mean), 5000).unwrap();
    scores(&classify(&mut session, &BASE))
}

#[test]
fn a_file_without_classifier_gets_one_drawn_by_seed() {
    assert_eq!(drawn_scores(1), drawn_scores(1));
    assert_ne!(drawn_scores(1), drawn_scores(2));
    assert_ne!(drawn_scores(1), scores(&classify(&mut session(Pooling::Pooler), &BASE)));
}

#[test]
fn an_estimate_tells_the_weights_to_the_byte_and_the_memory_from_above() {
    let (config, file) = (bytes("tiny-bert-mean/config.json"), weights(Pooling::Mean));
    let asked = EstimateOptions {
        task: Task::TextClassification,
        labels: LABELS.map(String::from).to_vec(),
        pooling: Pooling::Mean,
        batch_size: 6,
        max_length: 16,
        activation_checkpointing: false,
        dtype: None,
        activation_dtype: ActivationDtype::F32,
        device: DeviceOption::Wasm,
    };
    let told = estimate(&config, &[&file[..file.len() / 2]], &asked).unwrap();
    let mut session = session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    train(&mut session, "a", &steps(2));
    let weights = 4 * session.trainable_parameters("a").unwrap().total - session.adapter_bytes();
    assert_eq!(told.weight_bytes, weights as u64);
    let held = (session.weight_bytes() + session.adapter_bytes()) as u64 + session.activation_bytes();
    assert!(told.memory_bytes >= held);
}

#[test]
fn an_estimate_of_a_gguf_is_that_of_its_safetensors() {
    let asked = EstimateOptions {
        task: Task::TextGeneration,
        labels: Vec::new(),
        pooling: Pooling::Mean,
        batch_size: 2,
        max_length: 16,
        activation_checkpointing: false,
        dtype: None,
        activation_dtype: ActivationDtype::F32,
        device: DeviceOption::Auto,
    };
    let (config, file) = (bytes("families/llama-linear/config.json"), bytes("families/llama-linear/model.safetensors"));
    let expected = estimate(&config, &[&file], &asked).unwrap();
    let file = bytes("gguf/llama-linear.gguf");
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    let (config, end) = (head.config().unwrap(), head.head_bytes as usize);
    assert_eq!(estimate(&config, &[&file[..end]], &asked).unwrap(), expected);
    assert_eq!(estimate(&config, &[&file[..end - 100]], &asked).unwrap_err().code(), "file-truncated");
}

#[test]
fn an_estimate_of_a_gguf_counts_blocks_to_the_byte() {
    let file = bytes("gguf/chat.gguf");
    let files = gguf::files("m.gguf", &file).unwrap().unwrap();
    for (dtype, in_floats) in [(None, false), (Some(Dtype::Q4), false), (Some(Dtype::F32), true)] {
        let asked = EstimateOptions {
            task: Task::TextGeneration,
            labels: Vec::new(),
            pooling: Pooling::Mean,
            batch_size: 2,
            max_length: 16,
            activation_checkpointing: false,
            dtype,
            activation_dtype: ActivationDtype::F32,
            device: DeviceOption::Wasm,
        };
        let told = estimate(&files["config.json"], &[&file], &asked).unwrap();
        let options =
            SessionOptions { task: Task::TextGeneration, labels: Vec::new(), dtype, ..options(Pooling::Mean) };
        let mut session = Session::new(&files["config.json"], &files["tokenizer.json"], options).unwrap();
        session.set_backend(Backend::cpu());
        load_file(&mut session, &file, 997).unwrap();
        assert_eq!(told.weight_bytes, session.weight_bytes() as u64);
        assert_eq!(told.weight_bytes > 2 * file.len() as u64, in_floats);
    }
}

/// The tiny LLaMA with linear scaling, without weights, on the CPU.
fn llama_linear() -> Session {
    let told = SessionOptions { task: Task::TextGeneration, labels: Vec::new(), ..options(Pooling::Pooler) };
    // Its vocabulary is smaller than that of the tokenizer at hand.
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&bytes("tiny-bert/tokenizer.json")).unwrap();
    tokenizer["model"]["vocab"].as_object_mut().unwrap().retain(|_, id| id.as_u64().unwrap() < 61);
    let config = bytes("families/llama-linear/config.json");
    let mut session = Session::new(&config, tokenizer.to_string().as_bytes(), told).unwrap();
    session.set_backend(Backend::cpu());
    session
}

fn shards() -> Vec<(String, Vec<u8>)> {
    let named = |number| format!("model-0000{number}-of-00003.safetensors");
    let read = |name: String| (name.clone(), bytes(&format!("families/llama-linear/sharded/{name}")));
    (1..=3).map(named).map(read).collect()
}

/// A session with these shards, and what loading them says.
fn loaded(shards: &[(String, Vec<u8>)]) -> (Session, ia3_web::Result<()>) {
    let mut session = llama_linear();
    let files: Vec<_> = shards.iter().map(|(name, file)| (name.as_str(), file.as_slice())).collect();
    let found = load_files(&mut session, &files, 1000);
    (session, found)
}

fn log_probs(session: &mut Session) -> Vec<f32> {
    let row = Continuation { prompt: "the cat".into(), continuation: "was not bad".into() };
    block_on(session.score(&[row], &BASE, Default::default())).unwrap().remove(0).token_log_probs
}

#[test]
fn shards_are_the_file_they_were_cut_from() {
    let mut whole = llama_linear();
    load_file(&mut whole, &bytes("families/llama-linear/model.safetensors"), 1000).unwrap();
    let expected = log_probs(&mut whole);
    let (mut session, found) = loaded(&shards());
    found.unwrap();
    assert_eq!(log_probs(&mut session), expected);
    let mut others = shards();
    others.reverse();
    assert_eq!(log_probs(&mut loaded(&others).0), expected);
}

#[test]
fn shards_are_merged_into_one_file() {
    let mut session = loaded(&shards()).0;
    add_drawn(&mut session, "a", 1);
    session.begin_merge("a", MergeOptions::default()).unwrap();
    let mut file = Vec::new();
    while let Some(bytes) = block_on(session.next_merged()).unwrap() {
        file.extend(bytes);
    }
    let names = |file: &[u8]| read_all(file).unwrap().into_keys().collect::<Vec<_>>();
    assert_eq!(names(&file), names(&bytes("families/llama-linear/model.safetensors")));
}

#[test]
fn a_shard_that_ends_early_is_named() {
    let mut shards = shards();
    shards[1].1.truncate(5000);
    let mut session = llama_linear();
    session.begin_weights().unwrap();
    for (name, file) in &shards[..2] {
        session.begin_file(name, None, None).unwrap();
        session.feed_weights(file).unwrap();
    }
    let error = session.begin_file(&shards[2].0, None, None).unwrap_err();
    assert!(error.code() == "file-truncated" && error.to_string().contains(&shards[1].0), "{error}");
}

#[test]
fn a_shard_that_is_left_out_lacks_its_tensors() {
    let error = loaded(&shards()[..2]).1.unwrap_err();
    assert_eq!(error.code(), "tensor-missing", "{error}");
}

#[test]
fn a_tensor_in_two_shards_is_refused_with_both() {
    let mut shards = shards();
    shards[2] = ("other.safetensors".into(), shards[0].1.clone());
    let error = loaded(&shards).1.unwrap_err();
    assert_eq!(error.code(), "not-safetensors");
    for name in [&shards[0].0, &shards[2].0] {
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn an_estimate_counts_all_shards() {
    let config = bytes("families/llama-linear/config.json");
    let asked = EstimateOptions {
        task: Task::TextGeneration,
        labels: Vec::new(),
        pooling: Pooling::Mean,
        batch_size: 2,
        max_length: 8,
        activation_checkpointing: false,
        dtype: None,
        activation_dtype: ActivationDtype::F32,
        device: DeviceOption::Auto,
    };
    let told = |headers: &[Vec<u8>]| estimate(&config, headers, &asked).unwrap();
    let files: Vec<_> = shards().into_iter().map(|(_, file)| file).collect();
    assert_eq!(told(&files), told(&[bytes("families/llama-linear/model.safetensors")]));
}

#[test]
fn warming_up_tells_of_every_kernel_of_answers_and_of_training() {
    let shape = BatchShape::new(2, 1000);
    for (device, mut session) in sessions(Pooling::Mean) {
        let told = std::cell::RefCell::new(Vec::new());
        block_on(session.warm_up(shape, &|done, total| told.borrow_mut().push((done, total)))).unwrap();
        let told = told.into_inner();
        let total = told.len();
        assert_eq!(told, (1..=total).map(|done| (done, total)).collect::<Vec<_>>(), "{device}");
        let longest = BatchShape::new(shape.batch, 40);
        let training = session.plan_text(longest, None).unwrap().lines().count() - 1;
        assert_eq!(total > training, device != "cpu", "{device}: {total} told, {training} of training");
    }
}
