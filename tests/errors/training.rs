//! Training that cannot begin, or cannot go on.

use crate::support::session::*;
use crate::{refused, says};
use ia3_web::Result;
use ia3_web::session::Pooling;
use ia3_web::session::{EndReason, Example, MergeOptions, Session, SessionOptions, Task, TrainEvent};
use ia3_web::train::{Objective, Schedule, TrainOptions};
use pollster::block_on;

fn with_adapter() -> Session {
    let mut session = session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    session
}

fn begin(session: &mut Session, examples: &[Example], validation: &[Example]) -> Result<()> {
    block_on(session.begin_training("a", examples, validation, &steps(2))).map(drop)
}

#[test]
fn no_examples() {
    refused(&mut with_adapter(), "empty-training-set", &["no training examples"], |session| begin(session, &[], &[]));
}

#[test]
fn examples_of_one_label() {
    let alike = &examples()[..4];
    refused(&mut with_adapter(), "single-class", &["'animal'"], |session| begin(session, alike, &[]));
}

#[test]
fn a_label_that_the_model_was_not_given() {
    let session = &mut with_adapter();
    let words = ["'plant'", "animal, praise, blame"];
    let mut labelled = examples();
    labelled.push(example("plant", "a tree"));
    refused(session, "unknown-label", &words, |session| begin(session, &labelled, &[]));
    refused(session, "unknown-label", &words, |session| begin(session, &examples(), &labelled));
    let evaluate = |session: &mut Session| block_on(session.evaluate(&labelled, &BASE, Default::default()));
    refused(session, "unknown-label", &words, evaluate);
}

#[test]
fn an_empty_text() {
    let session = &mut with_adapter();
    let mut some = examples();
    some[5] = example("praise", " \n");
    refused(session, "empty-text", &["number 5"], |session| begin(session, &some, &[]));
    refused(session, "empty-text", &["number 5"], |session| begin(session, &examples(), &some));
    let texts = [text("good"), pair("bad", "")];
    refused(session, "empty-text", &["number 1"], |session| block_on(session.embed(&texts, &BASE, Default::default())));
}

#[test]
fn training_a_model_without_labels() {
    let told = SessionOptions { task: Task::FeatureExtraction, labels: Vec::new(), ..options(Pooling::Mean) };
    let session = &mut session_on(ia3_web::backend::Backend::cpu(), told);
    session.add_adapter("a", Default::default()).unwrap();
    refused(session, "bad-option", &["feature-extraction", "text-classification"], |session| {
        begin(session, &examples(), &[])
    });
    refused(session, "bad-option", &["feature-extraction", "text-classification"], |session| {
        block_on(session.classify(&texts(), &BASE, Default::default()))
    });
}

#[test]
fn a_second_run_beside_the_first() {
    let session = &mut with_adapter();
    begin(session, &examples(), &[]).unwrap();
    refused(session, "busy", &["'a'"], |session| begin(session, &examples(), &[]));
    refused(session, "busy", &["'a'"], |session| session.delete_adapter("a"));
    step(session, usize::MAX).unwrap();
    block_on(session.end_training(EndReason::Failed)).unwrap();
    begin(session, &examples(), &[]).unwrap();
}

#[test]
fn steps_without_a_run() {
    let session = &mut with_adapter();
    refused(session, "not-ready", &["begin one first"], |session| block_on(session.train_step()));
    refused(session, "not-ready", &["begin one first"], |session| block_on(session.end_training(EndReason::Failed)));
    refused(session, "not-ready", &["begin one first"], |session| block_on(session.next_merged()));
}

#[test]
fn before_the_weights_are_loaded() {
    let mut session = empty(options(Pooling::Mean));
    session.add_adapter("a", Default::default()).unwrap();
    says(&begin(&mut session, &examples(), &[]).unwrap_err(), "not-ready", &["weights"]);
    says(&session.begin_merge("a", MergeOptions::default()).unwrap_err(), "not-ready", &["weights"]);
    assert_eq!(session.adapter_names(), ["a"]);
}

/// Rates at which every parameter grows a millionfold a step.
fn exploding(objective: Objective) -> TrainOptions {
    TrainOptions {
        objective: Some(objective),
        learning_rate: Some(1e3),
        head_learning_rate: Some(1e3),
        weight_decay: Some(1e3),
        schedule: Some(Schedule::Constant),
        ..steps(50)
    }
}

/// The vectors kept were those that gave the loss that is no number.
#[test]
fn a_run_that_diverges_stops_at_the_last_good_vectors() {
    for objective in [Objective::CrossEntropy, Objective::Contrastive] {
        for (device, mut session) in sessions(Pooling::Mean) {
            session.add_adapter("a", Default::default()).unwrap();
            let (events, result) = train_on(&mut session, "a", &examples(), &[], &exploding(objective));
            assert_eq!(events.last(), Some(&TrainEvent::End { reason: EndReason::Diverged }), "{device}");
            assert_eq!((result.reason, result.steps), (EndReason::Diverged, result.best_step + 1), "{device}");
            assert!(result.steps < 50 && result.losses.iter().all(|loss| loss.is_finite()), "{device}: {result:?}");
            let vectors = embed(&mut session, &active(&["a"]));
            assert!(vectors.iter().all(|x| x.is_finite()), "{device} {objective:?}: {vectors:?}");
            train(&mut session, "a", &steps(1));
        }
    }
}

#[test]
fn with_validation_a_run_that_diverges_keeps_its_best_vectors() {
    let session = &mut with_adapter();
    let told = TrainOptions { eval_every: Some(1), ..exploding(Objective::CrossEntropy) };
    let result = train_on(session, "a", &examples(), &examples(), &told).1;
    assert_eq!((result.reason, result.best_step), (EndReason::Diverged, 0));
    assert_eq!(embed(session, &active(&["a"])), embed(session, &BASE));
}
