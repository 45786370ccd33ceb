//! Choices of a language model: ranked, trained with T-Few's losses, made of templates.

use super::language::{llama, t5};
use crate::support::devices;
use crate::support::session::*;
use ia3_web::backend::Backend;
use ia3_web::session::{ChooseOptions, Continuation, Example, Ranking, Session, Task, Template};
use ia3_web::train::{LossVariant, LossWeights, Objective, Preset, TrainOptions};
use pollster::block_on;

fn ranked(input: &str, choices: &[&str], answer: &str) -> Example {
    let choices = choices.iter().map(|choice| choice.to_string()).collect();
    Example::Ranked { input: input.into(), choices, answer: answer.into() }
}

/// Two and three choices, of one and more tokens.
fn answers() -> Vec<Example> {
    vec![
        ranked("the cat was", &["good", "not good"], "not good"),
        ranked("a dog", &["bad", "and the cat", "the worst"], "bad"),
        ranked("not", &["good", "a horse"], "a horse"),
    ]
}

fn template(prompt: &str, [animal, praise]: [&str; 2]) -> Template {
    let choices = [("animal", animal), ("praise", praise)].map(|(label, choice)| (label.into(), choice.into()));
    Template { prompt: prompt.into(), choices: choices.into() }
}

fn templates() -> Vec<Template> {
    vec![template("{{text}} is a", ["cat", "good one"]), template("is {{text}} not bad", ["walks", "the best"])]
}

fn prompted() -> Vec<Example> {
    let example = |(words, label): (&str, &str)| Example::Prompted {
        text: text(words),
        label: label.into(),
        templates: templates(),
    };
    [("the cat", "animal"), ("very good", "praise"), ("a horse", "animal"), ("the best", "praise")].map(example).into()
}

fn told(steps: usize) -> TrainOptions {
    let preset = Some(Preset::TFew);
    TrainOptions { preset, steps: Some(steps), learning_rate: Some(0.1), warmup_ratio: Some(0.0), ..Default::default() }
}

fn sessions() -> impl Iterator<Item = (String, Session)> {
    let decoders = devices()
        .into_iter()
        .map(|(device, backend)| (format!("{device} llama"), llama(backend, Task::TextGeneration)));
    decoders.chain(devices().into_iter().map(|(device, backend)| (format!("{device} t5"), t5(backend))))
}

#[test]
fn answers_come_to_be_ranked_first() {
    for (what, mut session) in sessions() {
        for (name, variant, examples) in
            [("paper", LossVariant::Paper, answers()), ("code", LossVariant::Code, prompted())]
        {
            session.add_adapter(name, Default::default()).unwrap();
            let told = TrainOptions { loss_variant: Some(variant), ..told(30) };
            let (_, result) = train_on(&mut session, name, &examples, &examples, &told);
            assert_eq!(result.objective, Objective::TFew);
            let (before, after) = (result.before.unwrap(), result.after.unwrap());
            assert!(after.loss < before.loss, "{what} {name} {before:?} {after:?}");
            assert!(after.accuracy >= before.accuracy, "{what} {name} {before:?} {after:?}");
        }
    }
}

/// A choice's score is the mean of what `score` says of its tokens, whatever is asked together.
#[test]
fn scores_are_those_of_continuations() {
    let mut session = t5(Backend::cpu());
    add_drawn(&mut session, "a", 3);
    let choices = ["good", "not bad, a horse"];
    let given = Ranking::Given { input: "the cat".into(), choices: choices.map(String::from).into() };
    let filled = Ranking::Filled { template: template("{{text}}", choices), text: text("the cat") };
    let sum = ChooseOptions { length_norm: Some(0.0), ..Default::default() };
    let selection = active(&["a"]);
    let found = block_on(session.choose(&[given.clone(), filled], &selection, Default::default())).unwrap();
    let sums = block_on(session.choose(std::slice::from_ref(&given), &selection, sum)).unwrap();
    let rows = choices.map(|choice| Continuation { prompt: "the cat".into(), continuation: choice.into() });
    let scored = block_on(session.score(&rows, &selection, Default::default())).unwrap();
    // Beside the choice's own tokens there is the one that ends it.
    let ended = |at: usize| scored[at].token_log_probs.len() as f32 + 1.0;
    for (at, (choice, label)) in choices.into_iter().zip(["animal", "praise"]).enumerate() {
        let [mean, sum] = [found[0].scores[choice], sums[0].scores[choice]];
        assert!((mean * ended(at) - sum).abs() < 1e-4 && sum < scored[at].log_prob);
        assert!((mean - found[1].scores[label]).abs() < 1e-5);
    }
    let one = Ranking::Given { input: "a dog".into(), choices: vec!["bad".into(), "good".into(), "the".into()] };
    let each = ia3_web::session::Selection::Rows(vec![Some("a".into()), None]);
    let mixed = block_on(session.choose(&[given, one.clone()], &each, Default::default())).unwrap();
    let alone = block_on(session.choose(&[one], &BASE, Default::default())).unwrap();
    assert!((mixed[0].scores["good"] - found[0].scores["good"]).abs() < 1e-4);
    assert!((mixed[1].scores["bad"] - alone[0].scores["bad"]).abs() < 1e-4);
}

