//! Reading base model files: good ones give what is in them, bad ones a typed error that names what is wrong.

use std::collections::{BTreeMap, HashMap};

use ia3_web::checkpoint::safetensors::{read_all, write};
use ia3_web::checkpoint::{Header, HiddenAct, HostTensor, ModelConfig, StreamReader, Tokenizer};
use ia3_web::{Error, Result};

/// A file from its header's JSON and its data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn two_tensors() -> BTreeMap<String, HostTensor> {
    BTreeMap::from([
        ("b.bias".into(), HostTensor::new(vec![3], vec![0.5, -1.0, 2.0])),
        ("a.weight".into(), HostTensor::new(vec![3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
        ("empty".into(), HostTensor::new(vec![0, 4], vec![])),
    ])
}

fn stream(bytes: &[u8], chunk: usize, length: Option<u64>) -> Result<BTreeMap<String, HostTensor>> {
    let mut tensors = BTreeMap::new();
    let mut reader = StreamReader::new(length, None);
    for chunk in bytes.chunks(chunk) {
        reader.feed(chunk, &mut |name, tensor| {
            tensors.insert(name.to_string(), tensor);
            Ok(())
        })?;
    }
    reader.finish().map(|()| tensors)
}

#[test]
fn writes_what_the_safetensors_crate_writes() {
    let tensors = two_tensors();
    let bytes = |tensor: &HostTensor| tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let data: BTreeMap<_, _> = tensors.iter().map(|(name, tensor)| (name, bytes(tensor))).collect();
    let views = tensors.iter().map(|(name, tensor)| {
        (
            name,
            safetensors::tensor::TensorView::new(safetensors::Dtype::F32, tensor.shape.clone(), &data[name]).unwrap(),
        )
    });
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    assert_eq!(write(&tensors), safetensors::serialize(views, Some(metadata)).unwrap());
}

#[test]
fn reads_what_it_wrote() {
    assert_eq!(read_all(&write(&two_tensors())).unwrap(), two_tensors());
}

#[test]
fn reads_half_precision() {
    let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}}"#;
    let tensors = read_all(&file(header, &[0x00, 0x3c, 0x00, 0xc0, 0xc0, 0x3f])).unwrap();
    assert_eq!(tensors["h"].data, [1.0, -2.0]);
    assert_eq!(tensors["b"].data, [1.5]);
}

#[test]
fn a_stream_gives_the_same_tensors_whatever_its_chunks() {
    let bytes = write(&two_tensors());
    for chunk in [1, 3, 7, 64, bytes.len()] {
        assert_eq!(stream(&bytes, chunk, Some(bytes.len() as u64)).unwrap(), two_tensors(), "chunks of {chunk}");
        assert_eq!(stream(&bytes, chunk, None).unwrap(), two_tensors(), "chunks of {chunk}, length unknown");
    }
}

#[test]
fn a_stream_passes_over_integer_buffers() {
    let header = r#"{"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#;
    let bytes = file(header, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f]);
    let mut names = Vec::new();
    let mut reader = StreamReader::new(None, None);
    reader.feed(&bytes, &mut |name, _| Ok(names.push(name.to_string()))).unwrap();
    assert_eq!(reader.skipped(), [("ids".to_string(), "I64".to_string())]);
    assert_eq!(names, ["w"]);
    assert_eq!(read_all(&bytes), Err(Error::TensorDtype { name: "ids".into(), dtype: "I64".into() }));
}

