//! Training.
mod adamw;
pub use adamw::AdamW;
