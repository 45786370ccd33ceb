//! Configurations of every family, with the weights that belong to the original: a model that runs, or a typed error.

use std::fs;

use ia3_web::Result;
use ia3_web::backend::Backend;
use ia3_web::session::{
    ActivationDtype, Continuation, DeviceOption, EstimateOptions, InferOptions, Pooling, Selection, Session,
    SessionOptions, Task, Text, estimate,
};
use pollster::block_on;
use serde_json::Value;

use super::base_model::small_tokenizer;
use super::mutate::{Random, mutate, mutate_json};
use super::survive;
use super::tiny_bert::fixtures;

const TASKS: [Task; 6] = [
    Task::TextGeneration,
    Task::Text2textGeneration,
    Task::QuestionAnswering,
    Task::TokenClassification,
    Task::TextClassification,
    Task::FeatureExtraction,
];

fn options(task: Task) -> SessionOptions {
    let labelled = matches!(task, Task::TextClassification | Task::TokenClassification);
    let labels = if labelled { ["a", "b"].map(String::from).to_vec() } else { Vec::new() };
    SessionOptions {
        model_id: None,
        revision: None,
        task,
        labels,
        pooling: Pooling::Mean,
        seed: 0,
        dtype: None,
        activation_dtype: ActivationDtype::F32,
    }
}

/// Tasks that the family knows.
fn tasks(config: &[u8], tokenizer: &[u8]) -> Vec<Task> {
    let known = |task: &Task| Session::new(config, tokenizer, options(*task)).is_ok();
    TASKS.into_iter().filter(known).collect()
}

/// A session with the weights, asked something.
fn run(config: &[u8], tokenizer: &[u8], weights: &[u8], task: Task) -> Result<()> {
    let mut session = Session::new(config, tokenizer, options(task))?;
    session.set_backend(Backend::cpu());
    session.begin_weights()?;
    session.begin_file("model.safetensors", Some(weights.len() as u64), None)?;
    session.feed_weights(weights)?;
    block_on(session.finish_weights())?;
    let (base, limits) = (Selection::Active(Vec::new()), InferOptions { max_length: Some(7), batch_size: Some(2) });
    if matches!(task, Task::TextGeneration | Task::Text2textGeneration) {
        let row = |prompt: &str| Continuation { prompt: prompt.into(), continuation: "a cafe".into() };
        return block_on(session.score(&[row("playing!"), row("a")], &base, limits)).map(|_| ());
    }
    let texts = ["playing a cafe", "a"].map(|text| Text { text: text.into(), text_pair: None });
    block_on(session.embed(&texts, &base, limits)).map(|_| ())
}

fn check(family: &str, seed: u64) {
    let folder = fixtures(&format!("families/{family}"));
    let [config, weights] = ["config.json", "model.safetensors"].map(|file| fs::read(folder.join(file)).unwrap());
    // RoBERTa's families know one token type.
    let tokenizer = small_tokenizer().to_string().replace("\"type_id\":1", "\"type_id\":0").into_bytes();
    let tasks = tasks(&config, &tokenizer);
    assert!(tasks.len() > 1, "{family}");
    tasks.iter().for_each(|task| run(&config, &tokenizer, &weights, *task).unwrap());
    let original = serde_json::from_slice::<Value>(&config).unwrap();
    let make = |random: &mut Random| {
        if random.below(8) > 0 { mutate_json(random, &original) } else { mutate(random, &config, b"[[1e9]]") }
    };
    // Sizes of what would be trained are told without holding anything of them, but a plan of as many layers as there may be.
    survive(
        2_000,
        seed,
        make,
        |len| 16 * len + (64 << 20),
        |bytes, random| {
            let asked = EstimateOptions {
                task: *random.pick(&tasks),
                labels: ["a", "b"].map(String::from).to_vec(),
                pooling: *random.pick(&[Pooling::Mean, Pooling::Pooler]),
                batch_size: 2,
                max_length: 8,
                activation_checkpointing: random.below(2) > 0,
                dtype: None,
                activation_dtype: ActivationDtype::F32,
                device: DeviceOption::Auto,
            };
            estimate(bytes, &[&weights], &asked).map(|_| ())
        },
    );
    survive(
        300,
        seed,
        make,
        |len| 16 * len + 16 * weights.len() + (16 << 20),
        |bytes, random| run(bytes, &tokenizer, &weights, *random.pick(&tasks)),
    );
}

macro_rules! families {
    ($($family:ident $seed:literal)*) => {
        $(#[test]
        fn $family() {
            check(&stringify!($family).replace('_', "-").replace("gemma3-text", "gemma3_text"), $seed);
        })*
    };
}

families! {
    bert 20 roberta 21 xlm_roberta 22 distilbert 23 mpnet 24
    gpt2 25 llama 26 llama_linear 27 llama_dynamic 28 llama_yarn 29 mistral 30 qwen2 31 qwen3 32 gemma3_text 33
    t5 34 t5_gated 35 mt5 36
}
