//! Reverse-mode differentiation: appends the backward pass to a graph, only along paths that lead to the table.

use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Leaf};
use crate::ops::Add;

/// The gradient of one part of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableGradient {
    /// First parameter of the part.
    pub offset: usize,
    /// The gradient, `(parameters)`.
    pub value: Id,
}

/// Appends the gradient of `loss` (one element) with respect to the table and returns it part by part.
/// A frozen weight never gets a gradient: the rules are asked only for inputs that the table can change.
pub fn gradients(graph: &mut Graph, loss: Id) -> Result<Vec<TableGradient>> {
    let trains = depends_on_table(graph);
    let mut gradient: Vec<Option<Id>> = vec![None; graph.values.len()];
    let mut parts: Vec<TableGradient> = Vec::new();
    for index in (0..graph.nodes.len()).rev() {
        let node = graph.nodes[index].clone();
        let upstream: Vec<Option<Id>> = node.outputs.iter().map(|id| gradient[id.0]).collect();
        let wants: Vec<bool> = node.inputs.iter().map(|id| trains[id.0]).collect();
        let reached = node.outputs.contains(&loss) || upstream.iter().any(Option::is_some);
        if !reached || !wants.contains(&true) {
            continue;
        }
        let at = Grad { inputs: &node.inputs, outputs: &node.outputs, upstream: &upstream, wants: &wants };
        let found = node.op.grad(graph, &at)?;
        for (input, value) in node.inputs.iter().zip(found) {
            let Some(value) = value else { continue };
            if graph.values[input.0].leaf == Some(Leaf::Table) {
                let (offset, _) = node.op.table_range().expect("an op that reads the table says which part");
                add_part(graph, &mut parts, offset, value)?;
            } else {
                gradient[input.0] = Some(match gradient[input.0] {
                    Some(sum) => graph.one(Add, &[sum, value])?,
                    None => value,
                });
            }
        }
    }
    parts.sort_by_key(|part| part.offset);
    Ok(parts)
}

fn add_part(graph: &mut Graph, parts: &mut Vec<TableGradient>, offset: usize, value: Id) -> Result<()> {
    match parts.iter_mut().find(|part| part.offset == offset) {
        Some(part) => part.value = graph.one(Add, &[part.value, value])?,
        None => parts.push(TableGradient { offset, value }),
    }
    Ok(())
}

/// For every value: can a change of the table change it?
fn depends_on_table(graph: &Graph) -> Vec<bool> {
    let mut depends: Vec<bool> = graph.values.iter().map(|value| value.leaf == Some(Leaf::Table)).collect();
    for node in &graph.nodes {
        if node.inputs.iter().any(|id| depends[id.0]) {
            node.outputs.iter().for_each(|id| depends[id.0] = true);
        }
    }
    depends
}
