//! Training with activation checkpointing gives what training without it gives: to the bit on the CPU, and on a GPU as close to the goldens
//! of real transformers + PEFT. For every family and task, T-Few's losses and Adafactor.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::adapter::{AdapterConfig, Layout, TaskType};
use ia3_web::backend::Backend;
use ia3_web::models::{BatchShape, Model, Output};
use ia3_web::ops::PairLossKind;
use ia3_web::plan::Plan;
use ia3_web::train::training_plan;
use pollster::block_on;
use support::families::each_family;
use support::golden::{Bench, adamw, compare};
use support::{assert_close, devices, families, golden, rank};

/// Losses and parameters of three steps with checkpointing against those without, or the golden.
fn check_case(device: &str, backend: Backend, family: &str, case: &str) {
    let (task, labels) = families::task_of(case).unwrap();
    let mut bench = Bench::new(backend, &format!("families/{family}"), case, task, labels);
    families::prepare(&mut bench);
    let (output, head) = families::objective(task);
    let exact = matches!(bench.backend, Backend::Cpu(_));
    let expected = exact.then(|| block_on(bench.train(output, adamw(1e-2, 1e-2), 3, head)));
    bench.checkpointing = true;
    let found = block_on(bench.train(output, adamw(1e-2, 1e-2), 3, head));
    let what = format!("{device} {family}/{case}");
    match expected {
        Some(expected) => {
            for ((loss, _, parameters), (expected_loss, _, expected)) in found.iter().zip(&expected) {
                assert_eq!((loss, parameters), (expected_loss, expected), "{what}");
            }
        }
        None => {
            let losses: Vec<f32> = found.iter().map(|(loss, ..)| *loss).collect();
            assert_close(&format!("{what} losses"), &losses, &bench.golden["losses"].data, golden::TOLERANCE);
            let (_, layout, parameters) = &found[2];
            compare(&format!("{what} after three steps"), layout, parameters, &bench.golden, "step3.", task);
        }
    }
}

fn check(family: &str) {
    for case in families::one_of_each_task(family) {
        devices().into_iter().for_each(|(device, backend)| check_case(device, backend, family, &case));
    }
}

each_family! { check: bert roberta xlm_roberta distilbert mpnet gpt2 llama mistral qwen2 qwen3 gemma3_text t5 t5_gated mt5 }

#[test]
fn ranked_choices_and_adafactor() {
    for (task, family) in [(TaskType::CausalLm, "llama"), (TaskType::Seq2SeqLm, "t5-gated")] {
        for (device, backend) in devices() {
            let case = format!("../../rank/{family}-ragged");
            let mut bench = Bench::new(backend, &format!("families/{family}"), &case, task, 0);
            let choices = rank::prepare(&mut bench, usize::MAX);
            let exact = matches!(bench.backend, Backend::Cpu(_));
            let before = exact.then(|| block_on(rank::paper_steps(&mut bench, choices)));
            bench.checkpointing = true;
            let found = block_on(rank::paper_steps(&mut bench, choices));
            rank::compare_paper_steps(&format!("{device} {family}"), &bench, &found);
            if let Some(expected) = before {
                let parts = |steps: Vec<(f32, Layout, Vec<f32>)>| -> Vec<_> {
                    steps.into_iter().map(|(loss, _, parameters)| (loss, parameters)).collect()
                };
                assert_eq!(parts(found), parts(expected), "{device} {family}");
            }
        }
    }
}

/// A model of `layers` layers of 96 columns.
fn plans(model_type: &str, task: TaskType, output: Output, layers: usize) -> [Plan; 2] {
    let config = serde_json::json!({
        "model_type": model_type, "hidden_size": 96, "num_hidden_layers": layers, "num_attention_heads": 4,
        "intermediate_size": 256, "vocab_size": 100, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
        "d_model": 96, "num_layers": layers, "num_heads": 4, "d_kv": 24, "d_ff": 256,
    });
    let model = Model::from_json(&serde_json::to_vec(&config).unwrap(), task).unwrap();
    let base = model.base(["a", "b", "c"].map(String::from).to_vec()).unwrap();
    let places = base.settle(&mut AdapterConfig::usual(model_type)).unwrap();
    let layout = Layout::new(&base.sites, &places, &base.head_sizes());
    let shape = BatchShape::new(4, 32);
    [false, true].map(|checkpointing| training_plan(&model, shape, &layout, output, checkpointing).unwrap())
}

/// What a layer adds is what it began with, `(4 32, 96)`, for the two stacks of T5 twice, and its vectors' gradients.
#[test]
fn a_layer_more_holds_one_value_more() {
    for (model_type, task, stacks) in
        [("bert", TaskType::SeqCls, 1), ("llama", TaskType::CausalLm, 1), ("t5", TaskType::Seq2SeqLm, 2)]
    {
        let slots = |layers| plans(model_type, task, Output::CrossEntropy, layers)[1].slots.iter().sum::<usize>();
        assert_eq!(slots(9) - slots(8), stacks * 4 * 32 * 96, "{model_type}");
    }
}

/// Every block but the last is computed twice, without what its backward pass does not read: no step is done a third time.
#[test]
fn no_step_is_done_more_than_twice() {
    for (model_type, task, output) in [
        ("bert", TaskType::FeatureExtraction, Output::Contrastive(PairLossKind::Cosine)),
        ("llama", TaskType::CausalLm, Output::CrossEntropy),
        ("t5", TaskType::Seq2SeqLm, Output::CrossEntropy),
    ] {
        let [plain, checkpointed] = plans(model_type, task, output, 4);
        let again = checkpointed.steps.len() - plain.steps.len();
        assert!(again > 0 && again < plain.steps.len() / 2, "{model_type}: {again} of {}", plain.steps.len());
        assert!(checkpointed.bytes() * 2 < plain.bytes(), "{model_type}");
    }
}
