//! Logits kept within bounds.

use super::host::{tanh, tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Input `x (N, C)`; output `cap tanh(x / cap)` (Gemma 2, section 2).
#[derive(Debug, Clone, Copy)]
pub struct SoftCap(pub f32);

/// Inputs `dy (N, C)`, `y (N, C)`, the op's result; output `dx = dy (1 - (y / cap)²)`.
#[derive(Debug, Clone, Copy)]
pub struct SoftCapGrad(pub f32);

fn kernel(inputs: usize, io: &Io, cap: f32) -> Kernel {
    let count = io.outputs[0].iter().product();
    Kernel::new(include_str!("soft_cap.wgsl"), inputs, &[("count", count)], elementwise(count)).with("cap", cap)
}

impl Op for SoftCap {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(SoftCapGrad(self.0), &[at.dy(), at.outputs[0]])?)])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let y = with_floats(&[&inputs[0]], |x| Ok(x[0].iter().map(|x| self.0 * tanh(x / self.0)).collect()))?;
        Ok(vec![tensor(y, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let mut kernel = kernel(1, io, self.0);
        kernel.inputs.push(0);
        kernel.with("back", false)
    }
}

impl Op for SoftCapGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let slope = |y: f32| 1.0 - (y / self.0) * (y / self.0);
        let dx = with_floats(&[&inputs[0], &inputs[1]], |x| {
            Ok(x[0].iter().zip(x[1]).map(|(dy, y)| dy * slope(*y)).collect())
        })?;
        Ok(vec![tensor(dx, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        kernel(2, io, self.0).with("back", true)
    }
}
