//! A device that is replaced while an adapter is trained on it.

use crate::support::assert_close;
use crate::support::session::*;
use crate::support::{devices, relative_error};
use ia3_web::session::Pooling;
use ia3_web::session::{EndReason, Session};
use ia3_web::train::{Objective, TrainOptions};
use pollster::block_on;

const OBJECTIVES: [Objective; 2] = [Objective::CrossEntropy, Objective::Contrastive];

fn told(objective: Objective) -> TrainOptions {
    TrainOptions { objective: Some(objective), gradient_accumulation: Some(2), ..steps(8) }
}

fn begun(session: &mut Session, objective: Objective) {
    session.add_adapter("a", Default::default()).unwrap();
    block_on(session.begin_training("a", &examples(), &[], &told(objective))).unwrap();
}

#[test]
fn a_run_goes_on_from_the_last_completed_step() {
    for objective in OBJECTIVES {
        for ((device, mut whole), (_, spare)) in sessions(Pooling::Mean).zip(devices()) {
            whole.add_adapter("a", Default::default()).unwrap();
            let expected = train(&mut whole, "a", &told(objective)).losses;

            let mut session = session_on(spare, options(Pooling::Mean));
            begun(&mut session, objective);
            step(&mut session, 4).unwrap();
            let fresh = devices().into_iter().find(|(name, _)| *name == device).unwrap().1;
            session.set_backend(fresh);
            load_file(&mut session, &weights(Pooling::Mean), 4096).unwrap();
            step(&mut session, usize::MAX).unwrap();
            let result = block_on(session.end_training(EndReason::Failed)).unwrap();

            assert_eq!((result.steps, result.reason), (8, EndReason::Completed), "{device}");
            assert_close(&format!("{device} {objective:?} losses"), &result.losses, &expected, 1e-5);
            for (name, tensor) in saved(&whole, "a") {
                let error = relative_error(&saved(&session, "a")[&name].data, &tensor.data);
                assert!(error < 1e-5, "{device} {objective:?} {name}: {error}");
            }
        }
    }
}

#[test]
fn without_a_device_a_step_fails_and_nothing_is_lost() {
    let mut session = session(Pooling::Mean);
    begun(&mut session, Objective::CrossEntropy);
    step(&mut session, 2).unwrap();
    session.set_backend(ia3_web::backend::Backend::cpu());
    assert_eq!(block_on(session.train_step()).unwrap_err().code(), "not-ready");
    load_file(&mut session, &weights(Pooling::Mean), 4096).unwrap();
    step(&mut session, usize::MAX).unwrap();
    assert_eq!(block_on(session.end_training(EndReason::Failed)).unwrap().losses.len(), 8);
}

/// The end of a contrastive run fits a head, which takes a device. Without one the run used to be gone, and its vectors with it.
#[test]
fn a_run_can_be_ended_once_the_device_is_back() {
    let mut session = session(Pooling::Mean);
    begun(&mut session, Objective::Contrastive);
    step(&mut session, 3).unwrap();
    session.set_backend(ia3_web::backend::Backend::cpu());
    assert_eq!(block_on(session.end_training(EndReason::Aborted)).unwrap_err().code(), "not-ready");
    load_file(&mut session, &weights(Pooling::Mean), 4096).unwrap();
    assert_eq!(block_on(session.end_training(EndReason::Aborted)).unwrap().steps, 3);
    assert!(saved(&session, "a").values().flat_map(|tensor| &tensor.data).any(|x| *x != 1.0));
}
