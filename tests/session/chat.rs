//! Conversations as their templates write them: tokens and what is learned of them as transformers has it, and what sessions do with them.

use super::language::{llama, t5};
use crate::support::session::*;
use crate::support::{assert_close, bytes, devices, json};
use ia3_web::backend::Backend;
use ia3_web::checkpoint::Tokenizer;
use ia3_web::session::{
    ChooseOptions, Continuation, Example, InferOptions, Piece, Prompt, Ranking, Session, Task, conversation,
};
use ia3_web::train::{Asked, TrainOptions};
use pollster::block_on;
use serde_json::Value;

const STYLES: [&str; 6] = ["chatml", "llama2", "llama3", "gemma", "tools", "thinking"];

fn pieces(texts: &[(&str, bool)]) -> Vec<Piece> {
    texts.iter().map(|(text, learned)| Piece { text: text.to_string(), learned: *learned }).collect()
}

fn cases(folder: &str, kind: &str) -> Vec<Value> {
    let found = json(&format!("chat/{folder}/cases.json"))[kind].as_array().unwrap().clone();
    assert!(!found.is_empty(), "{folder} {kind}");
    found
}

fn numbers(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// transformers' ids and assistant masks of whole conversations, in all styles, with characters of several tokens at the edges.
#[test]
fn conversations_are_tokenised_and_masked_as_in_transformers() {
    let tokenizer = Tokenizer::from_bytes(&bytes("chat/tokenizer.json")).unwrap();
    for folder in STYLES.iter().flat_map(|style| [style.to_string(), format!("{style}-generation")]) {
        for case in cases(&folder, "learned") {
            let texts: Vec<(String, bool)> = serde_json::from_value(case["pieces"].clone()).unwrap();
            let pieces: Vec<Piece> = texts.into_iter().map(|(text, learned)| Piece { text, learned }).collect();
            let row = conversation(&tokenizer, 0, &pieces, 9999).unwrap().sequence;
            let (ids, mask) = (numbers(&case["input_ids"]), numbers(&case["mask"]));
            assert_eq!(row.ids, ids[..ids.len() - 1], "{folder}");
            let learned = (1..ids.len()).filter(|at| mask[*at] == 1);
            let asked = learned.map(|at| Asked { place: at - 1, id: ids[at] });
            assert_eq!(row.asked, [asked.collect::<Vec<_>>()], "{folder}");
        }
    }
}

#[test]
fn rendered_prompts_are_tokenised_as_in_transformers() {
    let tokenizer = Tokenizer::from_bytes(&bytes("chat/tokenizer.json")).unwrap();
    for case in STYLES.iter().flat_map(|style| cases(style, "rendered")) {
        assert_eq!(tokenizer.plain(case["text"].as_str().unwrap()).unwrap(), numbers(&case["input_ids"]));
    }
}

/// A token that reaches over the edge of a piece is learned; one that touches it from outside is not.
#[test]
fn a_token_counts_where_it_overlaps() {
    let tokenizer = Tokenizer::from_bytes(&bytes("chat/tokenizer.json")).unwrap();
    let told_by = |texts: &[(&str, bool)]| -> Vec<usize> {
        let row = conversation(&tokenizer, 0, &pieces(texts), 99).unwrap().sequence;
        row.asked[0].iter().map(|asked| asked.place).collect()
    };
    assert_eq!(told_by(&[("the hel", false), ("lo", true), (" you", false)]), [0]);
    assert_eq!(told_by(&[("the", false), (" hello", true), (" you", false)]), [0]);
    assert_eq!(told_by(&[("the", false), (" hello", false), (" you", true)]), [1]);
}

/// The tiny BERT's tokenizer puts these around a text.
fn whole(prompt: &str) -> String {
    format!("[CLS] {prompt} [SEP]")
}

fn chats() -> Vec<Example> {
    let chat = |(prompt, answer): (&str, &str)| Example::Conversation {
        pieces: pieces(&[(&whole(prompt), false), (answer, true)]),
    };
    [("the cat was", "good"), ("a dog", "and the cat"), ("not", "bad")].map(chat).into()
}

fn score(session: &mut Session, prompt: Prompt, continuation: &str) -> Vec<f32> {
    let rows = [Continuation { prompt, continuation: continuation.into() }];
    block_on(session.score(&rows, &BASE, Default::default())).unwrap()[0].token_log_probs.clone()
}

#[test]
fn conversations_are_learned() {
    for (device, backend) in devices() {
        let mut session = llama(backend, Task::TextGeneration);
        session.add_adapter("a", Default::default()).unwrap();
        let told = TrainOptions { learning_rate: Some(0.1), ..steps(20) };
        let (_, result) = train_on(&mut session, "a", &chats(), &chats(), &told);
        assert!(result.losses[19] < result.losses[0], "{device} {:?}", result.losses);
        assert!(result.after.unwrap().loss < result.before.unwrap().loss, "{device}");
    }
}

/// A step on all of them at once is the same, whether they share rows or not.
#[test]
fn packed_conversations_are_the_same_conversations() {
    let loss = |packing| {
        let mut session = llama(Backend::cpu(), Task::TextGeneration);
        session.add_adapter("a", Default::default()).unwrap();
        let told = TrainOptions { packing: Some(packing), max_length: Some(32), ..steps(1) };
        train_on(&mut session, "a", &chats(), &[], &told).1.losses[0]
    };
    assert!((loss(true) - loss(false)).abs() < 1e-4);
}

/// What was rendered gets no further special tokens, and the loss is that of the assistant's tokens alone.
#[test]
fn a_rendered_prompt_is_the_text_with_its_special_tokens() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    let text = score(&mut session, "the cat was".into(), "not good");
    let rendered = score(&mut session, Prompt::Rendered { rendered: whole("the cat was") }, "not good");
    assert_close("score", &rendered, &text, 1e-5);
    let chat = [Example::Conversation { pieces: pieces(&[(&whole("the cat was"), false), ("not good", true)]) }];
    let loss = block_on(session.evaluate(&chat, &BASE, Default::default())).unwrap().loss;
    assert!((loss + f64::from(text.iter().sum::<f32>()) / text.len() as f64).abs() < 1e-5);

    let choose = |session: &mut Session, input| {
        let ranking = [Ranking::Given { input, choices: vec!["good".into(), "bad".into()] }];
        block_on(session.choose(&ranking, &BASE, ChooseOptions::default())).unwrap().remove(0)
    };
    let rendered = choose(&mut session, Prompt::Rendered { rendered: whole("a dog") });
    assert_eq!(rendered, choose(&mut session, "a dog".into()));
    let ranked =
        |input| Example::Ranked { input, choices: vec!["good".into(), "bad".into()], answer: rendered.choice.clone() };
    let ranked = [ranked(Prompt::Rendered { rendered: whole("a dog") }), ranked("a dog".into())];
    assert_eq!(block_on(session.evaluate(&ranked, &BASE, Default::default())).unwrap().accuracy, 1.0);
}

