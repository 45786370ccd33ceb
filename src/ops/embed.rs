//! The input embeddings of an encoder: token, position and token-type rows, summed.

use super::host::{integers, tensor, with_floats};
use crate::error::Result;
use crate::graph::{Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Inputs `ids (B, S)`, `types (B, S)`, `words (V, H)`, `positions (M, H)`, `kinds (T, H)`; output `(B S, H)`:
/// `words[ids] + positions[s] + kinds[types]`. The tables are frozen, so there is no gradient.
#[derive(Debug)]
pub struct Embed;

impl Op for Embed {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0] * inputs[0][1], inputs[2][1]]])
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (ids, types) = (integers(&inputs[0])?, integers(&inputs[1])?);
        let (length, hidden) = (inputs[0].dim(1)?, inputs[2].dim(1)?);
        let sum = with_floats(&[&inputs[2], &inputs[3], &inputs[4]], |tables| {
            let row = |table: usize, index: usize| &tables[table][index * hidden..(index + 1) * hidden];
            let mut sum = Vec::with_capacity(ids.len() * hidden);
            for (n, (id, kind)) in ids.iter().zip(&types).enumerate() {
                let (word, position, kind) = (row(0, *id as usize), row(1, n % length), row(2, *kind as usize));
                sum.extend((0..hidden).map(|i| word[i] + position[i] + kind[i]));
            }
            Ok(sum)
        })?;
        Ok(vec![tensor(sum, &[ids.len(), hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (tokens, hidden) = (io.outputs[0][0], io.outputs[0][1]);
        let sizes = [("tokens", tokens), ("length", io.inputs[0][1]), ("hidden", hidden)];
        Kernel::new(include_str!("embed.wgsl"), 5, &sizes, elementwise(tokens * hidden))
    }
}
