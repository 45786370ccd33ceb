//! Options that make no sense: the message names the option.

use crate::refused;
use crate::support::session::*;
use ia3_web::backend::Backend;
use ia3_web::session::Pooling;
use ia3_web::session::{InferOptions, Selection, Session, SessionOptions, Task};
use ia3_web::train::{LayerRates, TrainOptions};
use pollster::block_on;
use serde_json::json;

#[test]
fn training_options_out_of_range() {
    let session = &mut session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    let cases = [
        ("steps", json!({"steps": 0})),
        ("epochs", json!({"epochs": 0})),
        ("batchSize", json!({"batchSize": 0})),
        ("batchSize", json!({"batchSize": 1, "objective": "contrastive"})),
        ("learningRate", json!({"learningRate": -1e-3})),
        ("headLearningRate", json!({"headLearningRate": 1e4})),
        ("temperature", json!({"temperature": 0})),
        ("weightDecay", json!({"weightDecay": -1})),
        ("warmupRatio", json!({"warmupRatio": 1.5})),
        ("gradientAccumulation", json!({"gradientAccumulation": 0})),
        ("maxGradNorm", json!({"maxGradNorm": -1})),
        ("maxLength", json!({"maxLength": 2})),
        ("maxLength", json!({"maxLength": 41})),
        ("patience", json!({"patience": 0})),
        ("evalEvery", json!({"evalEvery": 0})),
        ("layerLearningRates", json!({"layerLearningRates": {"1": -0.5}})),
        ("layerLearningRates", json!({"layerLearningRates": [1, 1e4]})),
    ];
    for (option, told) in cases {
        let told: TrainOptions = serde_json::from_value(told).unwrap();
        refused(session, "bad-option", &[&format!("option {option} is ")], |session| {
            block_on(session.begin_training("a", &examples(), &[], &told))
        });
    }
    let layers = [
        (json!([1]), ["has 1 numbers", "2 layers"]),
        (json!([1, 1, 1]), ["has 3 numbers", "2 layers"]),
        (json!({"2": 1}), ["names layer 2", "has 2"]),
        (json!({"-1": 1}), ["names layer -1", "counted from 0"]),
        (json!({"first": 1}), ["names layer first", "counted from 0"]),
    ];
    for (rates, words) in layers {
        let told: TrainOptions = serde_json::from_value(json!({"layerLearningRates": rates})).unwrap();
        refused(session, "bad-option", &words, |session| {
            block_on(session.begin_training("a", &examples(), &[], &told))
        });
    }
    let rates = Some(LayerRates::All(vec![1.0, f32::NAN]));
    let nothing = TrainOptions { layer_learning_rates: rates, ..TrainOptions::default() };
    refused(session, "bad-option", &["layerLearningRates is NaN"], |session| {
        block_on(session.begin_training("a", &examples(), &[], &nothing))
    });
    let nothing = TrainOptions { learning_rate: Some(f32::NAN), ..TrainOptions::default() };
    refused(session, "bad-option", &["learningRate is NaN"], |session| {
        block_on(session.begin_training("a", &examples(), &[], &nothing))
    });
}

#[test]
fn bounds_are_told_in_numbers_that_can_be_read() {
    let session = &mut session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    for told in [
        TrainOptions { epochs: Some(0.0), ..Default::default() },
        TrainOptions { max_grad_norm: Some(-1.0), ..Default::default() },
    ] {
        let error = block_on(session.begin_training("a", &examples(), &[], &told)).unwrap_err();
        assert!(error.to_string().len() < 80, "{error}");
    }
}

#[test]
fn inference_options_out_of_range() {
    let session = &mut session(Pooling::Pooler);
    let mut classify = |option: &str, selection: &Selection, told: InferOptions| {
        refused(session, "bad-option", &[option], |session| block_on(session.classify(&texts(), selection, told)));
    };
    classify("batchSize", &BASE, InferOptions { batch_size: Some(0), ..Default::default() });
    classify("maxLength", &BASE, InferOptions { max_length: Some(2), ..Default::default() });
    classify("maxLength", &BASE, InferOptions { max_length: Some(41), ..Default::default() });
    classify("adapter", &Selection::Rows(vec![None]), InferOptions::default());
}

#[test]
fn too_short_for_a_pair() {
    let session = &mut session(Pooling::Pooler);
    let told = InferOptions { max_length: Some(3), ..Default::default() };
    refused(session, "bad-option", &["maxLength"], |session| block_on(session.embed(&[pair("a", "b")], &BASE, told)));
}

fn opened(told: SessionOptions) -> ia3_web::Error {
    let file = |name: &str| crate::support::bytes(&format!("tiny-bert/{name}"));
    Session::new(&file("config.json"), &file("tokenizer.json"), told).err().unwrap()
}

#[test]
fn labels_that_cannot_be_told_apart() {
    for labels in [&[][..], &["one"], &["one", "two", "one"]] {
        let labels = labels.iter().map(|label| label.to_string()).collect();
        crate::says(&opened(SessionOptions { labels, ..options(Pooling::Mean) }), "bad-option", &["labels"]);
    }
}

#[test]
fn labels_are_no_matter_where_none_are_given() {
    let told = SessionOptions { labels: Vec::new(), task: Task::FeatureExtraction, ..options(Pooling::Mean) };
    let mut session = session_on(Backend::cpu(), told);
    assert_eq!(embed(&mut session, &BASE), embed(&mut crate::support::session::session(Pooling::Mean), &BASE));
}
