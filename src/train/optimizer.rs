//! One step of an optimiser over the flat buffer: which one, with which settings, on either device.

use super::adafactor::Adafactor;
use super::adamw::AdamW;
use crate::kernel::{Kernel, elementwise};

/// Settings of one optimiser step.
#[derive(Debug, Clone, PartialEq)]
pub enum Optimizer {
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Adafactor without first moment.
    Adafactor(Adafactor),
}

impl From<AdamW> for Optimizer {
    fn from(settings: AdamW) -> Optimizer {
        Optimizer::AdamW(settings)
    }
}

impl From<Adafactor> for Optimizer {
    fn from(settings: Adafactor) -> Optimizer {
        Optimizer::Adafactor(settings)
    }
}

impl Optimizer {
    /// Which step this is, from 1.
    pub fn step(&self) -> usize {
        match self {
            Optimizer::AdamW(settings) => settings.step,
            Optimizer::Adafactor(settings) => settings.step,
        }
    }

    /// Global norm of a gradient.
    pub fn norm(gradient: &[f32]) -> f32 {
        gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt() as f32
    }

    /// The CPU twin of the kernel: one step over parameters and moments `(P)`, with the gradient `(P)` and its norm.
    pub fn update(&self, parameters: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], norm: f32) {
        match self {
            Optimizer::AdamW(settings) => settings.update(parameters, first, second, gradient, norm),
            Optimizer::Adafactor(settings) => settings.update(parameters, first, second, gradient, norm),
        }
    }

    /// The kernel that sums the squares of a gradient of `count` elements. Bindings: gradient and then loss `(count + 1)` and, to write,
    /// [`Optimizer::result_len`] numbers, of which it leaves the first two.
    pub fn norm_kernel(count: usize) -> Kernel {
        let parts = norm_parts(count);
        let sizes = [("count", count), ("parts", parts)];
        Kernel::new(include_str!("gradient_norm.wgsl"), 1, &sizes, [parts as u32, 1, 1])
    }

    /// Loss and norm of a gradient of `count` elements, and what the norm is made of.
    pub fn result_len(count: usize) -> usize {
        2 + norm_parts(count)
    }

    /// The kernel for `count` parameters, which follows that of the norm. Bindings: gradient and then loss `(count + 1)`,
    /// [`Optimizer::packed`], then, to write, parameters, first and second moments `(count)` and what [`Optimizer::norm_kernel`] wrote, with
    /// loss and norm before it.
    pub fn kernel(&self, count: usize) -> Kernel {
        match self {
            Optimizer::AdamW(settings) => settings.kernel(count),
            Optimizer::Adafactor(settings) => settings.kernel(count),
        }
    }

    /// The settings as the kernel lays them out: as many numbers for every step of a run.
    pub fn packed(&self) -> Vec<u32> {
        match self {
            Optimizer::AdamW(settings) => settings.packed(),
            Optimizer::Adafactor(settings) => settings.packed(),
        }
    }

    /// The kernel that adds the gradient of a micro-batch to the sum. Bindings: gradient and, to write, sum, `(count)` both.
    pub fn accumulate_kernel(count: usize) -> Kernel {
        Kernel::new(include_str!("accumulate.wgsl"), 1, &[("count", count)], elementwise(count))
    }
}

/// Workgroups that share the elements of a gradient: one reads the sums of all, so there are no more than a small GPU keeps busy.
pub(super) fn norm_parts(count: usize) -> usize {
    count.div_ceil(64).clamp(1, 64)
}

/// The factor that brings a gradient of this norm down to the largest allowed; 0 allows any. As `torch.nn.utils.clip_grad_norm_`.
pub(super) fn clip(max_grad_norm: f32, norm: f32) -> f32 {
    if max_grad_norm > 0.0 { (max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 }
}
