//! Goldens of real transformers + PEFT (`tests/fixtures/make.py`) against one device: logits, loss, every adapter gradient, AdamW steps.

use super::*;
use ia3_web::adapter::{Layout, TaskType};
use ia3_web::backend::{Backend, TrainState};
use ia3_web::models::Output;
use ia3_web::ops::PairLossKind;
use ia3_web::train::{AdamW, Optimizer, Rates, forward_plan, training_plan};

/// Relative to the largest element of each tensor.
pub const TOLERANCE: f32 = 1e-4;

pub const CASES: [&str; 9] =
    ["default", "paper", "regex", "exclude", "pairs", "padding", "all-linear-ff", "pooler-dense", "inverse"];

/// A fixture set up on a device.
pub struct Bench {
    pub backend: Backend,
    pub model: ia3_web::models::Model,
    pub base: ia3_web::adapter::Base,
    pub case: serde_json::Value,
    pub golden: Tensors,
    /// The batch, where the case has none of the usual form.
    pub batch: Option<(BatchShape, Inputs)>,
    /// Whether training computes activations again.
    pub checkpointing: bool,
}

impl Bench {
    pub fn new(mut backend: Backend, folder: &str, case: &str, task: impl Into<TaskType>, labels: usize) -> Bench {
        let (model, base) = model(folder, task, labels);
        load(&mut backend, &model, folder);
        let golden = tensors(&format!("{folder}/{case}/golden.safetensors"));
        let case = json(&format!("{folder}/{case}/case.json"));
        Bench { backend, model, base, case, golden, batch: None, checkpointing: false }
    }

    pub async fn forward(&mut self, output: Output) -> Vec<f32> {
        let adapter = adapter(&self.case, &self.golden, &self.base);
        let layout = Layout::union(&self.base.sites, &[&adapter]);
        let (shape, inputs) = batch(&self.case, &self.model);
        let plan = forward_plan(&self.model, shape, &layout, 1, output).unwrap();
        let mut program = self.backend.compile(plan).await.unwrap();
        self.backend.forward(&mut program, &inputs, &layout.pack(&adapter)).await.unwrap().remove(0)
    }

    /// Loss and parameters after each of `steps` AdamW steps, parameters as PEFT names them.
    pub async fn train(
        &mut self,
        output: Output,
        settings: impl Fn(usize, &Layout) -> AdamW,
        steps: usize,
        head: bool,
    ) -> Vec<(f32, Layout, Vec<f32>)> {
        self.train_with(output, |step, layout| settings(step, layout).into(), steps, head).await
    }

    /// The same with an optimiser told for each step and layout.
    pub async fn train_with(
        &mut self,
        output: Output,
        settings: impl Fn(usize, &Layout) -> Optimizer,
        steps: usize,
        head: bool,
    ) -> Vec<(f32, Layout, Vec<f32>)> {
        let mut adapter = adapter(&self.case, &self.golden, &self.base);
        if !head {
            adapter.head = None;
        }
        let layout = Layout::union(&self.base.sites, &[&adapter]);
        let (shape, inputs) = self.batch.clone().unwrap_or_else(|| batch(&self.case, &self.model));
        let plan = training_plan(&self.model, shape, &layout, output, self.checkpointing).unwrap();
        let parameters = layout.pack(&adapter);
        let zeros = vec![0.0; parameters.len()];
        let state = TrainState { parameters, first: zeros.clone(), second: zeros, step: 0 };
        let mut training = self.backend.begin_training(&state, &settings(1, &layout)).await.unwrap();
        let mut program = self.backend.compile_training(plan, &training).await.unwrap();
        let mut found = Vec::new();
        for step in 1..=steps {
            let settings = settings(step, &layout);
            let batches = [inputs.clone()];
            self.backend.train_step(&mut training, &mut program, &batches, &settings).await.unwrap();
            let result = self.backend.completed(&mut training, 0).await.unwrap().remove(0);
            found.push((result.loss, layout.clone(), result.state.parameters));
        }
        found
    }
}

pub fn adamw(learning_rate: f32, weight_decay: f32) -> impl Fn(usize, &Layout) -> AdamW {
    move |step, layout| {
        let segments = Rates { vectors: learning_rate, head: learning_rate, layers: &[] }.segments(layout);
        AdamW { step, segments, weight_decay, beta1: 0.9, beta2: 0.999, eps: 1e-8, max_grad_norm: 0.0 }
    }
}

/// With b1 = b2 = 0 and a huge eps, an AdamW step is `p - rate * g / eps`: the gradient can be read off the parameters.
fn gradient_probe() -> impl Fn(usize, &Layout) -> AdamW {
    |step, layout| AdamW { beta1: 0.0, beta2: 0.0, eps: 1e8, ..adamw(1e8, 0.0)(step, layout) }
}

