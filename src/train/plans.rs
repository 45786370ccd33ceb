//! From a model to plans: a forward pass, or a whole training step.

use crate::adapter::Layout;
use crate::autodiff::gradients;
use crate::error::Result;
use crate::fuse::fuse;
use crate::graph::Id;
use crate::halve::halve;
use crate::models::{BatchShape, Model, Output};
use crate::plan::Plan;
use crate::recompute::recompute;

/// Plans a forward pass with a table of `adapters` rows laid out as `layout`; its results are `output`, perhaps in parts.
pub fn forward_plan(
    model: &Model,
    shape: BatchShape,
    layout: &Layout,
    adapters: usize,
    output: Output,
) -> Result<Plan> {
    let (mut graph, results) = model.graph(shape, layout, adapters, output)?;
    fuse(&mut graph, &results);
    if model.half_activations {
        halve(&mut graph, &results);
    }
    Ok(Plan::forward(&graph, &results))
}

/// Plans forward and backward pass of one micro-batch: the gradient of everything in `layout`, then the loss, in the flat buffer.
/// `output` is a loss. With `checkpointing` the backward pass computes the activations of the model's blocks again.
pub fn training_plan(
    model: &Model,
    shape: BatchShape,
    layout: &Layout,
    output: Output,
    checkpointing: bool,
) -> Result<Plan> {
    let (mut graph, results) = model.graph(shape, layout, 1, output)?;
    let loss = results[0];
    fuse(&mut graph, &[loss]);
    if model.half_activations {
        halve(&mut graph, &[loss]);
    }
    let parts = gradients(&mut graph, loss)?;
    let kept: Vec<Id> = parts.iter().map(|part| part.value).chain([loss]).collect();
    fuse(&mut graph, &kept);
    if checkpointing {
        recompute(&mut graph, loss)?;
    }
    Ok(Plan::training(&graph, loss, &parts, layout.len))
}
