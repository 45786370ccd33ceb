//! Adafactor (Shazeer and Stern 2018) without first moment and relative steps: the settings of a step, the CPU twin and the kernel.

use super::optimizer::{clip, norm_parts};
use super::segment::Segment;
use crate::kernel::Kernel;

/// Settings of one optimiser step. Formulas as transformers' `Adafactor` with `relative_step=False`, `scale_parameter=True`,
/// `warmup_init=False` and `beta1=None`, which is what T-Few trains with (arXiv 2205.05638).
///
/// Of a matrix only the means of the squared gradient over each row and each column are remembered: those of rows from its offset on in the
/// buffer of first moments, those of columns in that of second moments. For a vector the latter is the second moment itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Adafactor {
    /// Which step this is, from 1: for the decay.
    pub step: usize,
    /// The tensors, which have an update of their own each. Their learning rates are scaled by the root mean square of the tensor.
    pub segments: Vec<Segment>,
    /// Added to squared gradients.
    pub eps: f32,
    /// The least root mean square that scales a learning rate.
    pub least_scale: f32,
    /// Largest root mean square of a tensor's update before the learning rate.
    pub clip_threshold: f32,
    /// The second moment decays by `1 - step^decay_rate`.
    pub decay_rate: f32,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Largest global gradient norm; 0 clips nothing.
    pub max_grad_norm: f32,
}

/// transformers' defaults, over no tensors.
impl Default for Adafactor {
    fn default() -> Adafactor {
        Adafactor {
            step: 1,
            segments: Vec::new(),
            eps: 1e-30,
            least_scale: 1e-3,
            clip_threshold: 1.0,
            decay_rate: -0.8,
            weight_decay: 0.0,
            max_grad_norm: 0.0,
        }
    }
}

impl Adafactor {
    /// The CPU twin of `adafactor.wgsl`: one step over parameters and moments `(P)`, with the gradient `(P)`.
    pub fn update(&self, parameters: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32], norm: f32) {
        let clip = clip(self.max_grad_norm, norm);
        for segment in &self.segments {
            let range = segment.range();
            let gradient: Vec<f32> = gradient[range.clone()].iter().map(|g| g * clip).collect();
            let rows = &mut first[segment.offset..][..segment.rows];
            let columns = &mut second[segment.offset..][..segment.columns];
            let update = self.direction(segment, rows, columns, &gradient);
            let parameters = &mut parameters[range];
            let rate = segment.learning_rate * rms(parameters).max(self.least_scale);
            let size = (rms(&update) / self.clip_threshold).max(1.0);
            for (p, u) in parameters.iter_mut().zip(update) {
                *p = *p * (1.0 - rate * self.weight_decay) - rate / size * u;
            }
        }
    }

    /// Takes a gradient into the moments and divides it by the root of what they say of its squares.
    fn direction(&self, segment: &Segment, rows: &mut [f32], columns: &mut [f32], gradient: &[f32]) -> Vec<f32> {
        let (decay, width) = (self.decay(), segment.columns);
        let square = |at: usize| gradient[at] * gradient[at] + self.eps;
        if segment.rows > 1 {
            for (row, moment) in rows.iter_mut().enumerate() {
                let mean = (0..width).map(|column| square(row * width + column)).sum::<f32>() / width as f32;
                *moment = decay * *moment + (1.0 - decay) * mean;
            }
        }
        for (column, moment) in columns.iter_mut().enumerate() {
            let mean = (0..segment.rows).map(|row| square(row * width + column)).sum::<f32>() / segment.rows as f32;
            *moment = decay * *moment + (1.0 - decay) * mean;
        }
        let mean = rows.iter().sum::<f32>() / rows.len() as f32;
        let of_row = |row: usize| if segment.rows > 1 { (rows[row] / mean).sqrt() } else { 1.0 };
        let scaled = |(at, g): (usize, &f32)| g / columns[at % width].sqrt() / of_row(at / width);
        gradient.iter().enumerate().map(scaled).collect()
    }

    fn decay(&self) -> f32 {
        1.0 - (self.step as f32).powf(self.decay_rate)
    }

    /// The kernel for `count` parameters, with the bindings of [`super::Optimizer::kernel`].
    pub fn kernel(&self, count: usize) -> Kernel {
        let sizes = [("count", count), ("parts", norm_parts(count))];
        Kernel::new(include_str!("adafactor.wgsl"), 2, &sizes, [self.segments.len() as u32, 1, 1])
    }

    /// The settings as the kernel's `Settings` lays them out.
    pub fn packed(&self) -> Vec<u32> {
        let Adafactor { eps, least_scale, clip_threshold, weight_decay, max_grad_norm, .. } = *self;
        let floats = [self.decay(), eps, least_scale, clip_threshold, weight_decay, max_grad_norm];
        floats.map(f32::to_bits).into_iter().chain(self.segments.iter().flat_map(Segment::packed)).collect()
    }
}

fn rms(x: &[f32]) -> f32 {
    (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adafactor(segments: &[Segment], step: usize) -> Adafactor {
        Adafactor { step, segments: segments.to_vec(), ..Adafactor::default() }
    }

    /// The first step goes as far for every element of a vector: the decay is 0, so each gradient is divided by itself.
    #[test]
    fn a_first_step_is_the_learning_rate_times_the_size_of_the_vector() {
        let segment = Segment { offset: 1, rows: 1, columns: 2, learning_rate: 0.1 };
        let (mut parameters, mut first, mut second) = ([9.0, 2.0, 2.0], [0.0; 3], [0.0; 3]);
        adafactor(&[segment], 1).update(&mut parameters, &mut first, &mut second, &[5.0, -3.0, 1e-4], 1.0);
        let close = |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        parameters.iter().zip([9.0, 2.2, 1.8]).for_each(|(found, expected)| close(*found, expected));
        close(second[1], 9.0);
    }

    /// A matrix (2, 3) after each of two steps at 0.1, worked out in double precision from transformers' formulas.
    #[test]
    fn a_matrix_remembers_its_rows_and_columns() {
        let segment = Segment { offset: 0, rows: 2, columns: 3, learning_rate: 0.1 };
        let mut parameters = [1.0_f32, -0.5, 0.25, 2.0, 0.0, -1.0];
        let (mut first, mut second) = ([0.0; 6], [0.0; 6]);
        let gradients = [[0.1, -0.2, 0.3, 0.5, 0.05, -0.4], [-0.3, 0.1, 0.2, 0.05, 0.6, 0.1]];
        let expected = [
            [0.964_282_8, -0.323_315_2, 0.140_726_5, 1.895_960_3, -0.025_733, -0.915_119_9],
            [1.102_142_9, -0.362_044_6, 0.039_539_8, 1.882_185_6, -0.165_044_7, -0.945_451_1],
        ];
        for (at, (gradient, expected)) in gradients.iter().zip(expected).enumerate() {
            adafactor(&[segment], at + 1).update(&mut parameters, &mut first, &mut second, gradient, 1.0);
            for (found, expected) in parameters.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{parameters:?}");
            }
        }
    }
}
