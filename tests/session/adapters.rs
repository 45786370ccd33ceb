//! Adapters of a session: saved, loaded, combined, counted, deleted.

use crate::support::assert_close;
use crate::support::session::*;
use ia3_web::backend::Backend;
use ia3_web::session::Pooling;
use ia3_web::session::{AdapterOptions, CombineOptions, Session, SessionOptions, Start, TargetOption};
use pollster::block_on;

const POOLINGS: [Pooling; 2] = [Pooling::Mean, Pooling::Pooler];

fn trained(pooling: Pooling, names: &[&str]) -> Session {
    let mut session = session(pooling);
    for (seed, name) in names.iter().enumerate() {
        add_drawn(&mut session, name, seed as u64);
        train(&mut session, name, &steps(2));
    }
    session
}

fn combine(session: &mut Session, name: &str, sources: &[&str], told: &str) {
    let sources: Vec<String> = sources.iter().map(|name| name.to_string()).collect();
    let told: CombineOptions = serde_json::from_str(told).unwrap();
    session.combine_adapters(name, &sources, told).unwrap();
}

#[test]
fn a_saved_adapter_loads_to_the_same_answers() {
    for mut session in POOLINGS.map(|pooling| trained(pooling, &["a"])) {
        let files = session.save_adapter("a").unwrap();
        assert_eq!(session.load_adapter("b", &files), Ok(Vec::new()));
        assert_eq!(scores(&classify(&mut session, &active(&["b"]))), scores(&classify(&mut session, &active(&["a"]))));
        assert_eq!(session.save_adapter("b").unwrap(), files);
    }
}

#[test]
fn a_head_follows_the_labels_into_a_session_that_orders_them_otherwise() {
    for pooling in POOLINGS {
        let mut session = trained(pooling, &["a"]);
        let labels = [LABELS[2], LABELS[0], LABELS[1]].map(String::from).to_vec();
        let mut other = session_on(Backend::cpu(), SessionOptions { labels, ..options(pooling) });
        other.load_adapter("a", &session.save_adapter("a").unwrap()).unwrap();
        let expected = scores(&classify(&mut session, &active(&["a"])));
        assert_close("scores", &scores(&classify(&mut other, &active(&["a"]))), &expected, 1e-6);
    }
}

