//! What the CPU twins share: reading tensors as slices, making tensors of vectors, and fast elementary functions.

use crate::error::{Error, Result};
use candle_core::{CpuStorage, Device, Storage, Tensor};

/// Calls `f` with the elements of contiguous f32 tensors.
pub fn with_floats<T>(tensors: &[&Tensor], f: impl FnOnce(&[&[f32]]) -> Result<T>) -> Result<T> {
    let guards: Vec<_> = tensors.iter().map(|tensor| tensor.storage_and_layout()).collect();
    let mut slices = Vec::with_capacity(guards.len());
    for (storage, layout) in &guards {
        let Storage::Cpu(CpuStorage::F32(data)) = &**storage else {
            return Err(Error::Backend { reason: "a CPU twin was given a tensor that is not f32".into() });
        };
        assert!(layout.is_contiguous(), "a CPU twin was given a strided tensor");
        let start = layout.start_offset();
        slices.push(&data[start..start + layout.shape().elem_count()]);
    }
    f(&slices)
}

/// The elements of a u32 tensor.
pub fn integers(tensor: &Tensor) -> Result<Vec<u32>> {
    Ok(tensor.flatten_all()?.to_vec1::<u32>()?)
}

/// A tensor that takes over a vector.
pub fn tensor(data: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::from_vec(data, shape, &Device::Cpu)?)
}

/// Below this e^x counts as 0: so little changes no sum of ordinary numbers, but its products may be subnormal, with which some processors are a
/// hundred times slower, and WebAssembly cannot have them flushed. Padding, whose scores are far below, would make a training step ten times
/// as long.
const LEAST_EXPONENT: f32 = -64.0;

/// e^x, relative error below 2e-7, or 0 below 2e-28; without branches, so that the compiler can vectorise it.
/// Range reduction and polynomial as in Cephes' `expf`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let counts = f32::from(x >= LEAST_EXPONENT);
    let x = x.clamp(LEAST_EXPONENT, 88.0);
    // Adding and taking away 1.5 * 2^23 rounds to the nearest integer without a call.
    const ROUND: f32 = 12_582_912.0;
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_6e-1;
    let p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    y * counts * f32::from_bits((n as i32 + 127).cast_unsigned() << 23)
}

/// The error function, absolute error below 3e-7: Abramowitz and Stegun 7.1.26.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152_1;
    let p = p * t + 1.421_413_8;
    let p = p * t - 0.284_496_72;
    let p = p * t + 0.254_829_6;
    (1.0 - p * t * exp(-a * a)).copysign(x)
}

/// tanh through the exponential.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let e = exp(-2.0 * x.abs());
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

/// Splits the rows of an activation over the batch rows they belong to: `(rows per slot, table row of each slot)`.
pub fn slots(tensor: &Tensor, rows: usize) -> Result<(usize, Vec<usize>)> {
    let slots: Vec<usize> = integers(tensor)?.into_iter().map(|slot| slot as usize).collect();
    Ok((rows / slots.len(), slots))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference_erf(x: f64) -> f64 {
        // Simpson's rule on the defining integral.
        let n = 2000;
        let h = x / n as f64;
        let f = |i: usize| (-(i as f64 * h).powi(2)).exp();
        let inner: f64 = (1..n).map(|i| f(i) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
        2.0 / std::f64::consts::PI.sqrt() * h / 3.0 * (f(0) + inner + f(n))
    }

    #[test]
    fn elementary_functions_are_accurate() {
        for i in -3000..=3000 {
            let x = i as f32 * 0.01;
            assert!((exp(x) - x.exp()).abs() <= 4e-7 * x.exp(), "exp {x}");
            assert!((tanh(x) - x.tanh()).abs() <= 4e-7, "tanh {x}");
        }
        for (x, y) in [(-63.9_f32, (-63.9_f32).exp()), (-64.1, 0.0), (-1e30, 0.0), (f32::NEG_INFINITY, 0.0), (0.0, 1.0)]
        {
            assert!((exp(x) - y).abs() <= 4e-7 * y, "exp {x}");
        }
        assert!(exp(f32::NAN).is_nan());
        for i in -60..=60 {
            let x = i as f32 * 0.1;
            assert!((f64::from(erf(x)) - reference_erf(f64::from(x))).abs() <= 4e-7, "erf {x}");
        }
    }
}
