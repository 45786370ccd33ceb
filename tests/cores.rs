//! Threads that share the work of CPU twins: however many there are, the results are the same to the bit.
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/kernels.rs"]
mod support;

use ia3_web::cores::Cores;
use support::Case;

fn check(cases: Vec<Case>) {
    Cores::with_threads(3, |three| {
        for case in cases {
            let [alone, shared] = [&Cores::one(), &three].map(|cores| bits(case.on_cpu(cores)));
            assert!(alone == shared, "{}", case.name());
        }
    });
}

fn bits(outputs: Vec<Vec<f32>>) -> Vec<Vec<u32>> {
    outputs.into_iter().map(|output| output.into_iter().map(f32::to_bits).collect()).collect()
}

/// One test for each op that has a kernel, whether its twin shares its work or not.
macro_rules! twins {
    ($($op:ident)*) => {
        $(#[test]
        fn $op() {
            check(support::$op());
        })*
    };
}

support::with_kernels!(twins);
