//! Files of a base model.

use std::fs;

use ia3_web::Error;
use ia3_web::adapter::TaskType;
use ia3_web::checkpoint::safetensors::read_all;
use ia3_web::checkpoint::{Arrived, BlockType, Header, StreamReader, Tokenizer};
use ia3_web::models::Model;
use serde_json::{Value, json};

use super::mutate::{Random, mutate, mutate_json};
use super::survive;
use super::tiny_bert::fixtures;

/// A small file, so that its header, where the logic is, takes most of the hits.
fn small_safetensors() -> Vec<u8> {
    let header = r#"{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"ids":{"dtype":"I64","shape":[1,1],"data_offsets":[32,40]}}"#;
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend([0x3f; 40]);
    file
}

#[test]
fn safetensors() {
    let (small, adapter) =
        (small_safetensors(), fs::read(fixtures("peft-saved/list/adapter_model.safetensors")).unwrap());
    let make = |random: &mut Random| {
        let (a, b) = if random.below(3) == 0 { (&adapter, &small) } else { (&small, &adapter) };
        mutate(random, a, b)
    };
    survive(
        40_000,
        1,
        make,
        |len| 4 * len + 4096,
        |bytes, random| {
            let all = read_all(bytes);
            let length = [None, Some(bytes.len() as u64), Some(random.next())][random.below(3)];
            let mut reader = StreamReader::new("model.safetensors", length, None, Box::new(|_| BlockType::F32));
            let mut elements = 0;
            let mut sink = |arrived: Arrived| {
                elements += arrived.tensor.dequantised().data.len();
                Ok(())
            };
            for chunk in bytes.chunks(1 + random.below(200)) {
                reader.feed(chunk, &mut sink)?;
            }
            let skipped = !reader.skipped().is_empty();
            let streamed = reader.finish();
            assert!(Header::parse(bytes).is_ok() || all.is_err());
            if let (Ok(all), Ok(()), false) = (&all, &streamed, skipped) {
                assert_eq!(elements, all.values().map(|tensor| tensor.data.len()).sum::<usize>());
            }
            streamed
        },
    );
}

#[test]
fn model_configurations() {
    let config = serde_json::from_slice::<Value>(&fs::read(fixtures("tiny-bert/config.json")).unwrap()).unwrap();
    let make = |random: &mut Random| {
        if random.below(2) == 0 {
            mutate_json(random, &config)
        } else {
            mutate(random, config.to_string().as_bytes(), b"[[1e9]]")
        }
    };
    survive(10_000, 6, make, |len| 16 * len + 8192, |bytes, _| Model::from_json(bytes, TaskType::SeqCls).map(|_| ()));
}

pub fn small_tokenizer() -> Value {
    let token = |id: u32, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let special = |name: &str, type_id: u32| json!({"SpecialToken": {"id": name, "type_id": type_id}});
    let text = |name: &str, type_id: u32| json!({"Sequence": {"id": name, "type_id": type_id}});
    let mut playful = token(10, "play time");
    for flag in ["single_word", "lstrip", "rstrip", "normalized"] {
        playful[flag] = json!(true);
    }
    json!({
        "version": "1.0", "truncation": null, "padding": {"strategy": {"Fixed": 128}},
        "added_tokens": [token(0, "[PAD]"), token(1, "[UNK]"), token(2, "[CLS]"), token(3, "[SEP]"), playful],
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [special("[CLS]", 0), text("A", 0), special("[SEP]", 0)],
            "pair": [special("[CLS]", 0), text("A", 0), special("[SEP]", 0), text("B", 1), special("[SEP]", 1)],
            "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "play": 4, "##ing": 5, "cafe": 6, "!": 7, "a": 8, "##é": 9}}
    })
}

#[test]
fn tokenizers() {
    let original = small_tokenizer();
    let text = original.to_string();
    let make = |random: &mut Random| {
        if random.below(3) > 0 {
            mutate_json(random, &original)
        } else {
            mutate(random, text.as_bytes(), text.as_bytes())
        }
    };
    let texts = ["Playing CAFÉ! play time  [CLS]", " play  time play time[SEP] 中文 a\u{0}\u{301}", "", "aaaaaaaa é"];
    survive(
        20_000,
        7,
        make,
        |len| 16 * len + (1 << 20),
        |bytes, random| {
            let tokenizer = Tokenizer::from_bytes(bytes)?;
            let bounded = tokenizer.check(11, Some(2)).is_ok();
            for text in texts {
                let pair = (random.below(2) == 0).then(|| *random.pick(&texts));
                match tokenizer.encode(text, pair, 1 + random.below(20)) {
                    Ok(row) => {
                        assert!(row.ids.len() <= 20 && row.ids.len() == row.type_ids.len());
                        assert!(!bounded || row.ids.iter().all(|id| *id < 11) && row.type_ids.iter().all(|id| *id < 2));
                    }
                    Err(Error::BadOption { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        },
    );
}
