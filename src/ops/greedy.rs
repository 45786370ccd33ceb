//! Whether a language model, asked for one token, would have written the label.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Io, Op, Shape};
use crate::kernel::{Kernel, grid};
use candle_core::Tensor;

/// Inputs `logits (n, V)` of the tokens from `start` on and `labels (B, S)` of all tokens; output `hits (n)`: 1 where no token has a
/// larger logit than the label and none before it the same, 0 elsewhere. A text whose every label is a hit is what greedy decoding writes,
/// since a token's logits depend on those before it alone. Nothing is trained through it.
#[derive(Debug, Clone, Copy)]
pub struct Greedy {
    /// The first token.
    pub start: usize,
}

impl Op for Greedy {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![vec![inputs[0][0]]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (rows, classes) = inputs[0].dims2()?;
        let labels = integers(&inputs[1])?;
        let hits = with_floats(&[&inputs[0]], |x| {
            let hit = |(row, label): (&[f32], &u32)| {
                let label = *label as usize;
                let above =
                    row[..label].iter().any(|x| *x >= row[label]) || row[label..].iter().any(|x| *x > row[label]);
                f32::from(u8::from(!above))
            };
            Ok(x[0].chunks_exact(classes).zip(&labels[self.start..]).map(hit).collect())
        })?;
        Ok(vec![tensor(hits, &[rows])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, classes) = (io.inputs[0][0], io.inputs[0][1]);
        let sizes = [("rows", rows), ("classes", classes), ("start", self.start)];
        Kernel::new(include_str!("greedy.wgsl"), 2, &sizes, grid(rows))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_logits_the_first_is_taken() {
        let logits = tensor(vec![1.0, 3.0, 3.0, 1.0, 3.0, 3.0, 2.0, 0.0, 1.0], &[3, 3]).unwrap();
        let labels = Tensor::from_vec(vec![9_u32, 1, 2, 0], (2, 2), logits.device()).unwrap();
        let hits = Greedy { start: 1 }.cpu(&[logits, labels], &Cores::one()).unwrap();
        assert_eq!(hits[0].to_vec1::<f32>().unwrap(), [1.0, 0.0, 1.0]);
    }
}
