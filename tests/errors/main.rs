//! Every error that a caller can cause: its code, what its message names, and that nothing is lost by it.
#![cfg(not(target_arch = "wasm32"))]

mod adapters;
mod files;
mod options;
#[path = "../support/mod.rs"]
mod support;
mod training;

use ia3_web::session::Session;
use ia3_web::{Error, Result};
use std::collections::BTreeMap;
use support::session::{BASE, Files, embed};

/// Fails unless the error has this code and its message all of these words.
pub fn says(error: &Error, code: &str, words: &[&str]) {
    let message = error.to_string();
    assert_eq!(error.code(), code, "{message}");
    words.iter().for_each(|word| assert!(message.contains(word), "'{word}' is not in: {message}"));
}

/// What a session answers and would save.
fn state(session: &mut Session) -> (Vec<f32>, BTreeMap<String, Files>) {
    let files = session.adapter_names().into_iter().map(|name| (name.clone(), session.save_adapter(&name).unwrap()));
    let files = files.collect();
    (embed(session, &BASE), files)
}

/// Fails unless a call gives this error and the session is as it was.
pub fn refused<T>(session: &mut Session, code: &str, words: &[&str], call: impl FnOnce(&mut Session) -> Result<T>) {
    let before = state(session);
    let error = call(session).err().unwrap_or_else(|| panic!("no error, where {code} is due"));
    says(&error, code, words);
    assert!(state(session) == before, "{error} changed the session");
}
