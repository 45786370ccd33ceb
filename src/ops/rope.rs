//! Rotary position embedding of queries and keys in a packed projection.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Inputs `x (B S, C)`, `table (S, 2, half)`, the cosine and sine of each angle, and perhaps `positions (B, S)`: each token takes the angles
/// of its position, of which the table may then have any number, or without them of its place in the row. The first `heads` groups of `head` columns are turned,
/// column `i < half` of a head with column `i + half` (transformers' `rotate_half`; arXiv 2104.09864); other columns pass.
#[derive(Debug, Clone, Copy)]
pub struct Rope {
    /// Heads that are turned.
    pub heads: usize,
    /// Columns of a head.
    pub head: usize,
    /// Turn back: the gradient of the turn.
    pub back: bool,
}

impl Op for Rope {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, table) = (inputs[0], inputs[1]);
        if self.heads * self.head > x[1]
            || 2 * table[2] > self.head
            || (inputs.len() < 3 && !x[0].is_multiple_of(table[0]))
        {
            return Err(Error::Shape { op: format!("{self:?}"), reason: format!("x {x:?} and table {table:?}") });
        }
        Ok(vec![x.clone()])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let back = Rope { back: !self.back, ..*self };
        let inputs = [&[at.dy()], &at.inputs[1..]].concat();
        let dx = graph.one(back, &inputs)?;
        Ok((0..inputs.len()).map(|input| Some(dx).filter(|_| input == 0)).collect())
    }

    fn reads_half(&self, input: usize) -> bool {
        input == 0
    }

    fn writes_half(&self) -> bool {
        true
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let columns = inputs[0].dim(1)?;
        let (length, _, half) = inputs[1].dims3()?;
        let positions = inputs.get(2).map(integers).transpose()?;
        let position = |token: usize| positions.as_ref().map_or(token % length, |positions| positions[token] as usize);
        let sign = if self.back { -1.0 } else { 1.0 };
        let y = with_floats(&[&inputs[0], &inputs[1]], |x| {
            let mut y = x[0].to_vec();
            cores.rows(&mut y, columns, |first, y| {
                for (row, token) in y.chunks_exact_mut(columns).zip(first..) {
                    let (cos, sin) = x[1][position(token) * 2 * half..][..2 * half].split_at(half);
                    for head in row.chunks_exact_mut(self.head).take(self.heads) {
                        for i in 0..half {
                            let (a, b) = (head[i], head[i + half]);
                            head[i] = a * cos[i] - b * sin[i] * sign;
                            head[i + half] = b * cos[i] + a * sin[i] * sign;
                        }
                    }
                }
            });
            Ok(y)
        })?;
        Ok(vec![tensor(y, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.inputs[0][0], io.inputs[0][1]);
        let sizes = [
            ("rows", rows),
            ("columns", columns),
            ("length", io.inputs[1][0]),
            ("half", io.inputs[1][2]),
            ("heads", self.heads),
            ("head", self.head),
        ];
        let mut kernel = Kernel::new(include_str!("rope.wgsl"), 2, &sizes, elementwise(rows * columns));
        kernel.inputs.push(if io.inputs.len() > 2 { 2 } else { 1 });
        kernel.with("back", self.back).with("placed", io.inputs.len() > 2)
    }
}
