//! One value for each attention head: a run takes the steps that the values themselves would take, each used for all of its channels.

use crate::support::random::Random;
use crate::support::{assert_close, devices, load_tensors, run::gradient};
use crate::tiny::{self, SHAPE};
use ia3_web::adapter::{Adapter, AdapterConfig, Fresh, Layout, TaskType};
use ia3_web::backend::{Backend, Inputs, TrainState};
use ia3_web::models::{Model, Output};
use ia3_web::train::{Adafactor, AdamW, Batch, Optimizer, Rates, Target, training_plan};
use pollster::block_on;

const STEPS: usize = 4;
const TOLERANCE: f32 = 1e-4;

fn adamw(step: usize, layout: &Layout) -> Optimizer {
    let segments = Rates { vectors: 2e-2, head: 1e-2, layers: &[] }.segments(layout);
    // Every gradient here is larger, so that the norm decides each step: it counts a head once and not once a channel.
    let max_grad_norm = 1e-2;
    AdamW { step, segments, weight_decay: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-3, max_grad_norm }.into()
}

fn adafactor(step: usize, layout: &Layout) -> Optimizer {
    let segments = Rates { vectors: 2e-2, head: 1e-2, layers: &[] }.segments(layout);
    Adafactor { step, segments, ..Adafactor::default() }.into()
}

/// The run's own parameters after some steps.
fn trained(
    backend: &mut Backend,
    (model, layout, adapter): (&Model, &Layout, &Adapter),
    batch: &[Inputs],
    settings: fn(usize, &Layout) -> Optimizer,
) -> Vec<f32> {
    let parameters = layout.pack(adapter);
    let zeros = vec![0.0; parameters.len()];
    let state = TrainState { parameters, first: zeros.clone(), second: zeros, step: 0 };
    let plan = training_plan(model, SHAPE, layout, Output::CrossEntropy).unwrap();
    let mut training = block_on(backend.begin_training(&state, &settings(1, layout))).unwrap();
    let mut program = block_on(backend.compile_training(plan, &training)).unwrap();
    for step in 1..=STEPS {
        block_on(backend.train_step(&mut training, &mut program, batch, &settings(step, layout))).unwrap();
    }
    block_on(backend.completed(&mut training, 0)).unwrap().pop().unwrap().state.parameters
}

/// The same from gradients of every channel, added up for each head.
fn expected(
    backend: &mut Backend,
    (model, layout, adapter): (&Model, &Layout, &Adapter),
    batch: &[Inputs],
    settings: fn(usize, &Layout) -> Optimizer,
) -> Vec<f32> {
    let mut adapter = Adapter { per_head: false, ..adapter.clone() };
    let channels = Layout::union(&model.sites().unwrap(), &[&adapter]);
    let mut parameters = layout.pack(&adapter);
    let (mut first, mut second) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
    for step in 1..=STEPS {
        layout.unpack(&parameters, &mut adapter);
        let plan = training_plan(model, SHAPE, &channels, Output::CrossEntropy).unwrap();
        let (_, found) = gradient(backend, plan, &channels.pack(&adapter), batch);
        let mut folded = Vec::new();
        for (heads, channels) in layout.vectors.iter().zip(&channels.vectors) {
            let found = &found[channels.offset..][..channels.elements()];
            folded.extend(found.chunks(heads.repeat).map(|head| head.iter().sum::<f32>()));
        }
        folded.extend(&found[channels.head_start()..]);
        let norm = Optimizer::norm(&folded);
        settings(step, layout).update(&mut parameters, &mut first, &mut second, &folded, norm);
    }
    parameters
}

#[test]
fn a_run_takes_the_steps_of_the_values_themselves() {
    let random = &mut Random::new(9);
    let model = tiny::model(TaskType::SeqCls);
    let weights = tiny::weights(&model, random);
    let texts = tiny::texts(random);
    let targets = [0, 1, 2, 0, 1, 1].map(Target::Class);
    let (rows, targets) = (texts.iter().collect(), targets.iter().collect());
    let batch = Batch { rows, targets, weight: 1.0 / SHAPE.batch as f32, ..Batch::default() };
    let batch = [batch.inputs(SHAPE, model.common().padding)];
    let fresh = Fresh { per_head: true, ..Fresh::default() };
    let adapter = tiny::adapter(&model, AdapterConfig::default(), fresh, random);
    let layout = Layout::union(&model.sites().unwrap(), &[&adapter]);
    // Keys and values of both layers have a value a head, attention and feed-forward inputs one a channel.
    assert_eq!(layout.head_start(), 2 * (2 * tiny::HEADS + tiny::HIDDEN + 36));
    for settings in [adamw, adafactor] {
        for (device, mut backend) in devices() {
            load_tensors(&mut backend, &model, &weights);
            let told = (&model, &layout, &adapter);
            let (found, expected) =
                (trained(&mut backend, told, &batch, settings), expected(&mut backend, told, &batch, settings));
            assert_close(device, &found, &expected, TOLERANCE);
            assert!(
                crate::support::relative_error(&found, &layout.pack(&adapter)) > 1e-3,
                "{device}: nothing was learned"
            );
        }
    }
}
