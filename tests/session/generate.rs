//! Generating text: with a cache what whole forward passes say, in batches, with adapters, over several calls and devices.

use super::language::llama;
use crate::support::session::*;
use crate::support::{self, bytes, devices};
use ia3_web::Error;
use ia3_web::adapter::{Layout, TaskType};
use ia3_web::backend::Backend;
use ia3_web::checkpoint::Tokenizer;
use ia3_web::models::{BatchShape, Model, Output};
use ia3_web::session::{
    EndReason, Example, FinishReason, GenerateOptions, Generated, Pooling, Prompt, Selection, Session, SessionOptions,
    Task, Token,
};
use ia3_web::train::{Asked, LanguageBatch, LanguageRow, Sequence, argmax, forward_plan};
use pollster::block_on;
use serde_json::{Value, json};

const FAMILIES: [&str; 8] = ["llama", "llama-yarn", "llama-linear", "mistral", "qwen2", "qwen3", "gemma3_text", "gpt2"];

const PROMPTS: [&str; 3] = ["the cat was good", "a", "not the best one, and the cat walks"];

/// A family's tiny model that no token ends, with as many words as the model has.
pub(super) struct Tiny {
    pub config: Value,
    tokenizer: Vec<u8>,
    folder: String,
}

impl Tiny {
    pub fn new(family: &str) -> Tiny {
        let folder = format!("families/{family}");
        let mut config: Value = serde_json::from_slice(&bytes(&format!("{folder}/config.json"))).unwrap();
        config["eos_token_id"] = Value::Null;
        let mut tokenizer: Value = serde_json::from_slice(&bytes("tiny-bert/tokenizer.json")).unwrap();
        let tokens = config["vocab_size"].as_u64();
        tokenizer["model"]["vocab"].as_object_mut().unwrap().retain(|_, id| id.as_u64() < tokens);
        Tiny { config, tokenizer: tokenizer.to_string().into(), folder }
    }

    fn model(&self) -> Model {
        Model::from_json(self.config.to_string().as_bytes(), TaskType::CausalLm).unwrap()
    }

    pub fn session(&self, backend: Backend) -> Session {
        let told = SessionOptions { task: Task::TextGeneration, labels: Vec::new(), ..options(Pooling::Mean) };
        let mut session = Session::new(self.config.to_string().as_bytes(), &self.tokenizer, told).unwrap();
        session.set_backend(backend);
        load_file(&mut session, &self.weights(), 1 << 16).unwrap();
        session
    }

    fn weights(&self) -> Vec<u8> {
        bytes(&format!("{}/model.safetensors", self.folder))
    }

    pub fn tokens(&self, prompt: &str) -> Vec<u32> {
        Tokenizer::from_bytes(&self.tokenizer).unwrap().plain(prompt).unwrap()
    }

    /// What greedy decoding writes by a whole forward pass for each token.
    pub fn greedy(&self, prompt: &str, count: usize) -> Vec<u32> {
        let (model, mut backend, layout) = (self.model(), Backend::cpu(), Layout::new(&[], &[], &[]));
        support::load(&mut backend, &model, &self.folder);
        let mut ids = self.tokens(prompt);
        let start = ids.len();
        for _ in 0..count {
            let asked = vec![Asked { place: ids.len() - 1, id: 0 }];
            let row = LanguageRow { sequence: Sequence::alone(ids.clone(), asked), ..LanguageRow::default() };
            let batch = LanguageBatch { rows: vec![&row], weight: 1.0, ..LanguageBatch::default() };
            let shape = BatchShape::new(1, ids.len());
            let plan = forward_plan(&model, shape, &layout, 1, Output::Logits).unwrap();
            let mut program = block_on(backend.compile(plan)).unwrap();
            let inputs = batch.inputs(shape, model.common().padding);
            let logits = block_on(backend.forward(&mut program, &inputs, &[])).unwrap().concat();
            ids.push(argmax(&logits[logits.len() - model.common().vocab_size..]) as u32);
        }
        ids.split_off(start)
    }
}

pub(super) fn rendered(prompt: &str) -> Prompt {
    Prompt::Rendered { rendered: prompt.into() }
}

pub(super) fn tokens(count: usize) -> GenerateOptions {
    GenerateOptions { max_new_tokens: count, ..GenerateOptions::default() }
}

