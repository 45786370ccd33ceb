//! The time of a training step, op by op, and of one matrix product.

use crate::support::devices;
use crate::support::session::*;
use ia3_web::backend::Clock;
use ia3_web::error::Error;
use ia3_web::models::BatchShape;
use ia3_web::session::Matmul;
use ia3_web::session::Pooling;
use pollster::block_on;
use std::cell::Cell;

/// Six milliseconds later whenever it is asked.
#[derive(Default)]
struct Ticks(Cell<f64>);

impl Clock for Ticks {
    fn milliseconds(&self) -> f64 {
        self.0.set(self.0.get() + 6.0);
        self.0.get()
    }
}

#[test]
fn every_op_of_the_printed_plan_has_a_time() {
    let shape = BatchShape::new(2, 5);
    for (device, mut session) in sessions(Pooling::Mean) {
        let plan = session.plan_text(shape, None).unwrap();
        let found = block_on(session.profile(shape, 3, &Ticks::default())).unwrap();
        let ops: Vec<&str> = found.iter().map(|step| step.op.as_str()).collect();
        assert_eq!(ops.len(), plan.lines().count() - 1, "{device}");
        assert!(plan.lines().zip(&ops).all(|(line, op)| line.contains(op)), "{device}");
        assert!(found.iter().all(|step| step.ms == 2.0), "{device}");
    }
}

#[test]
fn a_profile_leaves_the_session_as_it_is() {
    for (device, mut session) in sessions(Pooling::Mean) {
        let before = embed(&mut session, &BASE);
        block_on(session.profile(BatchShape::new(1, 4), 1, &Ticks::default())).unwrap();
        assert_eq!(embed(&mut session, &BASE), before, "{device}");
    }
}

#[test]
fn a_shape_that_the_model_cannot_take_is_refused() {
    for shape in [BatchShape::new(0, 4), BatchShape::new(1, 100_000)] {
        let found = block_on(session(Pooling::Mean).profile(shape, 1, &Ticks::default()));
        assert!(matches!(found, Err(Error::BadOption { .. })), "{found:?}");
    }
}

#[test]
fn a_product_has_a_time_in_both_directions() {
    for flipped in [false, true] {
        for (device, backend) in devices() {
            let product = block_on(Matmul::new(backend, (5, 12, 8), flipped)).unwrap();
            assert_eq!(block_on(product.time(3, &Ticks::default())).unwrap(), 2.0, "{device}");
        }
    }
}
