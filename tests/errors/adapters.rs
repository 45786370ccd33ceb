//! Adapters that are not there, there already, or of another model.

use crate::support::session::*;
use crate::{refused, says};
use ia3_web::adapter::Init;
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::write;
use ia3_web::models::BatchShape;
use ia3_web::session::Pooling;
use ia3_web::session::{AdapterOptions, CombineOptions, MergeOptions, Selection, Session, SessionOptions, Start};
use pollster::block_on;
use serde_json::json;

fn with_adapter(pooling: Pooling) -> Session {
    let mut session = session(pooling);
    add_drawn(&mut session, "mine", 1);
    session
}

fn told(options: serde_json::Value) -> AdapterOptions {
    serde_json::from_value(options).unwrap()
}

#[test]
fn an_unknown_adapter() {
    let session = &mut with_adapter(Pooling::Mean);
    let rows = Selection::Rows(vec![None, Some("other".into()), None, None]);
    let words = ["'other'", "mine"];
    let mut unknown =
        |call: &dyn Fn(&mut Session) -> ia3_web::Result<()>| refused(session, "unknown-adapter", &words, call);
    unknown(&|session| block_on(session.classify(&texts(), &active(&["mine", "other"]), Default::default())).map(drop));
    unknown(&|session| block_on(session.embed(&texts(), &rows, Default::default())).map(drop));
    unknown(&|session| block_on(session.evaluate(&examples(), &active(&["other"]), Default::default())).map(drop));
    unknown(&|session| block_on(session.begin_training("other", &examples(), &[], &steps(1))).map(drop));
    unknown(&|session| session.save_adapter("other").map(drop));
    unknown(&|session| session.delete_adapter("other"));
    unknown(&|session| session.combine_adapters("new", &["other".into()], CombineOptions::default()));
    unknown(&|session| session.trainable_parameters("other").map(drop));
    unknown(&|session| session.begin_merge("other", MergeOptions::default()).map(drop));
    unknown(&|session| session.plan_text(BatchShape::new(1, 8), Some("other")).map(drop));
}

#[test]
fn a_name_that_is_taken_or_empty() {
    let session = &mut with_adapter(Pooling::Mean);
    let files = session.save_adapter("mine").unwrap();
    for (name, code, words) in [("mine", "adapter-exists", "'mine'"), ("", "bad-option", "name")] {
        refused(session, code, &[words], |session| session.add_adapter(name, AdapterOptions::default()));
        refused(session, code, &[words], |session| session.load_adapter(name, &files));
        let sources = ["mine".to_string()];
        refused(session, code, &[words], |session| session.combine_adapters(name, &sources, CombineOptions::default()));
    }
}

#[test]
fn targets_that_match_nothing() {
    let session = &mut with_adapter(Pooling::Mean);
    let lists = told(json!({"targetModules": ["q_proj"], "feedforwardModules": []}));
    let words = ["q_proj", "encoder.layer.0.attention.self.query"];
    refused(session, "no-target-match", &words, |session| session.add_adapter("new", lists));
    let excluded = told(json!({"targetModules": "encoder.*", "feedforwardModules": "x", "excludeModules": ".*"}));
    refused(session, "no-target-match", &["encoder.*"], |session| session.add_adapter("new", excluded));
}

#[test]
fn options_of_an_adapter_that_make_no_sense() {
    let session = &mut with_adapter(Pooling::Mean);
    let saved = told(json!({"modulesToSave": ["embeddings"]}));
    refused(session, "bad-option", &["modulesToSave", "'embeddings'"], |session| session.add_adapter("new", saved));
    let broken = told(json!({"targetModules": "(", "feedforwardModules": []}));
    refused(session, "bad-adapter", &["("], |session| session.add_adapter("new", broken));
    let weights = CombineOptions { weights: Some(vec![1.0]), ..CombineOptions::default() };
    let sources = ["mine".to_string(), "mine".to_string()];
    refused(session, "bad-option", &["weights", "1", "2"], |session| {
        session.combine_adapters("new", &sources, weights)
    });
    refused(session, "bad-option", &["sources"], |session| session.combine_adapters("new", &[], Default::default()));
}

#[test]
fn choices_of_a_new_adapter_that_exclude_one_another() {
    let session = &mut with_adapter(Pooling::Mean);
    add_shifted(session, "shifted", json!({}), 1);
    let from = |name: &str, options| AdapterOptions { from: Some(Start::Name(name.into())), ..told(options) };
    let value = json!({"targetModules": ["output.dense"], "feedforwardModules": ["output.dense"], "perHead": true});
    let cases = [
        (from("mine", json!({"init": "ones"})), "bad-option", ["init", "from"]),
        (told(json!({"init": {"normal": 0.1}, "initIa3Weights": false})), "bad-option", ["init", "initIa3Weights"]),
        (told(json!({"init": {"normal": -0.1}})), "bad-option", ["init", "-0.1"]),
        (told(json!({"init": {"uniform": 1e9}})), "bad-option", ["init", "1000000000"]),
        (AdapterOptions { init: Some(Init::Normal(f32::NAN)), ..Default::default() }, "bad-option", ["init", "NaN"]),
        (told(value), "bad-option", ["perHead", "keys"]),
        (from("shifted", json!({"shift": false})), "bad-option", ["shift", "start from"]),
        (from("mine", json!({"perHead": true})), "adapter-mismatch", ["one attention head", ".key"]),
    ];
    for (options, code, words) in cases {
        refused(session, code, &words, |session| session.add_adapter("new", options));
    }
}

