//! A session as a page uses it: loading, answering, training, resuming, and adapters in and out.
#![cfg(not(target_arch = "wasm32"))]

mod adapters;
mod blocks;
mod chat;
mod choices;
mod generate;
mod gguf;
mod infer;
mod language;
mod load;
mod merge;
mod merge_formats;
mod merge_gguf;
mod profile;
mod rank;
mod resume;
mod shifts;
#[path = "../support/mod.rs"]
mod support;
mod text2text;
mod tokens;
mod train;
mod turned;
mod validation;
mod windows;
