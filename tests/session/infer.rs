//! Answers, with each row's own adapter.

use crate::support::assert_close;
use crate::support::session::*;
use ia3_web::session::Pooling;
use ia3_web::session::{Example, InferOptions, Selection, Session, Text};
use pollster::block_on;

const POOLINGS: [Pooling; 2] = [Pooling::Mean, Pooling::Pooler];

fn embed_texts(session: &mut Session, texts: &[Text], options: InferOptions) -> (Vec<Vec<f32>>, Vec<bool>) {
    let found = block_on(session.embed(texts, &BASE, options)).unwrap();
    (found.rows, found.truncated)
}

#[test]
fn scores_are_probabilities_and_the_label_is_the_most_probable() {
    for answer in classify(&mut session(Pooling::Pooler), &BASE) {
        let best = answer.scores.values().copied().fold(0.0, f32::max);
        assert_eq!((answer.scores[&answer.label], answer.score), (best, best));
        assert!((answer.scores.values().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}

#[test]
fn a_batch_with_an_adapter_a_row_equals_each_adapter_alone() {
    for (device, mut session) in POOLINGS.into_iter().flat_map(sessions) {
        add_drawn(&mut session, "a", 1);
        let narrow = r#"{"targetModules": ["query"], "feedforwardModules": ["query"], "initIa3Weights": false}"#;
        session.add_adapter("b", serde_json::from_str(narrow).unwrap()).unwrap();
        let rows = [Some("b"), None, Some("a"), Some("b")];
        let mixed = embed(&mut session, &Selection::Rows(rows.map(|row| row.map(String::from)).to_vec()));
        let hidden = mixed.len() / rows.len();
        for (at, row) in rows.iter().enumerate() {
            let alone = embed(&mut session, &active(row.as_slice()));
            let part = at * hidden..(at + 1) * hidden;
            assert_close(&format!("{device} row {at}"), &mixed[part.clone()], &alone[part], 1e-5);
        }
    }
}

#[test]
fn rows_classify_with_their_own_heads() {
    for (device, mut session) in sessions(Pooling::Mean) {
        for (name, seed) in [("a", 1), ("b", 2)] {
            add_drawn(&mut session, name, seed);
            train(&mut session, name, &steps(2));
        }
        let rows = ["a", "b", "b", "a"];
        let mixed = classify(&mut session, &Selection::Rows(rows.map(|row| Some(row.into())).to_vec()));
        for (at, row) in rows.iter().enumerate() {
            let alone = classify(&mut session, &active(&[row]));
            assert_close(&format!("{device} row {at}"), &scores(&mixed[at..=at]), &scores(&alone[at..=at]), 1e-5);
        }
    }
}

#[test]
fn active_adapters_multiply_in_any_order() {
    let mut session = session(Pooling::Mean);
    add_drawn(&mut session, "a", 1);
    add_drawn(&mut session, "b", 2);
    let both = embed(&mut session, &active(&["a", "b"]));
    assert_close("order", &embed(&mut session, &active(&["b", "a"])), &both, 1e-6);
    assert_ne!(both, embed(&mut session, &active(&["a"])));
    assert_ne!(both, embed(&mut session, &active(&["b"])));
}

#[test]
fn a_fresh_adapter_is_the_base() {
    for mut session in POOLINGS.map(session) {
        session.add_adapter("a", Default::default()).unwrap();
        assert_eq!(embed(&mut session, &active(&["a"])), embed(&mut session, &BASE));
    }
}

#[test]
fn switching_never_changes_the_answers_of_the_base() {
    for (device, mut session) in sessions(Pooling::Pooler) {
        let before = scores(&classify(&mut session, &BASE));
        add_drawn(&mut session, "a", 1);
        train(&mut session, "a", &steps(2));
        classify(&mut session, &active(&["a"]));
        assert_eq!(scores(&classify(&mut session, &BASE)), before, "{device}");
    }
}

#[test]
fn batch_size_makes_no_difference() {
    for (device, mut session) in sessions(Pooling::Mean) {
        let expected = embed_texts(&mut session, &texts(), InferOptions::default()).0.concat();
        for batch_size in [1, 2, 3] {
            let options = InferOptions { batch_size: Some(batch_size), ..Default::default() };
            let found = embed_texts(&mut session, &texts(), options).0.concat();
            assert_close(&format!("{device}, {batch_size}"), &found, &expected, 1e-5);
        }
    }
}

#[test]
fn a_pair_is_not_its_texts_in_a_row() {
    let mut session = session(Pooling::Mean);
    let texts = [pair("the cat", "good"), pair("good", "the cat"), text("the cat good"), text("the cat [SEP] good")];
    let rows = embed_texts(&mut session, &texts, InferOptions::default()).0;
    // The last has the pair's very tokens; only the token types differ.
    assert!(rows[1..].iter().all(|row| *row != rows[0]));
}

#[test]
fn a_text_longer_than_told_is_cut_and_says_so() {
    let mut session = session(Pooling::Mean);
    let options = InferOptions { max_length: Some(5), ..Default::default() };
    let texts = [text("good bad cat not the a"), text("good bad cat"), pair("good bad", "not")];
    let (rows, truncated) = embed_texts(&mut session, &texts, options);
    assert_eq!(truncated, [true, false, true]);
    assert_eq!(rows[0], rows[1]);
    let answers = block_on(session.classify(&texts, &BASE, options));
    assert_eq!(answers.unwrap_err().code(), "no-head");
}

#[test]
fn a_text_longer_than_the_model_takes_is_cut_and_says_so() {
    for (device, mut session) in sessions(Pooling::Pooler) {
        let answers =
            block_on(session.classify(&[text(&"good ".repeat(500))], &BASE, InferOptions::default())).unwrap();
        assert!(answers[0].truncated && answers[0].score.is_finite(), "{device}");
    }
}

#[test]
fn no_texts_give_no_answers() {
    let mut session = session(Pooling::Pooler);
    assert_eq!(block_on(session.classify(&[], &BASE, InferOptions::default())), Ok(Vec::new()));
}

#[test]
fn an_evaluation_counts_the_answers() {
    let mut session = session(Pooling::Pooler);
    let labelled = |example| match example {
        Example::Labelled { text, label } => (text, label),
        other => panic!("{other:?}"),
    };
    let (texts, labels): (Vec<_>, Vec<_>) = examples().into_iter().map(labelled).unzip();
    let answers = block_on(session.classify(&texts, &BASE, InferOptions::default())).unwrap();
    let right = answers.iter().zip(labels).filter(|(answer, label)| answer.label == *label).count();
    let metrics = block_on(session.evaluate(&examples(), &BASE, InferOptions::default())).unwrap();
    assert_eq!(metrics.accuracy, right as f64 / 12.0);
    assert!(metrics.confusion.iter().all(|row| row.iter().sum::<usize>() == 4));
}