/// All tokens, call by call, and what they make.
fn run(
    session: &mut Session,
    prompts: &[&str],
    selection: &Selection,
    told: &GenerateOptions,
) -> (Vec<Token>, Vec<Generated>) {
    let prompts: Vec<Prompt> = prompts.iter().map(|prompt| rendered(prompt)).collect();
    session.begin_generation(&prompts, selection, told).unwrap();
    let mut found = Vec::new();
    loop {
        let tokens = block_on(session.next_tokens()).unwrap();
        if tokens.is_empty() {
            return (found, session.end_generation().unwrap());
        }
        found.extend(tokens);
    }
}

pub(super) fn ids(session: &mut Session, prompts: &[&str], selection: &Selection, count: usize) -> Vec<Vec<u32>> {
    run(session, prompts, selection, &tokens(count)).1.into_iter().map(|row| row.token_ids).collect()
}

/// Rows of a batch are of different lengths, and the windows of some families are shorter than all of them.
#[test]
fn a_cache_gives_what_whole_forward_passes_give_in_every_family() {
    for family in FAMILIES {
        let tiny = Tiny::new(family);
        let most = PROMPTS.iter().map(|prompt| tiny.tokens(prompt).len()).max().unwrap();
        let count = (tiny.model().common().longest - most).min(24);
        let expected = PROMPTS.map(|prompt| tiny.greedy(prompt, count));
        for (device, backend) in devices() {
            let mut session = tiny.session(backend);
            for (prompt, expected) in PROMPTS.iter().zip(&expected) {
                assert_eq!(
                    ids(&mut session, &[prompt], &BASE, count),
                    std::slice::from_ref(expected),
                    "{family} {device} {prompt}"
                );
            }
            assert_eq!(ids(&mut session, &PROMPTS, &BASE, count), expected, "{family} {device}");
        }
    }
}

/// One adapter a row, the product of two, and none, as each alone.
#[test]
fn adapters_answer_row_by_row() {
    for (device, backend) in devices() {
        let mut session = Tiny::new("llama").session(backend);
        add_drawn(&mut session, "a", 1);
        add_drawn(&mut session, "b", 2);
        let row = |name: &str| Some(name.to_string());
        let rows = Selection::Rows(vec![row("a"), None, row("b")]);
        let mixed = ids(&mut session, &PROMPTS, &rows, 16);
        let alone: Vec<_> = [active(&["a"]), BASE, active(&["b"])]
            .iter()
            .zip(PROMPTS)
            .map(|(selection, prompt)| ids(&mut session, &[prompt], selection, 16).remove(0))
            .collect();
        assert_eq!(mixed, alone, "{device}");
        let product = ids(&mut session, &PROMPTS[..1], &active(&["a", "b"]), 16);
        assert!(product[0] != mixed[0] && product[0] != ids(&mut session, &PROMPTS[..1], &BASE, 16)[0], "{device}");
    }
}

/// A chat goes on: what was read before is not read again, and the answer is that of a session that has read nothing.
#[test]
fn a_prompt_that_begins_with_what_the_cache_holds_is_read_from_there_on() {
    let tiny = Tiny::new("llama");
    let (first, longer) = ("the cat was good", "the cat was good, and the dog");
    let [own, all] = [first, longer].map(|prompt| tiny.tokens(prompt).len());
    for (device, backend) in devices() {
        let mut session = tiny.session(backend);
        let reads = |session: &mut Session, prompt: &str, selection: &Selection| {
            session.begin_generation(&[rendered(prompt)], selection, &tokens(5)).unwrap();
            while !block_on(session.next_tokens()).unwrap().is_empty() {}
            let reads = session.generation_reads();
            (session.end_generation().unwrap().remove(0).token_ids, reads)
        };
        // The last token that is generated is not read.
        assert_eq!(reads(&mut session, first, &BASE), (tiny.greedy(first, 5), own + 4), "{device}");
        assert_eq!(reads(&mut session, longer, &BASE), (tiny.greedy(longer, 5), all - own + 4), "{device}");
        // The same again: the last token alone tells the next.
        assert_eq!(reads(&mut session, longer, &BASE), (tiny.greedy(longer, 5), 1 + 4), "{device}");
        // Vectors of another adapter made other keys, even where it has the same name.
        for seed in [1, 2] {
            add_drawn(&mut session, "a", seed);
            assert_eq!(reads(&mut session, longer, &active(&["a"])).1, all + 4, "{device}");
            session.delete_adapter("a").unwrap();
        }
    }
}

