//! One frozen linear layer on a device, to be timed by itself: no model, no session.

use crate::backend::{Backend, Clock, Data, Inputs, Program};
use crate::checkpoint::HostTensor;
use crate::error::Result;
use crate::graph::{Dtype, Graph, Leaf};
use crate::ops::Linear;
use crate::plan::Plan;

/// `x (rows, inner) wᵀ`, with `w (outer, inner)` as a model stores it; or flipped, the product of the backward pass:
/// `x (rows, outer) w`.
#[derive(Debug)]
pub struct Matmul {
    backend: Backend,
    program: Program,
    inputs: Inputs,
}

impl Matmul {
    /// Makes the product ready on a device of its own, with arbitrary numbers. All sizes are at least 1.
    pub async fn new(
        mut backend: Backend,
        (rows, inner, outer): (usize, usize, usize),
        flipped: bool,
    ) -> Result<Matmul> {
        let columns = if flipped { outer } else { inner };
        let mut graph = Graph::default();
        let x = graph.leaf(Leaf::Batch("x"), vec![rows, columns], Dtype::F32);
        let w = graph.leaf(Leaf::Weight("w".into()), vec![outer, inner], Dtype::F32);
        let y = graph.one(Linear { flipped, ..Linear::default() }, &[x, w])?;
        backend.load("w", HostTensor::new(vec![outer, inner], arbitrary_numbers(outer * inner)).into())?;
        let program = backend.compile(Plan::forward(&graph, &[y])).await?;
        Ok(Matmul { backend, program, inputs: vec![("x", Data::F32(arbitrary_numbers(rows * columns)))] })
    }

    /// Milliseconds of one product, from `times` of them in a row.
    pub async fn time(&self, times: usize, clock: &dyn Clock) -> Result<f64> {
        let found = self.backend.profile(&self.program, &self.inputs, &[], times.max(1), clock).await?;
        Ok(found.iter().sum())
    }
}

/// Between -1 and 1; never so small that the processor would count in denormal numbers.
fn arbitrary_numbers(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at * 7919 % 2003) as f32 / 1001.0 - 1.0).collect()
}
