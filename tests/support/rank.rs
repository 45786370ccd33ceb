//! T-Few's goldens under `tests/fixtures/rank`: terms, gradients and Adafactor steps of ranked choices.

use super::golden::{Bench, compare, gradients};
use super::*;
use ia3_web::adapter::Layout;
use ia3_web::backend::Backend;
use ia3_web::models::Output;
use ia3_web::ops::{RankLoss, RankVariant};
use ia3_web::train::{Adafactor, Optimizer, Ranked};

/// Relative to the largest element of each tensor.
const TOLERANCE: f32 = 1e-3;

const VARIANTS: [(&str, RankVariant); 2] = [("paper", RankVariant::Paper), ("code", RankVariant::Code)];

/// The examples of a case, as rows of the model.
fn examples(case: &Value, task: TaskType) -> Vec<Ranked> {
    let ids = |value: &Value| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
    let row = |input: &[u32], choice: Vec<u32>| {
        let compared = choice.iter().map(|id| Some(*id as usize));
        let (ids, target) = match task {
            TaskType::Seq2SeqLm => (input.to_vec(), compared.collect()),
            // The token before tells the next.
            _ => {
                let before = std::iter::repeat_n(None, input.len() - 1);
                ([input, &choice].concat(), before.chain(compared).chain([None]).collect())
            }
        };
        (Encoded { types: vec![0; ids.len()], ids, truncated: false }, Target::Tokens(target))
    };
    let example = |example: &Value| {
        let input = ids(&example["input"]);
        let rows = example["choices"].as_array().unwrap().iter().map(|choice| row(&input, ids(choice))).collect();
        Ranked { rows, answer: example["answer"].as_u64().unwrap() as usize }
    };
    case["examples"].as_array().unwrap().iter().map(example).collect()
}

fn loss(choices: usize, [language, unlikelihood, normalized]: [f32; 3], variant: RankVariant) -> Output {
    Output::Rank(RankLoss { choices, language, unlikelihood, normalized, variant })
}

/// Every term with its gradients, and the steps of every variant that the golden has.
pub async fn check(device: &str, backend: Backend, task: TaskType, family: &str, name: &str) {
    let mut bench = Bench::new(backend, &format!("families/{family}"), &format!("../../rank/{name}"), task, 0);
    let examples = examples(&bench.case, task);
    let choices = examples.iter().map(|example| example.rows.len()).max().unwrap();
    let batch = Ranked::batch(&examples.iter().collect::<Vec<_>>(), choices);
    let shape = BatchShape { batch: batch.rows.len(), length: batch.longest() };
    bench.batch = Some((shape, batch.inputs(shape, bench.model.common().padding)));
    for (variant, kind) in VARIANTS {
        let terms =
            [(format!("lm.{variant}"), 0), (format!("unlikelihood.{variant}"), 1), ("length_normalized".into(), 2)];
        for (term, at) in terms {
            // Where examples have different numbers of choices, T-Few's code has no answer to compare with.
            if kind == RankVariant::Code && !bench.golden.contains_key(&term) {
                continue;
            }
            let weights = std::array::from_fn(|other| f32::from(other == at));
            let (found, layout, gradient) = gradients(&mut bench, loss(choices, weights, kind), false).await;
            let what = format!("{device} {name} {term}");
            assert_close(&what, &[found], &bench.golden[&term].data, TOLERANCE);
            compare(&what, &layout, &gradient, &bench.golden, &format!("grad.{term}."), task);
        }
        if kind == RankVariant::Paper || bench.golden.contains_key(&format!("{variant}.losses")) {
            steps(&format!("{device} {name} {variant}"), &mut bench, loss(choices, [1.0; 3], kind), variant).await;
        }
    }
}

/// Twenty Adafactor steps with the rates of the golden.
async fn steps(what: &str, bench: &mut Bench, output: Output, variant: &str) {
    let rates: Vec<f32> = serde_json::from_value(bench.case["learning_rates"].clone()).unwrap();
    let optimizer = |step: usize, layout: &Layout| -> Optimizer {
        let segments = Adafactor::segments(layout, rates[step - 1], 0.0);
        Adafactor { step, segments, max_grad_norm: 1.0, ..Adafactor::default() }.into()
    };
    let found = bench.train_with(output, optimizer, rates.len(), false).await;
    let losses: Vec<f32> = found.iter().map(|(loss, ..)| *loss).collect();
    assert_close(&format!("{what} losses"), &losses, &bench.golden[&format!("{variant}.losses")].data, TOLERANCE);
    let (_, layout, parameters) = found.last().unwrap();
    compare(what, layout, parameters, &bench.golden, &format!("{variant}.step{}.", rates.len()), bench.base.task);
}
