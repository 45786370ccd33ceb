//! A gated activation over one packed projection.

use super::activation::{Activation, ActivationGrad, ActivationKind};
use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Input `x (N, 2 F)`, gate and value side by side; output `y (N, F) = f(gate) ⊙ value` (arXiv 2002.05202).
#[derive(Debug, Clone, Copy)]
pub struct Gate(pub ActivationKind);

/// Inputs `dy (N, F)`, `x (N, 2 F)`; output `dx = (dy ⊙ value ⊙ f'(gate), dy ⊙ f(gate))`.
#[derive(Debug, Clone, Copy)]
pub struct GateGrad(pub Gate);

impl Gate {
    /// `f` and its slope at the gates, `(N, F)` both.
    fn value_and_slope(&self, gate: &Tensor, cores: &Cores) -> Result<[Tensor; 2]> {
        let op = Activation { kind: self.0, scale: None };
        let value = op.cpu(std::slice::from_ref(gate), cores)?.remove(0);
        let slope = ActivationGrad(op).cpu(&[gate.ones_like()?, gate.clone()], cores)?.remove(0);
        Ok([value, slope])
    }
}

/// Gates (0) or values (1).
fn half(x: &Tensor, which: usize) -> Result<Tensor> {
    let columns = x.dim(1)? / 2;
    Ok(x.narrow(1, which * columns, columns)?.contiguous()?)
}

impl Op for Gate {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0], inputs[0][1] / 2]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(GateGrad(*self), &[at.dy(), at.inputs[0]])?)])
    }

    fn reads_half(&self, input: usize) -> bool {
        input == 0
    }

    fn writes_half(&self) -> bool {
        true
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let op = Activation { kind: self.0, scale: None };
        let gate = op.cpu(&[half(&inputs[0], 0)?], cores)?.remove(0);
        Ok(vec![(gate * half(&inputs[0], 1)?)?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.outputs[0][0], io.outputs[0][1]);
        let sizes = [("rows", rows), ("columns", columns)];
        Kernel::new(include_str!("gate.wgsl"), 1, &sizes, elementwise(rows * columns)).with("kind", self.0 as u32)
    }
}

impl Op for GateGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[1].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let (rows, columns) = inputs[0].dims2()?;
        let [value, slope] = self.0.value_and_slope(&half(&inputs[1], 0)?, cores)?;
        let dx = with_floats(&[&inputs[0], &inputs[1], &value, &slope], |x| {
            let mut dx = vec![0.0; 2 * rows * columns];
            cores.rows(&mut dx, 2 * columns, |first, dx| {
                for (dx, row) in dx.chunks_exact_mut(2 * columns).zip(first..) {
                    let own = row * columns..(row + 1) * columns;
                    let values = &x[1][row * 2 * columns + columns..][..columns];
                    let (dy, value, slope) = (&x[0][own.clone()], &x[2][own.clone()], &x[3][own]);
                    let (of_gate, of_value) = dx.split_at_mut(columns);
                    for i in 0..columns {
                        of_gate[i] = dy[i] * values[i] * slope[i];
                        of_value[i] = dy[i] * value[i];
                    }
                }
            });
            Ok(dx)
        })?;
        Ok(vec![tensor(dx, &[rows, 2 * columns])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.inputs[0][0], io.inputs[0][1]);
        let sizes = [("rows", rows), ("columns", columns)];
        Kernel::new(include_str!("gate_grad.wgsl"), 2, &sizes, elementwise(rows * columns))
            .with("kind", self.0.0 as u32)
    }
}
