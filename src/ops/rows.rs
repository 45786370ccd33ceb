//! Some rows of a whole: one module's part of a packed weight, or some tokens.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Input `x (R, ...)`; output its `len` rows from `start` on.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// First row.
    pub start: usize,
    /// Number of rows.
    pub len: usize,
}

/// Input `dy (len, ...)`; output `dx (rows, ...)`, `dy` from row `start` on and zeros elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct RowsGrad {
    /// First row that is not zero.
    pub start: usize,
    /// Number of rows.
    pub rows: usize,
}

impl Op for Rows {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        if self.start + self.len > inputs[0][0] {
            return Err(Error::Shape { op: format!("{self:?}"), reason: format!("the whole is {:?}", inputs[0]) });
        }
        let mut shape = inputs[0].clone();
        shape[0] = self.len;
        Ok(vec![shape])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let op = RowsGrad { start: self.start, rows: graph.shape(at.inputs[0])[0] };
        Ok(vec![Some(graph.one(op, &[at.dy()])?)])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].narrow(0, self.start, self.len)?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let count: usize = io.outputs[0].iter().product();
        let sizes = [("count", count), ("first", self.start * (count / self.len))];
        Kernel::new(include_str!("rows.wgsl"), 1, &sizes, elementwise(count))
    }
}

impl Op for RowsGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let mut shape = inputs[0].clone();
        shape[0] = self.rows;
        Ok(vec![shape])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (len, mut shape) = (inputs[0].dim(0)?, inputs[0].dims().to_vec());
        let width = inputs[0].elem_count() / len;
        shape[0] = self.rows;
        let dx = with_floats(&[&inputs[0]], |dy| {
            let mut dx = vec![0.0; self.rows * width];
            dx[self.start * width..][..len * width].copy_from_slice(dy[0]);
            Ok(dx)
        })?;
        Ok(vec![tensor(dx, &shape)?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (count, given): (usize, usize) = (io.outputs[0].iter().product(), io.inputs[0].iter().product());
        let sizes = [("count", count), ("first", self.start * (count / self.rows)), ("given", given)];
        Kernel::new(include_str!("rows_grad.wgsl"), 1, &sizes, elementwise(count))
    }
}
