//! Labels of words and answers to questions: trained, evaluated, saved and loaded.

use crate::support::session::*;
use ia3_web::Result;
use ia3_web::backend::Backend;
use ia3_web::session::{EndReason, Example, InferOptions, Pooling, Question, Selection, Session, SessionOptions, Task};
use ia3_web::train::TrainOptions;
use pollster::block_on;

fn task(task: Task, labels: &[&str]) -> SessionOptions {
    let labels = labels.iter().map(|label| label.to_string()).collect();
    SessionOptions { task, labels, ..options(Pooling::Pooler) }
}

fn tagger() -> SessionOptions {
    task(Task::TokenClassification, &["word", "animal"])
}

fn reader() -> SessionOptions {
    task(Task::QuestionAnswering, &[])
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(String::from).collect()
}

fn tagged(text: &str, labels: &str) -> Example {
    let label = |of: char| if of == 'a' { "animal" } else { "word" }.to_string();
    Example::Tagged { words: words(text), labels: labels.chars().map(label).collect() }
}

fn animals() -> Vec<Example> {
    [
        ("the cat was good", "-a--"),
        ("a dog", "-a"),
        ("bad horse and cat", "-a-a"),
        ("not the worst", "---"),
        ("walking dog", "-a"),
    ]
    .map(|(text, labels)| tagged(text, labels))
    .to_vec()
}

fn question(context: &str) -> Question {
    Question { question: "the animal".into(), context: context.into() }
}

fn answered(context: &str, answer: &str, answer_start: Option<usize>) -> Example {
    Example::Answered { asked: question(context), answer: answer.into(), answer_start }
}

fn answers() -> Vec<Example> {
    [("the cat was good", "cat"), ("a dog", "dog"), ("bad horse and the best", "bad horse"), ("walking dog", "dog")]
        .map(|(context, answer)| answered(context, answer, None))
        .to_vec()
}

/// Long enough to learn a handful of examples by heart.
fn by_heart() -> TrainOptions {
    TrainOptions { head_learning_rate: Some(0.1), ..steps(60) }
}

fn learn(session: &mut Session, examples: &[Example]) -> (f64, f64) {
    session.add_adapter("a", Default::default()).unwrap();
    let result = train_on(session, "a", examples, examples, &by_heart()).1;
    assert!(result.losses[59] < 0.5 * result.losses[0], "{:?}", result.losses);
    (result.before.unwrap().accuracy, result.after.unwrap().accuracy)
}

fn tags(session: &mut Session, selection: &Selection) -> Vec<Vec<String>> {
    let texts = ["the cat and the dog", "good"].map(words);
    let found = block_on(session.tag(&texts, selection, InferOptions::default())).unwrap();
    assert!(found.iter().all(|tagging| !tagging.truncated && tagging.scores.len() == tagging.labels.len()));
    found.into_iter().map(|tagging| tagging.labels).collect()
}

#[test]
fn words_learn_their_labels() {
    for (device, backend) in crate::support::devices() {
        let mut session = session_on(backend, tagger());
        let (before, after) = learn(&mut session, &animals());
        assert!(after > before && after > 0.9, "{device}: {before} {after}");
        assert_eq!(tags(&mut session, &active(&["a"]))[1].len(), 1);
        let files = session.save_adapter("a").unwrap();
        let config: serde_json::Value = serde_json::from_slice(&files["adapter_config.json"]).unwrap();
        assert_eq!(config["task_type"], "TOKEN_CLS");
        assert_eq!(config["modules_to_save"], serde_json::json!(["classifier", "score"]));
        assert!(saved(&session, "a").contains_key("base_model.model.classifier.weight"));
        let mut other = session_on(Backend::cpu(), tagger());
        assert_eq!(other.load_adapter("b", &files), Ok(Vec::new()));
        assert_eq!(tags(&mut other, &active(&["b"])), tags(&mut session, &active(&["a"])), "{device}");
    }
}

