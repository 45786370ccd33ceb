//! Files of a base model that cannot be used.

use crate::says;
use crate::support::bytes;
use crate::support::session::*;
use ia3_web::checkpoint::HostTensor;
use ia3_web::checkpoint::safetensors::{read_all, write};
use ia3_web::session::Pooling;
use ia3_web::session::Session;
use ia3_web::{Error, Result};
use pollster::block_on;
use std::collections::BTreeMap;

const QUERY: &str = "encoder.layer.1.attention.self.query.weight";

fn load(session: &mut Session, file: &[u8], length: Option<u64>, hash: Option<[u8; 32]>) -> Result<()> {
    session.begin_weights()?;
    session.begin_file("model.safetensors", length, hash)?;
    session.feed_weights(file)?;
    block_on(session.finish_weights())
}

/// Loads a file that is refused into a session that works: it has to say why, keep its adapters and wait for a good one.
fn refused(code: &str, words: &[&str], load: impl FnOnce(&mut Session) -> Result<()>) {
    let mut session = session(Pooling::Mean);
    add_drawn(&mut session, "a", 1);
    let (answers, files) = (embed(&mut session, &active(&["a"])), session.save_adapter("a"));
    says(&load(&mut session).unwrap_err(), code, words);
    let without = block_on(session.classify(&texts(), &BASE, Default::default())).unwrap_err();
    says(&without, "not-ready", &["weights", "load them first"]);
    assert_eq!(session.save_adapter("a"), files);
    load_file(&mut session, &weights(Pooling::Mean), 4096).unwrap();
    assert_eq!(embed(&mut session, &active(&["a"])), answers);
}

fn file() -> Vec<u8> {
    weights(Pooling::Mean)
}

fn with(change: impl FnOnce(&mut BTreeMap<String, HostTensor>)) -> Vec<u8> {
    let mut tensors = read_all(&file()).unwrap();
    change(&mut tensors);
    write(&tensors)
}

#[test]
fn a_truncated_file() {
    let (whole, part) = (file().len().to_string(), (file().len() - 100).to_string());
    let words = ["model.safetensors", &whole, &part, "download it again"];
    refused("file-truncated", &words, |session| load(session, &file()[..file().len() - 100], None, None));
}

#[test]
fn a_file_that_goes_on_after_its_end() {
    let longer = [file().as_slice(), &[0; 9]].concat();
    refused("file-length", &["model.safetensors"], |session| load(session, &longer, None, None));
}

#[test]
fn a_file_of_another_length_than_announced() {
    let length = Some(file().len() as u64 + 7);
    refused("file-length", &["model.safetensors"], |session| load(session, &file(), length, None));
}

#[test]
fn a_file_with_another_hash() {
    let words = ["model.safetensors", "SHA-256", "0707070707"];
    refused("file-hash", &words, |session| load(session, &file(), None, Some([7; 32])));
}

#[test]
fn a_page_in_the_place_of_a_file() {
    let page = b"<!DOCTYPE html><html><title>404 Not Found</title></html>";
    refused("not-safetensors", &["model.safetensors"], |session| load(session, page, None, None));
}

#[test]
fn a_file_without_a_tensor_of_the_model() {
    let file = with(|tensors| drop(tensors.remove(QUERY)));
    refused("tensor-missing", &[QUERY, "belong together"], |session| load(session, &file, None, None));
}

#[test]
fn a_tensor_of_another_shape() {
    let file = with(|tensors| drop(tensors.insert(QUERY.into(), HostTensor::new(vec![24, 7], vec![0.0; 168]))));
    refused("tensor-shape", &[QUERY, "[24, 7]", "[24, 24]"], |session| load(session, &file, None, None));
}

/// It was said to be missing.
#[test]
fn a_tensor_stored_in_a_format_that_is_not_read() {
    let file = with(|tensors| drop(tensors.insert(QUERY.into(), HostTensor::new(vec![24, 48], vec![0.0; 1152]))));
    let end = 8 + u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let (header, data) = file.split_at(end);
    let as_f32 = format!(r#""{QUERY}":{{"dtype":"F32","shape":[24,48]"#);
    let header =
        String::from_utf8_lossy(&header[8..]).replace(&as_f32, &as_f32.replace("F32", "F64").replace("48", "24"));
    let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
    refused("tensor-dtype", &[QUERY, "F64"], |session| load(session, &file, None, None));
}

#[test]
fn weights_without_a_device_or_a_beginning() {
    let mut session = empty(options(Pooling::Mean));
    says(&session.begin_weights().unwrap_err(), "not-ready", &["device"]);
    says(&session.feed_weights(&[1]).unwrap_err(), "not-ready", &["begin"]);
    says(&block_on(session.finish_weights()).unwrap_err(), "not-ready", &["begin"]);
}

/// The error of a session whose configuration or tokenizer is changed.
fn opened(file: &str, from: &str, to: &str) -> Error {
    let changed = |name: &str| {
        let text = String::from_utf8(bytes(&format!("tiny-bert/{name}"))).unwrap();
        assert!(name != file || text.contains(from), "{from} is not in {file}");
        if name == file { text.replacen(from, to, 1) } else { text }
    };
    let (config, tokenizer) = (changed("config.json"), changed("tokenizer.json"));
    Session::new(config.as_bytes(), tokenizer.as_bytes(), options(Pooling::Pooler)).err().unwrap()
}

#[test]
fn a_configuration_that_cannot_be_used() {
    says(
        &opened("config.json", "\"num_attention_heads\": 3", "\"num_attention_heads\": 5"),
        "bad-config",
        &["hidden_size"],
    );
    says(&opened("config.json", "\"vocab_size\"", "\"vocab\""), "bad-config", &["vocab_size", "missing"]);
    says(&opened("config.json", "{", "<"), "bad-config", &["config.json", "JSON"]);
}

#[test]
fn an_architecture_that_is_not_supported() {
    let error = opened("config.json", "\"model_type\": \"bert\"", "\"model_type\": \"albert\"");
    says(&error, "unsupported-model", &["'albert'", "use one of bert"]);
}

#[test]
fn a_tokenizer_that_cannot_be_used() {
    says(
        &opened("tokenizer.json", "BertPreTokenizer", "UnicodeScripts"),
        "bad-tokenizer",
        &["tokenizer.json", "UnicodeScripts"],
    );
    says(&opened("config.json", "\"vocab_size\": 67", "\"vocab_size\": 60"), "bad-tokenizer", &["66", "60"]);
}
