//! `tokenizer.json`.

use std::path::{Path, PathBuf};
use std::{env, fs};

use ia3_web::checkpoint::Tokenizer;
use serde_json::{Value, json};

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
    assert_eq!(tokenizer.check(10, Some(2)), Ok(()));
    assert_eq!(tokenizer.check(9, Some(2)).unwrap_err().code(), "bad-tokenizer");
    assert_eq!(tokenizer.check(10, Some(1)).unwrap_err().code(), "bad-tokenizer");
}

#[test]
fn a_bad_tokenizer_is_refused() {
    for (from, to) in [
        ("WordPiece\", \"unk", "WordLevel\", \"unk"),
        ("BertNormalizer", "Replace"),
        (r#"{"type": "BertPreTokenizer"}"#, r#"{"type": "UnicodeScripts"}"#),
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

/// Compares with what real transformers gave (`tests/fixtures/tokenizer`).
fn compare(golden: &str, tokenizer: &Path) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizer").join(golden);
    let golden: Value = serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let bytes = fs::read(tokenizer).unwrap_or_else(|error| panic!("{tokenizer:?}: {error}; run pkg-scripts/setup.sh"));
    let tokenizer = Tokenizer::from_bytes(&bytes).unwrap();
    let max_length = golden["max_length"].as_u64().unwrap() as usize;
    for row in golden["rows"].as_array().unwrap() {
        let found = tokenizer.encode(row["text"].as_str().unwrap(), row["pair"].as_str(), max_length).unwrap();
        let found = json!({"ids": found.ids, "types": found.type_ids, "truncated": found.truncated});
        let expected = json!({"ids": row["input_ids"], "types": row["token_type_ids"], "truncated": row["truncated"]});
        assert_eq!(found, expected, "{row}");
    }
}

#[test]
fn gives_the_ids_that_transformers_gives_for_the_tiny_model() {
    compare("tiny.json", &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bert/tokenizer.json"));
}

#[test]
fn gives_the_ids_that_transformers_gives_for_minilm() {
    let set = |name: &str| env::var_os(name).map(PathBuf::from);
    let home = || set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = set("IA3_WEB_CACHE").or_else(|| Some(home()?.join("ia3-web"))).expect("a cache folder");
    compare("minilm.json", &cache.join("hub/sentence-transformers/all-MiniLM-L6-v2/resolve/main/tokenizer.json"));
}

/// RoBERTa's kind: BPE over bytes, `<s> A </s></s> B </s>`, all of type 0.
const BYTE_LEVEL: &str = r###"{"version": "1.0", "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true, "add_prefix_space": false},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": "", "end_of_word_suffix": "",
        "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": {"<s>": 0, "<pad>": 1, "</s>": 2, "a": 3, "b": 4, "Ġ": 5, "Ġa": 6, "ab": 7}, "merges": ["Ġ a", "a b"]}}"###;

/// XLM-RoBERTa's kind: Unigram over words that begin with a mark.
const UNIGRAM: &str = r###"{"version": "1.0", "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
        {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
    "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
        "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}},
    "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": false,
        "vocab": [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["▁a", -1.0], ["▁", -2.0], ["a", -3.0], ["b", -3.0]]}}"###;

#[test]
fn encodes_with_bytes_and_with_unigrams() {
    let bytes = Tokenizer::from_bytes(BYTE_LEVEL.as_bytes()).unwrap();
    assert_eq!(bytes.encode("ab a", None, 9).unwrap().ids, [0, 7, 6, 2]);
    let pair = bytes.encode("a", Some("b"), 9).unwrap();
    assert_eq!((pair.ids, pair.type_ids), (vec![0, 3, 2, 2, 4, 2], vec![0; 6]));
    let unigrams = Tokenizer::from_bytes(UNIGRAM.as_bytes()).unwrap();
    assert_eq!(unigrams.encode("ab b", None, 9).unwrap().ids, [0, 4, 7, 5, 7, 2]);
    let plain = BYTE_LEVEL.replace("RobertaProcessing", "ByteLevel");
    assert_eq!(Tokenizer::from_bytes(plain.as_bytes()).unwrap().encode("ab a", None, 9).unwrap().ids, [7, 6]);
    let random = BYTE_LEVEL.replace(r#""dropout": null"#, r#""dropout": 0.1"#);
    assert_eq!(Tokenizer::from_bytes(random.as_bytes()).err().unwrap().code(), "bad-tokenizer");
}

#[test]
fn tokens_know_where_they_come_from() {
    let tokenizer = Tokenizer::from_bytes(TOKENIZER.as_bytes()).unwrap();
    let row = tokenizer.encode("playing", Some("é b"), 9).unwrap();
    let places = row.sources.iter().map(|source| source.map(|source| (source.text, source.start, source.end)));
    let expected = [None, Some((0, 0, 4)), Some((0, 4, 7)), None, Some((1, 0, 2)), Some((1, 3, 4)), None];
    assert_eq!(places.collect::<Vec<_>>(), expected);
    let words = ["playing", "b", "a"].map(String::from);
    let row = tokenizer.encode_words(&words, 5).unwrap();
    assert_eq!((row.ids, row.truncated), (vec![2, 4, 5, 9, 3], true));
    let words: Vec<_> = row.sources.iter().map(|source| source.map(|source| source.text)).collect();
    assert_eq!(words, [None, Some(0), Some(0), Some(1), None]);
}
