//! The comparison of kernels with their CPU twins.

use super::*;

/// How far a kernel may be from its twin, relative to the largest element of the result. Sums are made in another order.
pub const TOLERANCE: f32 = 1e-5;

/// The same of a result that is kept in 16 bits: the step from one such number to the next, since sums that differ so little may round apart.
pub const HALF_TOLERANCE: f32 = 1.0 / 1024.0;

/// Computes cases on the GPU with the kernels for each kind of it, and on the CPU; fails if they differ.
pub async fn check(gpu: &mut Gpu, cases: &[Case]) {
    for case in cases {
        case.compare(gpu, case.plan(), &[]).await;
    }
}

/// The same with floats in 16 bits.
pub async fn check_half(gpu: &mut Gpu, cases: &[Case]) {
    for case in cases {
        let half = case.op.writes_half() || case.op.in_place().is_some();
        case.compare(gpu, case.half_plan(), if half { &[HALF_TOLERANCE] } else { &[] }).await;
    }
}

impl Case {
    /// Fails where a plan of the case gives another result on the GPU than on the CPU; `tolerances` are those of the first outputs.
    async fn compare(&self, gpu: &mut Gpu, plan: Plan, tolerances: &[f32]) {
        let (inputs, weights) = self.inputs();
        for (name, weight) in weights {
            gpu.load(name, weight).expect("the GPU takes the weight");
        }
        let expected = self.run_on_cpu(plan.clone(), &Cores::one());
        for kind in [AdapterKind::Software, AdapterKind::Hardware] {
            gpu.set_kind(kind);
            let what = format!("{} for {kind:?}", self.name());
            let states = gpu.states(&plan).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            let program = gpu.compile(plan.clone(), Bound::States(&states)).await;
            let mut program = program.unwrap_or_else(|error| panic!("{what}: {error}"));
            let found = gpu.forward(&mut program, &inputs, &[]).await.unwrap_or_else(|error| panic!("{what}: {error}"));
            for (output, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let tolerance = tolerances.get(output).unwrap_or(&TOLERANCE);
                assert_close_to(&format!("{what}, output {output}"), found, expected, *tolerance);
            }
        }
    }
}

/// Fails if two vectors differ by more than [`TOLERANCE`] of the largest element expected.
pub fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_close_to(what, found, expected, TOLERANCE);
}

fn assert_close_to(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: lengths");
    let scale = expected.iter().fold(1e-6_f32, |most, x| most.max(x.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / scale;
        assert!(error <= tolerance, "{what}: element {at} is {found}, not {expected} (error {error:e})");
    }
}
