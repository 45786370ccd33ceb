//! Reading base model files: good ones give what is in them, bad ones a typed error that names what is wrong.

mod config;
mod safetensors;
mod tokenizer;
