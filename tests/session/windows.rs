//! Texts that are longer than the windows of the layers that slide, and than what of a prompt runs at once.

use super::generate::{Tiny, ids, rendered, tokens};
use crate::support::session::BASE;
use crate::support::{devices, json};
use ia3_web::backend::Backend;
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

/// A window is no reason to go past the positions that a model was trained on.
#[test]
fn texts_past_the_last_position_are_refused_with_windows_too() {
    let Case { tiny, prompt, .. } = cases("short").swap_remove(0);
    let mut session = tiny.session(Backend::cpu());
    let error = session.begin_generation(&[rendered(&prompt)], &BASE, &tokens(1024 - 39)).unwrap_err();
    assert!(error.code() == "bad-option" && error.to_string().contains("1 to 1024"), "{error}");
    session.begin_generation(&[rendered(&prompt)], &BASE, &tokens(1024 - 40)).unwrap();
}
