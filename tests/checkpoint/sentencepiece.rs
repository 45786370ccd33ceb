//! SentencePiece's BPE as a GGUF has it, against SentencePiece itself and, where texts hold special tokens, against transformers.

use ia3_web::checkpoint::Tokenizer;
use ia3_web::checkpoint::gguf::Gguf;

const SENTENCEPIECE: [(&str, &[u8]); 2] = [
    ("sentencepiece", include_bytes!("../fixtures/gguf/sentencepiece.gguf")),
    ("sentencepiece-gemma", include_bytes!("../fixtures/gguf/sentencepiece-gemma.gguf")),
];

/// Calls `check` with each tokenizer, once more as the crate has it that ours is made of, and each of its texts and their ids.
fn each(goldens: &[u8], check: impl Fn(&Tokenizer, &tokenizers::Tokenizer, &str, &[u32])) {
    let goldens: serde_json::Value = serde_json::from_slice(goldens).unwrap();
    for (name, file) in SENTENCEPIECE {
        let bytes = Gguf::parse("m.gguf", file).unwrap().unwrap().metadata.tokenizer().unwrap();
        let (found, whole) =
            (Tokenizer::from_bytes(&bytes).unwrap(), tokenizers::Tokenizer::from_bytes(&bytes).unwrap());
        let texts = goldens[name].as_array().unwrap();
        assert!(texts.len() > 100);
        for golden in texts {
            let text = golden[0].as_str().unwrap();
            let expected: Vec<u32> = serde_json::from_value(golden[1].clone()).unwrap();
            assert_eq!(found.plain(text).unwrap(), expected, "{name} {text:?}");
            check(&found, &whole, text, &expected);
        }
    }
}

/// Texts with spaces, characters without a token, and many at random; nothing is lost on the way back.
#[test]
fn a_sentencepiece_tokenizer_gives_the_ids_of_sentencepiece() {
    each(include_bytes!("../fixtures/gguf/sentencepiece.json"), |found, whole, text, expected| {
        assert_eq!(whole.decode(expected, true).unwrap(), text.replace('\u{2581}', " "));
        let row = found.encode(text, None, 500).unwrap().ids;
        assert_eq!((row[0], &row[1..]), (1, expected), "<s> begins it");
    });
}

/// Special tokens within texts, which transformers finds and SentencePiece does not.
#[test]
fn a_sentencepiece_tokenizer_finds_special_tokens_as_transformers_does() {
    each(include_bytes!("../fixtures/gguf/sentencepiece-special.json"), |_, _, _, _| {});
}
