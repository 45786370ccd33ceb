//! Generating with encoder-decoder models: what transformers writes, in batches, with adapters, over several calls and devices.

use crate::support::session::*;
use crate::support::{self, bytes, devices, json};
use ia3_web::adapter::{Layout, TaskType};
use ia3_web::backend::Backend;
use ia3_web::checkpoint::Tokenizer;
use ia3_web::models::{BatchShape, Model, Output};
use ia3_web::session::{
    EndReason, Example, FinishReason, GenerateOptions, Generated, Pooling, Prompt, Selection, Session, SessionOptions,
    Task,
};
use ia3_web::train::{LanguageBatch, LanguageRow, Sequence, argmax, forward_plan};
use ia3_web::{Error, Result};
use pollster::block_on;
use serde_json::Value;
use std::collections::BTreeMap;

const FAMILIES: [&str; 3] = ["t5", "t5-gated", "mt5"];
const PROMPT: &str = "the cat was good";

fn config(family: &str, end: &Value) -> Value {
    let mut config = json(&format!("families/{family}/config.json"));
    config["eos_token_id"] = end.clone();
    config
}

/// A session of a family's tiny model whose texts end with the token, if with any, and with the tiny BERT's tokenizer.
fn session(family: &str, end: &Value, backend: Backend) -> Session {
    let told = SessionOptions { task: Task::Text2textGeneration, labels: Vec::new(), ..options(Pooling::Mean) };
    let config = config(family, end).to_string();
    let mut session = Session::new(config.as_bytes(), &bytes("tiny-bert/tokenizer.json"), told).unwrap();
    session.set_backend(backend);
    load(&mut session, family);
    session
}

fn load(session: &mut Session, family: &str) {
    load_file(session, &bytes(&format!("families/{family}/model.safetensors")), 1 << 16).unwrap();
}

fn tokens(count: usize) -> GenerateOptions {
    GenerateOptions { max_new_tokens: count, ..GenerateOptions::default() }
}

fn begin(session: &mut Session, prompts: &[&str], selection: &Selection, told: &GenerateOptions) -> Result<()> {
    let prompts: Vec<Prompt> = prompts.iter().map(|prompt| (*prompt).into()).collect();
    session.begin_generation(&prompts, selection, told)
}

/// All rows, whose tokens' texts are the whole texts.
fn run(session: &mut Session, prompts: &[&str], selection: &Selection, told: &GenerateOptions) -> Vec<Generated> {
    begin(session, prompts, selection, told).unwrap();
    let mut texts = vec![String::new(); prompts.len()];
    loop {
        let tokens = block_on(session.next_tokens()).unwrap();
        if tokens.is_empty() {
            let rows = session.end_generation().unwrap();
            assert_eq!(rows.iter().map(|row| &row.text).collect::<Vec<_>>(), texts.iter().collect::<Vec<_>>());
            return rows;
        }
        tokens.iter().for_each(|token| texts[token.row] += &token.text);
    }
}

fn ids(session: &mut Session, prompts: &[&str], selection: &Selection, told: &GenerateOptions) -> Vec<Vec<u32>> {
    run(session, prompts, selection, told).into_iter().map(|row| row.token_ids).collect()
}

/// Rows of a golden file: the adapter, the prompt and what is written.
struct Written {
    adapters: Vec<Option<String>>,
    prompts: Vec<String>,
    ids: Vec<Vec<u32>>,
}

impl Written {
    fn of(rows: &Value) -> Written {
        let rows = rows.as_array().unwrap();
        let text = |row: &Value, field: &str| row[field].as_str().map(String::from);
        Written {
            adapters: rows.iter().map(|row| text(row, "adapter")).collect(),
            prompts: rows.iter().map(|row| text(row, "prompt").unwrap()).collect(),
            ids: rows.iter().map(|row| serde_json::from_value(row["ids"].clone()).unwrap()).collect(),
        }
    }

    /// All rows in one batch, and some alone.
    fn check(&self, what: &str, session: &mut Session, told: &GenerateOptions) {
        let prompts: Vec<&str> = self.prompts.iter().map(String::as_str).collect();
        let rows = Selection::Rows(self.adapters.clone());
        assert_eq!(ids(session, &prompts, &rows, told), self.ids, "{what}");
        for at in (0..prompts.len()).step_by(5) {
            let row = Selection::Rows(vec![self.adapters[at].clone()]);
            let alone = ids(session, &prompts[at..=at], &row, told);
            assert_eq!(alone, self.ids[at..=at], "{what}, row {at}");
        }
    }
}

