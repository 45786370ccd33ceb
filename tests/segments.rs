//! Texts that share a row, packed or as choices of one input, against the same texts in rows of their own: losses, gradients, training.
//! Full attention and windows, learned and rotary positions, biases by distance; on the CPU and natively on any Vulkan driver.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::adapter::{Adapter, AdapterConfig, Base, Fresh, Layout, TaskType};
use ia3_web::backend::Backend;
use ia3_web::models::{Model, Output};
use ia3_web::session::{ChooseOptions, Continuation, Example, Pooling, Ranking, Session, SessionOptions, Task};
use ia3_web::train::{Continued, LanguageBatch, LanguageRow, Preset, TrainOptions, pack, training_plan};
use pollster::block_on;
use support::random::Random;
use support::session::{BASE, load_file, options, steps, train_on};
use support::{assert_close, bytes, devices, load, model, run};

/// Sums are made in another order.
const TOLERANCE: f32 = 1e-5;

/// GPT-2 has learned positions, Mistral a window of 5 in every layer, Qwen2 and Gemma 3 one in some, Qwen3 normalised heads.
const DECODERS: [&str; 6] = ["gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma3_text"];

/// Families that between them run every op of the others: a GPU takes long to compile.
const ON_GPU: [&str; 3] = ["gpt2", "gemma3_text", "t5"];

/// A bench of each family on each of its devices.
fn benches(families: &[&'static str]) -> Vec<(String, Bench)> {
    let on = |family: &'static str| {
        let chosen = devices().into_iter().filter(move |(device, _)| *device == "cpu" || ON_GPU.contains(&family));
        chosen.map(move |(device, backend)| (format!("{device} {family}"), Bench::new(backend, family)))
    };
    families.iter().copied().flat_map(on).collect()
}

/// A family's model on a device, with an adapter whose vectors are drawn.
struct Bench {
    backend: Backend,
    model: Model,
    base: Base,
    adapter: Adapter,
}

impl Bench {
    fn new(mut backend: Backend, family: &str) -> Bench {
        let task = if family.ends_with("t5") { TaskType::Seq2SeqLm } else { TaskType::CausalLm };
        let folder = format!("families/{family}");
        let (model, base) = model(&folder, task, 0);
        load(&mut backend, &model, &folder);
        let mut config = AdapterConfig::usual(&base.model_type);
        let places = base.settle(&mut config).unwrap();
        let mut adapter = Adapter::new(config, &base.sites, &places, Fresh::default());
        let mut random = Random::new(5);
        adapter.vectors.values_mut().for_each(|vector| *vector = random.floats(vector.len(), 1.0, 0.5));
        Bench { backend, model, base, adapter }
    }

    /// An input of `given` tokens and continuations of so many.
    fn prompt(&self, random: &mut Random, given: usize, continuations: &[usize]) -> Continued {
        let mut tokens = |count: usize| (0..count).map(|_| 4 + random.below(55) as u32).collect::<Vec<_>>();
        let given = tokens(given);
        let start = self.model.common().padding.start;
        let continuations = continuations.iter().map(|count| start.into_iter().chain(tokens(*count)).collect());
        let continuations = continuations.collect();
        match start {
            Some(_) => Continued { input: Some(given), continuations, ..Continued::default() },
            None => Continued { given, continuations, ..Continued::default() },
        }
    }

    /// The loss of every token asked for, in order.
    fn losses(&mut self, rows: &[LanguageRow]) -> Vec<f32> {
        let batch = LanguageBatch { rows: rows.iter().collect(), weight: 1.0, ..LanguageBatch::default() };
        let (shape, padding) = (batch.shape(), self.model.common().padding);
        let inputs = (shape, batch.inputs(shape, padding));
        let mut told = run::forward(&mut self.backend, &self.model, &self.base, &self.adapter, &inputs, Output::Tokens);
        told.truncate(shape.asked);
        told
    }

