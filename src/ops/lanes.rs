//! Four floats that are multiplied and added together: one SIMD register.
//!
//! In wasm this is `simd128`. Elsewhere it is an array, so that what is built on it is tested natively.

#[cfg(target_arch = "wasm32")]
pub use wasm::*;

#[cfg(not(target_arch = "wasm32"))]
pub use portable::*;

#[cfg(target_arch = "wasm32")]
mod wasm {
    use std::arch::wasm32::{f32x4, f32x4_add, f32x4_extract_lane, f32x4_mul, f32x4_splat, v128};

    /// Four floats.
    pub type Lanes = v128;

    /// One value four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Lanes {
        f32x4_splat(value)
    }

    /// From an array.
    #[inline(always)]
    pub fn load([a, b, c, d]: [f32; 4]) -> Lanes {
        f32x4(a, b, c, d)
    }

    /// To an array.
    #[inline(always)]
    pub fn store(x: Lanes) -> [f32; 4] {
        [f32x4_extract_lane::<0>(x), f32x4_extract_lane::<1>(x), f32x4_extract_lane::<2>(x), f32x4_extract_lane::<3>(x)]
    }

    /// `a + b`.
    #[inline(always)]
    pub fn add(a: Lanes, b: Lanes) -> Lanes {
        f32x4_add(a, b)
    }

    /// `a b + sum`.
    #[inline(always)]
    pub fn multiply_add(a: Lanes, b: Lanes, sum: Lanes) -> Lanes {
        f32x4_add(sum, f32x4_mul(a, b))
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod portable {
    /// Four floats.
    pub type Lanes = [f32; 4];

    /// One value four times.
    #[inline(always)]
    pub fn splat(value: f32) -> Lanes {
        [value; 4]
    }

    /// From an array.
    #[inline(always)]
    pub fn load(x: [f32; 4]) -> Lanes {
        x
    }

    /// To an array.
    #[inline(always)]
    pub fn store(x: Lanes) -> [f32; 4] {
        x
    }

    /// `a + b`.
    #[inline(always)]
    pub fn add(a: Lanes, b: Lanes) -> Lanes {
        std::array::from_fn(|at| a[at] + b[at])
    }

    /// `a b + sum`.
    #[inline(always)]
    pub fn multiply_add(a: Lanes, b: Lanes, sum: Lanes) -> Lanes {
        std::array::from_fn(|at| a[at] * b[at] + sum[at])
    }
}
