//! A tiny BERT with random weights, random adapters for it, and random texts.

use crate::support::Tensors;
use crate::support::random::Random;
use ia3_web::adapter::{Adapter, AdapterConfig, Fresh, Head, TaskType, resolve};
use ia3_web::checkpoint::HostTensor;
use ia3_web::models::{BatchShape, Model};
use ia3_web::train::Encoded;

pub const LABELS: usize = 3;
pub const SHAPE: BatchShape = BatchShape::new(6, 9);

pub const HIDDEN: usize = 20;
pub const HEADS: usize = 4;
pub const LAYERS: usize = 2;
pub const EPS: f32 = 1e-12;

pub fn model(task: TaskType) -> Model {
    let config = r#"{"model_type": "bert", "hidden_size": 20, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 36,
        "vocab_size": 31, "max_position_embeddings": 16, "type_vocab_size": 2, "layer_norm_eps": 1e-12}"#;
    Model::from_json(config.as_bytes(), task).unwrap()
}

/// Weights of the model by their names in a file.
pub fn weights(model: &Model, random: &mut Random) -> Tensors {
    let hidden = HIDDEN;
    let mut shapes: Vec<(String, Vec<usize>)> = Vec::new();
    for (table, rows) in [("word", 31), ("position", 16), ("token_type", 2)] {
        shapes.push((format!("embeddings.{table}_embeddings.weight"), vec![rows, hidden]));
    }
    for site in model.sites().unwrap() {
        let module = site.module.trim_start_matches("bert.").to_string();
        shapes.push((format!("{module}.weight"), vec![site.out_features, site.in_features]));
        shapes.push((format!("{module}.bias"), vec![site.out_features]));
    }
    let layers = (0..2).flat_map(|at| ["attention.output", "output"].map(|part| format!("encoder.layer.{at}.{part}")));
    for norm in layers.chain(["embeddings".into()]) {
        shapes.push((format!("{norm}.LayerNorm.weight"), vec![hidden]));
        shapes.push((format!("{norm}.LayerNorm.bias"), vec![hidden]));
    }
    let centre = |name: &str| if name.ends_with("LayerNorm.weight") { 1.0 } else { 0.0 };
    let mut tensor = |(name, shape): (String, Vec<usize>)| {
        let data = random.floats(shape.iter().product(), centre(&name), 0.4);
        (name, HostTensor::new(shape, data))
    };
    shapes.into_iter().map(&mut tensor).collect()
}

/// An adapter with random vectors, shifts if it has any, and head at what the configuration targets.
pub fn adapter(model: &Model, config: AdapterConfig, fresh: Fresh, random: &mut Random) -> Adapter {
    let sites = model.sites().unwrap();
    let places = resolve(&config, "bert", &sites, &[]).unwrap();
    let mut adapter = Adapter::new(config, &sites, &places, fresh);
    for (vectors, centre) in [(&mut adapter.vectors, 1.0), (&mut adapter.shifts, 0.0)] {
        for ((module, place), values) in vectors {
            let site = sites.iter().find(|site| site.module == *module).unwrap();
            let repeat = if fresh.per_head { site.repeat(*place) } else { 1 };
            let drawn = random.floats(values.len() / repeat, centre, 0.4);
            *values = drawn.into_iter().flat_map(|value| vec![value; repeat]).collect();
        }
    }
    let base = model.base((0..LABELS).map(|label| label.to_string()).collect()).unwrap();
    let weight = random.floats(LABELS * HIDDEN, 0.0, 1.0);
    adapter.head = Some(Head::single(&base, weight, random.floats(LABELS, 0.0, 1.0)));
    adapter
}

/// Texts of one to nine tokens, some of them pairs.
pub fn texts(random: &mut Random) -> Vec<Encoded> {
    let text = |at: usize| {
        let count = 1 + (at * 5 + 3) % SHAPE.length;
        let ids = (0..count).map(|_| random.below(31) as u32).collect();
        Encoded { ids, types: (0..count).map(|token| u32::from(token > 4)).collect(), truncated: false }
    };
    (0..SHAPE.batch).map(text).collect()
}
