//! The optimisers' kernels against their twins: steps over a head of many more parameters than one workgroup takes, and over one that it does.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use ia3_web::autodiff::gradients;
use ia3_web::backend::{Data, Inputs, StepResult, TrainState};
use ia3_web::graph::{Dtype, Graph, Leaf};
use ia3_web::ops::{CrossEntropy, Head};
use ia3_web::plan::Plan;
use ia3_web::train::{Adafactor, AdamW, Optimizer, Segment};
use pollster::block_on;
use support::random::Random;
use support::{assert_close, devices};

/// Relative to the largest element.
const TOLERANCE: f32 = 1e-4;
const BATCH: usize = 9;

/// The loss of a head alone, which lies behind three parameters that nothing reads.
fn plan(hidden: usize, labels: usize, parameters: usize) -> Plan {
    let mut graph = Graph::default();
    let x = graph.leaf(Leaf::Batch("x"), vec![BATCH, hidden], Dtype::F32);
    let slots = graph.leaf(Leaf::Batch("slots"), vec![BATCH], Dtype::U32);
    let classes = graph.leaf(Leaf::Batch("labels"), vec![BATCH], Dtype::U32);
    let weights = graph.leaf(Leaf::Batch("weights"), vec![BATCH], Dtype::F32);
    let table = graph.leaf(Leaf::Table, vec![1, parameters], Dtype::F32);
    let logits = graph.one(Head { offset: 3, labels, bias: true }, &[x, table, slots]).unwrap();
    let loss = graph.one(CrossEntropy, &[logits, classes, weights]).unwrap();
    let parts = gradients(&mut graph, loss).unwrap();
    Plan::training(&graph, loss, &parts, parameters)
}

fn batch(hidden: usize, labels: usize, random: &mut Random) -> Inputs {
    vec![
        ("x", Data::F32(random.floats(BATCH * hidden, 0.0, 1.0))),
        ("slots", Data::U32(vec![0; BATCH])),
        ("labels", Data::U32((0..BATCH).map(|row| (row * 7 % labels) as u32).collect())),
        ("weights", Data::F32(vec![1.0 / BATCH as f32; BATCH])),
    ]
}

/// Five steps of two micro-batches on each device.
fn check(what: &str, hidden: usize, labels: usize, optimizer: impl Fn(usize) -> Optimizer) {
    let count = 3 + labels * (hidden + 1);
    let random = &mut Random::new(11);
    let state = TrainState {
        parameters: random.floats(count, 0.0, 0.3),
        first: vec![0.0; count],
        second: vec![0.0; count],
        step: 0,
    };
    let batches = [batch(hidden, labels, random), batch(hidden, labels, random)];
    let run = |(_, mut backend): (&str, ia3_web::backend::Backend)| -> Vec<StepResult> {
        let mut training = block_on(backend.begin_training(&state, &optimizer(1))).unwrap();
        let mut program = block_on(backend.compile_training(plan(hidden, labels, count), &training)).unwrap();
        for step in 1..=5 {
            block_on(backend.train_step(&mut training, &mut program, &batches, &optimizer(step))).unwrap();
        }
        block_on(backend.completed(&mut training, 0)).unwrap()
    };
    let [twin, kernel]: [Vec<StepResult>; 2] = devices().into_iter().map(run).collect::<Vec<_>>().try_into().unwrap();
    for (found, expected) in kernel.iter().zip(&twin) {
        let what = format!("{what} {hidden} x {labels}, step {}", expected.step);
        assert_close(&what, &[found.loss, found.grad_norm], &[expected.loss, expected.grad_norm], TOLERANCE);
        assert_close(&what, &found.state.parameters, &expected.state.parameters, TOLERANCE);
        assert_close(&what, &found.state.first, &expected.state.first, TOLERANCE);
        assert_close(&what, &found.state.second, &expected.state.second, TOLERANCE);
    }
    assert_eq!(kernel.len(), 5);
    assert_ne!(twin[4].state.parameters, state.parameters, "{what}: nothing was learned");
}

/// Hidden size and labels.
const HEADS: [(usize, usize); 3] = [(5, 2), (67, 61), (768, 70)];

/// Vectors, weight and bias.
fn segments(hidden: usize, labels: usize) -> Vec<Segment> {
    let vectors = Segment { offset: 0, rows: 1, columns: 3, learning_rate: 1e-2 };
    let weight = Segment { offset: 3, rows: labels, columns: hidden, learning_rate: 1e-2 };
    let bias = Segment { offset: 3 + labels * hidden, rows: 1, columns: labels, learning_rate: 3e-2 };
    vec![vectors, weight, bias]
}

#[test]
fn adamw() {
    for (hidden, labels) in HEADS {
        check("AdamW", hidden, labels, |step| {
            Optimizer::AdamW(AdamW {
                step,
                segments: segments(hidden, labels),
                weight_decay: 1e-2,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-4,
                max_grad_norm: 0.5,
            })
        });
    }
}

#[test]
fn adafactor() {
    for (hidden, labels) in HEADS {
        check("Adafactor", hidden, labels, |step| {
            let segments = segments(hidden, labels);
            Optimizer::Adafactor(Adafactor { step, segments, max_grad_norm: 0.5, ..Adafactor::default() })
        });
    }
}
