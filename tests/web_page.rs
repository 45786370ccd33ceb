//! Kernels and goldens in a page.
#![cfg(target_arch = "wasm32")]

#[macro_use]
#[path = "support/web.rs"]
mod web;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

browser_tests! {
    activation activation_grad add attention columns concat cross_entropy embed gate head layer_norm linear normalize
    pair_loss pick pool rank_loss relative_bias rms_norm rope rows scale similarity soft_cap span_loss token_loss total_loss;
    logits loss_and_gradients adamw_steps mean_pooling contrastive_losses
}
