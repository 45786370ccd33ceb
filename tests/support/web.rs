//! What is checked in a browser, the same in a page and in a worker: kernels against their CPU twins on the browser's own WebGPU, and
//! the goldens of real transformers + PEFT on both devices as they are in WebAssembly. Without WebGPU these tests fail.

#[path = "kernels.rs"]
pub mod kernels;
#[path = "mod.rs"]
pub mod support;

use ia3_web::backend::Backend;
use ia3_web::backend::gpu::Gpu;
use kernels::Case;
use support::golden::{self, CASES, CONTRASTIVE};

/// Elements of a case's inputs at most: what a rasteriser in a browser computes in well under a second.
const MOST_ELEMENTS: usize = 20_000;

pub async fn gpu() -> Gpu {
    Gpu::open().await.expect("these tests need a browser with WebGPU, at least a software one")
}

/// Cases that WebGPU is checked on here, since a rasteriser takes seconds for each; the processor is checked on all, natively both are.
const WEBGPU_CASES: [&str; 3] = ["default", "pairs", "inverse"];

async fn devices() -> [(&'static str, Backend); 2] {
    [("wasm", Backend::cpu()), ("webgpu", webgpu().await)]
}

async fn webgpu() -> Backend {
    Backend::Gpu(Box::new(gpu().await))
}

/// Cases of an op at most: a rasteriser takes a second to compile a kernel.
const MOST_CASES: usize = 8;

/// An op's kernels on some of its small shapes; natively they are checked on all.
pub async fn kernel(cases: Vec<Case>) {
    let small: Vec<Case> = cases.into_iter().filter(|case| case.elements() <= MOST_ELEMENTS).collect();
    assert!(!small.is_empty(), "no case is small enough");
    // Every second or fourth case is of the same variant (forward, gradient, bias): an odd step meets all of them.
    let step = small.len().div_ceil(MOST_CASES) | 1;
    let some: Vec<Case> = small.into_iter().step_by(step).collect();
    kernels::check(&mut gpu().await, &some).await;
}

pub async fn logits() {
    for case in CASES {
        golden::logits("wasm", Backend::cpu(), case).await;
    }
    for case in WEBGPU_CASES {
        golden::logits("webgpu", webgpu().await, case).await;
    }
}

pub async fn loss_and_gradients() {
    for case in CASES {
        golden::loss_and_gradients("wasm", Backend::cpu(), case).await;
    }
    for case in WEBGPU_CASES {
        golden::loss_and_gradients("webgpu", webgpu().await, case).await;
    }
}

pub async fn adamw_steps() {
    for (device, backend) in devices().await {
        golden::three_adamw_steps(device, backend, "default").await;
    }
}

pub async fn mean_pooling() {
    for (device, backend) in devices().await {
        golden::mean_pooling(device, backend).await;
    }
}

pub async fn contrastive_losses() {
    for loss in CONTRASTIVE {
        for (device, backend) in devices().await {
            golden::contrastive(device, backend, loss).await;
        }
    }
}

/// Makes a test of each op's kernels and of each golden above.
macro_rules! browser_tests {
    ($($op:ident)*; $($golden:ident)*) => {
        mod kernel {
            use super::web;
            $(#[wasm_bindgen_test::wasm_bindgen_test]
            async fn $op() {
                web::kernel(web::kernels::$op()).await;
            })*
        }

        mod golden {
            use super::web;
            $(#[wasm_bindgen_test::wasm_bindgen_test]
            async fn $golden() {
                web::$golden().await;
            })*
        }
    };
}
