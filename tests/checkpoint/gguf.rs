//! GGUF: every number format against ggml's own Python package, settings, and files that are not what they say.

use ia3_web::Error;
use ia3_web::checkpoint::gguf::{Gguf, GgufTensor, Value, files};
use ia3_web::checkpoint::{BlockType, Tokenizer, quantisable, quantise};
use serde_json::json;

const FILE: &[u8] = include_bytes!("../fixtures/gguf/blocks.gguf");
const ELEMENTS: &[u8] = include_bytes!("../fixtures/gguf/blocks.bin");

fn parse(bytes: &[u8]) -> Result<Option<Gguf<'_>>, Error> {
    Gguf::parse("m.gguf", bytes)
}

fn data<'a>(tensor: &GgufTensor) -> &'a [u8] {
    &FILE[tensor.start as usize..(tensor.start + tensor.bytes) as usize]
}

#[test]
fn every_number_format_is_dequantised_as_ggml_does() {
    let file = parse(FILE).unwrap().unwrap();
    assert_eq!(file.tensors.len(), 11);
    // Its writer fills the last row of the alignment, others do not.
    assert_eq!(file.file_bytes.next_multiple_of(32), FILE.len() as u64);
    for (tensor, expected) in file.tensors.iter().zip(ELEMENTS.chunks_exact(4 * 3 * 512)) {
        assert_eq!((format!("{:?}", tensor.kind), tensor.shape.as_slice()), (tensor.name.clone(), [3, 512].as_slice()));
        let mut found = Vec::new();
        tensor.kind.dequantise(data(tensor), &mut found);
        let expected: Vec<f32> = expected.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        assert_eq!(found.len(), expected.len(), "{}", tensor.name);
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // The same products in another order.
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs().max(1e-2),
                "{} {at}: {found}, {expected}",
                tensor.name
            );
        }
    }
}

#[test]
fn blocks_are_made_as_ggml_makes_them() {
    let file = include_bytes!("../fixtures/gguf/quantised.gguf");
    let found = parse(file).unwrap().unwrap();
    let data = |tensor: &GgufTensor| &file[tensor.start as usize..(tensor.start + tensor.bytes) as usize];
    let mut elements = Vec::new();
    BlockType::F32.dequantise(data(&found.tensors[0]), &mut elements);
    assert_eq!((found.tensors.len(), elements.len()), (8, 12 * 64));
    for tensor in &found.tensors {
        assert_eq!(quantisable(tensor.kind), tensor.kind);
        let mut bytes = Vec::new();
        quantise(tensor.kind, &elements, &mut bytes);
        let row = bytes.len() / 12;
        for (at, (found, expected)) in bytes.chunks(row).zip(data(tensor).chunks(row)).enumerate() {
            assert_eq!(found, expected, "{}, row {at}", tensor.name);
        }
    }
}

#[test]
fn settings_are_read_by_type() {
    let metadata = parse(FILE).unwrap().unwrap().metadata;
    assert_eq!(metadata.text("general.architecture").unwrap(), "llama");
    assert_eq!(metadata.whole("test.unsigned").unwrap(), Some(7));
    assert_eq!(metadata.get("test.negative"), Some(Value::Negative(-7)));
    assert_eq!(metadata.number("test.float").unwrap(), Some(0.5));
    assert_eq!(metadata.flag("test.flag").unwrap(), Some(true));
    assert_eq!(metadata.list("test.texts").unwrap().unwrap().texts().unwrap(), ["a", "", "é"]);
    let numbers = metadata.list("test.numbers").unwrap().unwrap();
    assert_eq!((numbers.numbers().unwrap(), numbers.texts()), (vec![1.0, -2.0, 3.0], None));
    assert_eq!(metadata.whole("absent").unwrap(), None);
    for wrong in
        [metadata.text("absent").map(drop), metadata.whole("test.flag").map(drop), metadata.list("test.flag").map(drop)]
    {
        assert!(matches!(wrong, Err(Error::NotGguf { file, .. }) if file == "m.gguf"));
    }
}