/// Prompts of different lengths, three times: without an adapter and with two of PEFT's, row by row.
#[test]
fn what_is_written_is_what_transformers_writes() {
    for family in FAMILIES {
        let golden = json(&format!("text2text/{family}/written.json"));
        let written = |name: &str| Written::of(&golden[name]);
        let (endless, ending, penalised) = (written("endless"), written("rows"), written("penalised"));
        let count = endless.ids[0].len();
        let penalty = golden["penalty"].as_f64().unwrap() as f32;
        for end in [&Value::Null, &golden["end"]] {
            for (device, backend) in devices() {
                let mut session = session(family, end, backend);
                for name in ["first", "second"] {
                    let read = |file: &str| (file.to_string(), bytes(&format!("text2text/{family}/{name}/{file}")));
                    let files = BTreeMap::from(["adapter_config.json", "adapter_model.safetensors"].map(read));
                    assert_eq!(session.load_adapter(name, &files), Ok(Vec::new()));
                }
                let what = format!("{family} {device}");
                if end.is_null() {
                    endless.check(&what, &mut session, &tokens(count));
                    let told = GenerateOptions { repetition_penalty: penalty, ..tokens(count) };
                    penalised.check(&what, &mut session, &told);
                } else {
                    ending.check(&what, &mut session, &tokens(count));
                }
            }
        }
    }
}

/// Whether each token is the most probable one by a single pass without a cache.
fn is_greedy(family: &str, prompt: &str, written: &[u32]) -> bool {
    let config = config(family, &Value::Null).to_string();
    let model = Model::from_json(config.as_bytes(), TaskType::Seq2SeqLm).unwrap();
    let mut backend = Backend::cpu();
    support::load(&mut backend, &model, &format!("families/{family}"));
    let tokenizer = Tokenizer::from_bytes(&bytes("tiny-bert/tokenizer.json")).unwrap();
    let input = tokenizer.encode(prompt, None, 512).unwrap().ids;
    let read = [&[0], &written[..written.len() - 1]].concat();
    let shape = BatchShape { written: read.len(), ..BatchShape::new(1, input.len()) };
    let row = LanguageRow { input: Some(input), sequence: Sequence::alone(read, Vec::new()), ..LanguageRow::default() };
    let batch = LanguageBatch { rows: vec![&row], weight: 1.0, ..LanguageBatch::default() };
    let plan = forward_plan(&model, shape, &Layout::new(&[], &[], &[]), 1, Output::Logits).unwrap();
    let mut program = block_on(backend.compile(plan)).unwrap();
    let inputs = batch.inputs(shape, model.common().padding);
    let logits = block_on(backend.forward(&mut program, &inputs, &[])).unwrap().concat();
    let best = logits.chunks_exact(model.common().vocab_size).map(|logits| argmax(logits) as u32);
    best.eq(written.iter().copied())
}

/// More tokens than the configuration has positions, and than a cache is made for at first.
#[test]
fn any_number_of_tokens_is_written() {
    let count = 900;
    let told = tokens(count);
    for (device, backend) in devices() {
        let mut session = session("t5", &Value::Null, backend);
        begin(&mut session, &[PROMPT], &BASE, &told).unwrap();
        while !block_on(session.next_tokens()).unwrap().is_empty() {}
        // The cache was made anew once, and all was read again for it.
        let once = count + 6;
        assert!((once + 1..2 * once + 6).contains(&session.generation_reads()), "{device}");
        let found = session.end_generation().unwrap().remove(0);
        assert_eq!((found.token_ids.len(), found.finish_reason), (count, FinishReason::Length), "{device}");
        assert!(is_greedy("t5", PROMPT, &found.token_ids), "{device}");
    }
    // Nothing is set aside for tokens that may never come.
    let mut session = session("t5", &Value::Null, Backend::cpu());
    let before = session.activation_bytes();
    begin(&mut session, &[PROMPT], &BASE, &tokens(usize::MAX)).unwrap();
    block_on(session.next_tokens()).unwrap();
    assert!(session.activation_bytes() - before < 4 << 20);
}

/// An encoder's states depend on the whole prompt and on the adapters: only the same again needs no reading.
#[test]
fn the_encoder_runs_once_for_a_prompt() {
    let longer = "the cat was good, and the dog";
    for (device, backend) in devices() {
        let mut session = session("t5-gated", &Value::Null, backend);
        let tokenizer = Tokenizer::from_bytes(&bytes("tiny-bert/tokenizer.json")).unwrap();
        let [short, long] = [PROMPT, longer].map(|prompt| tokenizer.encode(prompt, None, 512).unwrap().ids.len());
        let reads = |session: &mut Session, prompt: &str, selection: &Selection| {
            begin(session, &[prompt], selection, &tokens(5)).unwrap();
            while !block_on(session.next_tokens()).unwrap().is_empty() {}
            let reads = session.generation_reads();
            let row = session.end_generation().unwrap().remove(0);
            assert_eq!(row.prompt_tokens, tokenizer.encode(prompt, None, 512).unwrap().ids.len());
            assert!(*selection != BASE || is_greedy("t5-gated", prompt, &row.token_ids));
            reads
        };
        // The token that the decoder starts with is read, and the last that is generated is not.
        assert_eq!(reads(&mut session, PROMPT, &BASE), short + 5, "{device}");
        assert_eq!(reads(&mut session, PROMPT, &BASE), 5, "{device}");
        assert_eq!(reads(&mut session, longer, &BASE), long + 5, "{device}");
        assert_eq!(reads(&mut session, PROMPT, &BASE), short + 5, "{device}");
        for seed in [1, 2] {
            add_drawn(&mut session, "a", seed);
            assert_eq!(reads(&mut session, PROMPT, &active(&["a"])), short + 5, "{device}");
            session.delete_adapter("a").unwrap();
        }
    }
}

