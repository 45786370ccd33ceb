//! What the tests share: fixtures as real PEFT left them, models with their weights on a device, and comparing.
#![allow(dead_code)] // Each test binary uses its part.

#[cfg(not(target_arch = "wasm32"))]
pub mod drawn;
#[cfg(target_arch = "wasm32")]
mod embedded;
pub mod families;
pub mod golden;
pub mod random;
#[cfg(not(target_arch = "wasm32"))]
pub mod rank;
pub mod run;
pub mod session;

use ia3_web::adapter::{Adapter, AdapterConfig, Base, Fresh, Head, HeadLayer, HeadModule, Place, TaskType};
use ia3_web::backend::{Backend, Inputs};
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::models::{BatchShape, Model, Padding};
use ia3_web::train::{Asked, Batch, Encoded, LanguageBatch, LanguageRow, Sequence, Target};
use serde_json::Value;
use std::collections::BTreeMap;
#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};

pub type Tensors = BTreeMap<String, HostTensor>;

/// The contents of a file under `tests/fixtures`.
#[cfg(not(target_arch = "wasm32"))]
pub fn bytes(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    std::fs::read(file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The contents of a file under `tests/fixtures`, of those that browser tests read.
#[cfg(target_arch = "wasm32")]
pub fn bytes(name: &str) -> Vec<u8> {
    embedded::bytes(name).to_vec()
}

/// A file of a real model, from the folder that holds a copy of the Hub.
#[cfg(not(target_arch = "wasm32"))]
pub fn hub_file(id: &str, name: &str) -> Vec<u8> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = || set("IA3_WEB_CACHE").or_else(|| Some(home()?.join("ia3-web")));
    let hub = set("IA3_WEB_HUB").or_else(|| Some(cache()?.join("hub"))).expect("a home folder");
    let file = hub.join(id).join("resolve/main").join(name);
    std::fs::read(&file).unwrap_or_else(|error| {
        panic!("{}: {error}. Run pkg-scripts/setup.sh, or set IA3_WEB_HUB to a copy of the Hub", file.display())
    })
}

pub fn tensors(name: &str) -> Tensors {
    read_all(&bytes(name)).unwrap()
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&bytes(name)).unwrap()
}

/// The devices every golden is checked on. A machine without a Vulkan driver fails here, loudly.
pub fn devices() -> Vec<(&'static str, Backend)> {
    let gpu = pollster::block_on(ia3_web::backend::gpu::Gpu::open())
        .expect("golden tests need a Vulkan driver, at least a software one");
    vec![("cpu", Backend::cpu()), ("webgpu", Backend::Gpu(Box::new(gpu)))]
}

/// A fixture's model and what adapters see of it.
pub fn model(folder: &str, task: impl Into<TaskType>, labels: usize) -> (Model, Base) {
    let model = Model::from_json(&bytes(&format!("{folder}/config.json")), task.into()).unwrap();
    let base = model.base((0..labels).map(|label| format!("LABEL_{label}")).collect()).unwrap();
    (model, base)
}

/// Puts a fixture's weights on a device.
pub fn load(backend: &mut Backend, model: &Model, folder: &str) {
    let found = tensors(&format!("{folder}/model.safetensors"));
    load_tensors(backend, model, &found.into_iter().map(|(name, t)| (model.bare(&name).to_string(), t)).collect());
}

/// Puts weights on a device, packed as the model's graph wants them. Their names have no prefix.
pub fn load_tensors(backend: &mut Backend, model: &Model, bare: &Tensors) {
    for weight in model.weights().unwrap() {
        let data = weight.parts.iter().flat_map(|(part, _)| bare[part].data.clone()).collect();
        let name = &weight.leaves(&model.formats)[0].name;
        backend.load(name, HostTensor { shape: weight.shape(), data }.into()).unwrap();
    }
}

fn rows(case: &Value, name: &str) -> Vec<Vec<u32>> {
    serde_json::from_value(case[name].clone()).unwrap()
}

/// What the rows of a case are compared with; nothing where it has no labels.
fn targets(case: &Value, length: usize) -> Vec<Target> {
    let numbers = |value: &Value| -> Vec<i64> { serde_json::from_value(value.clone()).unwrap() };
    let compared = |label: &i64| usize::try_from(*label).ok();
    if let Some(starts) = case.get("start_positions") {
        let inside = |position: &i64| compared(position).filter(|token| *token < length);
        let ends = numbers(&case["end_positions"]);
        let spans = numbers(starts).into_iter().zip(ends);
        return spans.map(|(start, end)| Target::Span([inside(&start), inside(&end)])).collect();
    }
    let target = |label: &Value| match label.as_u64() {
        Some(class) => Target::Class(class as usize),
        None => Target::Tokens(numbers(label).iter().map(compared).collect()),
    };
    case.get("labels").and_then(Value::as_array).map(|labels| labels.iter().map(target).collect()).unwrap_or_default()
}