#[test]
fn a_file_cut_off_or_too_long_is_refused() {
    let bytes = write(&two_tensors());
    let whole = bytes.len() as u64;
    for end in [0, 7, 8, 40, bytes.len() - 1] {
        let truncated = |error: Error| match error {
            Error::FileTruncated { expected, actual, .. } => assert!(actual == end as u64 && expected > actual),
            other => panic!("{end} bytes: {other}"),
        };
        truncated(stream(&bytes[..end], 16, None).unwrap_err());
        truncated(stream(&bytes[..end], 16, Some(whole)).unwrap_err());
        truncated(read_all(&bytes[..end]).unwrap_err());
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    let length = Error::FileLength { file: "model.safetensors".into(), expected: whole, actual: whole + 1 };
    assert_eq!(stream(&longer, 16, None), Err(length.clone()));
    assert_eq!(stream(&longer, 16, Some(whole)).unwrap_err().code(), "file-length");
    assert_eq!(read_all(&longer), Err(length));
}

#[test]
fn a_server_that_announces_another_length_is_noticed_at_the_header() {
    let bytes = write(&two_tensors());
    assert_eq!(stream(&bytes, bytes.len(), Some(bytes.len() as u64 + 5)).unwrap_err().code(), "file-length");
    assert_eq!(
        stream(&bytes[..bytes.len() - 9], 1000, Some(bytes.len() as u64 - 9)).unwrap_err().code(),
        "file-truncated"
    );
}

#[test]
fn a_wrong_hash_is_refused() {
    let bytes = write(&two_tensors());
    let hash = <sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
    let finish = |expected| {
        let mut reader = StreamReader::new(None, Some(expected));
        reader.feed(&bytes, &mut |_, _| Ok(())).unwrap();
        reader.finish()
    };
    assert_eq!(finish(hash), Ok(()));
    assert_eq!(finish([7; 32]).unwrap_err().code(), "file-hash");
}

#[test]
fn a_bad_header_is_refused() {
    for (header, data) in [
        ("", 0),
        ("[]", 0),
        (r#"{"a":1}"#, 0),
        (r#"{"a":{"dtype":"F99","shape":[],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),
        (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#, 4),
        (r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0),
        (r#"{"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#, 0),
        (
            r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#,
            0,
        ),
        (
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            4,
        ),
    ] {
        let error = Header::parse(&file(header, &vec![0; data])).unwrap_err();
        assert_eq!(error.code(), "not-safetensors", "{header}: {error}");
    }
    assert_eq!(Header::parse(b"<!DOCTYPE html><html>").unwrap_err().code(), "not-safetensors");
}

const CONFIG: &str = r#"{"model_type": "bert", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
    "intermediate_size": 40, "vocab_size": 67, "max_position_embeddings": 40, "hidden_act": "gelu",
    "id2label": {"1": "yes", "0": "no"}}"#;

#[test]
fn reads_a_configuration() {
    let config = ModelConfig::from_json(CONFIG.as_bytes()).unwrap();
    assert_eq!((config.hidden_size, config.num_attention_heads, config.vocab_size), (24, 3, 67));
    assert_eq!((config.hidden_act, config.type_vocab_size, config.layer_norm_eps), (HiddenAct::Gelu, 2, 1e-12));
    assert_eq!(config.labels, Some(vec!["no".into(), "yes".into()]));
}

#[test]
fn a_bad_configuration_names_the_field() {
    for (from, to, field) in [
        (r#""hidden_size": 24"#, r#""hidden": 24"#, "hidden_size"),
        (r#""hidden_size": 24"#, r#""hidden_size": 25"#, "hidden_size"),
        (r#""hidden_size": 24"#, r#""hidden_size": 1e9"#, "hidden_size"),
        (r#""num_hidden_layers": 2"#, r#""num_hidden_layers": -2"#, "num_hidden_layers"),
        (r#""num_attention_heads": 3"#, r#""num_attention_heads": 0"#, "num_attention_heads"),
        (r#""vocab_size": 67"#, r#""vocab_size": "67""#, "vocab_size"),
        (r#""vocab_size": 67"#, r#""vocab_size": 67, "pad_token_id": 67"#, "pad_token_id"),
        (r#""gelu""#, r#""swish""#, "hidden_act"),
        (r#""gelu""#, r#""gelu", "layer_norm_eps": 0"#, "layer_norm_eps"),
        (r#""gelu""#, r#""gelu", "position_embedding_type": "relative_key""#, "position_embedding_type"),
        (r#""gelu""#, r#""gelu", "is_decoder": true"#, "is_decoder"),
        (r#""1": "yes""#, r#""2": "yes""#, "id2label"),
        ("}}", "}", "the file"),
    ] {
        match ModelConfig::from_json(CONFIG.replace(from, to).as_bytes()) {
            Err(Error::BadConfig { field: found, .. }) => assert_eq!(found, field),
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn another_architecture_is_refused_with_the_supported_ones() {
    let error = ModelConfig::from_json(CONFIG.replace(r#""bert""#, r#""llama""#).as_bytes()).unwrap_err();
    assert_eq!(error, Error::UnsupportedModel { model_type: "llama".into(), supported: vec!["bert".into()] });
}

const TOKENIZER: &str = r###"{"version": "1.0",
    "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
    "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    "added_tokens": [
        {"id": 0, "content": "[PAD]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
        {"id": 1, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
        {"id": 2, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
        {"id": 3, "content": "[SEP]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
                 {"Sequence": {"id": "B", "type_id": 1}}, {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "play": 4, "##ing": 5, "cafe": 6, "!": 7, "a": 8, "b": 9}}}"###;

#[test]
fn encodes_text_and_pairs() {
    let tokenizer = Tokenizer::from_bytes(TOKENIZER.as_bytes()).unwrap();
    let text = tokenizer.encode("Playing CAFÉ! zz", None, 128).unwrap();
    assert_eq!((text.ids, text.type_ids, text.truncated), (vec![2, 4, 5, 6, 7, 1, 3], vec![0; 7], false));
    let pair = tokenizer.encode("a", Some("b!"), 128).unwrap();
    assert_eq!((pair.ids, pair.type_ids), (vec![2, 8, 3, 9, 7, 3], vec![0, 0, 0, 1, 1, 1]));
    assert_eq!(tokenizer.encode("[CLS] a", None, 128).unwrap().ids, [2, 2, 8, 3]);
    assert_eq!(tokenizer.pad_id(), 0);
}

#[test]
fn truncates_the_longer_text_first() {
    let tokenizer = Tokenizer::from_bytes(TOKENIZER.as_bytes()).unwrap();
    let lengths = |first: usize, second: usize, max_length| {
        let row = tokenizer.encode(&"a ".repeat(first), Some(&"b ".repeat(second)), max_length).unwrap();
        let count = |id| row.ids.iter().filter(|found| **found == id).count();
        (count(8), count(9), row.truncated)
    };
    assert_eq!(lengths(5, 5, 13), (5, 5, false));
    assert_eq!(lengths(2, 9, 11), (2, 6, true));
    assert_eq!(lengths(9, 2, 11), (6, 2, true));
    assert_eq!(lengths(9, 9, 12), (4, 5, true));
    assert_eq!(lengths(9, 8, 12), (5, 4, true));
    let row = tokenizer.encode("a a a a", None, 5).unwrap();
    assert_eq!((row.ids, row.truncated), (vec![2, 8, 8, 8, 3], true));
    assert_eq!(tokenizer.encode("a", Some("b"), 3).unwrap_err().code(), "bad-option");
}

#[test]
fn a_tokenizer_that_gives_more_ids_than_the_model_has_is_refused() {
    let tokenizer = Tokenizer::from_bytes(TOKENIZER.as_bytes()).unwrap();
    assert_eq!(tokenizer.check(10, 2), Ok(()));
    assert_eq!(tokenizer.check(9, 2).unwrap_err().code(), "bad-tokenizer");
    assert_eq!(tokenizer.check(10, 1).unwrap_err().code(), "bad-tokenizer");
}

#[test]
fn a_bad_tokenizer_is_refused() {
    for (from, to) in [
        ("WordPiece\", \"unk", "BPE\", \"unk"),
        ("BertNormalizer", "Replace"),
        (r#"{"type": "BertPreTokenizer"}"#, "null"),
        ("TemplateProcessing", "RobertaProcessing"),
        (r#""[CLS]": {"id""#, r#""[XXX]": {"id""#),
        (r#""id": "A""#, r#""id": "B""#),
        (r#""[UNK]": 1, "#, ""),
        ("per_word\": 100", "per_word\": 100000"),
        (r#""content": "[PAD]""#, r#""content": " ""#),
        (r#""id": 3, "content""#, r#""id": 4, "content""#),
        ("}}}", "}}"),
    ] {
        assert!(TOKENIZER.contains(from));
        let error = Tokenizer::from_bytes(TOKENIZER.replace(from, to).as_bytes()).err().expect(to);
        assert_eq!(error.code(), "bad-tokenizer", "{to}");
    }
}
