//! Weights on their way in.

use crate::support::session::*;
use ia3_web::backend::Backend;
use ia3_web::models::BatchShape;
use ia3_web::session::Pooling;
use ia3_web::session::estimate;
use pollster::block_on;

#[test]
fn weights_come_in_chunks_of_any_size() {
    let file = weights(Pooling::Mean);
    let expected = embed(&mut session(Pooling::Mean), &BASE);
    for chunk in [1, 7, 4093, file.len()] {
        let mut session = empty(options(Pooling::Mean));
        session.set_backend(Backend::cpu());
        load_file(&mut session, &file, chunk).unwrap();
        assert_eq!(embed(&mut session, &BASE), expected, "chunks of {chunk}");
    }
}

#[test]
fn loading_again_keeps_adapters_and_answers() {
    for (device, mut session) in sessions(Pooling::Mean) {
        add_drawn(&mut session, "a", 1);
        let before = embed(&mut session, &active(&["a"]));
        load_file(&mut session, &weights(Pooling::Mean), 1000).unwrap();
        assert_eq!(embed(&mut session, &active(&["a"])), before, "{device}");
    }
}

#[test]
fn both_poolings_read_both_kinds_of_files() {
    let mut mean = empty(options(Pooling::Mean));
    mean.set_backend(Backend::cpu());
    load_file(&mut mean, &weights(Pooling::Pooler), 5000).unwrap();
    assert_eq!(embed(&mut mean, &BASE), embed(&mut session(Pooling::Mean), &BASE));
    let mut pooler = empty(options(Pooling::Pooler));
    pooler.set_backend(Backend::cpu());
    load_file(&mut pooler, &weights(Pooling::Mean), 5000).unwrap();
    assert_eq!(embed(&mut pooler, &BASE), embed(&mut session(Pooling::Pooler), &BASE));
}

/// The scores of the base where the file has no classifier.
fn drawn_scores(seed: u64) -> Vec<f32> {
    let mut session = empty(ia3_web::session::SessionOptions { seed, ..options(Pooling::Pooler) });
    session.set_backend(Backend::cpu());
    load_file(&mut session, &weights(Pooling::Mean), 5000).unwrap();
    scores(&classify(&mut session, &BASE))
}

#[test]
fn a_file_without_classifier_gets_one_drawn_by_seed() {
    assert_eq!(drawn_scores(1), drawn_scores(1));
    assert_ne!(drawn_scores(1), drawn_scores(2));
    assert_ne!(drawn_scores(1), scores(&classify(&mut session(Pooling::Pooler), &BASE)));
}

#[test]
fn an_estimate_tells_the_weights_to_the_byte_and_the_memory_from_above() {
    let shape = BatchShape { batch: 6, length: 16 };
    let (config, file) = (crate::support::bytes("tiny-bert-mean/config.json"), weights(Pooling::Mean));
    let told = estimate(&config, &file[..file.len() / 2], Pooling::Mean.into(), 3, shape).unwrap();
    let mut session = session(Pooling::Mean);
    session.add_adapter("a", Default::default()).unwrap();
    train(&mut session, "a", &steps(2));
    assert_eq!(told.weight_bytes, 4 * session.trainable_parameters("a").unwrap().total - session.adapter_bytes());
    assert!(told.memory_bytes >= session.weight_bytes() + session.activation_bytes() + session.adapter_bytes());
}

#[test]
fn warming_up_tells_of_every_kernel_of_answers_and_of_training() {
    let shape = BatchShape { batch: 2, length: 1000 };
    for (device, mut session) in sessions(Pooling::Mean) {
        let told = std::cell::RefCell::new(Vec::new());
        block_on(session.warm_up(shape, &|done, total| told.borrow_mut().push((done, total)))).unwrap();
        let told = told.into_inner();
        let total = told.len();
        assert_eq!(told, (1..=total).map(|done| (done, total)).collect::<Vec<_>>(), "{device}");
        let longest = BatchShape { length: 40, ..shape };
        let training = session.plan_text(longest, None).unwrap().lines().count() - 1;
        assert_eq!(total > training, device != "cpu", "{device}: {total} told, {training} of training");
    }
}
