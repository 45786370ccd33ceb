//! Our gradient rules against candle's autograd: every op alone, and whole tiny models written a second time in candle.
#![cfg(not(target_arch = "wasm32"))]

mod bert;
mod case;
mod heads;
mod losses;
mod ops;
mod reference;
#[path = "../support/mod.rs"]
mod support;
mod tiny;
