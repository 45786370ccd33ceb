//! A frozen linear layer, and the same weight flipped for its backward pass.

use super::Rows;
use super::blocks::{Matrix, matrix_shape, with_matrix};
use super::host::{tensor, with_floats};
use super::linear_kernels;
#[cfg(target_arch = "wasm32")]
use super::matmul::{Inner, add_matmul};
#[cfg(target_arch = "wasm32")]
use super::matvec::{FEW, add_matvec};
use crate::checkpoint::BlockType;
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::Kernel;
use candle_core::Tensor;

/// Rows of a matrix in blocks that are floats at once.
#[cfg(not(target_arch = "wasm32"))]
const ROWS_AT_ONCE: usize = 256;

/// Inputs `x (N, in)`, `w (out, in)`, then `bias (out)` if there is one, then `addend (N, out)` if there is one.
/// `y = x wᵀ + bias + addend`; flipped, `x` is `(N, out)` and `y = x w + addend` is `(N, in)`.
/// The weight is frozen: it never gets a gradient.
#[derive(Debug, Clone, Copy, Default)]
pub struct Linear {
    /// Multiply by `w` instead of `wᵀ`: the backward pass of the layer, with the weight as it stands.
    pub flipped: bool,
    /// Number format of `w`; its blocks are dequantised as they are read.
    pub kind: BlockType,
    /// The rows of `w` that take part, where not all: `out` is their number then.
    pub rows: Option<Rows>,
    /// There is a bias input.
    pub bias: bool,
    /// There is an input to add to the result (a residual, or another gradient).
    pub addend: bool,
}

impl Op for Linear {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, w) = (inputs[0], inputs[1]);
        let out = self.rows.map_or(w[0], |rows| rows.len);
        let (inner, outer) = if self.flipped { (out, w[1]) } else { (w[1], out) };
        let whole = w[1].is_multiple_of(self.kind.elements()) && self.rows.is_none_or(|rows| rows.start + out <= w[0]);
        if x[1] != inner || !whole {
            return Err(Error::Shape { op: "Linear".into(), reason: format!("input {x:?} against weight {w:?}") });
        }
        Ok(vec![vec![x[0], outer]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let back = Linear { flipped: !self.flipped, bias: false, addend: false, ..*self };
        let mut found = vec![None; at.inputs.len()];
        if at.wants[0] {
            found[0] = Some(graph.one(back, &[at.dy(), at.inputs[1]])?);
        }
        if self.addend && at.wants[at.inputs.len() - 1] {
            found[at.inputs.len() - 1] = Some(at.dy());
        }
        Ok(found)
    }

    fn reads_half(&self, input: usize) -> bool {
        input == 0
    }

    fn writes_half(&self) -> bool {
        true
    }

    /// In a browser the product is our own, which is 1.3 to 1.4 times as fast there as candle's (`super::matmul`); natively it is candle's,
    /// which has wider registers and more cores.
    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let (rows, inner) = inputs[0].dims2()?;
        let outer = self.shapes(&[&vec![rows, inner], &matrix_shape(&inputs[1], self.kind)?])?[0][1];
        let rest: Vec<&Tensor> = inputs[2..].iter().collect();
        let mut y = with_floats(&rest, |rest| {
            let mut y = if self.addend { rest[rest.len() - 1].to_vec() } else { vec![0.0; rows * outer] };
            if self.bias {
                y.chunks_exact_mut(outer).for_each(|row| add_to(row, rest[0]));
            }
            Ok(y)
        })?;
        with_matrix(&inputs[1], self.kind, |w| {
            let (columns, out) = if self.flipped { (outer, inner) } else { (inner, outer) };
            let w = w.rows(self.rows.map_or(0, |rows| rows.start), out, columns);
            self.add_product(&inputs[0], w, (inner, outer), &mut y, cores)
        })?;
        Ok(vec![tensor(y, &[rows, outer])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        linear_kernels::kernel(self, io)
    }
}

impl Linear {
    /// Adds `x w` or `x wᵀ` to `y`.
    #[cfg(target_arch = "wasm32")]
    fn add_product(&self, x: &Tensor, w: Matrix, sizes: (usize, usize), y: &mut [f32], cores: &Cores) -> Result<()> {
        let inner = if self.flipped { Inner::First } else { Inner::Second };
        with_floats(&[x], |x| {
            if inner == Inner::Second && x[0].len() <= FEW * sizes.0 {
                add_matvec(x[0], w, sizes, y, cores);
            } else {
                add_matmul(x[0], w, sizes, inner, y, cores);
            }
            Ok(())
        })
    }

    /// Adds `x w` or `x wᵀ` to `y`, some rows of `w` at a time, so that of a matrix in blocks no whole copy is made.
    #[cfg(not(target_arch = "wasm32"))]
    fn add_product(
        &self,
        x: &Tensor,
        w: Matrix,
        (inner, outer): (usize, usize),
        y: &mut [f32],
        _: &Cores,
    ) -> Result<()> {
        let (columns, count) = if self.flipped { (outer, inner) } else { (inner, outer) };
        let at_once = if self.kind == BlockType::F32 { count } else { ROWS_AT_ONCE };
        for start in (0..count).step_by(at_once) {
            let len = at_once.min(count - start);
            let mut part = Vec::with_capacity(len * columns);
            w.rows(start, len, columns).dequantise(&mut part);
            let part = tensor(part, &[len, columns])?;
            if self.flipped {
                let product = x.narrow(1, start, len)?.matmul(&part)?;
                with_floats(&[&product], |product| {
                    add_to(y, product[0]);
                    Ok(())
                })?;
            } else {
                let product = x.matmul(&part.t()?)?;
                with_floats(&[&product], |product| {
                    let rows = y.chunks_exact_mut(outer).zip(product[0].chunks_exact(len));
                    rows.for_each(|(y, product)| add_to(&mut y[start..start + len], product));
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}

fn add_to(sum: &mut [f32], x: &[f32]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}