    /// The mean loss of all tokens asked for, and its gradient.
    fn gradient(&mut self, rows: &[LanguageRow]) -> (f32, Vec<f32>) {
        let mut batch = LanguageBatch { rows: rows.iter().collect(), ..LanguageBatch::default() };
        let (shape, padding) = (batch.shape(), self.model.common().padding);
        batch.weight = 1.0 / shape.asked as f32;
        let layout = Layout::union(&self.base.sites, &[&self.adapter]);
        let plan = training_plan(&self.model, shape, &layout, Output::CrossEntropy, false).unwrap();
        let parameters = layout.pack(&self.adapter);
        run::gradient(&mut self.backend, plan, &parameters, &[batch.inputs(shape, padding)])
    }

    fn check(&mut self, what: &str, together: &[LanguageRow], apart: &[LanguageRow]) {
        assert!(together.iter().any(|row| row.sequence.segmented()) && together.len() < apart.len());
        let (losses, expected) = (self.losses(together), self.losses(apart));
        assert_close(&format!("{what} losses"), &losses, &expected, TOLERANCE);
        let ((loss, gradient), (expected, by_itself)) = (self.gradient(together), self.gradient(apart));
        assert_close(&format!("{what} loss"), &[loss], &[expected], TOLERANCE);
        assert_close(&format!("{what} gradient"), &gradient, &by_itself, TOLERANCE);
    }
}

/// Rows of one text each, of more tokens than the windows; the longest first, as they are packed.
fn texts(bench: &Bench, seed: u64) -> Vec<LanguageRow> {
    let mut random = Random::new(seed);
    let sizes = [(4, 7), (0, 9), (2, 6), (5, 2), (1, 3)];
    sizes.map(|(given, count)| bench.prompt(&mut random, given, &[count]).rows(32).remove(0)).into()
}

#[test]
fn packed_texts_are_what_they_are_alone() {
    for (what, mut bench) in benches(&DECODERS) {
        let rows = texts(&bench, 7);
        bench.check(&what, &pack(&rows, 32), &rows);
    }
}

#[test]
fn choices_that_share_an_input_are_what_they_are_alone() {
    for (what, mut bench) in benches(&[DECODERS.as_slice(), &["t5", "mt5"]].concat()) {
        let mut random = Random::new(9);
        let prompts = [(7, &[3, 8, 1][..]), (2, &[6, 5])].map(|(n, counts)| bench.prompt(&mut random, n, counts));
        let rows = |room: usize| prompts.iter().flat_map(|prompt| prompt.rows(room)).collect::<Vec<_>>();
        bench.check(&what, &rows(64), &rows(0));
    }
}

/// Another text in the place of one: the losses of the others stay the same, those of its own do not.
#[test]
fn no_text_sees_another() {
    for (what, mut bench) in benches(&DECODERS) {
        let mut rows = texts(&bench, 7);
        let before = bench.losses(&pack(&rows, 32));
        rows[1] = texts(&bench, 8).remove(1);
        let packed = pack(&rows, 32);
        let after = bench.losses(&packed);
        let mut losses = before.iter().zip(&after);
        for (number, text) in packed.iter().flat_map(|row| &row.sequence.asked).enumerate() {
            let own = losses.by_ref().take(text.len());
            let moved = own.fold(0.0_f32, |most, (before, after)| most.max((before - after).abs()));
            assert_eq!(moved > 1e-6, number == 1, "{what} text {number} moved by {moved}");
        }
    }
}

fn session(backend: Backend, family: &str) -> Session {
    let told = SessionOptions { task: Task::TextGeneration, labels: Vec::new(), ..options(Pooling::Mean) };
    let config = bytes(&format!("families/{family}/config.json"));
    let mut session = Session::new(&config, &bytes("tiny-bert/tokenizer.json"), told).unwrap();
    session.set_backend(backend);
    load_file(&mut session, &bytes(&format!("families/{family}/model.safetensors")), 4096).unwrap();
    session.add_adapter("a", Default::default()).unwrap();
    session
}

