//! Every error the library can give: one enum, a stable code for programs, a message that says what to do for people.

use crate::shortage::Shortage;
use std::fmt;

/// Result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong. [`Error::code`] is the stable name JavaScript sees.
#[allow(missing_docs)] // The fields are named for what they hold; each variant says when it occurs.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// A file ended before its own header or the server said it would.
    FileTruncated { file: String, expected: u64, actual: u64 },
    /// A file is longer than its own header says.
    FileLength { file: String, expected: u64, actual: u64 },
    /// A file's SHA-256 is not the one asked for.
    FileHash { file: String, expected: String, actual: String },
    /// Bytes that are not a well-formed safetensors file.
    NotSafetensors { file: String, reason: String },
    /// Bytes that are not a well-formed GGUF file, or one that lacks what its model needs.
    NotGguf { file: String, reason: String },
    /// A tensor the model needs is not in the file.
    TensorMissing { name: String },
    /// A tensor has another shape than the configuration asks for.
    TensorShape { name: String, expected: Vec<usize>, found: Vec<usize> },
    /// A tensor is stored in a number format that cannot be read.
    TensorDtype { name: String, dtype: String },
    /// `config.json` cannot be used.
    BadConfig { field: String, reason: String },
    /// `tokenizer.json` cannot be used.
    BadTokenizer { reason: String },
    /// The model's architecture is not one of those supported.
    UnsupportedModel { model_type: String, supported: Vec<String> },
    /// No adapter has this name.
    UnknownAdapter { name: String, known: Vec<String> },
    /// An adapter has this name already.
    AdapterExists { name: String },
    /// A label that the model was not given.
    UnknownLabel { label: String, known: Vec<String> },
    /// Training was asked for without examples.
    EmptyTrainingSet,
    /// All training examples have the same label.
    SingleClass { label: String },
    /// The adapter's target modules match nothing in the model.
    NoTargetMatch { targets: String, modules: Vec<String> },
    /// An adapter is malformed, or cannot be written in the format asked for.
    BadAdapter { reason: String },
    /// Blocks of quantised weights cannot take an adapter's vectors up.
    NotFoldable { name: String, modules: Vec<String> },
    /// An adapter was made for another base model.
    AdapterMismatch { reason: String },
    /// A training or evaluation example that does not fit its task or its text.
    BadExample { index: usize, reason: String },
    /// A text is empty or white space.
    EmptyText { index: usize },
    /// An option has a value that makes no sense.
    BadOption { option: String, reason: String },
    /// Loss or gradient stopped being a finite number.
    Diverged { step: usize },
    /// The browser or the machine offers no usable WebGPU.
    WebGpuUnavailable { reason: String },
    /// The device could not hold what was asked of it.
    OutOfMemory { what: String, bytes: u64 },
    /// The device could not hold the weights.
    WeightsTooLarge(Box<Shortage>),
    /// The GPU device went away.
    DeviceLost { reason: String },
    /// Classification without a head: nothing was trained or loaded yet.
    NoHead { adapter: Option<String> },
    /// Another operation has to end first.
    Busy { what: String },
    /// The model is not ready for this call.
    NotReady { what: String },
    /// An operation has no gradient rule for what was asked of it.
    NoGradient { op: String },
    /// An operation got inputs of shapes it cannot combine.
    Shape { op: String, reason: String },
    /// A device reported a fault that none of the above describes.
    Backend { reason: String },
}

