//! GGUF files: their start, the files that it stands for, and the tensors as they arrive.

use std::fs;

use ia3_web::checkpoint::gguf::{self, Gguf, Outline};
use ia3_web::checkpoint::{Arrived, StreamReader, Tokenizer};

use super::mutate::{Random, mutate};
use super::survive;
use super::tiny_bert::fixtures;

/// How many files there are.
const FILES: usize = 7;

fn files() -> [Vec<u8>; FILES] {
    ["blocks", "llama-linear", "gemma3_text", "sentencepiece", "byte-level", "chat", "llama"]
        .map(|name| fs::read(fixtures(&format!("gguf/{name}.gguf"))).unwrap())
}

/// Most hits fall on the start, where the logic is.
fn broken(random: &mut Random, file: &[u8], other: &[u8]) -> Vec<u8> {
    let start = Gguf::parse("m.gguf", file).unwrap().unwrap().head_bytes as usize;
    let mut found = mutate(random, &file[..start], other);
    found.extend_from_slice(&file[start..]);
    if random.below(4) == 0 {
        found.truncate(random.below(found.len() + 1));
    }
    found
}

/// As many bytes a file's start may cost: an entry of a tensor takes a few times what it has in the file, a setting little.
fn most(len: usize) -> usize {
    16 * len + 8192
}

#[test]
fn starts() {
    let files = files();
    let make = |random: &mut Random| {
        let at = random.below(FILES);
        broken(random, &files[at], &files[(at + 1) % FILES])
    };
    survive(60_000, 21, make, most, |bytes, _| {
        let Some(file) = Gguf::parse("m.gguf", bytes)? else { return Ok(()) };
        for tensor in &file.tensors {
            assert_eq!(tensor.kind.bytes(&tensor.shape), Some(tensor.bytes));
            assert!(tensor.start + tensor.bytes <= file.file_bytes);
        }
        Ok(())
    });
}

/// A file that could be read is written so that it reads the same.
#[test]
fn written_again() {
    let files = files();
    let make = |random: &mut Random| {
        let at = random.below(FILES);
        broken(random, &files[at], &files[(at + 1) % FILES])
    };
    survive(
        20_000,
        24,
        make,
        |len| 32 * len + 8192,
        |bytes, _| {
            let Some(file) = Gguf::parse("m.gguf", bytes)? else { return Ok(()) };
            let (before, settings) = (file.tensors.clone(), file.metadata.tokenizer_config());
            let outline = Outline::of(file)?;
            let kinds: Vec<_> = before.iter().map(|tensor| tensor.kind).collect();
            let head = outline.head(&kinds);
            let after = Gguf::parse("m.gguf", &head)?.expect("a whole start");
            assert_eq!(after.metadata.tokenizer_config(), settings);
            let mut place = head.len() as u64;
            for (before, after) in before.iter().zip(&after.tensors) {
                assert_eq!((&after.name, after.kind, &after.shape), (&before.name, before.kind, &before.shape));
                assert_eq!(after.start, place, "without gaps");
                place += outline.room(before, before.kind);
            }
            assert_eq!(after.tensors.len(), before.len());
            Ok(())
        },
    );
}

#[test]
fn configurations_and_tokenizers() {
    let files = files();
    let make = |random: &mut Random| {
        let at = 1 + random.below(FILES - 1);
        broken(random, &files[at], &files[FILES - at])
    };
    // JSON with an entry in a map for every token, and what the tokenizer makes of it.
    survive(
        20_000,
        22,
        make,
        |len| 64 * len + (1 << 16),
        |bytes, _| {
            let Some(found) = gguf::files("m.gguf", bytes)? else { return Ok(()) };
            Tokenizer::from_bytes(&found["tokenizer.json"]).map(|_| ())
        },
    );
}

#[test]
fn tensors_on_their_way_in() {
    let files = files();
    let make = |random: &mut Random| {
        let at = random.below(FILES);
        broken(random, &files[at], &files[(at + 1) % FILES])
    };
    survive(30_000, 23, make, most, |bytes, random| {
        let length = [None, Some(bytes.len() as u64), Some(random.next())][random.below(3)];
        let mut reader = StreamReader::new("m.gguf", length, None, Box::new(|incoming| incoming.kind));
        let mut sink = |_: Arrived| Ok(());
        for chunk in bytes.chunks(1 + random.below(20_000)) {
            reader.feed(chunk, &mut sink)?;
        }
        reader.finish()
    });
}