fn written() -> Vec<Example> {
    let completed = |(prompt, completion): (&str, &str)| Example::Completed {
        prompt: prompt.into(),
        completion: completion.into(),
    };
    let pairs = [("the cat was", "good"), ("a dog", "and the cat, not bad"), ("not", "bad"), ("the best", "horse")];
    let plain = Example::Plain { text: "a good one, the best".into() };
    pairs.map(completed).into_iter().chain([plain]).collect()
}

/// All examples in every step, in fewer rows: the same steps.
#[test]
fn packing_changes_no_step() {
    for (device, family) in [(0, "gpt2"), (0, "llama"), (0, "gemma3_text"), (1, "gpt2")] {
        let losses = |packing: bool| {
            let (what, backend) = devices().remove(device);
            let told = TrainOptions { packing: Some(packing), max_length: Some(24), ..steps(4) };
            let losses = train_on(&mut session(backend, family), "a", &written(), &[], &told).1.losses;
            (format!("{what} {family}"), losses)
        };
        let ((what, packed), (_, apart)) = (losses(true), losses(false));
        assert_close(&what, &packed, &apart, 1e-4);
    }
}

/// Two passes over five examples, or over the three rows that hold them.
#[test]
fn what_counts_examples_counts_packed_rows() {
    let counted = |packing: Option<bool>| {
        let mut session = session(Backend::cpu(), "llama");
        let told = TrainOptions {
            packing,
            steps: None,
            epochs: Some(2.0),
            batch_size: Some(1),
            max_length: Some(24),
            ..steps(0)
        };
        let (steps, _) = block_on(session.begin_training("a", &written(), &[], &told)).unwrap();
        steps
    };
    assert_eq!((counted(None), counted(Some(false))), (10, 10));
    assert_eq!(counted(Some(true)), 6);
}

#[test]
fn what_cannot_share_a_row_is_refused() {
    let mut session = session(Backend::cpu(), "llama");
    let ranked =
        Example::Ranked { input: "the".into(), choices: ["cat", "dog"].map(String::from).into(), answer: "cat".into() };
    let told = TrainOptions { packing: Some(true), ..steps(1) };
    let error = block_on(session.begin_training("a", &[ranked], &[], &told)).unwrap_err();
    assert!(error.code() == "bad-option" && error.to_string().contains("packing"), "{error}");
}

/// Ten choices of four tokens in a model of 32: they take several rows, each with the input, and score what `score` says of them alone.
#[test]
fn choices_that_do_not_fit_a_row_take_several() {
    let mut session = session(Backend::cpu(), "gpt2");
    let input = "the cat was not a horse";
    let words = ["cat", "dog", "horse", "good", "bad", "best", "worst", "not", "very", "one"];
    let choices: Vec<String> = words.map(|word| format!("a {word} and the")).into();
    let given = Ranking::Given { input: input.into(), choices: choices.clone() };
    let sums = ChooseOptions { length_norm: Some(0.0), ..Default::default() };
    let chosen = block_on(session.choose(&[given], &BASE, sums)).unwrap().remove(0);
    assert!(chosen.scores.len() == 10 && !chosen.truncated);
    for choice in &choices {
        // The token that ends a choice is not in what `score` is asked.
        let row = Continuation { prompt: input.into(), continuation: choice.clone() };
        let scored = block_on(session.score(&[row], &BASE, Default::default())).unwrap().remove(0);
        let alone = Ranking::Given { input: input.into(), choices: vec![choice.clone(), "cat".into()] };
        let pair = block_on(session.choose(&[alone], &BASE, sums)).unwrap().remove(0);
        assert!((pair.scores[choice] - chosen.scores[choice]).abs() < 1e-4 && pair.scores[choice] < scored.log_prob);
    }
    let ranked = Example::Ranked { input: input.into(), answer: choices[9].clone(), choices };
    let told = TrainOptions { preset: Some(Preset::TFew), learning_rate: Some(0.1), ..steps(6) };
    let losses = train_on(&mut session, "a", &[ranked], &[], &told).1.losses;
    assert!(losses[5] < losses[0], "{losses:?}");
}
