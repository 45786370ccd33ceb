//! GGUF files: their start, the files that it stands for, and the tensors as they arrive.

use std::fs;

use ia3_web::checkpoint::gguf::{self, Gguf};
use ia3_web::checkpoint::{StoredTensor, StreamReader, Tokenizer};

use super::mutate::{Random, mutate};
use super::survive;
use super::tiny_bert::fixtures;

fn files() -> [Vec<u8>; 5] {
    ["blocks", "llama-linear", "gemma3_text", "byte-level", "chat"]
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
        let at = random.below(5);
        broken(random, &files[at], &files[(at + 1) % 5])
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

#[test]
fn configurations_and_tokenizers() {
    let files = files();
    let make = |random: &mut Random| {
        let at = 1 + random.below(4);
        broken(random, &files[at], &files[5 - at])
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
        let at = random.below(5);
        broken(random, &files[at], &files[(at + 1) % 5])
    };
    survive(30_000, 23, make, most, |bytes, random| {
        let length = [None, Some(bytes.len() as u64), Some(random.next())][random.below(3)];
        let mut reader = StreamReader::new("m.gguf", length, None, Box::new(|incoming| incoming.kind));
        let mut sink = |_: &str, _: StoredTensor| Ok(());
        for chunk in bytes.chunks(1 + random.below(20_000)) {
            reader.feed(chunk, &mut sink)?;
        }
        reader.finish()
    });
}
