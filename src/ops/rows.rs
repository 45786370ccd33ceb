//! Some rows of a whole: one module's part of a packed weight.

use crate::error::{Error, Result};
use crate::graph::{Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Input `x (R, ...)`; output its `len` rows from `start` on. Weights are frozen, so there is no gradient.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// First row.
    pub start: usize,
    /// Number of rows.
    pub len: usize,
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

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        Ok(vec![inputs[0].narrow(0, self.start, self.len)?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let count: usize = io.outputs[0].iter().product();
        let sizes = [("count", count), ("first", self.start * (count / self.len))];
        Kernel::new(include_str!("rows.wgsl"), 1, &sizes, elementwise(count))
    }
}