/// Training that needs the memory, and another device: prompt and tokens are read again, in one pass.
#[test]
fn a_generation_goes_on_whatever_comes_between() {
    for (device, backend) in devices() {
        let mut session = session("mt5", &Value::Null, backend);
        session.add_adapter("a", Default::default()).unwrap();
        let prompts = [PROMPT, "a"];
        let expected = ids(&mut session, &prompts, &BASE, &tokens(12));
        begin(&mut session, &prompts, &BASE, &tokens(12)).unwrap();
        let mut found = [Vec::new(), Vec::new()];
        for at in 0..12 {
            block_on(session.next_tokens()).unwrap().iter().for_each(|token| found[token.row].push(token.id));
            match at {
                4 => {
                    let example = Example::Rewritten { input: PROMPT.into(), output: "the dog".into() };
                    block_on(session.begin_training("a", &[example], &[], &steps(1))).unwrap();
                    step(&mut session, usize::MAX).unwrap();
                    block_on(session.end_training(EndReason::Failed)).unwrap();
                }
                6 => {
                    session.set_backend(Backend::cpu());
                    load(&mut session, "mt5");
                }
                _ => {}
            }
        }
        assert_eq!(found.as_slice(), expected, "{device}");
        session.end_generation().unwrap();
    }
}

#[test]
fn stop_strings_and_seeds_do_what_they_do_for_decoders() {
    let mut session = session("t5", &Value::Null, Backend::cpu());
    let whole = run(&mut session, &[PROMPT], &BASE, &tokens(12)).remove(0).text;
    let words: Vec<&str> = whole.split_inclusive(' ').collect();
    let stop = words[2..4].concat();
    let told = GenerateOptions { stop: vec![stop.clone()], ..tokens(12) };
    let stopped = run(&mut session, &[PROMPT], &BASE, &told).remove(0);
    assert_eq!(
        (stopped.text.as_str(), stopped.finish_reason),
        (whole.split(&stop).next().unwrap(), FinishReason::Stop)
    );
    let told = |seed| GenerateOptions { temperature: 1.5, top_k: Some(40), top_p: Some(0.95), seed, ..tokens(20) };
    let mut write = |seed| ids(&mut session, &[PROMPT, "a"], &BASE, &told(seed));
    let first = write(1);
    assert_eq!(write(1), first);
    assert_ne!(write(2)[0], first[0]);
}

/// One submit a token, the first with the encoder's; behind it at most fourteen dispatches a layer, beside what is before and behind the layers.
#[test]
fn a_token_costs_one_submit_and_few_dispatches() {
    let layers = config("t5", &Value::Null)["num_decoder_layers"].as_u64().unwrap() as usize;
    let mut session = session("t5", &Value::Null, devices().pop().unwrap().1);
    add_drawn(&mut session, "a", 1);
    begin(&mut session, &[PROMPT, "a"], &active(&["a"]), &tokens(8)).unwrap();
    let counts = |session: &Session| match session.backend() {
        Some(Backend::Gpu(gpu)) => gpu.counts(),
        _ => panic!("the GPU comes last"),
    };
    let mut dispatches = Vec::new();
    for _ in 0..3 {
        let before = counts(&session);
        block_on(session.next_tokens()).unwrap();
        let after = counts(&session);
        assert_eq!(after.submits - before.submits, 1);
        dispatches.push(after.dispatches - before.dispatches);
    }
    assert!(dispatches[0] > dispatches[1] && dispatches[1] == dispatches[2], "{dispatches:?}");
    // Embedding, last norm, pick and logits.
    assert!(dispatches[1] <= 14 * layers + 4, "{dispatches:?} dispatches, {layers} layers");
}

#[test]
fn what_cannot_be_generated_is_refused_before_anything_runs() {
    let mut session = session("t5", &Value::Null, Backend::cpu());
    let mut refused =
        |prompts: &[Prompt], told: GenerateOptions| session.begin_generation(prompts, &BASE, &told).unwrap_err();
    let option = |error: Error| match error {
        Error::BadOption { option, .. } => option,
        other => panic!("{other}"),
    };
    assert_eq!(option(refused(&[PROMPT.into()], tokens(0))), "maxNewTokens");
    assert_eq!(option(refused(&[], tokens(1))), "prompt");
    assert_eq!(refused(&[PROMPT.into(), " ".into()], tokens(1)), Error::EmptyText { index: 1 });
    let conversation = Prompt::Rendered { rendered: "<user>".into() };
    assert_eq!(refused(&[conversation], tokens(1)).code(), "bad-example");
    let long = "a ".repeat(600);
    let error = refused(&["a".into(), long.as_str().into()], tokens(1));
    let text = error.to_string();
    assert!(["number 1", "602 tokens", "512"].iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(option(error), "prompt");
}
