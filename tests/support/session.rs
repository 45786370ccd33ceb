//! Sessions on the tiny fixtures, through the calls a page makes.

use super::{bytes, devices, tensors};
use ia3_web::Result;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::session::Pooling;
use ia3_web::session::{
    ActivationDtype, Answer, EndReason, Example, InferOptions, Selection, Session, SessionOptions, Task, Text,
    TrainEvent, TrainResult,
};
use ia3_web::train::TrainOptions;
use pollster::block_on;
use std::collections::BTreeMap;

pub type Files = BTreeMap<String, Vec<u8>>;

/// What the examples are labelled with.
pub const LABELS: [&str; 3] = ["animal", "praise", "blame"];

pub fn options(pooling: Pooling) -> SessionOptions {
    SessionOptions {
        model_id: Some("tiny-bert".into()),
        revision: None,
        task: Task::TextClassification,
        labels: LABELS.map(String::from).to_vec(),
        pooling,
        seed: 0,
        dtype: None,
        activation_dtype: ActivationDtype::F32,
    }
}

/// The fixture that has this pooling's names and head.
pub fn folder(pooling: Pooling) -> &'static str {
    match pooling {
        Pooling::Mean => "tiny-bert-mean",
        Pooling::Pooler => "tiny-bert",
    }
}

/// A session without device and weights.
pub fn empty(options: SessionOptions) -> Session {
    let folder = folder(options.pooling);
    let (config, tokenizer) = (bytes(&format!("{folder}/config.json")), bytes(&format!("{folder}/tokenizer.json")));
    Session::new(&config, &tokenizer, options).unwrap()
}

pub fn weights(pooling: Pooling) -> Vec<u8> {
    bytes(&format!("{}/model.safetensors", folder(pooling)))
}

/// Loads a file the way a page does, in chunks.
pub fn load_file(session: &mut Session, file: &[u8], chunk: usize) -> Result<()> {
    load_files(session, &[("model.safetensors", file)], chunk)
}

/// Loads shards one after the other.
pub fn load_files(session: &mut Session, files: &[(&str, &[u8])], chunk: usize) -> Result<()> {
    session.begin_weights()?;
    for (name, file) in files {
        session.begin_file(name, Some(file.len() as u64), None)?;
        file.chunks(chunk).try_for_each(|chunk| session.feed_weights(chunk))?;
    }
    block_on(session.finish_weights())
}

/// A session with the weights of its fixture on `backend`.
pub fn session_on(backend: Backend, options: SessionOptions) -> Session {
    let file = weights(options.pooling);
    let mut session = empty(options);
    session.set_backend(backend);
    load_file(&mut session, &file, 4096).unwrap();
    session
}

/// A ready session on the CPU.
pub fn session(pooling: Pooling) -> Session {
    session_on(Backend::cpu(), options(pooling))
}

/// A ready session on every device.
pub fn sessions(pooling: Pooling) -> impl Iterator<Item = (&'static str, Session)> {
    devices().into_iter().map(move |(device, backend)| (device, session_on(backend, options(pooling))))
}

pub fn text(text: &str) -> Text {
    Text { text: text.into(), text_pair: None }
}

pub fn pair(first: &str, second: &str) -> Text {
    Text { text: first.into(), text_pair: Some(second.into()) }
}

pub fn example(label: &str, words: &str) -> Example {
    Example::Labelled { text: text(words), label: label.into() }
}

/// Four examples of each label.
pub fn examples() -> Vec<Example> {
    let words = [
        ["the cat", "a dog and the cat", "cats walking", "the horse"],
        ["good", "very good!", "a good one, the best", "not bad"],
        ["bad", "the worst, bad", "not good", "bad, bad, bad."],
    ];
    LABELS.iter().zip(words).flat_map(|(label, words)| words.map(|words| example(label, words))).collect()
}

/// Texts that are no examples, of different lengths.
pub fn texts() -> Vec<Text> {
    ["the cat was good", "bad", "a horse walks, not a cat", "not the best one!"].map(text).to_vec()
}

pub fn active(names: &[&str]) -> Selection {
    Selection::Active(names.iter().map(|name| name.to_string()).collect())
}

