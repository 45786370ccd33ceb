//! The bias of attention by the distance of two tokens.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// Inputs `weight (buckets, heads)` and `buckets (2 S - 1)`, the row of the weight for each distance of key and query from `1 - S` on.
/// Output `(heads, S, S)`: `y[h, q, k] = weight[buckets[k - q + S - 1], h]`. The weight is frozen, so there is no gradient.
#[derive(Debug)]
pub struct RelativeBias;

impl Op for RelativeBias {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let length = inputs[1][0].div_ceil(2);
        Ok(vec![vec![inputs[0][1], length, length]])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let heads = inputs[0].dim(1)?;
        let buckets = integers(&inputs[1])?;
        let length = buckets.len().div_ceil(2);
        let y = with_floats(&[&inputs[0]], |weight| {
            let element = |at: usize| {
                let (head, query, key) = (at / length / length, at / length % length, at % length);
                weight[0][buckets[key + length - 1 - query] as usize * heads + head]
            };
            Ok((0..heads * length * length).map(element).collect())
        })?;
        Ok(vec![tensor(y, &[heads, length, length])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let [heads, length, _] = io.outputs[0][..] else { unreachable!("a bias has three dimensions") };
        let sizes = [("heads", heads), ("length", length)];
        Kernel::new(include_str!("relative_bias.wgsl"), 2, &sizes, elementwise(heads * length * length))
    }
}
