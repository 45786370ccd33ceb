//! Every family and task against goldens made by real transformers + PEFT (`tests/fixtures/families`), on the CPU and natively on any
//! Vulkan driver: answers, loss, every gradient, and the vectors after three AdamW steps.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use pollster::block_on;
use support::families::each_family;
use support::{devices, families};

/// All cases of one family.
fn check(family: &str) {
    let cases = families::cases(family);
    assert!(!cases.is_empty(), "{family} has no cases");
    for case in cases {
        for (device, backend) in devices() {
            block_on(families::check(device, backend, family, &case));
        }
    }
}

each_family! {
    check: bert roberta xlm_roberta distilbert mpnet
    gpt2 llama llama_linear llama_dynamic llama_yarn mistral qwen2 qwen3 gemma3_text
    t5 t5_gated mt5
}
