//! Models read from a GGUF answer as those read from the files it was made of.

use crate::support::session::*;
use crate::support::{assert_close, bytes};
use ia3_web::Error;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::gguf::Gguf;
use ia3_web::session::{Continuation, InferOptions, Pooling, Session, SessionOptions, Task};
use pollster::block_on;
use serde_json::{Value, json};

fn told(task: Task) -> SessionOptions {
    SessionOptions { task, labels: Vec::new(), ..options(Pooling::Mean) }
}

fn load(config: &[u8], tokenizer: &[u8], weights: &[u8], task: Task) -> Session {
    let mut session = Session::new(config, tokenizer, told(task)).unwrap();
    session.set_backend(Backend::cpu());
    // The head is longer than the first chunks, and tensors begin and end within others.
    load_file(&mut session, weights, 997).unwrap();
    session
}

fn of_gguf(family: &str, task: Task) -> Session {
    let file = bytes(&format!("gguf/{family}.gguf"));
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    load(&head.config().unwrap(), &head.metadata.tokenizer().unwrap(), &file, task)
}

/// `change` takes away what a GGUF has no setting for.
fn of_safetensors(family: &str, task: Task, change: impl Fn(&mut Value)) -> Session {
    let file = |name: &str| bytes(&format!("families/{family}/{name}"));
    let mut config: Value = serde_json::from_slice(&file("config.json")).unwrap();
    change(&mut config);
    // One family has fewer tokens than the tokenizer.
    let mut tokenizer: Value = serde_json::from_slice(&bytes("tiny-bert/tokenizer.json")).unwrap();
    let tokens = config["vocab_size"].as_u64();
    tokenizer["model"]["vocab"].as_object_mut().unwrap().retain(|_, id| id.as_u64() < tokens);
    load(config.to_string().as_bytes(), tokenizer.to_string().as_bytes(), &file("model.safetensors"), task)
}

fn scores(session: &mut Session) -> Vec<f32> {
    let rows = [("the cat was", "good"), ("a dog", "and the worst, not bad"), ("", "the cat was the x.")];
    let rows =
        rows.map(|(prompt, continuation)| Continuation { prompt: prompt.into(), continuation: continuation.into() });
    let found = block_on(session.score(&rows, &BASE, InferOptions::default())).unwrap();
    found.into_iter().flat_map(|scored| scored.token_log_probs).collect()
}

#[test]
fn language_models() {
    let task = Task::TextGeneration;
    for family in ["llama", "llama-linear", "mistral", "qwen2", "qwen3", "gpt2", "gemma3_text"] {
        let expected = of_safetensors(family, task, |config| {
            if family == "qwen2" {
                // GGUF's Qwen 2 has no windows.
                config["layer_types"] = json!(vec!["full_attention"; 3]);
            }
            if family == "gemma3_text" {
                let theta = |theta: f64| json!({"rope_theta": theta, "rope_type": "default"});
                config["query_pre_attn_scalar"] = config["head_dim"].clone();
                config["rope_parameters"] = json!({"full_attention": theta(500.0), "sliding_attention": theta(1e4)});
                config["final_logit_softcapping"] = Value::Null;
                config["layer_types"] = json!(vec!["sliding_attention"; 3]);
            }
        });
        let (mut found, mut expected) = (of_gguf(family, task), expected);
        assert_close(family, &scores(&mut found), &scores(&mut expected), 1e-5);
    }
}

/// LLaMA 3's factors come with the weights.
#[test]
fn factors_of_rotary_embeddings_are_checked() {
    let file = bytes("gguf/llama.gguf");
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    let at = head.tensor("rope_freqs.weight").unwrap().start as usize;
    let loaded = |factor: f32| {
        let mut file = file.clone();
        file[at..at + 4].copy_from_slice(&factor.to_le_bytes());
        let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
        let (config, tokenizer) = (head.config().unwrap(), head.metadata.tokenizer().unwrap());
        let mut session = Session::new(&config, &tokenizer, told(Task::TextGeneration)).unwrap();
        session.set_backend(Backend::cpu());
        load_file(&mut session, &file, 997).map(|()| session)
    };
    assert_ne!(scores(&mut loaded(1.0).unwrap()), scores(&mut loaded(2.0).unwrap()));
    for factor in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        match loaded(factor).err() {
            Some(Error::BadConfig { field, .. }) => assert_eq!(field, "rope_freqs.weight"),
            other => panic!("{factor}: {other:?}"),
        }
    }
}

#[test]
fn encoders() {
    let task = Task::FeatureExtraction;
    let (mut found, mut expected) = (of_gguf("bert", task), of_safetensors("bert", task, |_| {}));
    assert_close("bert", &embed(&mut found, &BASE), &embed(&mut expected, &BASE), 1e-5);
}

#[test]
fn a_file_that_ends_early_or_goes_on_is_refused() {
    let file = bytes("gguf/qwen3.gguf");
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    let end = head.file_bytes as usize;
    let feed = |file: &[u8], announced: Option<u64>| {
        let mut session =
            Session::new(&head.config().unwrap(), &head.metadata.tokenizer().unwrap(), told(Task::TextGeneration))
                .unwrap();
        session.set_backend(Backend::cpu());
        session.begin_weights().unwrap();
        session.begin_file("m.gguf", announced, None).unwrap();
        file.chunks(1000).try_for_each(|chunk| session.feed_weights(chunk))?;
        block_on(session.finish_weights())
    };
    feed(&file, Some(file.len() as u64)).unwrap();
    feed(&file[..end], None).unwrap();
    for cut in [3, 30, 5000, end - 1] {
        assert!(
            matches!(feed(&file[..cut], None), Err(Error::FileTruncated { file, .. }) if file == "m.gguf"),
            "{cut}"
        );
    }
    assert_eq!(feed(&file[..end - 1], Some(end as u64 - 1)).unwrap_err().code(), "file-truncated");
    let longer = [file.as_slice(), &[0; 32]].concat();
    assert_eq!(feed(&longer, Some(longer.len() as u64)).unwrap_err().code(), "file-length");
}
