//! Every kernel against its CPU twin, and training on a GPU against training on the CPU, natively on any Vulkan driver.
//! Without one these tests fail: a software driver does (Debian's mesa-vulkan-drivers).
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/kernels.rs"]
mod support;

use ia3_web::backend::gpu::Gpu;
use support::Case;

fn gpu() -> Gpu {
    pollster::block_on(Gpu::open()).expect("these tests need a Vulkan driver, at least a software one")
}

fn check(cases: Vec<Case>) {
    pollster::block_on(support::check(&mut gpu(), &cases));
}

/// One test for each op.
macro_rules! kernels {
    ($($op:ident)*) => {
        $(#[test]
        fn $op() {
            check(support::$op());
        })*

        #[test]
        fn every_op_has_a_test() {
            let names: Vec<&str> = support::all().into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, [$(stringify!($op)),*]);
        }
    };
}

kernels! {
    activation activation_grad add attention columns concat cross_entropy embed gate gather greedy head layer_norm linear normalize
    pair_loss pick pool rank_loss relative_bias rms_norm rope rows scale similarity soft_cap span_loss token_loss total_loss
}