/// Micro-batches of one example each, with means over examples: the same steps as all at once.
#[test]
fn micro_batches_of_ranked_examples_add_up() {
    let vectors = |batch_size, gradient_accumulation| {
        let mut session = llama(Backend::cpu(), Task::TextGeneration);
        session.add_adapter("a", Default::default()).unwrap();
        let loss_weights = Some(LossWeights { unlikelihood: 0.5, ..Default::default() });
        let told = TrainOptions { batch_size, gradient_accumulation, loss_weights, ..told(1) };
        train_on(&mut session, "a", &answers(), &[], &told).1.losses
    };
    let (whole, parts) = (vectors(Some(3), None), vectors(Some(1), Some(3)));
    assert!((whole[0] - parts[0]).abs() < 1e-4, "{whole:?} {parts:?}");
}

/// Batches of two out of three examples reach over the ends of epochs, where one example may come twice in a batch: for these seeds the one
/// with the most tokens does.
#[test]
fn a_batch_has_room_for_the_widest_example_twice() {
    for seed in 0..4 {
        let mut session = llama(Backend::cpu(), Task::TextGeneration);
        session.add_adapter("a", Default::default()).unwrap();
        let told = TrainOptions { batch_size: Some(2), seed: Some(seed), ..told(12) };
        assert_eq!(train_on(&mut session, "a", &answers(), &[], &told).1.losses.len(), 12);
    }
}

/// Another device goes on with the examples and templates that the first would have had.
#[test]
fn a_run_that_moves_meets_the_same_templates() {
    let losses = |moves: bool| {
        let mut session = llama(Backend::cpu(), Task::TextGeneration);
        session.add_adapter("a", Default::default()).unwrap();
        block_on(session.begin_training("a", &prompted(), &[], &TrainOptions { batch_size: Some(2), ..told(8) }))
            .unwrap();
        step(&mut session, 3).unwrap();
        if moves {
            session.set_backend(Backend::cpu());
            load_file(&mut session, &crate::support::bytes("families/llama/model.safetensors"), 4096).unwrap();
        }
        step(&mut session, 99).unwrap();
        block_on(session.end_training(ia3_web::session::EndReason::Failed)).unwrap().losses
    };
    assert_eq!(losses(true), losses(false));
}

#[test]
fn what_cannot_be_ranked_is_refused() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    session.add_adapter("a", Default::default()).unwrap();
    let mut begin = |examples: &[Example], told: &TrainOptions| {
        block_on(session.begin_training("a", examples, &[], told)).unwrap_err()
    };
    let bad = [
        (ranked("the", &["good", "bad"], "cat"), "not among its choices"),
        (ranked("the", &["good", " "], "good"), "makes no tokens"),
        (ranked("the", &["good", "good"], "good"), "the same tokens"),
        (ranked("the", &["good"], "good"), "two at least"),
        (Example::Prompted { text: text("the"), label: "blame".into(), templates: templates() }, "not among"),
        (Example::Prompted { text: text("the"), label: "animal".into(), templates: Vec::new() }, "empty list"),
    ];
    for (example, says) in bad {
        let error = begin(&[example], &told(2));
        assert!(error.code() == "bad-example" && error.to_string().contains(says), "{error}");
    }
    let plain = Example::Plain { text: "the cat".into() };
    assert_eq!(begin(&[answers()[0].clone(), plain.clone()], &told(2)).code(), "bad-example");
    assert_eq!(begin(&[plain], &told(2)).code(), "bad-option");
    let other = TrainOptions { objective: Some(Objective::CrossEntropy), ..told(2) };
    assert_eq!(begin(&answers(), &other).code(), "bad-option");
    let negative = LossWeights { unlikelihood: -1.0, ..Default::default() };
    assert_eq!(begin(&answers(), &TrainOptions { loss_weights: Some(negative), ..told(2) }).code(), "bad-option");
}

#[test]
fn the_preset_is_the_recipe_of_t_few() {
    let settings = TrainOptions { preset: Some(Preset::TFew), ..Default::default() }.resolve(32, 0, 512, 2).unwrap();
    assert_eq!((settings.steps, settings.batch_size, settings.warmup_steps), (1000, 8, 60));
    assert_eq!((settings.max_length, settings.packing), (256, false));
    assert_eq!((settings.learning_rate, settings.max_grad_norm, settings.objective), (3e-3, 1.0, Objective::TFew));
}
