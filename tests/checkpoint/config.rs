//! `config.json`.

use ia3_web::Error;
use ia3_web::Result;
use ia3_web::adapter::TaskType;
use ia3_web::models::{Model, supported};

const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
    "intermediate_size": 40, "vocab_size": 67, "max_position_embeddings": 40, "hidden_act": "gelu",
    "id2label": {"1": "yes", "0": "no"}}"#;

fn read(json: &str) -> Result<Model> {
    Model::from_json(json.as_bytes(), TaskType::SeqCls)
}

#[test]
fn reads_a_configuration() {
    let model = read(CONFIG).unwrap();
    let common = model.common();
    assert_eq!((common.hidden_size, common.vocab_size, common.type_vocab_size), (24, 67, Some(2)));
    assert_eq!((common.longest, common.padding.token), (40, 0));
    assert_eq!(common.labels, Some(vec!["no".into(), "yes".into()]));
}

/// As fairseq, RoBERTa and MPNet never give a token one of the positions up to the padding token's id.
#[test]
fn positions_that_padding_takes_are_no_length() {
    let roberta = read(&CONFIG.replace("bert", "roberta")).unwrap();
    assert_eq!((roberta.common().longest, roberta.common().padding.token), (38, 1));
    let short = CONFIG.replace("bert", "mpnet").replace(r#"embeddings": 40"#, r#"embeddings": 2"#);
    assert_eq!(read(&short).unwrap_err().code(), "bad-config");
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
        (r#""gelu""#, r#""mish""#, "hidden_act"),
        (r#""gelu""#, r#""gelu", "layer_norm_eps": 0"#, "layer_norm_eps"),
        (r#""gelu""#, r#""gelu", "position_embedding_type": "relative_key""#, "position_embedding_type"),
        (r#""gelu""#, r#""gelu", "is_decoder": true"#, "is_decoder"),
        (r#""1": "yes""#, r#""2": "yes""#, "id2label"),
        ("}}", "}", "the file"),
    ] {
        match read(&CONFIG.replace(from, to)) {
            Err(Error::BadConfig { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn another_architecture_is_refused_with_the_supported_ones() {
    let error = read(&CONFIG.replace(r#""bert""#, r#""albert""#)).unwrap_err();
    assert_eq!(error, Error::UnsupportedModel { model_type: "albert".into(), supported: supported() });
}

/// Where a file is silent, the token that ends a text is that of transformers' configuration class; null is none.
#[test]
fn tokens_that_end_a_text() {
    let ends = |told: &str| {
        let config = format!(
            r#"{{"model_type": "t5", "d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 3, "vocab_size": 67,
                "decoder_start_token_id": 0, "pad_token_id": 0{told}}}"#
        );
        let model = Model::from_json(config.as_bytes(), TaskType::Seq2SeqLm);
        model.map(|model| model.common().ends.clone())
    };
    assert_eq!(ends("").unwrap(), [1]);
    assert_eq!(ends(r#", "eos_token_id": [5, 6]"#).unwrap(), [5, 6]);
    assert!(ends(r#", "eos_token_id": null"#).unwrap().is_empty());
    assert_eq!(ends(r#", "eos_token_id": 67"#).unwrap_err().code(), "bad-config");
    assert!(read(CONFIG).unwrap().common().ends.is_empty());
}
