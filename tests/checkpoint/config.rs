//! `config.json`.

use ia3_web::Error;
use ia3_web::checkpoint::{HiddenAct, ModelConfig};

const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
    "intermediate_size": 40, "vocab_size": 67, "max_position_embeddings": 40, "hidden_act": "gelu",
    "id2label": {"1": "yes", "0": "no"}}"#;

#[test]
fn reads_a_configuration() {
    let config = ModelConfig::from_json(CONFIG.as_bytes()).unwrap();
    assert_eq!((config.hidden_size, config.num_attention_heads, config.vocab_size), (24, 3, 67));
    assert_eq!((config.hidden_act, config.type_vocab_size, config.layer_norm_eps), (HiddenAct::Gelu, 2, 1e-12));
    assert_eq!(config.labels, Some(vec!["no".into(), "yes".into()]));
}

#[test]
fn a_bad_configuration_names_the_field() {
    for (from, to, field) in [
        (r#""hidden_size": 24"#, r#""hidden": 24"#, "hidden_size"),
        (r#""hidden_size": 24"#, r#""hidden_size": 25"#, "hidden_size"),
        (r#""hidden_size": 24"#, r#""hidden_size": 1e9"#, "hidden_size"),
        (r#""num_hidden_layers": 2"#, r#""num_hidden_layers": -2"#, "num_hidden_layers"),
        (r#""num_attention_heads": 3"#, r#""num_attention_heads": 0"#, "num_attention_heads"),
        (r#""vocab_size": 67"#, r#""vocab_size": "67""#, "vocab_size"),
        (r#""vocab_size": 67"#, r#""vocab_size": 67, "pad_token_id": 67"#, "pad_token_id"),
        (r#""gelu""#, r#""swish""#, "hidden_act"),
        (r#""gelu""#, r#""gelu", "layer_norm_eps": 0"#, "layer_norm_eps"),
        (r#""gelu""#, r#""gelu", "position_embedding_type": "relative_key""#, "position_embedding_type"),
        (r#""gelu""#, r#""gelu", "is_decoder": true"#, "is_decoder"),
        (r#""1": "yes""#, r#""2": "yes""#, "id2label"),
        ("}}", "}", "the file"),
    ] {
        match ModelConfig::from_json(CONFIG.replace(from, to).as_bytes()) {
            Err(Error::BadConfig { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn another_architecture_is_refused_with_the_supported_ones() {
    let error = ModelConfig::from_json(CONFIG.replace(r#""bert""#, r#""llama""#).as_bytes()).unwrap_err();
    assert_eq!(error, Error::UnsupportedModel { model_type: "llama".into(), supported: vec!["bert".into()] });
}
