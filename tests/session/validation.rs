//! Validation examples: what they keep, and when they stop a run.

use crate::support::session::*;
use ia3_web::session::Pooling;
use ia3_web::session::{EndReason, Example, TrainEvent};
use ia3_web::train::{Objective, TrainOptions};
use pollster::block_on;

fn validation() -> Vec<Example> {
    let mut held_out =
        vec![example("animal", "walking cats"), example("praise", "the best"), example("blame", "so bad")];
    held_out.extend(examples().into_iter().step_by(3));
    held_out
}

/// Rough training, so that the last step is rarely the best.
fn rough(objective: Objective) -> TrainOptions {
    TrainOptions { objective: Some(objective), learning_rate: Some(0.3), eval_every: Some(1), ..steps(8) }
}

#[test]
fn the_best_step_is_kept() {
    for objective in [Objective::CrossEntropy, Objective::Contrastive] {
        for (device, mut session) in sessions(Pooling::Mean) {
            session.add_adapter("a", Default::default()).unwrap();
            let (events, result) = train_on(&mut session, "a", &examples(), &validation(), &rough(objective));
            let before = result.before.unwrap();
            let mut best = (0, before.accuracy, before.loss);
            for event in &events {
                if let TrainEvent::Eval { step, accuracy, loss, .. } = event
                    && (*accuracy, -loss) > (best.1, -best.2)
                {
                    best = (*step, *accuracy, *loss);
                }
            }
            let after = result.after.unwrap();
            assert_eq!((result.best_step, after.accuracy, after.loss), best, "{device} {objective:?}");
            let kept = block_on(session.evaluate(&validation(), &active(&["a"]), Default::default())).unwrap();
            assert_eq!(kept.confusion, after.confusion, "{device} {objective:?}");
            assert!((kept.loss - after.loss).abs() < 1e-5, "{device} {objective:?}");
        }
    }
}

#[test]
fn evaluations_come_as_often_as_told_and_after_the_last_step() {
    for (device, mut session) in sessions(Pooling::Mean) {
        session.add_adapter("a", Default::default()).unwrap();
        let told = TrainOptions { eval_every: Some(3), ..steps(7) };
        let (events, _) = train_on(&mut session, "a", &examples(), &validation(), &told);
        let evaluated = events.iter().filter_map(|event| match event {
            TrainEvent::Eval { step, .. } => Some(*step),
            TrainEvent::Step { .. } | TrainEvent::End { .. } => None,
        });
        assert_eq!(evaluated.collect::<Vec<_>>(), [3, 6, 7], "{device}");
    }
}

#[test]
fn patience_ends_a_run_that_does_not_improve() {
    for (device, mut session) in sessions(Pooling::Mean) {
        session.add_adapter("a", Default::default()).unwrap();
        let idle = TrainOptions {
            objective: Some(Objective::CrossEntropy),
            learning_rate: Some(0.0),
            head_learning_rate: Some(0.0),
            patience: Some(2),
            eval_every: Some(3),
            ..steps(50)
        };
        let (events, result) = train_on(&mut session, "a", &examples(), &validation(), &idle);
        assert_eq!((result.steps, result.best_step, result.reason), (6, 0, EndReason::Patience), "{device}");
        assert_eq!(events.last(), Some(&TrainEvent::End { reason: EndReason::Patience }), "{device}");
    }
}

#[test]
fn a_stopped_run_keeps_its_best_step() {
    let mut session = session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    block_on(session.begin_training("a", &examples(), &validation(), &rough(Objective::CrossEntropy))).unwrap();
    step(&mut session, 2).unwrap();
    let result = block_on(session.end_training(EndReason::Aborted)).unwrap();
    assert_eq!((result.steps, result.reason), (2, EndReason::Aborted));
    let kept = block_on(session.evaluate(&validation(), &active(&["a"]), Default::default())).unwrap();
    assert_eq!(Some(kept), result.after);
}
