//! Kernels and goldens in a page.
#![cfg(target_arch = "wasm32")]

#[macro_use]
#[path = "support/web.rs"]
mod web;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

web::kernels::with_kernels!(browser_tests; logits loss_and_gradients adamw_steps mean_pooling contrastive_losses);
