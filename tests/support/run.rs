//! Plans run once, on any device.

use super::Tensors;
use ia3_web::adapter::{Adapter, Base, Layout};
use ia3_web::backend::{Backend, Inputs, TrainState};
use ia3_web::models::{BatchShape, Model, Output};
use ia3_web::plan::Plan;
use ia3_web::train::{AdamW, Optimizer, Segment, forward_plan};
use pollster::block_on;

/// A forward pass of one adapter over a batch.
pub fn forward(
    backend: &mut Backend,
    model: &Model,
    base: &Base,
    adapter: &Adapter,
    (shape, inputs): &(BatchShape, Inputs),
    output: Output,
) -> Vec<f32> {
    let layout = Layout::union(&base.sites, &[adapter]);
    let plan = forward_plan(model, *shape, &layout, 1, output).unwrap();
    let mut program = block_on(backend.compile(plan)).unwrap();
    block_on(backend.forward(&mut program, inputs, &layout.pack(adapter))).unwrap().remove(0)
}

/// Loss and gradient of a training plan, summed over micro-batches. With beta1 = 0 an optimiser's first moments are the gradient.
pub fn gradient(backend: &mut Backend, plan: Plan, parameters: &[f32], batches: &[Inputs]) -> (f32, Vec<f32>) {
    let zeros = vec![0.0; parameters.len()];
    let state = TrainState { parameters: parameters.to_vec(), first: zeros.clone(), second: zeros, step: 0 };
    let settings = Optimizer::AdamW(AdamW {
        step: 1,
        segments: vec![Segment { offset: 0, rows: 1, columns: parameters.len(), learning_rate: 0.0 }],
        weight_decay: 0.0,
        beta1: 0.0,
        beta2: 0.999,
        eps: 1e-8,
        max_grad_norm: 0.0,
    });
    let mut training = block_on(backend.begin_training(&state, &settings)).unwrap();
    let mut program = block_on(backend.compile_training(plan, &training)).unwrap();
    block_on(backend.train_step(&mut training, &mut program, batches, &settings)).unwrap();
    let result = block_on(backend.completed(&mut training, 0)).unwrap().remove(0);
    (result.loss, result.state.first)
}

/// The vectors of a PEFT file by their names in it.
pub fn vectors(files: &std::collections::BTreeMap<String, Vec<u8>>) -> Tensors {
    ia3_web::checkpoint::safetensors::read_all(&files["adapter_model.safetensors"]).unwrap()
}
