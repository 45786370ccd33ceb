//! Rows of a whole in any order, some of them perhaps several times.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Inputs `x (R, H)`, `sources (N)`, and for the gradient the same by source: `order (N)`, which of the rows of `y` come from row 0 of `x`,
/// then which from row 1 and so on, and `starts (R + 1)`, where those of each row begin. Output `y (N, H) = x[sources]`.
/// Rows of `y` that `order` leaves out behind `starts[R]` are padding: nothing comes down from them.
#[derive(Debug)]
pub struct Gather;

/// Inputs `dy (N, H)`, `order (N)`, `starts (R + 1)`; output `dx (R, H)`, in each row the sum of its rows of `dy`, in their order.
#[derive(Debug)]
pub struct GatherGrad;

impl Op for Gather {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[1][0], inputs[0][1]]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let dx = graph.one(GatherGrad, &[at.dy(), at.inputs[2], at.inputs[3]])?;
        Ok(vec![Some(dx), None, None, None])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let sources = integers(&inputs[1])?;
        let hidden = inputs[0].dim(1)?;
        let row = |x: &[f32], source: u32| x[source as usize * hidden..][..hidden].to_vec();
        let y = with_floats(&[&inputs[0]], |x| Ok(sources.iter().flat_map(|source| row(x[0], *source)).collect()))?;
        Ok(vec![tensor(y, &[sources.len(), hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (count, hidden) = (io.outputs[0][0], io.outputs[0][1]);
        let sizes = [("count", count), ("hidden", hidden)];
        Kernel::new(include_str!("gather.wgsl"), 2, &sizes, elementwise(count * hidden))
    }
}

impl Op for GatherGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[2][0] - 1, inputs[0][1]]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (order, starts) = (integers(&inputs[1])?, integers(&inputs[2])?);
        let hidden = inputs[0].dim(1)?;
        let mut dx = vec![0.0; (starts.len() - 1) * hidden];
        with_floats(&[&inputs[0]], |dy| {
            for (dx, range) in dx.chunks_exact_mut(hidden).zip(starts.windows(2)) {
                for from in &order[range[0] as usize..range[1] as usize] {
                    let dy = &dy[0][*from as usize * hidden..][..hidden];
                    dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy);
                }
            }
            Ok(())
        })?;
        Ok(vec![tensor(dx, &[starts.len() - 1, hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, hidden) = (io.outputs[0][0], io.outputs[0][1]);
        let sizes = [("rows", rows), ("hidden", hidden)];
        Kernel::new(include_str!("gather_grad.wgsl"), 3, &sizes, elementwise(rows * hidden))
    }
}
