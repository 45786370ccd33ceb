//! AdamW with global-norm clipping over one flat buffer: the settings of a step and the CPU twin of the kernel.

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
    /// Global norm of a gradient.
    pub fn norm(gradient: &[f32]) -> f32 {
        gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt() as f32
    }

    /// The CPU twin of `adamw.wgsl`: one step over parameters and moments `(P)`, with the gradient `(P)`.
    pub fn update(&self, parameters: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], norm: f32) {
        let clip = if self.max_grad_norm > 0.0 { (self.max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let correction1 = 1.0 - self.beta1.powi(self.step as i32);
        let correction2 = (1.0 - self.beta2.powi(self.step as i32)).sqrt();
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
}