#[test]
fn spans_learn_where_the_answer_is() {
    for (device, backend) in crate::support::devices() {
        let mut session = session_on(backend, reader());
        let (before, after) = learn(&mut session, &answers());
        assert!(after > before && after > 0.7, "{device}: {before} {after}");
        let files = session.save_adapter("a").unwrap();
        let config: serde_json::Value = serde_json::from_slice(&files["adapter_config.json"]).unwrap();
        assert_eq!(
            (&config["task_type"], &config["modules_to_save"][0]),
            (&"QUESTION_ANS".into(), &"qa_outputs".into())
        );
        let ask = |session: &mut Session, name: &str| {
            let asked = ["bad horse and the best", "a dog"].map(question);
            block_on(session.answer(&asked, &active(&[name]), InferOptions::default())).unwrap()
        };
        let found = ask(&mut session, "a");
        for answer in &found {
            assert!((0.0..=1.0).contains(&answer.score) && !answer.answer.is_empty());
            assert_eq!(answer.end - answer.start, answer.answer.len());
        }
        let mut other = session_on(Backend::cpu(), reader());
        assert_eq!(other.load_adapter("b", &files), Ok(Vec::new()));
        assert_eq!(ask(&mut other, "b")[0].answer, found[0].answer, "{device}");
    }
}

#[test]
fn places_in_the_text_are_those_of_javascript() {
    let mut session = session_on(Backend::cpu(), reader());
    session.add_adapter("a", Default::default()).unwrap();
    let one = [answered("\u{1f600} the cat", "cat", Some(7))];
    train_on(&mut session, "a", &one, &[], &by_heart());
    let found = block_on(session.answer(&[question("\u{1f600} the cat")], &active(&["a"]), InferOptions::default()));
    assert_eq!(found.map(|found| (found[0].answer.clone(), found[0].start, found[0].end)), Ok(("cat".into(), 7, 10)));
}

fn begin(session: &mut Session, examples: &[Example], options: &TrainOptions) -> Result<()> {
    block_on(session.begin_training("a", examples, &[], options))?;
    block_on(session.end_training(EndReason::Aborted)).map(|_| ())
}

#[test]
fn examples_that_do_not_fit_are_refused_by_number() {
    let mut session = session_on(Backend::cpu(), reader());
    session.add_adapter("a", Default::default()).unwrap();
    let good = answered("a dog", "dog", None);
    let short = TrainOptions { max_length: Some(14), ..steps(1) };
    let cases = [
        (answered("a dog", "cat", None), steps(1), "not in its context"),
        (answered("a dog", "dog", Some(0)), steps(1), "does not stand"),
        (answered("a dog", "dog", Some(77)), steps(1), "outside"),
        (answered("a dog", " ", None), steps(1), "empty answer"),
        (answered("the best and the best and the best and the cat", "cat", None), short, "beyond the 14 tokens"),
        (example("animal", "a dog"), steps(1), "question-answering"),
    ];
    for (bad, options, word) in cases {
        let error = begin(&mut session, &[good.clone(), bad], &options).unwrap_err();
        assert_eq!(error.code(), "bad-example");
        assert!(error.to_string().contains("number 1 ") && error.to_string().contains(word), "{error}");
    }
    let mut session = session_on(Backend::cpu(), tagger());
    session.add_adapter("a", Default::default()).unwrap();
    for (bad, code) in [
        (tagged("a dog", "-"), "bad-example"),
        (Example::Tagged { words: vec!["a".into()], labels: vec!["verb".into()] }, "unknown-label"),
        (Example::Tagged { words: vec![], labels: vec![] }, "empty-text"),
    ] {
        assert_eq!(begin(&mut session, &[tagged("a dog", "-a"), bad], &steps(1)).unwrap_err().code(), code);
    }
    let contrastive = TrainOptions { objective: Some(ia3_web::train::Objective::Contrastive), ..steps(1) };
    assert_eq!(begin(&mut session, &animals(), &contrastive).unwrap_err().code(), "bad-option");
    assert_eq!(block_on(session.classify(&texts(), &BASE, Default::default())).unwrap_err().code(), "bad-option");
}

#[test]
fn long_texts_are_tagged_as_far_as_they_go() {
    let mut session = session_on(Backend::cpu(), tagger());
    let options = InferOptions { max_length: Some(5), ..Default::default() };
    let found = block_on(session.tag(&[words("the cat was good")], &BASE, options)).unwrap();
    assert!(found[0].truncated && found[0].labels.len() < 4);
}
