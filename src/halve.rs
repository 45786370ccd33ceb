//! Activations in 16 bits: what a matrix or an attention multiplies is kept in half the memory, while all arithmetic, the vectors and every
//! gradient stay in 32 bits, and so do sums from block to block, what a normalisation takes, logits and losses.
//!
//! Gradients would need their loss scaled up to stay above the smallest such number (Micikevicius et al. 2017, arXiv 1710.03740), and residual
//! sums of some models leave the range.

use crate::graph::{Dtype, Graph, Id, Leaf};

/// The largest finite number of 16 bits; what is larger becomes this. What is no number may, too: a GPU need not tell it from others.
pub const LARGEST: f32 = 65_504.0;

/// Marks the values of a forward graph that are kept in 16 bits: those that one op computes and others read, all of which take them so; and
/// states that nothing but such values is put into. Those in `kept` are for others to read and stay as they are.
///
/// Run it after [`crate::fuse::fuse`] and before [`crate::autodiff::gradients`], whose ops read both kinds and write 32 bits.
pub fn halve(graph: &mut Graph, kept: &[Id]) {
    let mut half: Vec<bool> = graph.values.iter().map(|value| matches!(value.leaf, Some(Leaf::State(_)))).collect();
    let mut read = vec![false; graph.values.len()];
    for node in &graph.nodes {
        half[node.outputs[0].0] = node.op.writes_half() || node.op.in_place().is_some();
        node.inputs.iter().for_each(|id| read[id.0] = true);
    }
    for node in &graph.nodes {
        for (input, id) in node.inputs.iter().enumerate() {
            half[id.0] &= node.op.reads_half(input);
        }
    }
    kept.iter().for_each(|id| half[id.0] = false);
    // A state, what it becomes and what is put into it go together.
    for node in graph.nodes.iter().rev() {
        let Some(state) = node.op.in_place() else { continue };
        let mut others = (0..node.inputs.len()).filter(|input| *input != state && node.op.reads_half(*input));
        let all = half[node.outputs[0].0] && others.all(|input| half[node.inputs[input].0]);
        half[node.inputs[state].0] &= all;
        half[node.outputs[0].0] = half[node.inputs[state].0];
    }
    for ((value, half), read) in graph.values.iter_mut().zip(half).zip(read) {
        if half && (read || value.leaf.is_some()) {
            value.dtype = Dtype::F16;
        }
    }
}
