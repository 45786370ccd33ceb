//! The sum of two values of the same shape.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// `a + b`, same shape.
#[derive(Debug)]
pub struct Add;

impl Op for Add {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        if inputs[0] != inputs[1] {
            return Err(Error::Shape {
                op: "Add".into(),
                reason: format!("{:?} and {:?} differ", inputs[0], inputs[1]),
            });
        }
        Ok(vec![inputs[0].clone()])
    }

    fn grad(&self, _graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(at.wants.iter().map(|want| want.then(|| at.dy())).collect())
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let sum = with_floats(&[&inputs[0], &inputs[1]], |x| Ok(x[0].iter().zip(x[1]).map(|(a, b)| a + b).collect()))?;
        Ok(vec![tensor(sum, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let count = io.outputs[0].iter().product();
        let sizes = [("count", count), ("y_offset", io.output_offsets[0])];
        Kernel::new(include_str!("add.wgsl"), 2, &sizes, elementwise(count))
    }
}
