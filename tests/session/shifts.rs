//! Shifts: trained, saved, applied one after the other, merged into biases.

use super::choices::{add, cross_entropy, decoder};
use crate::merge::{merged, reloaded};
use crate::support::session::*;
use crate::support::{assert_close, relative_error};
use ia3_web::checkpoint::HostTensor;
use ia3_web::session::{InferOptions, MergeOptions, Pooling, Session};
use pollster::block_on;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn a_shift_starts_as_zeros_and_is_trained_saved_and_loaded() {
    let mut expected: Option<BTreeMap<String, HostTensor>> = None;
    for (device, mut session) in sessions(Pooling::Pooler) {
        add(&mut session, "a", json!({"shift": true})).unwrap();
        assert_eq!(embed(&mut session, &active(&["a"])), embed(&mut session, &BASE), "{device}");
        assert!(shifts(&session, "a").values().flat_map(|shift| &shift.data).all(|x| *x == 0.0));
        let losses = train(&mut session, "a", &cross_entropy(6)).losses;
        assert!(losses[5] < losses[0], "{device} {losses:?}");
        let found = shifts(&session, "a");
        assert!(found.values().all(|shift| shift.data.iter().any(|x| x.abs() > 1e-3)), "{device}");
        for (name, tensor) in expected.get_or_insert_with(|| found.clone()) {
            // A shift of all keys is seen by no softmax: its gradient is rounding alone, and AdamW makes whole steps of that.
            if !name.contains(".key.") {
                assert_close(&format!("{device} {name}"), &found[name].data, &tensor.data, 1e-4);
            }
        }
        let files = session.save_adapter("a").unwrap();
        assert_eq!(session.load_adapter("b", &files), Ok(Vec::new()));
        assert_eq!(session.save_adapter("b").unwrap(), files);
        assert_eq!(embed(&mut session, &active(&["b"])), embed(&mut session, &active(&["a"])), "{device}");
    }
}

/// The shifts are named and shaped like the vectors they stand beside; PEFT's own files are as without.
#[test]
fn shifts_lie_in_a_file_of_their_own() {
    let mut session = session(Pooling::Pooler);
    add(&mut session, "plain", json!({})).unwrap();
    add(&mut session, "shifted", json!({"shift": true})).unwrap();
    let (plain, shifted) = (session.save_adapter("plain").unwrap(), session.save_adapter("shifted").unwrap());
    let named = |(name, tensor): (String, HostTensor)| (name.replace(".ia3_b", ".ia3_l"), tensor.shape);
    let vectors = saved(&session, "plain").into_iter().filter(|(name, _)| name.ends_with(".ia3_l")).map(named);
    assert_eq!(shifts(&session, "shifted").into_iter().map(named).collect::<Vec<_>>(), vectors.collect::<Vec<_>>());
    let without = shifted.into_iter().filter(|(name, _)| name != SHIFTS).collect::<Files>();
    assert_eq!(without, plain);
}

/// In turn, as if the second adapter were trained on top of the first.
#[test]
fn active_adapters_with_shifts_apply_one_after_the_other() {
    let mut session = session(Pooling::Mean);
    for (name, seed) in [("a", 1), ("b", 2)] {
        add_shifted(&mut session, name, json!({"targetModules": ["value"], "feedforwardModules": []}), seed);
    }
    let file = merged(&mut session, "a");
    let files = session.save_adapter("b").unwrap();
    let found = embed(&mut session, &active(&["a", "b"]));
    let mut folded = reloaded(&file, Pooling::Mean);
    folded.load_adapter("b", &files).unwrap();
    assert_close("a, then b", &found, &embed(&mut folded, &active(&["b"])), 1e-4);
    assert!(relative_error(&embed(&mut session, &active(&["b", "a"])), &found) > 1e-4);
}

/// Inputs and outputs scaled and shifted, some modules on both sides of one projection.
#[test]
fn a_merged_shift_is_part_of_weights_and_biases() {
    let told =
        json!({"targetModules": ["query", "value", "dense"], "feedforwardModules": ["query", "intermediate.dense"]});
    for pooling in [Pooling::Mean, Pooling::Pooler] {
        for (device, mut session) in sessions(pooling) {
            add_shifted(&mut session, "a", told.clone(), 5);
            let expected = embed(&mut session, &active(&["a"]));
            let mut alone = reloaded(&merged(&mut session, "a"), pooling);
            assert_close(&format!("{device} {pooling:?}"), &embed(&mut alone, &BASE), &expected, 1e-5);
        }
    }
}

#[test]
fn a_merged_shift_fits_weights_that_are_stored_the_other_way_round() {
    let mut session = decoder("gpt2");
    let told = json!({"targetModules": ["c_attn", "c_proj", "c_fc"], "feedforwardModules": ["c_proj"]});
    add_shifted(&mut session, "a", told, 6);
    let expected = embed(&mut session, &active(&["a"]));
    let file = merged(&mut session, "a");
    load_file(&mut session, &file, 4096).unwrap();
    assert_close("gpt2", &embed(&mut session, &BASE), &expected, 1e-5);
}

#[test]
fn a_shift_cannot_be_merged_where_there_is_no_bias() {
    let mut session = decoder("qwen2");
    // Here queries, keys and values have a bias and the feed-forward layers have none.
    add_shifted(&mut session, "biased", json!({"targetModules": ["k_proj", "v_proj"], "feedforwardModules": []}), 7);
    let expected = embed(&mut session, &active(&["biased"]));
    let file = merged(&mut session, "biased");
    add_shifted(&mut session, "unbiased", json!({}), 7);
    let error = session.begin_merge("unbiased", MergeOptions::default()).unwrap_err();
    assert_eq!(error.code(), "bad-adapter");
    for words in ["'unbiased'", "mlp.down_proj", "bias", "shift"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert_eq!(block_on(session.next_merged()).unwrap_err().code(), "not-ready");
    // Shifts that were never trained add nothing.
    add(&mut session, "zeros", json!({"shift": true})).unwrap();
    session.begin_merge("zeros", MergeOptions::default()).unwrap();
    load_file(&mut session, &file, 4096).unwrap();
    assert_close("qwen2", &embed(&mut session, &BASE), &expected, 1e-5);
}

/// An adapter for a task model's file on the bare encoder: the shifts follow the vectors.
#[test]
fn shifts_of_a_task_model_fit_the_bare_encoder() {
    let mut task = session(Pooling::Pooler);
    add_shifted(&mut task, "a", json!({}), 9);
    let mut bare = session(Pooling::Mean);
    bare.load_adapter("a", &task.save_adapter("a").unwrap()).unwrap();
    let names = |session: &Session| shifts(session, "a").into_values().map(|shift| shift.data).collect::<Vec<_>>();
    assert_eq!(names(&bare), names(&task));
    let options = InferOptions::default();
    let found = block_on(bare.embed(&texts(), &active(&["a"]), options)).unwrap();
    assert_ne!(found, block_on(bare.embed(&texts(), &BASE, options)).unwrap());
}
