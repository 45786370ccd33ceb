//! AdamW with global-norm clipping over one flat buffer: the settings of a step, the CPU twin and the kernels.

use super::optimizer::{clip, norm_parts};
use crate::kernel::Kernel;

/// Settings of one optimiser step. Formulas as `torch.optim.AdamW` and `torch.nn.utils.clip_grad_norm_`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Which step this is, from 1: for the bias correction.
    pub step: usize,
    /// Learning rate of the IA3 vectors.
    pub learning_rate: f32,
    /// Learning rate of the head.
    pub head_learning_rate: f32,
    /// First parameter that belongs to the head.
    pub head_start: usize,
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
        for i in 0..parameters.len() {
            let rate = if i < self.head_start { self.learning_rate } else { self.head_learning_rate };
            let g = gradient[i] * clip;
            first[i] += (1.0 - self.beta1) * (g - first[i]);
            second[i] = self.beta2 * second[i] + (1.0 - self.beta2) * g * g;
            let denominator = second[i].sqrt() / correction2 + self.eps;
            parameters[i] *= 1.0 - rate * self.weight_decay;
            parameters[i] -= rate / correction1 * first[i] / denominator;
        }
    }

    /// The kernel for `count` parameters, with the bindings of [`super::Optimizer::kernel`].
    pub fn kernel(count: usize) -> Kernel {
        let sizes = [("count", count), ("parts", norm_parts(count))];
        Kernel::new(include_str!("adamw.wgsl"), 2, &sizes, [norm_parts(count) as u32, 1, 1])
    }

    /// The settings as the kernel's `Settings` lays them out.
    pub fn packed(&self) -> [u32; 10] {
        let (correction1, correction2) = self.corrections();
        let floats = [
            self.learning_rate,
            self.head_learning_rate,
            self.weight_decay,
            self.beta1,
            self.beta2,
            self.eps,
            self.max_grad_norm,
            correction1,
            correction2,
        ];
        std::array::from_fn(|at| if at == 0 { self.head_start as u32 } else { floats[at - 1].to_bits() })
    }

    /// `1 - beta1^step` and `sqrt(1 - beta2^step)`.
    fn corrections(&self) -> (f32, f32) {
        let step = self.step as i32;
        (1.0 - self.beta1.powi(step), (1.0 - self.beta2.powi(step)).sqrt())
    }
}