pub const BASE: Selection = Selection::Active(Vec::new());

pub fn classify(session: &mut Session, selection: &Selection) -> Vec<Answer> {
    block_on(session.classify(&texts(), selection, InferOptions::default())).unwrap()
}

/// The embeddings of [`texts`], one after the other.
pub fn embed(session: &mut Session, selection: &Selection) -> Vec<f32> {
    block_on(session.embed(&texts(), selection, InferOptions::default())).unwrap().rows.concat()
}

/// The scores of answers in the order of the labels, one after the other.
pub fn scores(answers: &[Answer]) -> Vec<f32> {
    answers.iter().flat_map(|answer| LABELS.iter().map(|label| answer.scores[*label])).collect()
}

/// Adds an adapter with vectors drawn from N(0, 1), so that it shows.
pub fn add_drawn(session: &mut Session, name: &str, seed: u64) {
    let drawn =
        ia3_web::session::AdapterOptions { init_ia3_weights: Some(false), seed: Some(seed), ..Default::default() };
    session.add_adapter(name, drawn).unwrap();
}

/// Adds an adapter with vectors and shifts that show, otherwise as told.
pub fn add_shifted(session: &mut Session, name: &str, told: serde_json::Value, seed: u64) {
    let mut told: ia3_web::session::AdapterOptions = serde_json::from_value(told).unwrap();
    told.shift = Some(true);
    told.init = Some(ia3_web::adapter::Init::Normal(0.3));
    told.seed = Some(seed);
    session.add_adapter("zeros", told).unwrap();
    let mut files = session.save_adapter("zeros").unwrap();
    session.delete_adapter("zeros").unwrap();
    let mut random = super::random::Random::new(seed);
    let mut shifts = read_all(&files[SHIFTS]).unwrap();
    shifts.values_mut().for_each(|shift| shift.data = random.floats(shift.data.len(), 0.0, 0.3));
    files.insert(SHIFTS.into(), ia3_web::checkpoint::safetensors::write(&shifts));
    assert_eq!(session.load_adapter(name, &files), Ok(Vec::new()));
}

/// The file of the shifts.
pub const SHIFTS: &str = "ia3_shift.safetensors";

/// The adapter's shifts by their names in that file.
pub fn shifts(session: &Session, name: &str) -> BTreeMap<String, HostTensor> {
    read_all(&session.save_adapter(name).unwrap()[SHIFTS]).unwrap()
}

/// The adapter's tensors by their names in its file.
pub fn saved(session: &Session, name: &str) -> BTreeMap<String, HostTensor> {
    read_all(&session.save_adapter(name).unwrap()["adapter_model.safetensors"]).unwrap()
}

/// Names of the tensors in a fixture's model file.
pub fn names(pooling: Pooling) -> Vec<String> {
    tensors(&format!("{}/model.safetensors", folder(pooling))).into_keys().collect()
}

/// Short, steady training in batches of six.
pub fn steps(count: usize) -> TrainOptions {
    TrainOptions {
        steps: Some(count),
        batch_size: Some(6),
        learning_rate: Some(2e-2),
        warmup_ratio: Some(0.0),
        ..TrainOptions::default()
    }
}

/// Steps until the run ends by itself, or until `most` calls.
pub fn step(session: &mut Session, most: usize) -> Result<Vec<TrainEvent>> {
    let mut events = Vec::new();
    for _ in 0..most {
        events.extend(block_on(session.train_step())?);
        if matches!(events.last(), Some(TrainEvent::End { .. })) {
            break;
        }
    }
    Ok(events)
}

/// A whole run on [`examples`].
pub fn train(session: &mut Session, name: &str, options: &TrainOptions) -> TrainResult {
    train_on(session, name, &examples(), &[], options).1
}

pub fn train_on(
    session: &mut Session,
    name: &str,
    examples: &[Example],
    validation: &[Example],
    options: &TrainOptions,
) -> (Vec<TrainEvent>, TrainResult) {
    block_on(session.begin_training(name, examples, validation, options)).unwrap();
    let events = step(session, usize::MAX).unwrap();
    (events, block_on(session.end_training(EndReason::Failed)).unwrap())
}
