//! Against goldens made by real transformers + PEFT, on the CPU and natively on any Vulkan driver.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use pollster::block_on;
use support::golden::{self, CASES, CONTRASTIVE};
use support::*;

#[test]
fn logits_of_every_case() {
    for case in CASES {
        for (device, backend) in devices() {
            block_on(golden::logits(device, backend, case));
        }
    }
}

#[test]
fn loss_and_every_gradient_of_every_case() {
    for case in CASES {
        for (device, backend) in devices() {
            block_on(golden::loss_and_gradients(device, backend, case));
        }
    }
}

#[test]
fn three_adamw_steps_of_every_case() {
    for case in CASES {
        for (device, backend) in devices() {
            block_on(golden::three_adamw_steps(device, backend, case));
        }
    }
}

#[test]
fn mean_pooling_embeds_classifies_and_learns() {
    for (device, backend) in devices() {
        block_on(golden::mean_pooling(device, backend));
    }
}

#[test]
fn contrastive_losses_and_their_gradients() {
    for loss in CONTRASTIVE {
        for (device, backend) in devices() {
            block_on(golden::contrastive(device, backend, loss));
        }
    }
}
