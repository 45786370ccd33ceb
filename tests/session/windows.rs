//! Texts that are longer than the windows of the layers that slide, and than what of a prompt runs at once.

use super::generate::{Tiny, ids, rendered, tokens};
use crate::support::session::BASE;
use crate::support::{devices, json};
use ia3_web::backend::Backend;
use pollster::block_on;
use serde_json::Value;

/// A family's model with windows, a text, and what transformers writes after it.
struct Case {
    family: String,
    tiny: Tiny,
    prompt: String,
    ids: Vec<u32>,
}

/// Those of one length: "short" is 40 tokens, "long" 600.
fn cases(name: &str) -> Vec<Case> {
    let case = |case: &Value| {
        let family = case["family"].as_str().unwrap().to_string();
        let mut tiny = Tiny::new(&family);
        for (field, value) in case["fields"].as_object().unwrap() {
            tiny.config[field] = value.clone();
        }
        let ids = serde_json::from_value(case["ids"].clone()).unwrap();
        Case { family, tiny, prompt: case["prompt"].as_str().unwrap().into(), ids }
    };
    let all = json("windows/cases.json")["cases"].as_array().unwrap().clone();
    let found: Vec<Case> = all.iter().filter(|case| case["name"] == name).map(case).collect();
    assert_eq!(found.len(), 4);
    found
}

/// With a cache and by whole forward passes.
#[test]
fn texts_longer_than_windows_go_on_as_in_transformers() {
    for Case { family, tiny, prompt, ids: expected } in cases("short") {
        assert_eq!(tiny.tokens(&prompt).len(), 40);
        assert_eq!(tiny.greedy(&prompt, 20), expected, "{family}");
        for (device, backend) in devices() {
            assert_eq!(
                ids(&mut tiny.session(backend), &[&prompt], &BASE, 20),
                std::slice::from_ref(&expected),
                "{family} {device}"
            );
        }
    }
}

/// A prompt of more than 512 tokens is read in parts. A row beside it is through before.
#[test]
fn long_prompts_are_read_in_parts_as_in_transformers() {
    for (long, short) in cases("long").into_iter().zip(cases("short")) {
        assert_eq!(long.tiny.tokens(&long.prompt).len(), 600);
        for (device, backend) in devices() {
            let mut session = long.tiny.session(backend);
            let found = ids(&mut session, &[&short.prompt, &long.prompt], &BASE, 20);
            assert_eq!(found, [short.ids.clone(), long.ids.clone()], "{} {device}", long.family);
        }
    }
}

/// What was read is kept as far as it is there: the keys of a window are gone for tokens that are far enough back.
#[test]
fn a_text_goes_on_from_any_place_although_windows_forget() {
    let Case { tiny, prompt, .. } = cases("long").swap_remove(0);
    let words: Vec<&str> = prompt.split(' ').collect();
    // 619 tokens are put into a cache for 520.
    for (common, read) in [(590, 11), (560, 41), (40, 601), (0, 601)] {
        let other = [&words[..common], &vec!["good"; 601 - common]].concat().join(" ");
        for (device, backend) in devices() {
            let mut session = tiny.session(backend);
            let expected = ids(&mut session, &[&other], &BASE, 4);
            ids(&mut session, &["a"], &BASE, 1);
            ids(&mut session, &[&prompt], &BASE, 20);
            session.begin_generation(&[rendered(&other)], &BASE, &tokens(4)).unwrap();
            while !block_on(session.next_tokens()).unwrap().is_empty() {}
            assert_eq!(session.generation_reads(), read + 3, "{common} {device}");
            assert_eq!(session.end_generation().unwrap().remove(0).token_ids, expected[0], "{common} {device}");
        }
    }
}

/// Keys and values of 768 tokens, or of a window and the tokens that are read at once.
#[test]
fn layers_that_slide_keep_their_windows_alone() {
    let Case { mut tiny, prompt, .. } = cases("long").swap_remove(0);
    let mut held = |window: Option<usize>| {
        tiny.config["sliding_window"] = window.into();
        let mut session = tiny.session(Backend::cpu());
        ids(&mut session, &[&prompt], &BASE, 20);
        session.activation_bytes()
    };
    // Two layers with one head of 6 columns for keys and one for values, in floats.
    assert_eq!(held(None) - held(Some(8)), (768 - 520) * 2 * 2 * 6 * 4);
}

/// A window is no reason to go past the positions that a model was trained on.
#[test]
fn texts_past_the_last_position_are_refused_with_windows_too() {
    let Case { tiny, prompt, .. } = cases("short").swap_remove(0);
    let mut session = tiny.session(Backend::cpu());
    let error = session.begin_generation(&[rendered(&prompt)], &BASE, &tokens(1024 - 39)).unwrap_err();
    assert!(error.code() == "bad-option" && error.to_string().contains("1 to 1024"), "{error}");
    session.begin_generation(&[rendered(&prompt)], &BASE, &tokens(1024 - 40)).unwrap();
}
