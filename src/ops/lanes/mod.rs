//! Four floats that are multiplied and added together, sixteen bytes or eight short integers: one SIMD register.
//!
//! In wasm this is `simd128`. Elsewhere it is an array, so that what is built on it is tested natively.

#[cfg(not(target_arch = "wasm32"))]
mod portable;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub use portable::*;
#[cfg(target_arch = "wasm32")]
pub use wasm::*;
