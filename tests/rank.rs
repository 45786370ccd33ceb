//! T-Few's losses and its Adafactor steps against goldens of the formulas in PyTorch (`tests/fixtures/rank`), on the CPU and natively on any
//! Vulkan driver.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::adapter::TaskType;
use pollster::block_on;
use support::{devices, rank};

fn check(task: TaskType, family: &str) {
    for batch in ["even", "ragged"] {
        for (device, backend) in devices() {
            block_on(rank::check(device, backend, task, family, &format!("{family}-{batch}")));
        }
    }
}

#[test]
fn llama() {
    check(TaskType::CausalLm, "llama");
}

#[test]
fn t5_gated() {
    check(TaskType::Seq2SeqLm, "t5-gated");
}