/// Other calls between two tokens, a run of training that needs the memory, and even another device change nothing.
#[test]
fn a_generation_goes_on_whatever_comes_between() {
    let tiny = Tiny::new("mistral");
    for (device, backend) in devices() {
        let mut session = tiny.session(backend);
        session.add_adapter("a", Default::default()).unwrap();
        session.begin_generation(&[rendered(PROMPTS[0])], &BASE, &tokens(12)).unwrap();
        let mut found = Vec::new();
        for step in 0..12 {
            found.extend(block_on(session.next_tokens()).unwrap().iter().map(|token| token.id));
            match step {
                2 => {
                    let error = session.begin_generation(&[rendered("a")], &BASE, &tokens(1)).unwrap_err();
                    assert_eq!(error.code(), "busy");
                }
                4 => train_a_step(&mut session),
                6 => {
                    session.set_backend(Backend::cpu());
                    assert_eq!(block_on(session.next_tokens()).unwrap_err().code(), "not-ready");
                    load_file(&mut session, &tiny.weights(), 1 << 16).unwrap();
                }
                _ => {}
            }
        }
        assert_eq!(found, tiny.greedy(PROMPTS[0], 12), "{device}");
        assert_eq!(session.end_generation().unwrap()[0].finish_reason, FinishReason::Length);
        assert_eq!(block_on(session.next_tokens()).unwrap_err().code(), "not-ready");
    }
}

fn train_a_step(session: &mut Session) {
    let example = Example::Plain { text: "the cat was good".into() };
    block_on(session.begin_training("a", &[example], &[], &steps(1))).unwrap();
    step(session, usize::MAX).unwrap();
    block_on(session.end_training(EndReason::Failed)).unwrap();
}

#[test]
fn the_tokens_text_is_the_whole_text() {
    let mut session = Tiny::new("qwen3").session(Backend::cpu());
    let (told, rows) = run(&mut session, &PROMPTS, &BASE, &tokens(20));
    for (at, row) in rows.iter().enumerate() {
        let own = || told.iter().filter(|token| token.row == at);
        assert_eq!(own().map(|token| token.text.as_str()).collect::<String>(), row.text);
        assert_eq!(own().map(|token| token.id).collect::<Vec<_>>(), row.token_ids);
        assert!(!row.text.trim().is_empty() && row.finish_reason == FinishReason::Length);
    }
}

/// It may be any in the configuration's list. The token is told, its text is not.
#[test]
fn a_row_ends_at_any_of_the_end_tokens_while_others_go_on() {
    let mut tiny = Tiny::new("llama");
    let expected = PROMPTS.map(|prompt| tiny.greedy(prompt, 12));
    let end = expected[0][5];
    tiny.config["eos_token_id"] = json!([0, end]);
    let rows = run(&mut tiny.session(Backend::cpu()), &PROMPTS, &BASE, &tokens(12)).1;
    for (row, expected) in rows.iter().zip(&expected) {
        let stop = expected.iter().position(|id| [0, end].contains(id));
        let (count, reason) = stop.map_or((12, FinishReason::Length), |at| (at + 1, FinishReason::Stop));
        assert_eq!((row.token_ids.as_slice(), row.finish_reason), (&expected[..count], reason));
    }
    assert_eq!(rows[0].finish_reason, FinishReason::Stop);
}

/// What may become a stop string is held back: no token's text has a part of it.
#[test]
fn a_stop_string_over_several_tokens_ends_a_row_and_is_left_out() {
    let mut session = Tiny::new("llama").session(Backend::cpu());
    let whole = run(&mut session, &PROMPTS[..1], &BASE, &tokens(12)).1.remove(0).text;
    let words: Vec<&str> = whole.split_inclusive(' ').collect();
    let stop = words[3..5].concat();
    let end = whole.find(&stop).unwrap();
    let told = GenerateOptions { stop: vec!["no such words".into(), stop], ..tokens(12) };
    let (told, rows) = run(&mut session, &PROMPTS[..1], &BASE, &told);
    assert_eq!((rows[0].text.as_str(), rows[0].finish_reason), (&whole[..end], FinishReason::Stop));
    assert_eq!(told.iter().map(|token| token.text.as_str()).collect::<String>(), whole[..end]);
}

