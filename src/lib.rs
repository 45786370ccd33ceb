//! ia3-web.
pub mod adapter;
pub mod autodiff;
pub mod backend;
pub mod checkpoint;
pub mod error;
pub mod fuse;
pub mod graph;
pub mod kernel;
pub mod models;
pub mod ops;
pub mod plan;
pub mod session;
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use error::{Error, Result};
