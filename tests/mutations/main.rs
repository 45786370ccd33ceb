//! Files that somebody broke, by accident or on purpose: every reader answers with a value or a typed error, never
//! panics, and never holds more memory than a small multiple of the file. Over 100,000 inputs, the same in every run.
#![cfg(not(target_arch = "wasm32"))]

mod adapters;
mod base_model;
mod families;
mod gguf;
mod memory;
mod mutate;
#[path = "../adapter/tiny_bert.rs"]
mod tiny_bert;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ia3_web::Result;
use memory::most_held;
use mutate::Random;

/// Runs `read` on `count` mutations. `most(file length)` bounds the bytes held meanwhile.
fn survive(
    count: usize,
    seed: u64,
    make: impl Fn(&mut Random) -> Vec<u8>,
    most: impl Fn(usize) -> usize,
    read: impl Fn(&[u8], &mut Random) -> Result<()>,
) {
    let mut random = Random(seed);
    let mut accepted = 0;
    for case in 0..count {
        let input = make(&mut random);
        let (outcome, held) = most_held(|| catch_unwind(AssertUnwindSafe(|| read(&input, &mut random))));
        let shown = || String::from_utf8_lossy(&input).chars().take(3000).collect::<String>();
        assert!(held <= most(input.len()), "case {case}: {held} bytes held for {}: {}", input.len(), shown());
        match outcome {
            Ok(Ok(())) => accepted += 1,
            Ok(Err(error)) => assert_ne!(error.code(), "internal", "case {case}: {error}"),
            Err(_) => panic!("case {case} panicked on: {}", shown()),
        }
    }
    // Mutations that no reader ever accepts would test only the first check of each.
    assert!(accepted > count / 200, "only {accepted} of {count} inputs were accepted");
}
