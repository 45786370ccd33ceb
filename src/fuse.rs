//! Graph rewrites that save passes over memory: a scale into the activation before it, a sum into the matmul before it.

use crate::graph::{Graph, Id, Node, Op};
use crate::ops::{Activation, Add, Linear, Scale};
use std::any::Any;
use std::rc::Rc;

/// Rewrites `graph` in place; values keep their ids and those in `kept` keep a node that computes them.
/// Run it before [`crate::autodiff::gradients`], so that gradients are those of the fused ops, and after it.
pub fn fuse(graph: &mut Graph, kept: &[Id]) {
    let mut uses = vec![0; graph.values.len()];
    graph.nodes.iter().flat_map(|node| &node.inputs).chain(kept).for_each(|id| uses[id.0] += 1);
    let mut producer: Vec<Option<usize>> = vec![None; graph.values.len()];
    let mut nodes: Vec<Option<Node>> = Vec::with_capacity(graph.nodes.len());
    for node in std::mem::take(&mut graph.nodes) {
        let source = |input: usize| {
            let id = node.inputs[input];
            producer[id.0].filter(|_| uses[id.0] == 1).and_then(|at| nodes[at].as_ref().map(|node| (at, node)))
        };
        let rewritten = scaled_activation(graph, &node, &source).or_else(|| added_linear(&node, &source));
        let (absorbed, node) = match rewritten {
            Some((at, node)) => (Some(at), node),
            None => (None, node),
        };
        if let Some(at) = absorbed {
            nodes[at] = None;
        }
        node.outputs.iter().for_each(|id| producer[id.0] = Some(nodes.len()));
        nodes.push(Some(node));
    }
    graph.nodes = nodes.into_iter().flatten().collect();
}

/// `Scale(f(x))` over all channels, each with a parameter of its own, becomes one op, which need not keep `f(x)` for the backward pass.
fn scaled_activation<'a>(
    graph: &Graph,
    node: &Node,
    source: &impl Fn(usize) -> Option<(usize, &'a Node)>,
) -> Option<(usize, Node)> {
    let scale = *cast::<Scale>(&node.op)?;
    let (at, before) = source(0)?;
    let activation = cast::<Activation>(&before.op)?;
    let all = scale.start == 0 && scale.len == graph.shape(node.inputs[0])[1];
    if activation.scale.is_some() || !all || scale.repeat > 1 {
        return None;
    }
    let op = Activation { kind: activation.kind, scale: Some(scale) };
    let inputs = vec![before.inputs[0], node.inputs[1], node.inputs[2]];
    Some((at, Node { op: Rc::new(op), inputs, outputs: node.outputs.clone() }))
}

/// `a + Linear(x)` becomes a linear that adds `a` while it writes.
fn added_linear<'a>(node: &Node, source: &impl Fn(usize) -> Option<(usize, &'a Node)>) -> Option<(usize, Node)> {
    cast::<Add>(&node.op)?;
    [1, 0].into_iter().find_map(|input| {
        let (at, before) = source(input)?;
        let linear = *cast::<Linear>(&before.op)?;
        if linear.addend {
            return None;
        }
        let mut inputs = before.inputs.clone();
        inputs.push(node.inputs[1 - input]);
        Some((at, Node { op: Rc::new(Linear { addend: true, ..linear }), inputs, outputs: node.outputs.clone() }))
    })
}

fn cast<T: Any>(op: &Rc<dyn Op>) -> Option<&T> {
    let op: &dyn Any = &**op;
    op.downcast_ref()
}
