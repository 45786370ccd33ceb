//! Training runs: what they lower, repeat, count and leave alone.

use crate::support::assert_close;
use crate::support::session::*;
use ia3_web::checkpoint::HostTensor;
use ia3_web::session::Pooling;
use ia3_web::session::{EndReason, Example, Session, TrainEvent};
use ia3_web::train::{ContrastiveLoss, Objective, OptimizerOption, Schedule, TrainOptions};
use pollster::block_on;
use std::collections::BTreeMap;

fn trained(options: &TrainOptions) -> (Session, Vec<f32>) {
    let mut session = session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    let losses = train(&mut session, "a", options).losses;
    (session, losses)
}

/// The option reaches the plan, which holds less, and changes neither losses nor vectors.
#[test]
fn checkpointing_holds_less_and_trains_the_same() {
    for objective in [Objective::CrossEntropy, Objective::Contrastive] {
        let found = [false, true].map(|activation_checkpointing| {
            let mut session = session(Pooling::Mean);
            session.add_adapter("a", Default::default()).unwrap();
            let told = TrainOptions { objective: Some(objective), activation_checkpointing, ..steps(4) };
            block_on(session.begin_training("a", &examples(), &examples()[3..6], &told)).unwrap();
            step(&mut session, 1).unwrap();
            let bytes = session.activation_bytes();
            step(&mut session, usize::MAX).unwrap();
            let losses = block_on(session.end_training(EndReason::Failed)).unwrap().losses;
            (bytes, losses, saved(&session, "a"))
        });
        let [(most, losses, vectors), (less, same_losses, same_vectors)] = found;
        assert!(less < most, "{objective:?}: {less} bytes, not below {most}");
        assert_eq!((losses, vectors), (same_losses, same_vectors), "{objective:?}");
    }
}

#[test]
fn the_loss_goes_down_for_every_pooling_and_objective() {
    let objectives = [
        (Objective::CrossEntropy, None),
        (Objective::Contrastive, Some(ContrastiveLoss::Cosine)),
        (Objective::Contrastive, Some(ContrastiveLoss::Supervised)),
    ];
    for pooling in [Pooling::Mean, Pooling::Pooler] {
        for (objective, contrastive_loss) in objectives {
            for (device, mut session) in sessions(pooling) {
                session.add_adapter("a", Default::default()).unwrap();
                let told =
                    TrainOptions { objective: Some(objective), contrastive_loss, batch_size: Some(12), ..steps(20) };
                let losses = train(&mut session, "a", &told).losses;
                let (first, last) = (losses[0], losses[19]);
                assert!(
                    last < 0.95 * first,
                    "{device} {pooling:?} {objective:?} {contrastive_loss:?}: {first} to {last}"
                );
            }
        }
    }
}

#[test]
fn training_makes_answers_better() {
    for (device, mut session) in sessions(Pooling::Pooler) {
        session.add_adapter("a", Default::default()).unwrap();
        // A random head on a model as narrow as this one needs larger steps than the default.
        let told =
            TrainOptions { objective: Some(Objective::CrossEntropy), head_learning_rate: Some(0.1), ..steps(30) };
        train(&mut session, "a", &told);
        let mut accuracy =
            |selection| block_on(session.evaluate(&examples(), selection, Default::default())).unwrap().accuracy;
        assert!(accuracy(&active(&["a"])) >= accuracy(&BASE) + 0.3, "{device}");
    }
}

#[test]
fn the_first_step_starts_from_the_nearest_prototype() {
    let mut session = session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    block_on(session.begin_training("a", &examples(), &[], &steps(1))).unwrap();
    block_on(session.end_training(EndReason::Aborted)).unwrap();
    let adapter = block_on(session.evaluate(&examples(), &active(&["a"]), Default::default())).unwrap();
    let base = block_on(session.evaluate(&examples(), &BASE, Default::default())).unwrap();
    assert_eq!(adapter, base);
    assert!(adapter.accuracy > 0.5, "class means tell apart what they are means of");
}

#[test]
fn a_seed_decides_a_run() {
    let told = |seed| TrainOptions { seed: Some(seed), ..steps(5) };
    let ((first, losses), (second, again), (_, other)) = (trained(&told(1)), trained(&told(1)), trained(&told(2)));
    assert_eq!(losses, again);
    assert_eq!(first.save_adapter("a"), second.save_adapter("a"));
    assert_ne!(losses, other);
}

#[test]
fn micro_batches_add_up_to_one_batch() {
    let told = |batch_size, micro| TrainOptions {
        objective: Some(Objective::CrossEntropy),
        batch_size: Some(batch_size),
        gradient_accumulation: Some(micro),
        ..steps(4)
    };
    let ((one, losses), (many, accumulated)) = (trained(&told(12, 1)), trained(&told(3, 4)));
    assert_close("losses", &accumulated, &losses, 1e-5);
    for (name, tensor) in saved(&one, "a") {
        assert_close(&name, &saved(&many, "a")[&name].data, &tensor.data, 1e-4);
    }
}

