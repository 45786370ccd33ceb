//! ia3-web.
pub mod autodiff;
pub mod backend;
pub mod checkpoint;
pub mod error;
pub mod fuse;
pub mod graph;
pub mod kernel;
pub mod ops;
pub mod plan;
pub mod train;

pub use error::{Error, Result};
