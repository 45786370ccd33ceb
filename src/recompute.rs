//! Activation checkpointing (Chen et al. 2016, arXiv 1604.06174): what a block of the model computed is computed again for its backward
//! pass, so that nothing but what the block began with has to be kept in between.

use crate::error::Result;
use crate::graph::{Graph, Id, Node};

/// Makes the backward pass of every block read copies of the block's values, which are computed just before. The ops and their inputs are
/// those of the forward pass, so the results are the same to the bit.
///
/// A block goes from one of [`Graph::checkpoints`] to the next. Kept are the values that more than one block reads, and those after the last
/// checkpoint, since their backward pass comes right after. `loss` is the last value of the forward pass; run this after
/// [`crate::autodiff::gradients`] and [`crate::fuse::fuse`].
pub fn recompute(graph: &mut Graph, loss: Id) -> Result<()> {
    let last = graph.nodes.iter().position(|node| node.outputs.contains(&loss)).expect("a node computes the loss");
    let backward = graph.nodes.split_off(last + 1);
    let mut blocks = Blocks::of(graph, &backward);
    for mut node in backward {
        for id in &mut node.inputs {
            *id = blocks.copy(graph, *id)?;
        }
        graph.nodes.push(node);
    }
    Ok(())
}

/// What is computed again.
struct Blocks {
    /// For every value of the forward pass the block that computes it, unless it is kept.
    of: Vec<Option<usize>>,
    /// The nodes of each block that lead to what its backward pass reads, in order; emptied once they were copied.
    nodes: Vec<Vec<Node>>,
    /// The copy of each value, as soon as there is one.
    copies: Vec<Option<Id>>,
}

impl Blocks {
    /// Of a forward graph and the nodes of its backward pass.
    fn of(graph: &Graph, backward: &[Node]) -> Blocks {
        let mut of = vec![None; graph.values.len()];
        let mut kept = vec![false; graph.values.len()];
        let mut block = 0;
        for node in &graph.nodes {
            node.inputs.iter().for_each(|id| kept[id.0] |= of[id.0] != Some(block));
            node.outputs.iter().for_each(|id| of[id.0] = Some(block));
            block += usize::from(node.outputs.iter().any(|id| graph.checkpoints.contains(id)));
        }
        for (of, kept) in of.iter_mut().zip(kept) {
            *of = of.filter(|of| !kept && *of < block);
        }
        let mut read = vec![false; graph.values.len()];
        backward.iter().flat_map(|node| &node.inputs).for_each(|id| read[id.0] = true);
        let mut nodes = vec![Vec::new(); block];
        for node in graph.nodes.iter().rev() {
            let wanted = node.outputs.iter().find(|id| read[id.0] && of[id.0].is_some());
            if let Some(block) = wanted.and_then(|id| of[id.0]) {
                node.inputs.iter().for_each(|id| read[id.0] = true);
                nodes[block].push(node.clone());
            }
        }
        nodes.iter_mut().for_each(|nodes| nodes.reverse());
        Blocks { of, nodes, copies: vec![None; graph.values.len()] }
    }

    /// What to read instead of a value; appends the copies of its block if it is the first that is read.
    fn copy(&mut self, graph: &mut Graph, id: Id) -> Result<Id> {
        let Some(block) = self.of.get(id.0).copied().flatten() else { return Ok(id) };
        for node in std::mem::take(&mut self.nodes[block]) {
            let inputs: Vec<Id> = node.inputs.iter().map(|id| self.copies[id.0].unwrap_or(*id)).collect();
            for (original, copy) in node.outputs.iter().zip(graph.append(node.op, &inputs)?) {
                graph.values[copy.0].dtype = graph.values[original.0].dtype;
                self.copies[original.0] = Some(copy);
            }
        }
        Ok(self.copies[id.0].expect("what the backward pass reads was copied"))
    }
}