/// The losses were added up where they should have been averaged.
#[test]
fn contrastive_losses_of_micro_batches_average() {
    for loss in [ContrastiveLoss::Cosine, ContrastiveLoss::Supervised] {
        // Every micro-batch holds all examples, so that each gives the loss of the others.
        let told = |micro| TrainOptions {
            objective: Some(Objective::Contrastive),
            contrastive_loss: Some(loss),
            batch_size: Some(12),
            gradient_accumulation: Some(micro),
            ..steps(3)
        };
        assert_close(&format!("{loss:?}"), &trained(&told(3)).1, &trained(&told(1)).1, 1e-4);
    }
}

#[test]
fn epochs_are_counted_in_steps() {
    let steps_of = |told: TrainOptions| trained(&TrainOptions { batch_size: Some(5), ..told }).1.len();
    assert_eq!(steps_of(TrainOptions { epochs: Some(2.0), ..Default::default() }), 6);
    assert_eq!(steps_of(TrainOptions { epochs: Some(2.0), gradient_accumulation: Some(2), ..Default::default() }), 4);
    assert_eq!(steps_of(TrainOptions { epochs: Some(0.1), ..Default::default() }), 1);
    assert_eq!(steps_of(TrainOptions { epochs: Some(2.0), steps: Some(3), ..Default::default() }), 3);
}

#[test]
fn events_count_the_steps_and_tell_the_learning_rate() {
    for (device, mut session) in sessions(Pooling::Mean) {
        session.add_adapter("a", Default::default()).unwrap();
        let told = TrainOptions { warmup_ratio: Some(0.5), schedule: Some(Schedule::Linear), ..steps(4) };
        let (events, result) = train_on(&mut session, "a", &examples(), &[], &told);
        let (mut told, mut rates) = (Vec::new(), Vec::new());
        for event in &events[..4] {
            let TrainEvent::Step { step, total_steps, loss, learning_rate, .. } = event else { panic!("{event:?}") };
            told.push((*step, *total_steps, *loss));
            rates.push(*learning_rate);
        }
        assert_eq!(told, (0..4).map(|at| (at + 1, 4, result.losses[at])).collect::<Vec<_>>(), "{device}");
        assert_close(device, &rates, &[0.0, 1e-2, 2e-2, 1e-2], 1e-6);
        assert_eq!(events[4..], [TrainEvent::End { reason: EndReason::Completed }], "{device}");
        assert_eq!((result.steps, result.best_step, result.reason), (4, 4, EndReason::Completed), "{device}");
    }
}

#[test]
fn a_run_stopped_midway_keeps_the_vectors_so_far() {
    let told = |count| TrainOptions { schedule: Some(Schedule::Constant), ..steps(count) };
    let (whole, _) = trained(&told(3));
    let mut session = session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    block_on(session.begin_training("a", &examples(), &[], &told(10))).unwrap();
    step(&mut session, 3).unwrap();
    let result = block_on(session.end_training(EndReason::Aborted)).unwrap();
    assert_eq!((result.steps, result.best_step, result.reason), (3, 3, EndReason::Aborted));
    assert_eq!(session.save_adapter("a"), whole.save_adapter("a"));
}

#[test]
fn training_changes_its_adapter_alone() {
    let mut session = session(Pooling::Mean);
    add_drawn(&mut session, "other", 1);
    let (vectors, base) = (saved(&session, "other"), embed(&mut session, &BASE));
    session.add_adapter("a", Default::default()).unwrap();
    train(&mut session, "a", &steps(3));
    assert!(saved(&session, "a").values().all(|tensor| tensor.data.iter().any(|x| *x != 1.0)));
    assert_eq!(saved(&session, "other"), vectors);
    assert_eq!(embed(&mut session, &BASE), base);
}

#[test]
fn a_contrastive_run_goes_on_from_an_adapter_with_a_head() {
    let (mut session, losses) = trained(&TrainOptions { objective: Some(Objective::Contrastive), ..steps(10) });
    let again = train(&mut session, "a", &TrainOptions { objective: Some(Objective::Contrastive), ..steps(10) }).losses;
    assert!(again[0] < losses[0]);
}

#[test]
fn pairs_can_be_trained_on() {
    let mut session = session(Pooling::Pooler);
    session.add_adapter("a", Default::default()).unwrap();
    let mut pairs = examples();
    for example in &mut pairs {
        if let Example::Labelled { text, .. } = example {
            text.text_pair = Some("the cat, good or bad".into());
        }
    }
    let losses = train_on(&mut session, "a", &pairs, &[], &steps(10)).1.losses;
    assert_ne!(losses, train(&mut session, "a", &steps(10)).losses);
    assert!(losses[9] < losses[0]);
}

/// Vectors and the head's matrix, which is remembered by rows and columns.
#[test]
fn adafactor_takes_the_same_steps_on_every_device() {
    let told = TrainOptions {
        optimizer: Some(OptimizerOption::Adafactor),
        objective: Some(Objective::CrossEntropy),
        weight_decay: Some(1e-2),
        ..steps(6)
    };
    let mut expected: Option<BTreeMap<String, HostTensor>> = None;
    for (device, mut session) in sessions(Pooling::Pooler) {
        session.add_adapter("a", Default::default()).unwrap();
        let losses = train(&mut session, "a", &told).losses;
        assert!(losses[5] < losses[0], "{device} {losses:?}");
        let found = saved(&session, "a");
        for (name, tensor) in expected.get_or_insert_with(|| found.clone()) {
            assert_close(&format!("{device} {name}"), &found[name].data, &tensor.data, 1e-4);
        }
    }
}