#[test]
fn a_start_that_is_cut_off_asks_for_more() {
    let data = parse(FILE).unwrap().unwrap().tensors[0].start as usize;
    for end in (0..data - 32).step_by(7).chain([data - 32]) {
        assert!(parse(&FILE[..end]).unwrap().is_none(), "{end}");
    }
    assert!(parse(&FILE[..data]).unwrap().is_some());
}

/// A file with one tensor.
fn tiny(version: u32, tensors: u64, dimensions: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend([tensors, 0].iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend(1_u64.to_le_bytes());
    bytes.push(b't');
    bytes.extend((dimensions.len() as u32).to_le_bytes());
    bytes.extend(dimensions.iter().flat_map(|n| n.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

#[test]
fn malformed_files_are_refused_with_the_reason() {
    let good = tiny(3, 1, &[256, 2], 14, 0);
    let good = parse(&good).unwrap().unwrap();
    assert_eq!((good.tensors[0].shape.clone(), good.tensors[0].bytes), (vec![2, 256], 420));
    let cases = [
        (b"GGML".to_vec(), "begin with GGUF"),
        (tiny(1, 1, &[32], 2, 0), "version is 1"),
        (tiny(3, u64::MAX, &[32], 2, 0), "announces"),
        (tiny(3, 1, &[], 2, 0), "0 dimensions"),
        (tiny(3, 1, &[1; 5], 2, 0), "5 dimensions"),
        (tiny(3, 1, &[32, 0], 2, 0), "dimension of 0"),
        (tiny(3, 1, &[33], 2, 0), "whole blocks of Q4_0"),
        (tiny(3, 1, &[32, u64::MAX / 2], 2, 0), "whole blocks"),
        (tiny(3, 1, &[32], 2, 5), "not a multiple of 32"),
        (tiny(3, 1, &[32], 2, u64::MAX - 31), "too far"),
    ];
    for (bytes, reason) in cases {
        match parse(&bytes) {
            Err(Error::NotGguf { reason: found, .. }) => assert!(found.contains(reason), "{found}"),
            other => panic!("{reason}: {other:?}"),
        }
    }
    for (number, name) in [(10, "Q2_K"), (99, "number 99")] {
        let expected = Error::TensorDtype { name: "t".into(), dtype: name.into() };
        assert_eq!(parse(&tiny(3, 1, &[256], number, 0)).unwrap_err(), expected);
    }
    assert_eq!(BlockType::from_number(31), None);
}

#[test]
fn a_byte_level_tokenizer_is_that_of_the_models_own_file() {
    let file = include_bytes!("../fixtures/gguf/byte-level.gguf");
    let metadata = parse(file).unwrap().unwrap().metadata;
    let found = Tokenizer::from_bytes(&metadata.tokenizer().unwrap()).unwrap();
    let expected = Tokenizer::from_bytes(include_bytes!("../fixtures/chat/tokenizer.json")).unwrap();
    for text in [
        "the hello you",
        "<|im_start|>user\nHi 12345 na\u{ef}ve \u{4f60}\u{597d} \u{1f600}  \n\n  x<|im_end|>",
        " ",
        "</s>the",
    ] {
        assert_eq!(found.encode(text, None, 500).unwrap(), expected.encode(text, None, 500).unwrap(), "{text}");
        assert_eq!(found.plain(text).unwrap(), expected.plain(text).unwrap(), "{text}");
    }
}

#[test]
fn a_sentencepiece_tokenizer_needs_scores_and_tokens_of_a_sane_length() {
    use Setting::*;
    let refused = |entries: &[(&str, Setting)], reason: &str| {
        let bytes = settings(entries);
        match parse(&bytes).unwrap().unwrap().metadata.tokenizer() {
            Err(Error::NotGguf { reason: found, .. }) => assert!(found.contains(reason), "{found}"),
            found => panic!("{found:?}"),
        }
    };
    let named = |kind: &'static str| ("tokenizer.ggml.model", Text(kind));
    let tokens = ("tokenizer.ggml.tokens", Texts(&["a", "b"]));
    refused(&[named("llama"), tokens], "2 tokens and 0 scores");
    let tokens = ("tokenizer.ggml.tokens", Texts(&["a"]));
    refused(&[named("t5"), tokens], "'t5', not gpt2, bert or llama");
    let long: &'static str = "a".repeat(257).leak();
    let tokens = ("tokenizer.ggml.tokens", Texts(vec![long].leak()));
    refused(&[named("llama"), tokens, ("tokenizer.ggml.scores", Floats(&[0.0]))], "257 bytes");
}

/// A tokenizer of another kind than can be read.
#[test]
fn an_unknown_tokenizer_is_refused_by_name() {
    let mut file = include_bytes!("../fixtures/gguf/byte-level.gguf").to_vec();
    for (name, other, reason) in [("gpt-2", "gpt-9", "'gpt-9'"), ("gpt2", "spm2", "'spm2'")] {
        let at = file.windows(name.len()).position(|part| part == name.as_bytes()).unwrap();
        file[at..at + name.len()].copy_from_slice(other.as_bytes());
        match parse(&file).unwrap().unwrap().metadata.tokenizer() {
            Err(Error::NotGguf { reason: found, .. }) => assert!(found.contains(reason), "{found}"),
            found => panic!("{found:?}"),
        }
    }
}

/// Settings of texts, lists of texts and numbers, without a tensor.
enum Setting {
    Text(&'static str),
    Texts(&'static [&'static str]),
    Number(u32),
    Floats(&'static [f32]),
}

fn settings(entries: &[(&str, Setting)]) -> Vec<u8> {
    fn text(text: &str) -> Vec<u8> {
        [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
    }
    let mut bytes = [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &0_u64.to_le_bytes()].concat();
    bytes.extend((entries.len() as u64).to_le_bytes());
    for (name, setting) in entries {
        bytes.extend(text(name));
        match setting {
            Setting::Text(value) => bytes.extend([8_u32.to_le_bytes().to_vec(), text(value)].concat()),
            Setting::Number(value) => bytes.extend([4_u32.to_le_bytes(), value.to_le_bytes()].concat()),
            Setting::Floats(values) => {
                bytes.extend([9_u32.to_le_bytes(), 6_u32.to_le_bytes()].concat());
                bytes.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            }
            Setting::Texts(values) => {
                bytes.extend([9_u32.to_le_bytes(), 8_u32.to_le_bytes()].concat());
                bytes.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| bytes.extend(text(value)));
            }
        }
    }
    bytes
}

fn tokenizer_config(entries: &[(&str, Setting)]) -> serde_json::Value {
    let bytes = settings(entries);
    serde_json::from_slice(&parse(&bytes).unwrap().unwrap().metadata.tokenizer_config().unwrap()).unwrap()
}

#[test]
fn a_chat_template_and_special_tokens_are_those_of_the_models_own_file() {
    let start = include_bytes!("../fixtures/gguf/chat.gguf");
    let found = files("m.gguf", start).unwrap().unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["config.json", "tokenizer.json", "tokenizer_config.json"]);
    let config: serde_json::Value = serde_json::from_slice(&found["tokenizer_config.json"]).unwrap();
    let template = include_str!("../fixtures/chat/chatml/chat_template.jinja");
    assert_eq!(config, json!({"eos_token": "<|im_end|>", "pad_token": "<pad>", "chat_template": template}));
    assert!(files("m.gguf", &start[..1000]).unwrap().is_none());
}

#[test]
fn templates_with_names_are_a_list_and_tokens_have_the_names_of_hugging_face() {
    use Setting::*;
    let found = tokenizer_config(&[
        ("tokenizer.ggml.tokens", Texts(&["<s>", "</s>", "<unk>", "[SEP]", "<pad>", "[CLS]", "[MASK]"])),
        ("tokenizer.ggml.bos_token_id", Number(0)),
        ("tokenizer.ggml.eos_token_id", Number(1)),
        ("tokenizer.ggml.unknown_token_id", Number(2)),
        ("tokenizer.ggml.seperator_token_id", Number(3)),
        ("tokenizer.ggml.padding_token_id", Number(4)),
        ("tokenizer.ggml.cls_token_id", Number(5)),
        ("tokenizer.ggml.mask_token_id", Number(6)),
        ("tokenizer.chat_templates", Texts(&["tool_use"])),
        ("tokenizer.chat_template.tool_use", Text("tools")),
        ("tokenizer.chat_template", Text("usual")),
    ]);
    let templates = json!([{"name": "default", "template": "usual"}, {"name": "tool_use", "template": "tools"}]);
    let expected = json!({"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "[SEP]",
        "pad_token": "<pad>", "cls_token": "[CLS]", "mask_token": "[MASK]", "chat_template": templates});
    assert_eq!(found, expected);
    assert_eq!(tokenizer_config(&[("tokenizer.ggml.bos_token_id", Number(7))]), json!({}));
}

#[test]
fn a_template_that_is_no_text_and_a_part_of_a_model_are_refused() {
    let refused = |entries: &[(&str, Setting)], reason: &str| {
        let bytes = settings(entries);
        let file = parse(&bytes).unwrap().unwrap();
        match file.config().and_then(|_| file.metadata.tokenizer_config()) {
            Err(Error::NotGguf { reason: found, .. }) => assert!(found.contains(reason), "{found}"),
            found => panic!("{found:?}"),
        }
    };
    let named = || ("general.architecture", Setting::Text("llama"));
    refused(&[named(), ("tokenizer.chat_template", Setting::Number(1))], "tokenizer.chat_template is Unsigned(1)");
    refused(&[named(), ("tokenizer.chat_template.rag", Setting::Number(1))], "tokenizer.chat_template.rag");
    refused(&[named(), ("split.count", Setting::Number(3))], "one of the 3 files of a model");
}

#[test]
fn an_unknown_architecture_is_refused_by_name() {
    let bytes = settings(&[("general.architecture", Setting::Text("mamba"))]);
    assert!(
        matches!(files("m.gguf", &bytes), Err(Error::UnsupportedModel { model_type, .. }) if model_type == "mamba")
    );
}

/// A scale or minimum x becomes `x factor` within `max(2^-11 |x factor|, 2^-25)`, so an element `q d + m` moves by that of both.
#[test]
fn rescaled_blocks_hold_the_numbers_times_the_factor() {
    let numbers = |kind: BlockType, bytes: &[u8]| {
        let mut found = Vec::new();
        kind.dequantise(bytes, &mut found);
        found
    };
    let file = parse(FILE).unwrap().unwrap();
    let scaled: Vec<_> = file.tensors.iter().filter(|tensor| tensor.kind.has_scales()).collect();
    assert_eq!(scaled.len(), 8);
    for tensor in scaled {
        let (kind, own) = (tensor.kind, data(tensor).to_vec());
        let before = numbers(kind, &own);
        // Without the scale the minimum is left.
        let mut minimums = own.clone();
        let at = if kind == BlockType::Q6_K { 208 } else { 0 };
        minimums.chunks_mut(kind.block_bytes()).for_each(|block| block[at..at + 2].fill(0));
        let minimums = numbers(kind, &minimums);
        for factor in [1.0, -0.7, 3.3, 1e-3, 0.0] {
            let mut bytes = own.clone();
            assert!(kind.rescale(&mut bytes, factor));
            for ((after, before), least) in numbers(kind, &bytes).iter().zip(&before).zip(&minimums) {
                let bound = |x: f32| 2_f32.powi(-11) * (x * factor).abs();
                // The largest q of a block, with the scales that it has for a part of it, times the least step of a half.
                let step = 4096.0 * 2_f32.powi(-25);
                let most = bound(before - least) + bound(*least) + step;
                assert!((after - before * factor).abs() <= most, "{} {factor}: {before} {after}", tensor.name);
            }
            if factor == 1.0 {
                assert_eq!(bytes, own);
            }
        }
        assert!(!kind.rescale(&mut own.clone(), 1e9), "{}", tensor.name);
    }
}
