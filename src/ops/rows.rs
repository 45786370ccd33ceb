//! Some rows of a whole: one module's part of a packed weight.

use crate::error::{Error, Result};
use crate::graph::{Io, Op, Shape};
use crate::kernel::{Kernel, grid};
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
        let elements: usize = io.outputs[0].iter().product();
        let row = elements / self.len;
        Kernel {
            wgsl: include_str!("rows.wgsl"),
            constants: vec![("elements", elements as f64), ("first", (self.start * row) as f64)],
            grid: grid(elements.div_ceil(64)),
        }
    }
}