impl Error {
    /// The stable, kebab-case name of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Error::FileTruncated { .. } => "file-truncated",
            Error::FileLength { .. } => "file-length",
            Error::FileHash { .. } => "file-hash",
            Error::NotSafetensors { .. } => "not-safetensors",
            Error::NotGguf { .. } => "not-gguf",
            Error::TensorMissing { .. } => "tensor-missing",
            Error::TensorShape { .. } => "tensor-shape",
            Error::TensorDtype { .. } => "tensor-dtype",
            Error::BadConfig { .. } => "bad-config",
            Error::BadTokenizer { .. } => "bad-tokenizer",
            Error::UnsupportedModel { .. } => "unsupported-model",
            Error::UnknownAdapter { .. } => "unknown-adapter",
            Error::AdapterExists { .. } => "adapter-exists",
            Error::UnknownLabel { .. } => "unknown-label",
            Error::EmptyTrainingSet => "empty-training-set",
            Error::SingleClass { .. } => "single-class",
            Error::NoTargetMatch { .. } => "no-target-match",
            Error::BadAdapter { .. } => "bad-adapter",
            Error::NotFoldable { .. } => "not-foldable",
            Error::AdapterMismatch { .. } => "adapter-mismatch",
            Error::BadExample { .. } => "bad-example",
            Error::EmptyText { .. } => "empty-text",
            Error::BadOption { .. } => "bad-option",
            Error::Diverged { .. } => "diverged",
            Error::WebGpuUnavailable { .. } => "webgpu-unavailable",
            Error::OutOfMemory { .. } | Error::WeightsTooLarge(_) => "out-of-memory",
            Error::DeviceLost { .. } => "device-lost",
            Error::NoHead { .. } => "no-head",
            Error::Busy { .. } => "busy",
            Error::NotReady { .. } => "not-ready",
            Error::NoGradient { .. } | Error::Shape { .. } | Error::Backend { .. } => "internal",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::FileTruncated { file, expected, actual } => {
                write!(f, "{file} ends after {actual} of {expected} bytes: download it again")
            }
            Error::FileLength { file, expected, actual } => {
                write!(f, "{file} has {actual} bytes where {expected} were announced: download it again")
            }
            Error::FileHash { file, expected, actual } => {
                write!(f, "{file} has SHA-256 {actual}, not {expected}: download it again or correct the expected hash")
            }
            Error::NotSafetensors { file, reason } => {
                write!(f, "{file} is not a safetensors file ({reason}): give the model.safetensors of the model")
            }
            Error::NotGguf { file, reason } => write!(f, "{file} cannot be read as GGUF: {reason}"),
            Error::TensorMissing { name } => {
                write!(
                    f,
                    "the weights have no tensor '{name}', which the model needs: check that the files belong together"
                )
            }
            Error::TensorShape { name, expected, found } => write!(
                f,
                "tensor '{name}' has shape {found:?} where {expected:?} is needed: check that the files belong together"
            ),
            Error::TensorDtype { name, dtype } => {
                write!(
                    f,
                    "tensor '{name}' is stored as {dtype}: save the model as F32, F16 or BF16, or as GGUF in Q8_0, Q4_0 to Q5_1 or Q4_K to Q6_K"
                )
            }
            Error::BadConfig { field, reason } => write!(f, "config.json: {field} {reason}"),
            Error::BadTokenizer { reason } => {
                write!(f, "tokenizer.json cannot be used ({reason}): give the tokenizer.json of the model")
            }
            Error::UnsupportedModel { model_type, supported } => {
                write!(f, "model_type '{model_type}' is not supported: use one of {}", supported.join(", "))
            }
            Error::UnknownAdapter { name, known } => {
                write!(f, "there is no adapter '{name}': add or load it first ({})", list("known", known))
            }
            Error::AdapterExists { name } => {
                write!(f, "an adapter '{name}' exists already: choose another name or delete it first")
            }
            Error::UnknownLabel { label, known } => {
                write!(f, "'{label}' is not a label of this model: use one of {}", known.join(", "))
            }
            Error::EmptyTrainingSet => {
                write!(f, "there are no training examples: give at least one for each of two labels")
            }
            Error::SingleClass { label } => {
                write!(f, "all training examples have the label '{label}': add examples of another label")
            }
            Error::NoTargetMatch { targets, modules } => write!(
                f,
                "target modules {targets} match nothing in this model: its modules are named like {}",
                modules.join(", ")
            ),
            Error::BadAdapter { reason } => write!(f, "the adapter cannot be used: {reason}"),
            Error::NotFoldable { name, modules } => {
                write!(
                    f,
                    "'{name}' cannot be folded into the quantised weights of {}: pass requantise: true to quantise those again, \
                     or use it as an adapter",
                    modules.join(", ")
                )
            }
            Error::AdapterMismatch { reason } => {
                write!(f, "the adapter does not fit this model ({reason}): load the base model it was trained on")
            }
            Error::BadExample { index, reason } => {
                write!(f, "example number {index} (counting from 0) {reason}")
            }
            Error::EmptyText { index } => {
                write!(f, "text number {index} (counting from 0) is empty: give it some words or leave it out")
            }
            Error::BadOption { option, reason } => write!(f, "option {option} {reason}"),
            Error::Diverged { step } => write!(
                f,
                "the loss or its gradient is no longer finite at step {step}: lower the learning rate (the last good vectors are kept)"
            ),
            Error::WebGpuUnavailable { reason } => {
                write!(f, "WebGPU cannot be used ({reason}): choose device \"auto\" or \"wasm\"")
            }
            Error::OutOfMemory { what, bytes } => {
                write!(
                    f,
                    "out of memory: {bytes} bytes for {what} could not be had: use a smaller batchSize or maxLength"
                )
            }
            Error::WeightsTooLarge(shortage) => write!(f, "{shortage}"),
            Error::DeviceLost { reason } => {
                write!(f, "the GPU device was lost ({reason}): open it again")
            }
            Error::NoHead { adapter: Some(name) } => {
                write!(f, "adapter '{name}' has no classification head: train it or load one that has")
            }
            Error::NoHead { adapter: None } => {
                write!(
                    f,
                    "the base model has no classification head yet: train an adapter first, or load one that has a head"
                )
            }
            Error::Busy { what } => {
                write!(f, "{what} is under way: wait for its end or stop it first")
            }
            Error::NotReady { what } => write!(f, "{what}"),
            Error::NoGradient { op } => write!(f, "{op} has no gradient for this input"),
            Error::Shape { op, reason } => write!(f, "{op}: {reason}"),
            Error::Backend { reason } => write!(f, "the device failed: {reason}"),
        }
    }
}

fn list(word: &str, names: &[String]) -> String {
    if names.is_empty() { "there is none yet".into() } else { format!("{word}: {}", names.join(", ")) }
}

impl std::error::Error for Error {}

/// A candle failure is an internal breach or memory that ran out, never the user's input: that is checked before.
impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Error::Backend { reason: error.to_string() }
    }
}