#[test]
fn files_of_our_own_that_do_not_fit() {
    let session = &mut session(Pooling::Mean);
    add_shifted(session, "mine", json!({}), 2);
    let files = session.save_adapter("mine").unwrap();
    let with =
        |name: &str, bytes: Vec<u8>| files.clone().into_iter().chain([(name.to_string(), bytes)]).collect::<Files>();
    let renamed = |from: &str, to: &str, shape: Option<usize>| {
        let tensor = |(name, mut tensor): (String, HostTensor)| {
            if let Some(len) = shape {
                tensor = HostTensor::new(vec![len], vec![0.0; len]);
            }
            (name.replace(from, to), tensor)
        };
        with(SHIFTS, write(&shifts(session, "mine").into_iter().map(tensor).collect()))
    };
    let cases = [
        (renamed("layer.1.", "layer.9.", None), "bad-adapter", "layer.9."),
        (renamed(".key.", ".query.", None), "bad-adapter", ".query."),
        (renamed(".ia3_b", ".ia3_l", None), "bad-adapter", "ia3_l"),
        (renamed("", "", Some(5)), "adapter-mismatch", "[5]"),
        (with(SHIFTS, b"<!DOCTYPE html>".to_vec()), "bad-adapter", SHIFTS),
        (with("ia3_options.json", b"{}".to_vec()), "bad-adapter", "per_head"),
        (with("ia3_options.json", br#"{"per_head": true, "more": 1}"#.to_vec()), "bad-adapter", "more"),
        (with("ia3_options.json", br#"{"per_head": true}"#.to_vec()), "adapter-mismatch", "attention head"),
    ];
    for (files, code, word) in cases {
        refused(session, code, &[word], |session| session.load_adapter("new", &files));
    }
}

#[test]
fn an_adapter_of_a_deeper_model() {
    let session = &mut with_adapter(Pooling::Mean);
    let mut files = session.save_adapter("mine").unwrap();
    let deeper = |text: &str| text.replace("layer.1.", "layer.9.");
    let tensors = saved(session, "mine").into_iter().map(|(name, tensor)| (deeper(&name), tensor)).collect();
    files.insert("adapter_model.safetensors".into(), ia3_web::checkpoint::safetensors::write(&tensors));
    let words = ["encoder.layer.9.", "load the base model"];
    refused(session, "adapter-mismatch", &words, |session| session.load_adapter("new", &files));
}

#[test]
fn an_adapter_of_a_wider_model() {
    let session = &mut with_adapter(Pooling::Mean);
    let mut files = session.save_adapter("mine").unwrap();
    let mut tensors = saved(session, "mine");
    let name = "base_model.model.encoder.layer.0.attention.self.key.ia3_l";
    tensors.insert(name.into(), ia3_web::checkpoint::HostTensor::new(vec![32, 1], vec![1.0; 32]));
    files.insert("adapter_model.safetensors".into(), ia3_web::checkpoint::safetensors::write(&tensors));
    refused(session, "adapter-mismatch", &[name, "[32, 1]", "[24, 1]"], |session| session.load_adapter("new", &files));
}

#[test]
fn a_head_for_other_labels() {
    let files = with_adapter(Pooling::Pooler).save_adapter("mine").unwrap();
    let labels = ["animal", "praise", "neither"].map(String::from).to_vec();
    let backend = ia3_web::backend::Backend::cpu();
    let mut session = session_on(backend, SessionOptions { labels, ..options(Pooling::Pooler) });
    refused(&mut session, "adapter-mismatch", &["blame", "neither"], |session| session.load_adapter("new", &files));
}

#[test]
fn files_that_are_no_adapter() {
    let session = &mut with_adapter(Pooling::Mean);
    let files = session.save_adapter("mine").unwrap();
    let with = |name: &str, bytes: &[u8]| {
        let mut files = files.clone();
        files.insert(name.into(), bytes.to_vec());
        files
    };
    let lora = with("adapter_config.json", br#"{"peft_type": "LORA"}"#);
    let cases = [
        (Files::new(), "bad-adapter", "adapter_config.json"),
        (lora, "bad-adapter", "LORA"),
        (with("adapter_config.json", b"{"), "bad-adapter", "adapter_config.json"),
        (with("adapter_model.safetensors", b"PK"), "file-truncated", "adapter_model.safetensors"),
        (with("adapter_model.safetensors", b"<!DOCTYPE html>"), "bad-adapter", "adapter_model.safetensors"),
    ];
    for (files, code, word) in cases {
        refused(session, code, &[word], |session| session.load_adapter("new", &files));
    }
}

#[test]
fn answers_without_a_head() {
    let session = &mut with_adapter(Pooling::Mean);
    let classify = |session: &mut Session, who| block_on(session.classify(&texts(), &who, Default::default()));
    refused(session, "no-head", &["'mine'", "train it"], |session| classify(session, active(&["mine"])));
    refused(session, "no-head", &["base model", "train"], |session| classify(session, BASE));
    train(session, "mine", &steps(1));
    assert_eq!(classify(session, active(&["mine"])).unwrap().len(), texts().len());
}

#[test]
fn merging_what_is_not_finite() {
    let session = &mut session(Pooling::Mean);
    session.add_adapter("a", AdapterOptions::default()).unwrap();
    let huge = CombineOptions { weights: Some(vec![3e38, 3e38]), ..CombineOptions::default() };
    session.combine_adapters("huge", &["a".into(), "a".into()], huge).unwrap();
    session.begin_merge("huge", MergeOptions::default()).unwrap();
    let error = loop {
        match block_on(session.next_merged()) {
            Ok(piece) => assert!(piece.is_some(), "the file ended"),
            Err(error) => break error,
        }
    };
    says(&error, "bad-adapter", &["'huge'", "not finite"]);
    assert_eq!(embed(session, &active(&["a"])), embed(session, &BASE));
}
