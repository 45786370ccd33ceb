//! A language model: trained on completions and on whole texts, asked how probable continuations are, saved and loaded.

use crate::support::session::*;
use crate::support::{assert_close, bytes, devices};
use ia3_web::backend::Backend;
use ia3_web::session::{
    Continuation, EndReason, Example, InferOptions, MergeOptions, Pooling, Selection, Session, SessionOptions, Task,
};
use ia3_web::train::{Objective, TrainOptions};
use pollster::block_on;

/// The tiny LLaMA with the tokenizer of the tiny BERT, whose vocabulary is as large.
pub fn llama(backend: Backend, task: Task) -> Session {
    let labels = if task == Task::TextClassification { LABELS.map(String::from).to_vec() } else { Vec::new() };
    let told = SessionOptions { task, labels, ..options(Pooling::Pooler) };
    let config = bytes("families/llama/config.json");
    let mut session = Session::new(&config, &bytes("tiny-bert/tokenizer.json"), told).unwrap();
    session.set_backend(backend);
    load_file(&mut session, &bytes("families/llama/model.safetensors"), 4096).unwrap();
    session
}

fn completed(prompt: &str, completion: &str) -> Example {
    Example::Completed { prompt: prompt.into(), completion: completion.into() }
}

const ROWS: [(&str, &str); 3] = [("the cat was", "good"), ("a dog", "and the cat"), ("not", "bad")];

fn continuations() -> Vec<Continuation> {
    ROWS.map(|(prompt, continuation)| Continuation { prompt: prompt.into(), continuation: continuation.into() })
        .to_vec()
}

fn learned() -> Vec<Example> {
    ROWS.map(|(prompt, completion)| completed(prompt, completion)).into()
}

fn scores(session: &mut Session, selection: &Selection, batch_size: usize) -> Vec<f32> {
    let options = InferOptions { batch_size: Some(batch_size), ..Default::default() };
    let found = block_on(session.score(&continuations(), selection, options)).unwrap();
    for scored in &found {
        assert!(!scored.truncated && scored.token_log_probs.iter().all(|x| *x < 0.0));
        assert!((scored.token_log_probs.iter().sum::<f32>() - scored.log_prob).abs() < 1e-4);
    }
    found.into_iter().flat_map(|scored| scored.token_log_probs).collect()
}

#[test]
fn completions_become_probable() {
    for (device, backend) in devices() {
        let mut session = llama(backend, Task::TextGeneration);
        session.add_adapter("a", Default::default()).unwrap();
        let before = scores(&mut session, &active(&["a"]), 3);
        assert_close(device, &scores(&mut session, &BASE, 1), &before, 1e-4);
        let told = TrainOptions { learning_rate: Some(0.1), ..steps(30) };
        let (_, result) = train_on(&mut session, "a", &learned(), &learned(), &told);
        assert!(result.losses[29] < result.losses[0], "{device} {:?}", result.losses);
        assert!(result.after.unwrap().loss < result.before.unwrap().loss);
        let after = scores(&mut session, &active(&["a"]), 3);
        assert!(after.iter().sum::<f32>() > before.iter().sum::<f32>(), "{device}");
        let files = session.save_adapter("a").unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["adapter_config.json", "adapter_model.safetensors"]);
        let config: serde_json::Value = serde_json::from_slice(&files["adapter_config.json"]).unwrap();
        assert_eq!((&config["task_type"], &config["modules_to_save"]), (&"CAUSAL_LM".into(), &serde_json::Value::Null));
        let mut other = llama(Backend::cpu(), Task::TextGeneration);
        assert_eq!(other.load_adapter("b", &files), Ok(Vec::new()));
        assert_close(device, &scores(&mut other, &active(&["b"]), 3), &after, 1e-4);
    }
}

/// The loss of a completion is the mean of what `score` says of its tokens, and of the token that ends it.
#[test]
fn evaluation_is_the_mean_over_all_learned_tokens() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    let metrics = block_on(session.evaluate(&learned(), &BASE, Default::default())).unwrap();
    let one = |batch_size| InferOptions { batch_size: Some(batch_size), ..Default::default() };
    let again = block_on(session.evaluate(&learned(), &BASE, one(1))).unwrap();
    assert!((metrics.loss - again.loss).abs() < 1e-5 && metrics.loss > 0.0);
    let whole = [Example::Plain { text: "the cat was good".into() }];
    assert!(block_on(session.evaluate(&whole, &BASE, Default::default())).unwrap().loss > 0.0);
}

#[test]
fn a_prompt_too_long_loses_its_start_and_a_completion_too_long_is_refused() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    let row =
        |prompt: &str, continuation: &str| [Continuation { prompt: prompt.into(), continuation: continuation.into() }];
    let short = InferOptions { max_length: Some(6), ..Default::default() };
    let long = "the cat and the dog and the cat and the dog";
    assert!(block_on(session.score(&row(long, "good"), &BASE, short)).unwrap()[0].truncated);
    for (prompt, continuation) in [("good", long), ("good", " ")] {
        let error = block_on(session.score(&row(prompt, continuation), &BASE, short)).unwrap_err();
        assert_eq!(error.code(), "bad-example", "{error}");
    }
    session.add_adapter("a", Default::default()).unwrap();
    let contrastive = TrainOptions { objective: Some(Objective::Contrastive), ..steps(1) };
    let error = block_on(session.begin_training("a", &learned(), &[], &contrastive)).unwrap_err();
    assert_eq!(error.code(), "bad-option");
    assert_eq!(block_on(session.classify(&texts(), &BASE, Default::default())).unwrap_err().code(), "bad-option");
}

