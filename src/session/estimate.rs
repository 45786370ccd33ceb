//! What training will hold, told from the configuration and the starts of the weights' files.

use super::{ActivationDtype, Dtype, Pooling, Task, dtype};
use crate::adapter::{AdapterConfig, Layout};
use crate::checkpoint::announced;
use crate::error::Result;
use crate::graph::{Leaf, Shape};
use crate::kernel::AdapterKind;
use crate::models::{BatchShape, Format, Model, Output};
use crate::plan::Plan;
use crate::train::{bucket, training_plan};
use serde::{Deserialize, Serialize};

/// Copies of what is trained that the processor keeps while training on it: three each of the run's states after the last step and before
/// it, of the optimiser's and of its answer, the sum of the gradients, and the adapter itself. The gradient of a batch is the plan's.
const COPIES_ON_CPU: u64 = 14;
/// The same on a GPU: parameters, two moments, the sum of the gradients, and three read-backs of three each in its memory; both states of the
/// run and the adapter outside.
const COPIES_ON_GPU: u64 = 20;

/// Where a model will be trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceOption {
    /// On either device.
    Auto,
    /// On the GPU.
    Webgpu,
    /// On the processor.
    Wasm,
}

/// All that decides how much training holds, beside the model.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EstimateOptions {
    /// What the model is used for.
    pub task: Task,
    /// The labels; only their number matters.
    pub labels: Vec<String>,
    /// How token states become one vector.
    pub pooling: Pooling,
    /// Texts a micro-batch.
    pub batch_size: usize,
    /// Tokens of the longest text.
    pub max_length: usize,
    /// Whether activations are computed again for the backward pass.
    pub activation_checkpointing: bool,
    /// The number format in which matrices will be kept.
    #[serde(default)]
    pub dtype: Option<Dtype>,
    /// The number format in which a GPU will keep activations, if it can.
    #[serde(default)]
    pub activation_dtype: ActivationDtype,
    /// Where it will be trained; the estimate for either is that of the one that holds more.
    pub device: DeviceOption,
}

/// What training a model takes. In u64, since a model in shards may have more bytes than wasm can address: that is what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Bytes of the weights in the formats in which they are kept.
    pub weight_bytes: u64,
    /// Bytes held while training: weights, activations, batch, adapter and state of the optimiser; on a GPU also the room that the largest
    /// tensor took on its way there, since WebAssembly gives none back.
    pub memory_bytes: u64,
}

/// What training with an adapter of PEFT's default targets and AdamW will hold, from `config.json` and the starts of the weights' files,
/// safetensors or GGUF (see [`announced`]).
pub fn estimate<H: AsRef<[u8]>>(config: &[u8], starts: &[H], options: &EstimateOptions) -> Result<Estimate> {
    let mut model = Model::from_json(config, options.task.task_type(options.pooling))?;
    model.half_activations = options.activation_dtype == ActivationDtype::F16;
    let kept = dtype::choice(options.dtype, &model)?;
    let mut weight_bytes: u64 = 0;
    for start in starts {
        for tensor in announced("the file of weights", start.as_ref(), &kept)? {
            weight_bytes = weight_bytes.saturating_add(tensor.bytes);
            let format = Format { kind: tensor.kind, turned: tensor.turned };
            if format != Format::default() {
                let name = model.bare(&tensor.name).to_string();
                model.formats.insert(name, format);
            }
        }
    }
    let base = model.base(options.labels.clone())?;
    let places = base.settle(&mut AdapterConfig::usual(&base.model_type))?;
    let layout = Layout::new(&base.sites, &places, &base.head_sizes());
    let trained = 4 * layout.len as u64;
    let plan = |kind| -> Result<Plan> {
        let length = bucket(options.max_length, model.common().longest, kind);
        let shape = BatchShape::new(options.batch_size, length);
        training_plan(&model, shape, &layout, Output::CrossEntropy, options.activation_checkpointing)
    };
    let mut working_bytes: u64 = 0;
    if options.device != DeviceOption::Webgpu {
        let plan = plan(AdapterKind::Software)?;
        working_bytes = plan.live_bytes() + leaf_bytes(&plan) + COPIES_ON_CPU * trained;
    }
    if options.device != DeviceOption::Wasm {
        let plan = plan(AdapterKind::Hardware)?;
        let on_gpu = plan.bytes() + leaf_bytes(&plan) + COPIES_ON_GPU * trained;
        working_bytes = working_bytes.max(on_gpu + largest_transfer(&model)?);
    }
    Ok(Estimate { weight_bytes, memory_bytes: weight_bytes.saturating_add(working_bytes) })
}

/// Bytes of what a plan is given: the batch and the constants.
fn leaf_bytes(plan: &Plan) -> u64 {
    let given = plan.values.iter().filter(|value| matches!(value.leaf, Some(Leaf::Batch(_) | Leaf::Constant(_))));
    given.map(|value| bytes(&value.shape)).sum()
}

/// Bytes that the processor holds at once, at most, of weights on their way to a GPU: a tensor, or the parts of a packed one and the whole.
fn largest_transfer(model: &Model) -> Result<u64> {
    let weights = model.weights()?;
    let leaves = weights.iter().flat_map(|weight| weight.leaves(&model.formats));
    let each = leaves.map(|leaf| {
        let whole = leaf.format.kind.bytes(&leaf.shape()).unwrap_or(u64::MAX);
        if leaf.parts.len() == 1 { whole } else { whole.saturating_mul(2) }
    });
    Ok(each.max().unwrap_or(0))
}

fn bytes(shape: &Shape) -> u64 {
    4 * shape.iter().map(|n| *n as u64).product::<u64>()
}
