//! A session as a page uses it: loading, answering, training, resuming, and adapters in and out.

mod adapters;
mod infer;
mod load;
mod merge;
mod resume;
#[path = "../support/mod.rs"]
mod support;
mod train;
mod validation;
