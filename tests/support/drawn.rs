//! Models of random weights, larger than the fixtures.

use super::random::Random;
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::{write, write_header};
use ia3_web::models::Model;
use ia3_web::session::{Pooling, Task};
use serde_json::json;
use std::collections::BTreeMap;

/// A configuration with fields of every family here, of 7 MB or so of weights with 400 tokens.
pub fn config(model_type: &str, vocab_size: usize) -> Vec<u8> {
    let config = json!({
        "model_type": model_type, "hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 6,
        "intermediate_size": 512, "vocab_size": vocab_size, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
        "tie_word_embeddings": true, "pad_token_id": 0,
        "d_model": 192, "num_layers": 2, "num_heads": 6, "d_kv": 32, "d_ff": 512, "n_positions": 64,
    });
    serde_json::to_vec(&config).unwrap()
}

/// A file with random weights.
pub fn file(config: &[u8], task: Task) -> Vec<u8> {
    let model = Model::from_json(config, task.task_type(Pooling::Mean)).unwrap();
    let random = &mut Random::new(3);
    let parts = model.weights().unwrap().into_iter().flat_map(|weight| weight.parts);
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let data = random.floats(shape.iter().product(), 0.0, 0.1);
        (name, HostTensor::new(shape, data))
    };
    write(&parts.map(tensor).collect())
}

/// The start of such a file.
pub fn header(config: &[u8], task: Task) -> Vec<u8> {
    let model = Model::from_json(config, task.task_type(Pooling::Mean)).unwrap();
    let parts: BTreeMap<_, _> = model.weights().unwrap().into_iter().flat_map(|weight| weight.parts).collect();
    write_header(parts.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())))
}
