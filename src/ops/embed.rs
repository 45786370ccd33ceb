//! Input embeddings: one row of each of some tables, summed.

use super::blocks::{constants, matrix_shape, with_matrix};
use super::host::{integers, tensor};
use crate::checkpoint::BlockType;
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Tables at most: words, positions, token types.
const MOST_TABLES: usize = 3;

/// Inputs `ids (B, S)` and `table (R, H)`, one to three times; output `(B S, H)`: the sum of `table[ids]` times a scale.
/// The tables are frozen, so there is no gradient.
#[derive(Debug, Clone, Copy)]
pub struct Embed {
    /// Factor of the sum.
    pub scale: f32,
    /// Number format of the first table; the others are floats.
    pub kind: BlockType,
}

impl Op for Embed {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        if inputs.is_empty() || inputs.len() > 2 * MOST_TABLES || inputs.len() % 2 == 1 {
            let reason = format!("{} inputs are not one to three pairs of ids and table", inputs.len());
            return Err(Error::Shape { op: "Embed".into(), reason });
        }
        Ok(vec![vec![inputs[0][0] * inputs[0][1], inputs[1][1]]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (tokens, hidden) = (inputs[0].elem_count(), matrix_shape(&inputs[1], self.kind)?[1]);
        let mut sum = vec![0.0; tokens * hidden];
        let mut row = Vec::with_capacity(hidden);
        for (at, pair) in inputs.chunks_exact(2).enumerate() {
            let ids = integers(&pair[0])?;
            with_matrix(&pair[1], if at == 0 { self.kind } else { BlockType::F32 }, |table| {
                for (sum, id) in sum.chunks_exact_mut(hidden).zip(&ids) {
                    row.clear();
                    table.rows(*id as usize, 1, hidden).dequantise(&mut row);
                    sum.iter_mut().zip(&row).for_each(|(sum, x)| *sum += self.scale * x);
                }
                Ok(())
            })?;
        }
        Ok(vec![tensor(sum, &[tokens, hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (tokens, hidden) = (io.outputs[0][0], io.outputs[0][1]);
        let sizes = [("tokens", tokens), ("hidden", hidden), ("tables", io.inputs.len() / 2)];
        let wgsl = concat!(include_str!("blocks.wgsl"), include_str!("embed.wgsl"));
        let mut kernel = Kernel::new(wgsl, 0, &sizes, elementwise(tokens * hidden));
        kernel.inputs =
            (0..2 * MOST_TABLES).map(|input| if input < io.inputs.len() { input } else { input % 2 }).collect();
        kernel.with_sizes(&constants(self.kind, hidden)).with("scale", self.scale)
    }
}