#[test]
fn a_combination_is_a_sum_and_what_is_missing_counts_as_ones_or_zeros() {
    let mut session = session(Pooling::Mean);
    add_drawn(&mut session, "a", 1);
    session
        .add_adapter("b", serde_json::from_str(r#"{"targetModules": ["query"], "feedforwardModules": []}"#).unwrap())
        .unwrap();
    combine(&mut session, "one", &["a", "b"], r#"{"weights": [0.3, 0.6]}"#);
    combine(&mut session, "zero", &["a", "b"], r#"{"weights": [0.3, 0.6], "missing": "zero"}"#);
    combine(&mut session, "mean", &["a", "b"], "{}");
    let weighted = |of: &dyn Fn(f32) -> f32, name: &str| {
        saved(&session, "a")[name].data.iter().map(|x| of(*x)).collect::<Vec<_>>()
    };
    let name = "base_model.model.encoder.layer.0.attention.self.key.ia3_l";
    assert_close("ones", &saved(&session, "one")[name].data, &weighted(&|x| 0.3 * x + 0.6, name), 1e-6);
    assert_close("zeros", &saved(&session, "zero")[name].data, &weighted(&|x| 0.3 * x, name), 1e-6);
    assert_close("mean", &saved(&session, "mean")[name].data, &weighted(&|x| 0.5 * x + 0.5, name), 1e-6);
    let query = name.replace("key", "query");
    assert_close("ones", &saved(&session, "one")[&query].data, &[0.3 + 0.6; 24], 1e-6);
    assert_close("zeros", &saved(&session, "zero")[&query].data, &[0.6; 24], 1e-6);
}

#[test]
fn a_combination_of_adapters_with_heads_classifies() {
    for mut session in POOLINGS.map(|pooling| trained(pooling, &["a", "b"])) {
        combine(&mut session, "alone", &["a", "b"], r#"{"weights": [1, 0]}"#);
        combine(&mut session, "both", &["a", "b"], "{}");
        let expected = scores(&classify(&mut session, &active(&["a"])));
        assert_close("weight one", &scores(&classify(&mut session, &active(&["alone"]))), &expected, 1e-5);
        assert_ne!(scores(&classify(&mut session, &active(&["both"]))), expected);
    }
}

/// In PEFT an adapter without a head of its own uses the model's. Here it could neither classify nor be trained or saved.
#[test]
fn an_adapter_without_head_uses_that_of_the_model() {
    let folder = |name: &str| -> Files {
        let read = |file: &str| (file.to_string(), crate::support::bytes(&format!("multi/{name}/{file}")));
        ["adapter_config.json", "adapter_model.safetensors"].map(read).into()
    };
    let mut session = session(Pooling::Pooler);
    session.load_adapter("other", &folder("other")).unwrap();
    let before = scores(&classify(&mut session, &active(&["other"])));
    let files = session.save_adapter("other").unwrap();
    session.load_adapter("again", &files).unwrap();
    assert_eq!(scores(&classify(&mut session, &active(&["again"]))), before);
    let told = ia3_web::train::TrainOptions { objective: Some(ia3_web::train::Objective::CrossEntropy), ..steps(10) };
    let losses = train(&mut session, "other", &told).losses;
    assert!(losses[9] < losses[0]);
}

#[test]
fn an_adapter_loaded_into_a_session_that_pools_otherwise_gets_a_head_by_training() {
    let files = trained(Pooling::Pooler, &["a"]).save_adapter("a").unwrap();
    let mut session = session(Pooling::Mean);
    assert!(session.load_adapter("a", &files).unwrap()[0].contains("head"));
    train(&mut session, "a", &steps(2));
    assert_eq!(classify(&mut session, &active(&["a"])).len(), texts().len());
}

#[test]
fn drawn_vectors_follow_the_seed() {
    let mut session = session(Pooling::Mean);
    [("a", 1), ("b", 1), ("c", 2)].iter().for_each(|(name, seed)| add_drawn(&mut session, name, *seed));
    assert_eq!(saved(&session, "a"), saved(&session, "b"));
    assert_ne!(saved(&session, "a"), saved(&session, "c"));
}

#[test]
fn parameters_are_counted() {
    let mut session = session(Pooling::Pooler);
    session.add_adapter("a", Default::default()).unwrap();
    // Key, value and attention output of 24 channels, feed-forward of 40, in two layers; a head for three labels.
    let vectors = 2 * (3 * 24 + 40);
    let found = session.trainable_parameters("a").unwrap();
    let file: usize =
        crate::support::tensors("tiny-bert/model.safetensors").values().map(|tensor| tensor.data.len()).sum();
    assert_eq!((found.trainable, found.total), (vectors + 3 * 25, file + vectors));
    assert!((found.percentage - 100.0 * found.trainable as f64 / found.total as f64).abs() < 1e-12);
}

#[test]
fn a_deleted_adapter_is_gone_and_its_name_free() {
    let mut session = trained(Pooling::Mean, &["a", "b"]);
    session.delete_adapter("a").unwrap();
    assert_eq!(session.adapter_names(), ["b"]);
    assert_eq!(session.delete_adapter("a").unwrap_err().code(), "unknown-adapter");
    session.add_adapter("a", Default::default()).unwrap();
    assert_eq!(embed(&mut session, &active(&["a"])), embed(&mut session, &BASE));
}

#[test]
fn a_closed_session_still_saves() {
    let mut session = trained(Pooling::Mean, &["a"]);
    let files = session.save_adapter("a").unwrap();
    session.close();
    assert_eq!(session.save_adapter("a").unwrap(), files);
    let answer = block_on(session.classify(&texts(), &active(&["a"]), Default::default()));
    assert_eq!(answer.unwrap_err().code(), "not-ready");
}

#[test]
fn an_adapter_starts_from_the_vectors_of_another() {
    let mut session = session(Pooling::Mean);
    add_drawn(&mut session, "a", 5);
    let begin = |from| AdapterOptions { from: Some(from), ..Default::default() };
    session.add_adapter("named", begin(Start::Name("a".into()))).unwrap();
    let files = session.save_adapter("a").unwrap();
    session.add_adapter("filed", begin(Start::Files(files))).unwrap();
    let vectors = saved(&session, "a");
    assert_eq!((saved(&session, "named"), saved(&session, "filed")), (vectors.clone(), vectors.clone()));
    let names = |names: &[&str]| Some(TargetOption::List(names.iter().map(|name| name.to_string()).collect()));
    let told = |targets: &[&str]| AdapterOptions {
        target_modules: names(targets),
        feedforward_modules: names(&[]),
        ..begin(Start::Name("a".into()))
    };
    session.add_adapter("wider", told(&["key", "query"])).unwrap();
    for (name, tensor) in saved(&session, "wider") {
        match vectors.get(&name) {
            Some(found) => assert_eq!(found, &tensor, "{name}"),
            None => assert!(name.contains("query") && tensor.data.iter().all(|x| *x == 1.0), "{name}"),
        }
    }
    assert_eq!(session.add_adapter("none", told(&["query"])).unwrap_err().code(), "adapter-mismatch");
    let unknown = session.add_adapter("none", begin(Start::Name("b".into()))).unwrap_err();
    assert_eq!(unknown.code(), "unknown-adapter");
    assert!(!session.adapter_names().contains(&"none".to_string()));
}
