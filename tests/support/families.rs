//! The cases under `tests/fixtures/families`: a family's model and one task, its batch and its adapter.

use super::golden::{Bench, adamw, compare, gradients};
use super::*;
use ia3_web::backend::Backend;
use ia3_web::models::Output;
use ia3_web::ops::PairLossKind;

const TOLERANCE: f32 = golden::TOLERANCE;

/// Names of a family's cases. Rows here are padded on the right, so those padded on the left are left out.
#[cfg(not(target_arch = "wasm32"))]
pub fn cases(family: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families").join(family);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let names = entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap());
    // Words are labelled and questions answered by models that read both ways.
    let config = bytes(&format!("families/{family}/config.json"));
    let has = |task| Model::from_json(&config, task).is_ok();
    let kept = |name: &String| !name.contains("-left") && task_of(name).is_some_and(|(task, _)| has(task));
    let mut names: Vec<String> = names.filter(kept).collect();
    names.sort();
    names
}

/// One case of each task of a family.
#[cfg(not(target_arch = "wasm32"))]
pub fn one_of_each_task(family: &str) -> Vec<String> {
    let mut found = cases(family);
    let mut tasks = Vec::new();
    found.retain(|case| {
        let (task, _) = task_of(case).expect("a case is of a task");
        let new = !tasks.contains(&task);
        tasks.extend(new.then_some(task));
        new
    });
    assert!(!found.is_empty(), "{family} has no cases");
    found
}

/// A test for each family, which calls a function with its name. Each test binary uses its part of this module.
#[allow(unused_macros)]
macro_rules! each_family {
    ($check:ident: $($family:ident)*) => {
        $(#[test]
        fn $family() {
            $check(&stringify!($family).replace('_', "-").replace("gemma3-text", "gemma3_text"));
        })*
    };
}
#[allow(unused_imports)]
pub(crate) use each_family;

/// The task a case's name begins with, and its number of labels.
pub fn task_of(case: &str) -> Option<(TaskType, usize)> {
    let tasks = [
        ("text-classification", TaskType::SeqCls, 3),
        ("token-classification", TaskType::TokenCls, 5),
        ("question-answering", TaskType::QuestionAns, 2),
        ("text-generation", TaskType::CausalLm, 0),
        ("text2text-generation", TaskType::Seq2SeqLm, 0),
        ("feature-extraction", TaskType::FeatureExtraction, 0),
    ];
    tasks.into_iter().find(|(name, ..)| case.starts_with(name)).map(|(_, task, labels)| (task, labels))
}

async fn check_answers(what: &str, bench: &mut Bench) {
    let task = bench.base.task;
    let output = if task == TaskType::FeatureExtraction { Output::Embedding } else { Output::Logits };
    let found = bench.forward(output).await;
    answers(what, task, found, &bench.case, &bench.golden);
}

/// Compares what a model answers with the golden of the task, with zeros at padding where the golden has them.
pub fn answers(what: &str, task: TaskType, mut found: Vec<f32>, case: &Value, golden: &Tensors) {
    match task {
        TaskType::FeatureExtraction => assert_close(what, &found, &golden["embeddings"].data, TOLERANCE),
        TaskType::QuestionAns => {
            for (side, name) in ["start_logits", "end_logits"].into_iter().enumerate() {
                let side: Vec<f32> = found.iter().skip(side).step_by(2).copied().collect();
                assert_close(&format!("{what} {name}"), &side, &golden[name].data, TOLERANCE);
            }
        }
        _ => {
            let golden = &golden["logits"];
            if let [batch, tokens, width] = golden.shape[..] {
                // A decoder's rows here are as long as the encoder's, or longer.
                let length = found.len() / batch / width;
                let row = |row: &[f32]| row[..tokens * width].to_vec();
                found = found.chunks_exact(length * width).flat_map(row).collect();
                let kept: Vec<Vec<f32>> = match task {
                    TaskType::Seq2SeqLm => {
                        let labels: Vec<Vec<i64>> = serde_json::from_value(case["labels"].clone()).unwrap();
                        labels.into_iter().map(|row| row.iter().map(|label| f32::from(*label >= 0)).collect()).collect()
                    }
                    _ => serde_json::from_value(case["attention_mask"].clone()).unwrap(),
                };
                let rows = found.chunks_exact_mut(width).zip(kept.concat());
                rows.for_each(|(row, kept)| row.iter_mut().for_each(|x| *x *= kept));
            }
            assert_close(&format!("{what} logits"), &found, &golden.data, TOLERANCE);
        }
    }
}

/// What a token's logits are compared with is the token that follows.
fn shift_labels(case: &mut Value) {
    for row in case["labels"].as_array_mut().unwrap() {
        let row = row.as_array_mut().unwrap();
        row.remove(0);
        row.push((-100).into());
    }
}

/// Brings a case's batch into the form of ours.
pub fn prepare(bench: &mut Bench) {
    if bench.base.task == TaskType::CausalLm {
        shift_labels(&mut bench.case);
    }
    if bench.base.task == TaskType::QuestionAns {
        // PEFT's wrapper of this task does not hand token types on to the model.
        bench.case.as_object_mut().unwrap().remove("token_type_ids");
    }
}

/// What the goldens of a task were trained with, and whether a head was.
pub fn objective(task: TaskType) -> (Output, bool) {
    match task {
        TaskType::FeatureExtraction => (Output::Contrastive(PairLossKind::Cosine), false),
        _ => (Output::CrossEntropy, true),
    }
}

/// Answers, loss, every gradient, and what three AdamW steps make of the adapter.
pub async fn check(device: &str, backend: Backend, family: &str, case: &str) {
    let (task, labels) = task_of(case).unwrap();
    let mut bench = Bench::new(backend, &format!("families/{family}"), case, task, labels);
    prepare(&mut bench);
    let what = format!("{device} {family}/{case}");
    check_answers(&what, &mut bench).await;
    let (output, head) = objective(task);
    let (loss, layout, gradient) = gradients(&mut bench, output, head).await;
    assert_close(&format!("{what} loss"), &[loss], &bench.golden["loss"].data, TOLERANCE);
    compare(&what, &layout, &gradient, &bench.golden, "grad.", task);
    let steps = bench.train(output, adamw(1e-2, 1e-2), 3, head).await;
    let losses: Vec<f32> = steps.iter().map(|(loss, ..)| *loss).collect();
    assert_close(&format!("{what} losses"), &losses, &bench.golden["losses"].data, TOLERANCE);
    let (_, layout, parameters) = &steps[2];
    compare(&format!("{what} after three steps"), layout, parameters, &bench.golden, "step3.", task);
}