/// The batch of a case.
pub fn batch(case: &Value, model: &Model) -> (BatchShape, Inputs) {
    let (ids, mask) = (rows(case, "input_ids"), rows(case, "attention_mask"));
    let types = case
        .get("token_type_ids")
        .map_or_else(|| vec![vec![0; ids[0].len()]; ids.len()], |_| rows(case, "token_type_ids"));
    let text = |row: usize| {
        let count = mask[row].iter().sum::<u32>() as usize;
        Encoded { ids: ids[row][..count].to_vec(), types: types[row][..count].to_vec(), truncated: false }
    };
    let texts: Vec<Encoded> = (0..ids.len()).map(text).collect();
    let weight = 1.0 / texts.len() as f32;
    let targets = targets(case, ids[0].len());
    let padding = model.common().padding;
    if matches!(model.task, TaskType::CausalLm | TaskType::Seq2SeqLm) {
        let rows: Vec<LanguageRow> =
            texts.iter().enumerate().map(|(at, text)| row(text, targets.get(at), padding)).collect();
        let longest = rows.iter().map(|row| row.sequence.ids.len()).max().unwrap();
        let mut batch = LanguageBatch { rows: rows.iter().collect(), ..LanguageBatch::default() };
        let shape = BatchShape { written: longest, ..BatchShape::new(ids.len(), ids[0].len()) };
        let shape = BatchShape { asked: shape.batch * shape.length.max(shape.written), ..shape };
        batch.weight = 1.0 / batch.shape().asked as f32;
        return (shape, batch.inputs(shape, padding));
    }
    let shape = BatchShape::new(ids.len(), ids[0].len());
    let batch = Batch { rows: texts.iter().collect(), targets: targets.iter().collect(), weight, ..Batch::default() };
    (shape, batch.inputs(shape, padding))
}

/// A language model's row: a decoder's tokens with what each tells, or an encoder's, and what its decoder writes.
fn row(text: &Encoded, target: Option<&Target>, padding: Padding) -> LanguageRow {
    let labels = match target {
        Some(Target::Tokens(labels)) => labels.clone(),
        _ => vec![None; text.ids.len()],
    };
    let asked = labels.iter().enumerate().filter_map(|(place, label)| label.map(|id| Asked { place, id: id as u32 }));
    let asked = asked.collect();
    let (input, ids) = match padding.start {
        Some(start) => {
            let before = &labels[..labels.len() - 1];
            let read = before.iter().map(|label| label.map_or(padding.token, |id| id as u32));
            (Some(text.ids.clone()), [start].into_iter().chain(read).collect())
        }
        None => (None, text.ids.clone()),
    };
    LanguageRow { input, sequence: Sequence::alone(ids, asked), truncated: false }
}

/// The adapter of a case: its configuration resolved by our rules, its vectors and head from the golden file.
pub fn adapter(case: &Value, golden: &Tensors, base: &Base) -> Adapter {
    let config = AdapterConfig::from_json(&serde_json::to_vec(&with_type(&case["config"])).unwrap()).unwrap().0;
    let mut config = config;
    let places = base.settle(&mut config).unwrap();
    let mut adapter = Adapter::new(config, &base.sites, &places, Fresh::default());
    for ((module, _), vector) in &mut adapter.vectors {
        vector.copy_from_slice(&golden[&format!("base_model.model.{module}.ia3_l")].data);
    }
    let part =
        |module: &str, kind: &str| golden.get(&head_name(base.task, module, kind)).map(|tensor| tensor.data.clone());
    let layer = |layer: &HeadModule| HeadLayer {
        module: layer.module.clone(),
        weight: part(&layer.module, "weight").unwrap(),
        bias: part(&layer.module, "bias").unwrap_or_default(),
        in_features: layer.in_features,
    };
    if base.head.iter().all(|layer| golden.contains_key(&head_name(base.task, &layer.module, "weight"))) {
        adapter.head = Some(Head { layers: base.head.iter().map(layer).collect(), labels: base.labels.clone() });
    }
    adapter
}

fn with_type(config: &Value) -> Value {
    let mut config = config.clone();
    config["peft_type"] = "IA3".into();
    config
}

/// Name of a head's tensor in a golden file.
pub fn head_name(task: TaskType, module: &str, kind: &str) -> String {
    match task {
        TaskType::FeatureExtraction => format!("head.{kind}"),
        _ => format!("base_model.model.{module}.{kind}"),
    }
}

/// Name of a vector's tensor in a PEFT file.
pub fn peft_name(module: &str, _place: Place) -> String {
    format!("base_model.model.{module}.ia3_l")
}

/// Largest difference of two vectors relative to the largest element expected.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let scale = expected.iter().fold(0f32, |most, x| most.max(x.abs())).max(1e-6);
    found
        .iter()
        .zip(expected)
        .fold(0f32, |most, (a, b)| if a.is_nan() { f32::INFINITY } else { most.max((a - b).abs()) })
        / scale
}

/// Fails with the name of what differs by more than `tolerance`, relative to its largest element.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    let error = relative_error(found, expected);
    assert!(error <= tolerance, "{what}: relative error {error:e} above {tolerance:e}");
}
