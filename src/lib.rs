//! ia3-web.
pub mod error;
pub mod graph;
pub mod kernel;

pub use error::{Error, Result};