#[test]
fn a_decoder_classifies_by_its_last_token() {
    for (device, backend) in devices() {
        let mut session = llama(backend, Task::TextClassification);
        session.add_adapter("a", Default::default()).unwrap();
        let told =
            TrainOptions { objective: Some(Objective::CrossEntropy), head_learning_rate: Some(0.1), ..steps(40) };
        let losses = train(&mut session, "a", &told).losses;
        assert!(losses[39] < 0.7 * losses[0], "{device} {losses:?}");
        let saved = saved(&session, "a");
        assert!(
            saved.contains_key("base_model.model.score.weight") && !saved.contains_key("base_model.model.score.bias")
        );
        let files = session.save_adapter("a").unwrap();
        assert_eq!(session.load_adapter("b", &files), Ok(Vec::new()));
        let [a, b] = ["a", "b"].map(|name| crate::support::session::scores(&classify(&mut session, &active(&[name]))));
        assert_eq!(a, b);
    }
}

/// The tiny T5 with the same tokenizer.
pub fn t5(backend: Backend) -> Session {
    let told = SessionOptions { task: Task::Text2textGeneration, labels: Vec::new(), ..options(Pooling::Mean) };
    let mut session =
        Session::new(&bytes("families/t5/config.json"), &bytes("tiny-bert/tokenizer.json"), told).unwrap();
    session.set_backend(backend);
    load_file(&mut session, &bytes("families/t5/model.safetensors"), 4096).unwrap();
    session
}

#[test]
fn outputs_become_probable() {
    for (device, backend) in devices() {
        let mut session = t5(backend);
        session.add_adapter("a", Default::default()).unwrap();
        let before = scores(&mut session, &active(&["a"]), 3);
        assert_close(device, &scores(&mut session, &BASE, 1), &before, 1e-4);
        let rewritten =
            |(input, output): (&str, &str)| Example::Rewritten { input: input.into(), output: output.into() };
        let examples: Vec<Example> = ROWS.map(rewritten).into();
        let told = TrainOptions { learning_rate: Some(0.1), ..steps(30) };
        let (_, result) = train_on(&mut session, "a", &examples, &examples, &told);
        assert!(result.after.unwrap().loss < result.before.unwrap().loss, "{device}");
        let after = scores(&mut session, &active(&["a"]), 3);
        let files = session.save_adapter("a").unwrap();
        let config: serde_json::Value = serde_json::from_slice(&files["adapter_config.json"]).unwrap();
        assert_eq!(config["task_type"], "SEQ_2_SEQ_LM");
        let mut other = t5(Backend::cpu());
        assert_eq!(other.load_adapter("b", &files), Ok(Vec::new()));
        assert_close(device, &scores(&mut other, &active(&["b"]), 3), &after, 1e-4);
        let short = InferOptions { max_length: Some(3), ..Default::default() };
        let error = block_on(session.score(&continuations(), &BASE, short)).unwrap_err();
        assert!(error.code() == "bad-example" || error.code() == "bad-option", "{error}");
    }
}

/// Merged, the file alone does what base and adapter did, the untied head under its own name.
#[test]
fn a_merged_language_model_loads_again() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    add_drawn(&mut session, "a", 1);
    let expected = scores(&mut session, &active(&["a"]), 3);
    session.begin_merge("a", MergeOptions::default()).unwrap();
    let mut file = Vec::new();
    while let Some(bytes) = block_on(session.next_merged()).unwrap() {
        file.extend(bytes);
    }
    let names = ia3_web::checkpoint::safetensors::read_all(&file).unwrap();
    assert!(names.contains_key("lm_head.weight") && names.contains_key("model.embed_tokens.weight"));
    load_file(&mut session, &file, 4096).unwrap();
    assert_close("merged", &scores(&mut session, &BASE, 3), &expected, 1e-4);
}

#[test]
fn a_run_can_be_given_up() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    session.add_adapter("a", Default::default()).unwrap();
    block_on(session.begin_training("a", &learned(), &[], &steps(9))).unwrap();
    step(&mut session, 2).unwrap();
    assert_eq!(block_on(session.end_training(EndReason::Aborted)).unwrap().steps, 2);
}

/// Of words that are one token each, at most the most probable one is what greedy decoding writes, and one that is likelier than not is it.
#[test]
fn the_most_probable_token_is_the_greedy_one() {
    for (device, backend) in devices() {
        let mut session = llama(backend, Task::TextGeneration);
        session.add_adapter("a", Default::default()).unwrap();
        let exact = |session: &mut Session, active: &Selection| {
            block_on(session.evaluate(&learned(), active, InferOptions::default())).unwrap().accuracy
        };
        assert_eq!(exact(&mut session, &BASE), 0.0, "{device}");
        train_on(&mut session, "a", &learned(), &[], &TrainOptions { learning_rate: Some(0.3), ..steps(60) });
        let words = ["good", "bad", "cat", "the", "not", "a", "x", ".", "!"];
        let ask =
            |continuation: &&str| Continuation { prompt: "the cat was".into(), continuation: (*continuation).into() };
        let rows: Vec<Continuation> = words.iter().map(ask).collect();
        let found = block_on(session.score(&rows, &active(&["a"]), InferOptions::default())).unwrap();
        let best = found.iter().map(|scored| scored.log_prob).fold(f32::NEG_INFINITY, f32::max);
        for (word, scored) in words.iter().zip(&found) {
            assert_eq!(scored.token_log_probs.len(), 1, "{word}");
            assert!(!scored.is_greedy || scored.log_prob == best, "{device} {word}");
            assert!(scored.is_greedy || scored.log_prob < 0.5_f32.ln(), "{device} {word}");
        }
        assert!(found[0].is_greedy, "{device}: 'good' was learned, and has {:?}", found[0]);
        assert!(exact(&mut session, &active(&["a"])) > 0.0, "{device}");
    }
}
