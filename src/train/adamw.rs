//! AdamW with global-norm clipping over one flat buffer: the settings of a step, the CPU twin and the kernels.

use super::optimizer::{clip, norm_parts};
use super::segment::Segment;
use crate::kernel::Kernel;

/// Settings of one optimiser step. Formulas as `torch.optim.AdamW` and `torch.nn.utils.clip_grad_norm_`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdamW {
    /// Which step this is, from 1: for the bias correction.
    pub step: usize,
    /// The tensors with their learning rates: parameter groups of torch. Together they are all parameters.
    pub segments: Vec<Segment>,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Largest global gradient norm; 0 clips nothing.
    pub max_grad_norm: f32,
}

impl AdamW {
    /// The CPU twin of `adamw.wgsl`: one step over parameters and moments `(P)`, with the gradient `(P)`.
    pub fn update(&self, parameters: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], norm: f32) {
        let clip = clip(self.max_grad_norm, norm);
        let (correction1, correction2) = self.corrections();
        for segment in &self.segments {
            let rate = segment.learning_rate;
            for i in segment.range() {
                let g = gradient[i] * clip;
                first[i] += (1.0 - self.beta1) * (g - first[i]);
                second[i] = self.beta2 * second[i] + (1.0 - self.beta2) * g * g;
                let denominator = second[i].sqrt() / correction2 + self.eps;
                parameters[i] *= 1.0 - rate * self.weight_decay;
                parameters[i] -= rate / correction1 * first[i] / denominator;
            }
        }
    }

    /// The kernel for `count` parameters, with the bindings of [`super::Optimizer::kernel`].
    pub fn kernel(&self, count: usize) -> Kernel {
        let sizes = [("count", count), ("parts", norm_parts(count)), ("segments", self.segments.len())];
        Kernel::new(include_str!("adamw.wgsl"), 2, &sizes, [norm_parts(count) as u32, 1, 1])
    }

    /// The settings as the kernel's `Settings` lays them out.
    pub fn packed(&self) -> Vec<u32> {
        let (correction1, correction2) = self.corrections();
        let AdamW { weight_decay, beta1, beta2, eps, max_grad_norm, .. } = *self;
        let floats = [weight_decay, beta1, beta2, eps, max_grad_norm, correction1, correction2];
        floats.map(f32::to_bits).into_iter().chain(self.segments.iter().flat_map(Segment::packed)).collect()
    }

    /// `1 - beta1^step` and `sqrt(1 - beta2^step)`.
    fn corrections(&self) -> (f32, f32) {
        let step = self.step as i32;
        (1.0 - self.beta1.powi(step), (1.0 - self.beta2.powi(step)).sqrt())
    }
}
