//! Every kernel against its CPU twin, and training on a GPU against training on the CPU, natively on any Vulkan driver.
//! Without one these tests fail: a software driver does (Debian's mesa-vulkan-drivers).
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/kernels.rs"]
mod support;

use ia3_web::backend::gpu::Gpu;
use std::collections::BTreeSet;
use support::Case;

fn gpu() -> Gpu {
    pollster::block_on(Gpu::open()).expect("these tests need a Vulkan driver, at least a software one")
}

fn check(cases: Vec<Case>) {
    pollster::block_on(support::check(&mut gpu(), &cases));
}

fn check_half(cases: Vec<Case>) {
    let mut gpu = gpu();
    assert!(gpu.info().shader_f16, "these tests need a driver with shader-f16, as Mesa's software driver has it");
    pollster::block_on(support::check_half(&mut gpu, &cases));
}

/// Two tests for each op, and one that none of their kernels is left out.
macro_rules! kernels {
    ($($op:ident)*) => {
        $(#[test]
        fn $op() {
            check(support::$op());
        })*

        /// With floats in 16 bits.
        mod half {
            $(#[test]
            fn $op() {
                super::check_half(super::support::$op());
            })*
        }

        #[test]
        fn every_kernel_has_a_case() {
            let cases = [$(support::$op()),*].concat();
            let tested: BTreeSet<&str> = cases.iter().flat_map(Case::sources).collect();
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let kernels: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "wgsl")).collect();
            assert!(kernels.len() > 40, "{kernels:?}");
            for path in kernels {
                // Some are put before others.
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(tested.iter().any(|source| source.contains(&text)), "{path:?} is in no case");
            }
        }
    };
}

support::with_kernels!(kernels);