/// Compares each part of a flat buffer with the golden tensors whose names begin with `prefix`.
pub fn compare(what: &str, layout: &Layout, flat: &[f32], golden: &Tensors, prefix: &str, task: TaskType) {
    for vector in &layout.vectors {
        let name = format!("{prefix}{}", peft_name(&vector.module, vector.place));
        let part = &flat[vector.offset..vector.offset + vector.len];
        assert_close(&format!("{what} {name}"), part, &golden[&name].data, TOLERANCE);
    }
    for layer in &layout.head {
        let weight = ("weight", layer.weight_offset, layer.out_features * layer.in_features);
        let bias = ("bias", layer.bias_offset, layer.out_features);
        for (kind, offset, len) in [Some(weight), layer.bias.then_some(bias)].into_iter().flatten() {
            if task == TaskType::QuestionAns && kind == "bias" {
                // No softmax over tokens sees it: its gradient is rounding alone, and AdamW makes whole steps of that.
                continue;
            }
            let name = format!("{prefix}{}", head_name(task, &layer.module, kind));
            assert_close(&format!("{what} {name}"), &flat[offset..offset + len], &golden[&name].data, TOLERANCE);
        }
    }
}

pub async fn gradients(bench: &mut Bench, output: Output, head: bool) -> (f32, Layout, Vec<f32>) {
    let adapter = adapter(&bench.case, &bench.golden, &bench.base);
    let (loss, layout, after) = bench.train(output, gradient_probe(), 1, head).await.remove(0);
    let before = layout.pack(&adapter);
    let gradient = before.iter().zip(&after).map(|(before, after)| before - after).collect();
    (loss, layout, gradient)
}

/// The logits of a case.
pub async fn logits(device: &str, backend: Backend, case: &str) {
    let mut bench = Bench::new(backend, "tiny-bert", case, TaskType::SeqCls, 3);
    let found = bench.forward(Output::Logits).await;
    assert_close(&format!("{device} {case}"), &found, &bench.golden["logits"].data, TOLERANCE);
}

/// The loss of a case and the gradient of every vector and of the head.
pub async fn loss_and_gradients(device: &str, backend: Backend, case: &str) {
    let mut bench = Bench::new(backend, "tiny-bert", case, TaskType::SeqCls, 3);
    let (loss, layout, gradient) = gradients(&mut bench, Output::CrossEntropy, true).await;
    assert_close(&format!("{device} {case} loss"), &[loss], &bench.golden["loss"].data, TOLERANCE);
    compare(&format!("{device} {case}"), &layout, &gradient, &bench.golden, "grad.", bench.base.task);
}

/// Losses and parameters of three AdamW steps.
pub async fn three_adamw_steps(device: &str, backend: Backend, case: &str) {
    let mut bench = Bench::new(backend, "tiny-bert", case, TaskType::SeqCls, 3);
    let steps = bench.train(Output::CrossEntropy, adamw(1e-2, 1e-2), 3, true).await;
    let losses: Vec<f32> = steps.iter().map(|(loss, ..)| *loss).collect();
    assert_close(&format!("{device} {case} losses"), &losses, &bench.golden["losses"].data, TOLERANCE);
    let (_, layout, parameters) = &steps[2];
    compare(&format!("{device} {case}"), layout, parameters, &bench.golden, "step3.", bench.base.task);
}

/// Embeddings, logits, loss and gradients with mean pooling.
pub async fn mean_pooling(device: &str, backend: Backend) {
    let mut bench = Bench::new(backend, "tiny-bert-mean", "default", TaskType::FeatureExtraction, 3);
    let embeddings = bench.forward(Output::Embedding).await;
    assert_close(device, &embeddings, &bench.golden["embeddings"].data, TOLERANCE);
    let logits = bench.forward(Output::Logits).await;
    assert_close(device, &logits, &bench.golden["logits"].data, TOLERANCE);
    let (loss, layout, gradient) = gradients(&mut bench, Output::CrossEntropy, true).await;
    assert_close(device, &[loss], &bench.golden["loss"].data, TOLERANCE);
    compare(device, &layout, &gradient, &bench.golden, "grad.", bench.base.task);
}

/// Both contrastive losses by their names in the golden file.
pub const CONTRASTIVE: [(&str, PairLossKind); 2] = [
    ("cosine_mse", PairLossKind::Cosine),
    ("supervised_contrastive", PairLossKind::SupervisedContrastive { temperature: 0.1 }),
];

/// One of [`CONTRASTIVE`] and its gradient.
pub async fn contrastive(device: &str, backend: Backend, (name, kind): (&str, PairLossKind)) {
    let mut bench = Bench::new(backend, "tiny-bert-mean", "default", TaskType::FeatureExtraction, 3);
    let (loss, layout, gradient) = gradients(&mut bench, Output::Contrastive(kind), false).await;
    let what = format!("{device} {name}");
    assert_close(&what, &[loss], &bench.golden[&format!("{name}.loss")].data, TOLERANCE);
    compare(&what, &layout, &gradient, &bench.golden, &format!("{name}.grad."), bench.base.task);
}
