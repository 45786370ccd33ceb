//! T-Few's goldens under `tests/fixtures/rank`: terms, gradients and Adafactor steps of ranked choices.

use super::golden::{Bench, compare, gradients};
use super::*;
use ia3_web::adapter::Layout;
use ia3_web::backend::Backend;
use ia3_web::models::Output;
use ia3_web::ops::{RankLoss, RankVariant};
use ia3_web::train::{Adafactor, Continued, Optimizer, Ranked, Rates};

/// Relative to the largest element of each tensor.
const TOLERANCE: f32 = 1e-3;

const VARIANTS: [(&str, RankVariant); 2] = [("paper", RankVariant::Paper), ("code", RankVariant::Code)];

/// The examples of a case, in rows of up to `longest` tokens.
fn examples(case: &Value, model: &Model, longest: usize) -> Vec<Ranked> {
    let ids = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
    let start = model.common().padding.start;
    let example = |example: &Value| {
        let input = ids(&example["input"]);
        let choices = example["choices"].as_array().unwrap().iter().map(ids);
        let continuations = choices.map(|choice| start.into_iter().chain(choice).collect()).collect();
        let (input, given) = if start.is_some() { (Some(input), Vec::new()) } else { (None, input) };
        let prompt = Continued { input, given, continuations, truncated: false };
        Ranked { rows: prompt.rows(longest), answer: example["answer"].as_u64().unwrap() as usize }
    };
    case["examples"].as_array().unwrap().iter().map(example).collect()
}

fn loss(
    [examples, choices]: [usize; 2],
    [language, unlikelihood, normalized]: [f32; 3],
    variant: RankVariant,
) -> Output {
    Output::Rank(RankLoss { examples, choices, language, unlikelihood, normalized, variant })
}

/// Gives a golden's model its batch, in rows of up to `longest` tokens; how many examples it has, and choices the one that has most.
pub fn prepare(bench: &mut Bench, longest: usize) -> [usize; 2] {
    let examples = examples(&bench.case, &bench.model, longest);
    let choices = examples.iter().map(|example| example.choices().count()).max().unwrap();
    let batch = Ranked::batch(&examples.iter().collect::<Vec<_>>(), choices);
    let shape = batch.shape();
    assert!(shape.segmented == (longest > 0) && (shape.batch == examples.len()) == (longest > 0));
    bench.batch = Some((shape, batch.inputs(shape, bench.model.common().padding)));
    [examples.len(), choices]
}

/// Every term with its gradients, and the steps of every variant that the golden has: with the choices of an example in one row, and with
/// each in a row of its own.
pub async fn check(device: &str, backend: Backend, task: TaskType, family: &str, name: &str) {
    let mut bench = Bench::new(backend, &format!("families/{family}"), &format!("../../rank/{name}"), task, 0);
    for (rows, longest) in [("shared", usize::MAX), ("apart", 0)] {
        check_rows(&format!("{device} {rows}"), &mut bench, task, name, longest).await;
    }
}

async fn check_rows(device: &str, bench: &mut Bench, task: TaskType, name: &str, longest: usize) {
    let choices = prepare(bench, longest);
    for (variant, kind) in VARIANTS {
        let terms =
            [(format!("lm.{variant}"), 0), (format!("unlikelihood.{variant}"), 1), ("length_normalized".into(), 2)];
        for (term, at) in terms {
            // Where examples have different numbers of choices, T-Few's code has no answer to compare with.
            if kind == RankVariant::Code && !bench.golden.contains_key(&term) {
                continue;
            }
            let weights = std::array::from_fn(|other| f32::from(other == at));
            let (found, layout, gradient) = gradients(bench, loss(choices, weights, kind), false).await;
            let what = format!("{device} {name} {term}");
            assert_close(&what, &[found], &bench.golden[&term].data, TOLERANCE);
            compare(&what, &layout, &gradient, &bench.golden, &format!("grad.{term}."), task);
        }
        if kind == RankVariant::Paper || bench.golden.contains_key(&format!("{variant}.losses")) {
            let found = steps(bench, loss(choices, [1.0; 3], kind)).await;
            compare_steps(&format!("{device} {name} {variant}"), bench, &found, variant);
        }
    }
}

/// Losses and parameters of twenty Adafactor steps with the rates of the golden.
async fn steps(bench: &mut Bench, output: Output) -> Vec<(f32, Layout, Vec<f32>)> {
    let rates: Vec<f32> = serde_json::from_value(bench.case["learning_rates"].clone()).unwrap();
    let optimizer = |step: usize, layout: &Layout| -> Optimizer {
        let segments = Rates { vectors: rates[step - 1], head: 0.0, layers: &[] }.segments(layout);
        Adafactor { step, segments, max_grad_norm: 1.0, ..Adafactor::default() }.into()
    };
    bench.train_with(output, optimizer, rates.len(), false).await
}

fn compare_steps(what: &str, bench: &Bench, found: &[(f32, Layout, Vec<f32>)], variant: &str) {
    let losses: Vec<f32> = found.iter().map(|(loss, ..)| *loss).collect();
    assert_close(&format!("{what} losses"), &losses, &bench.golden[&format!("{variant}.losses")].data, TOLERANCE);
    let (_, layout, parameters) = found.last().unwrap();
    compare(what, layout, parameters, &bench.golden, &format!("{variant}.step{}.", found.len()), bench.base.task);
}

/// The steps by the paper's formulas on a batch of as many examples and choices.
pub async fn paper_steps(bench: &mut Bench, choices: [usize; 2]) -> Vec<(f32, Layout, Vec<f32>)> {
    steps(bench, loss(choices, [1.0; 3], RankVariant::Paper)).await
}

/// Compares them with the golden.
pub fn compare_paper_steps(what: &str, bench: &Bench, found: &[(f32, Layout, Vec<f32>)]) {
    compare_steps(what, bench, found, "paper");
}
