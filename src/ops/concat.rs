//! Columns side by side, and some columns of a whole.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Inputs `a (N, C1)`, `b (N, C2)`; output `(N, C1 + C2)`. Used where a projection cannot be one packed matrix
/// because an adapter scales the input of a part of it.
#[derive(Debug)]
pub struct Concat;

/// Input `x (N, C)`; output `(N, len)`, its columns from `start` on.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    /// First column.
    pub start: usize,
    /// Number of columns.
    pub len: usize,
}

impl Op for Concat {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0], inputs[0][1] + inputs[1][1]]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let widths = [graph.shape(at.inputs[0])[1], graph.shape(at.inputs[1])[1]];
        let mut found = vec![None, None];
        for input in 0..2 {
            if at.wants[input] {
                let columns = Columns { start: if input == 0 { 0 } else { widths[0] }, len: widths[input] };
                found[input] = Some(graph.one(columns, &[at.dy()])?);
            }
        }
        Ok(found)
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        Ok(vec![Tensor::cat(inputs, 1)?.contiguous()?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, left, right) = (io.inputs[0][0], io.inputs[0][1], io.inputs[1][1]);
        let sizes = [("rows", rows), ("left", left), ("right", right)];
        Kernel::new(include_str!("concat.wgsl"), 2, &sizes, elementwise(rows * (left + right)))
    }
}

impl Op for Columns {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0], self.len]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (rows, columns) = inputs[0].dims2()?;
        let part = with_floats(&[&inputs[0]], |x| {
            Ok(x[0].chunks_exact(columns).flat_map(|row| &row[self.start..self.start + self.len]).copied().collect())
        })?;
        Ok(vec![tensor(part, &[rows, self.len])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.inputs[0][0], io.inputs[0][1]);
        let sizes = [("rows", rows), ("columns", columns), ("start", self.start), ("len", self.len)];
        Kernel::new(include_str!("columns.wgsl"), 1, &sizes, elementwise(rows * self.len))
    }
}
