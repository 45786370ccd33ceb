//! Reading base model files: good ones give what is in them, bad ones a typed error that names what is wrong.
#![cfg(not(target_arch = "wasm32"))]

mod config;
mod gguf;
mod safetensors;
mod sentencepiece;
mod tokenizer;
