//! ia3-web trains, switches, mixes, merges and exports IA3 adapters of Hugging Face models, in the browser or natively.
//!
//! ```text
//! bytes ──> checkpoint ──> models ──> Graph ──> autodiff ──> Plan ──> backend ──> losses, vectors, logits
//!           (safetensors,   (written   (static,   (more        (order,   (CPU through candle |
//!            config,         once per   append-    graph)       slots)    GPU through WebGPU)
//!            tokenizer)      family)    only)
//! adapter = { Hugging Face module name -> vector }, packed in one row of one table, applied at one place: `models::Builder::project`
//! ```
//!
//! A model file writes its forward graph; [`autodiff`] appends the backward pass, only along paths that lead to something
//! trainable; [`fuse`] folds ops together; [`halve`] and [`recompute`], where asked for, save memory; [`plan`] drops what is dead and shares
//! memory; a [`backend`] runs the plan. The same plan runs on both devices, so what the CPU does is the specification of what the GPU does.
//!
//! Where to find things, in reading order (a module uses only those before it, [`session`] uses all):
//! * [`error`]: every error, with its code and its advice. [`shortage`]: what is said of weights that are too large.
//! * [`checkpoint`]: the files of a base model. [`kernel`]: what a GPU runs for one op, as data. [`cores`]: the threads that share an op's work.
//! * [`graph`]: values, nodes and the trait every op implements. [`ops`]: the ops, each with shape rule, gradient, CPU twin and kernel.
//! * [`fuse`], [`halve`], [`autodiff`], [`recompute`], [`plan`]: from a forward graph to something that can run.
//! * [`adapter`]: IA3 vectors, which modules they target, PEFT's files, combining and merging.
//! * [`models`]: model families, and the one place where adapters meet them.
//! * [`backend`]: the CPU and the GPU.
//! * [`train`]: options, batches, learning rates, the optimiser, heads, metrics.
//! * [`session`]: a base model on a device with its adapters; what the JavaScript API calls.
//! * `web`: the WebAssembly exports (only on wasm32); `src/js` builds the public TypeScript API on them.

pub mod adapter;
pub mod autodiff;
pub mod backend;
pub mod checkpoint;
pub mod cores;
pub mod error;
pub mod fuse;
pub mod graph;
pub mod halve;
pub mod kernel;
pub mod models;
pub mod ops;
pub mod plan;
pub mod recompute;
pub mod session;
pub mod shortage;
pub mod train;
#[cfg(target_arch = "wasm32")]
pub mod web;

pub use error::{Error, Result};
