//! Adapters against what Hugging Face PEFT does: the folders it saves, the modules it chooses, the sums it forms.
//! The fixtures are made by real PEFT (`tests/fixtures/make.py`).
#![cfg(not(target_arch = "wasm32"))]

mod blocks;
mod combine;
mod config;
mod folders;
mod layout;
mod merge;
mod quirks;
mod support;
mod targets;
mod tiny_bert;