#[test]
fn a_conversation_too_long_loses_its_start() {
    let tokenizer = Tokenizer::from_bytes(&bytes("tiny-bert/tokenizer.json")).unwrap();
    let long = pieces(&[("the cat the cat ", false), ("good ", true), ("the the ", false), ("bad bad", true)]);
    let of = |most| conversation(&tokenizer, 7, &long, most);
    let (all, cut) = (of(9).unwrap(), of(5).unwrap());
    assert!(!all.truncated && cut.truncated && cut.sequence.ids == all.sequence.ids[4..]);
    assert_eq!((all.sequence.asked_for(), cut.sequence.asked_for()), (3, 2));
    let ends_otherwise = pieces(&[("the cat ", false), ("good ", true), ("the the the", false)]);
    let error = conversation(&tokenizer, 7, &ends_otherwise, 3).unwrap_err();
    assert!(
        error.code() == "bad-example"
            && error.to_string().contains("number 7")
            && error.to_string().contains("maxLength")
    );
}

#[test]
fn a_conversation_without_anything_to_learn_is_refused() {
    let mut session = llama(Backend::cpu(), Task::TextGeneration);
    let mut code = |texts: &[(&str, bool)]| {
        let example = [Example::Conversation { pieces: pieces(texts) }];
        block_on(session.evaluate(&example, &BASE, InferOptions::default())).unwrap_err().code()
    };
    assert_eq!(code(&[]), "empty-text");
    assert_eq!(code(&[("the cat", false)]), "bad-example");
    assert_eq!(code(&[("the cat", false), ("  ", true)]), "bad-example");
    // Nothing stands before a first token that could tell it.
    assert_eq!(code(&[("the", true), ("cat", false)]), "bad-example");
}

#[test]
fn other_models_take_no_conversations() {
    let mut session = t5(Backend::cpu());
    let rendered = || Prompt::Rendered { rendered: "the cat".into() };
    let rows = [Continuation { prompt: rendered(), continuation: "good".into() }];
    let error = block_on(session.score(&rows, &BASE, Default::default())).unwrap_err();
    assert_eq!(error.code(), "bad-example");
    let ranking = [Ranking::Given { input: rendered(), choices: vec!["good".into(), "bad".into()] }];
    assert_eq!(block_on(session.choose(&ranking, &BASE, Default::default())).unwrap_err().code(), "bad-example");
    assert_eq!(block_on(session.evaluate(&chats(), &BASE, Default::default())).unwrap_err().code(), "bad-example");
}