#[test]
fn the_same_seed_writes_the_same_and_another_something_else() {
    let mut session = Tiny::new("llama").session(Backend::cpu());
    let told = |seed| GenerateOptions { temperature: 1.5, top_k: Some(40), top_p: Some(0.95), seed, ..tokens(20) };
    let mut write = |seed| run(&mut session, &PROMPTS[..2], &BASE, &told(seed)).1;
    let first = write(1);
    assert_eq!(write(1), first);
    assert_ne!(write(2)[0].token_ids, first[0].token_ids);
}

#[test]
fn a_generation_that_is_ended_early_tells_what_it_has() {
    let mut session = Tiny::new("llama").session(Backend::cpu());
    let before = session.activation_bytes();
    session.begin_generation(&[rendered("a")], &BASE, &tokens(20)).unwrap();
    let first = block_on(session.next_tokens()).unwrap();
    let found = session.end_generation().unwrap().remove(0);
    assert_eq!((found.token_ids, found.finish_reason), (vec![first[0].id], FinishReason::Aborted));
    // Keys and values of 64 tokens and more for the next chat.
    assert!(session.activation_bytes() > before + 64 * 4, "{}", session.activation_bytes());
}

#[test]
fn what_cannot_be_generated_is_refused_before_anything_runs() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    let longest = session.model().common().longest;
    let mut refused = |prompts: &[Prompt], selection: &Selection, told: GenerateOptions| {
        session.begin_generation(prompts, selection, &told).unwrap_err()
    };
    let one = [rendered("the cat was good")];
    let error = refused(&one, &BASE, tokens(longest - 3));
    let text = error.to_string();
    let numbers = [format!("is {}", longest - 3), "6 tokens".into(), format!("1 to {longest}")];
    assert!(error.code() == "bad-option" && numbers.iter().all(|part| text.contains(part)), "{text}");
    assert_eq!(refused(&one, &BASE, tokens(0)).code(), "bad-option");
    assert_eq!(refused(&[], &BASE, tokens(1)).code(), "bad-option");
    assert_eq!(refused(&[rendered("")], &BASE, tokens(1)), Error::EmptyText { index: 0 });
    assert_eq!(refused(&one, &active(&["none"]), tokens(1)).code(), "unknown-adapter");
    let told = GenerateOptions { stop: vec![String::new()], ..tokens(1) };
    assert!(matches!(refused(&one, &BASE, told), Error::BadOption { option, .. } if option == "stop"));
    let error = llama(Backend::cpu(), Task::TextClassification).begin_generation(&one, &BASE, &tokens(1)).unwrap_err();
    assert_eq!(error.code(), "bad-option");
}

#[test]
fn the_last_place_of_the_model_can_be_used() {
    let tiny = Tiny::new("gpt2");
    let count = tiny.model().common().longest - tiny.tokens(PROMPTS[0]).len();
    for (device, backend) in devices() {
        let found = ids(&mut tiny.session(backend), &PROMPTS[..1], &BASE, count);
        assert_eq!(found[0], tiny.greedy(PROMPTS[0], count), "{device}");
    }
}

/// One submit a token and at most twelve dispatches a layer, beside what is before and behind the layers.
#[test]
fn a_token_costs_one_submit_and_few_dispatches() {
    let tiny = Tiny::new("llama");
    let layers = tiny.config["num_hidden_layers"].as_u64().unwrap() as usize;
    let mut session = tiny.session(devices().pop().unwrap().1);
    add_drawn(&mut session, "a", 1);
    session.begin_generation(&[rendered(PROMPTS[0])], &active(&["a"]), &tokens(8)).unwrap();
    block_on(session.next_tokens()).unwrap();
    block_on(session.next_tokens()).unwrap();
    let counts = |session: &Session| match session.backend() {
        Some(Backend::Gpu(gpu)) => gpu.counts(),
        _ => panic!("the GPU comes last"),
    };
    let before = counts(&session);
    block_on(session.next_tokens()).unwrap();
    let after = counts(&session);
    assert_eq!(after.submits - before.submits, 1);
    let dispatches = after.dispatches - before.dispatches;
    // Embedding, last norm, pick and logits.
    assert!(dispatches <= 12 * layers + 4, "{dispatches} dispatches in {layers} layers");
}

#[test]
fn models_that_do_not_generate_say_so() {
    let mut encoder = session_on(Backend::cpu(), options(Pooling::Mean));
    assert!(encoder.begin_generation(&["a".into()], &BASE, &GenerateOptions::default()).is_err());
}
