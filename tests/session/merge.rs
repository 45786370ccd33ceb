//! Adapters folded into a whole model file.

use crate::support::assert_close;
use crate::support::session::*;
use ia3_web::backend::Backend;
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::session::Pooling;
use ia3_web::session::{MergeOptions, Selection, Session};
use pollster::block_on;

pub fn merged(session: &mut Session, name: &str) -> Vec<u8> {
    merged_as(session, name, MergeOptions::default())
}

pub fn merged_as(session: &mut Session, name: &str, options: MergeOptions) -> Vec<u8> {
    let announced = session.begin_merge(name, options).unwrap().total_bytes;
    let mut file = Vec::new();
    while let Some(piece) = block_on(session.next_merged()).unwrap() {
        file.extend(piece);
    }
    assert_eq!(file.len() as u64, announced);
    file
}

pub fn reloaded(file: &[u8], pooling: Pooling) -> Session {
    let mut session = empty(options(pooling));
    session.set_backend(Backend::cpu());
    load_file(&mut session, file, 4096).unwrap();
    session
}

/// Inputs and outputs scaled, by vectors far from one.
fn with_adapter(mut session: Session) -> Session {
    let told = r#"{"targetModules": ["query", "value", "dense"], "feedforwardModules": ["query", "intermediate.dense"],
                   "initIa3Weights": false}"#;
    session.add_adapter("a", serde_json::from_str(told).unwrap()).unwrap();
    session
}

const A: fn() -> Selection = || active(&["a"]);

#[test]
fn a_merged_file_alone_embeds_as_model_and_adapter_did() {
    for pooling in [Pooling::Mean, Pooling::Pooler] {
        for (device, session) in sessions(pooling) {
            let mut session = with_adapter(session);
            let expected = embed(&mut session, &A());
            let mut reloaded = reloaded(&merged(&mut session, "a"), pooling);
            assert_close(&format!("{device} {pooling:?}"), &embed(&mut reloaded, &BASE), &expected, 1e-4);
        }
    }
}

#[test]
fn a_merged_classifier_answers_as_model_and_adapter_did() {
    let mut session = with_adapter(session(Pooling::Pooler));
    train(&mut session, "a", &steps(3));
    let expected = scores(&classify(&mut session, &A()));
    let mut reloaded = reloaded(&merged(&mut session, "a"), Pooling::Pooler);
    assert_close("scores", &scores(&classify(&mut reloaded, &BASE)), &expected, 1e-4);
}

#[test]
fn a_merged_file_has_the_tensors_of_the_original() {
    for pooling in [Pooling::Mean, Pooling::Pooler] {
        let file = merged(&mut with_adapter(session(pooling)), "a");
        assert_eq!(read_all(&file).unwrap().into_keys().collect::<Vec<_>>(), names(pooling));
    }
}

#[test]
fn merging_leaves_the_session_as_it_was() {
    let mut session = with_adapter(session(Pooling::Pooler));
    let before = (embed(&mut session, &A()), embed(&mut session, &BASE));
    merged(&mut session, "a");
    assert_eq!((embed(&mut session, &A()), embed(&mut session, &BASE)), before);
}

#[test]
fn a_merge_given_up_makes_room_for_the_next() {
    let mut session = with_adapter(session(Pooling::Mean));
    let whole = merged(&mut session, "a");
    session.begin_merge("a", MergeOptions::default()).unwrap();
    block_on(session.next_merged()).unwrap();
    assert_eq!(merged(&mut session, "a"), whole);
    assert_eq!(block_on(session.next_merged()).unwrap_err().code(), "not-ready");
}
