//! Multi-head self-attention over one packed projection, and its gradient.

use super::host::{exp, tensor, with_floats};
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// What a masked score becomes: far below any real one, still finite, so that a fully masked row stays a number.
const MASKED: f32 = -1e30;

/// The most vec4 columns of a head that one invocation of a kernel holds in registers.
const MOST_PARTS: usize = 8;

/// Inputs `qkv (B S, 3 H)` (query, key and value side by side) and `mask (B, S)` (1 attends, 0 is padding).
/// Outputs `context (B S, H)` and, for the backward pass, `lse (B, heads, S)`, the log of each softmax's denominator:
/// with it the backward pass rebuilds the probabilities instead of keeping them (FlashAttention, arXiv 2205.14135).
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Number of heads; H is a multiple of it.
    pub heads: usize,
    /// Factor of the scores: `1 / sqrt(head size)`.
    pub scale: f32,
}

/// Inputs `dcontext (B S, H)`, `qkv`, `mask`, `context`, `lse`; output `dqkv (B S, 3 H)`.
/// With `P = exp(scale q kᵀ - lse)`: `dV = Pᵀ dO`, `dS = P ⊙ (dO Vᵀ - rowsum(dO ⊙ O))`, `dQ = scale dS K`, `dK = scale dSᵀ Q`.
#[derive(Debug, Clone, Copy)]
pub struct AttentionGrad(pub Attention);

/// Sizes of one call.
struct Sizes {
    batch: usize,
    length: usize,
    hidden: usize,
    heads: usize,
}

impl Sizes {
    fn of(qkv: &[usize], mask: &[usize], heads: usize) -> Self {
        Sizes { batch: mask[0], length: mask[1], hidden: qkv[1] / 3, heads }
    }

    fn head(&self) -> usize {
        self.hidden / self.heads
    }

    /// `(heads, S, head size)` of one batch row, a strided view of columns `part * H ..` of a `(B S, C)` tensor.
    fn view(&self, x: &Tensor, row: usize, part: usize) -> Result<Tensor> {
        let x = x.narrow(0, row * self.length, self.length)?.narrow(1, part * self.hidden, self.hidden)?;
        Ok(x.reshape((self.length, self.heads, self.head()))?.transpose(0, 1)?)
    }

    /// Copies `(heads, S, head size)` to the columns `part * H ..` of one batch row of `out (B S, columns)`.
    fn scatter(&self, x: &Tensor, row: usize, part: usize, columns: usize, out: &mut [f32]) -> Result<()> {
        let d = self.head();
        with_floats(&[x], |x| {
            for (at, values) in x[0].chunks_exact(d).enumerate() {
                let (head, token) = (at / self.length, at % self.length);
                let first = (row * self.length + token) * columns + part * self.hidden + head * d;
                out[first..first + d].copy_from_slice(values);
            }
            Ok(())
        })
    }
}

impl Attention {
    /// Raw scores `(heads, S, S)` of one batch row, scaled and masked.
    fn scores(&self, sizes: &Sizes, qkv: &Tensor, mask: &[f32], row: usize) -> Result<Vec<f32>> {
        let scores = sizes.view(qkv, row, 0)?.matmul(&sizes.view(qkv, row, 1)?.t()?)?;
        let mask = &mask[row * sizes.length..(row + 1) * sizes.length];
        with_floats(&[&scores], |x| {
            let mut scores = x[0].to_vec();
            for line in scores.chunks_exact_mut(sizes.length) {
                line.iter_mut().zip(mask).for_each(|(s, m)| *s = if *m > 0.0 { *s * self.scale } else { MASKED });
            }
            Ok(scores)
        })
    }

    /// The kernel in vec4, whose invocations compute four tokens in one of some `roles`; or the one for heads of any size.
    fn kernel_of(
        &self,
        wgsl: &'static str,
        any: &'static str,
        qkv: &Shape,
        mask: &Shape,
        inputs: usize,
        roles: usize,
    ) -> Kernel {
        let (batch, length, head) = (mask[0], mask[1], qkv[1] / 3 / self.heads);
        let sizes = [("batch", batch), ("length", length), ("heads", self.heads)];
        let kernel = if head % 4 == 0 {
            let head = head / 4;
            let part = (1..=MOST_PARTS).rev().find(|part| head % part == 0).expect("1 divides every number");
            let count = batch * self.heads * (head / part) * length.div_ceil(4) * roles;
            Kernel::new(wgsl, inputs, &sizes, elementwise(count)).with_size("head", head).with_size("part", part)
        } else {
            Kernel::new(any, inputs, &sizes, elementwise(batch * self.heads * length)).with_size("head", head)
        };
        kernel.with("scale", self.scale)
    }
}

impl Op for Attention {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (qkv, mask) = (inputs[0], inputs[1]);
        if qkv[0] != mask[0] * mask[1] || qkv[1] % (3 * self.heads) != 0 {
            let reason = format!("qkv {qkv:?} and mask {mask:?} with {} heads", self.heads);
            return Err(Error::Shape { op: "Attention".into(), reason });
        }
        Ok(vec![vec![qkv[0], qkv[1] / 3], vec![mask[0], self.heads, mask[1]]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let inputs = [at.dy(), at.inputs[0], at.inputs[1], at.outputs[0], at.outputs[1]];
        Ok(vec![Some(graph.one(AttentionGrad(*self), &inputs)?), None])
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let sizes = Sizes::of(inputs[0].dims(), inputs[1].dims(), self.heads);
        let length = sizes.length;
        let mask = inputs[1].flatten_all()?.to_vec1::<f32>()?;
        let mut context = vec![0.0; sizes.batch * length * sizes.hidden];
        let mut lse = Vec::with_capacity(sizes.batch * self.heads * length);
        for row in 0..sizes.batch {
            let mut scores = self.scores(&sizes, &inputs[0], &mask, row)?;
            for line in scores.chunks_exact_mut(length) {
                let max = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                line.iter_mut().for_each(|s| *s = exp(*s - max));
                let sum = line.iter().sum::<f32>();
                line.iter_mut().for_each(|s| *s /= sum);
                lse.push(max + sum.ln());
            }
            let probabilities = tensor(scores, &[self.heads, length, length])?;
            let value = probabilities.matmul(&sizes.view(&inputs[0], row, 2)?)?;
            sizes.scatter(&value, row, 0, sizes.hidden, &mut context)?;
        }
        let lse = tensor(lse, &[sizes.batch, self.heads, length])?;
        Ok(vec![tensor(context, &[sizes.batch * length, sizes.hidden])?, lse])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let any = include_str!("attention_any.wgsl");
        self.kernel_of(include_str!("attention.wgsl"), any, io.inputs[0], io.inputs[1], 2, 1)
    }
}

impl Op for AttentionGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[1].clone()])
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let [dcontext, qkv, mask, context, lse] = inputs else { unreachable!("AttentionGrad has five inputs") };
        let Attention { heads, scale } = self.0;
        let sizes = Sizes::of(qkv.dims(), mask.dims(), heads);
        let length = sizes.length;
        let mask = mask.flatten_all()?.to_vec1::<f32>()?;
        let lse = lse.flatten_all()?.to_vec1::<f32>()?;
        let columns = 3 * sizes.hidden;
        let mut dqkv = vec![0.0; sizes.batch * length * columns];
        for row in 0..sizes.batch {
            let mut p = self.0.scores(&sizes, qkv, &mask, row)?;
            let lse = &lse[row * heads * length..(row + 1) * heads * length];
            for (line, lse) in p.chunks_exact_mut(length).zip(lse) {
                line.iter_mut().for_each(|s| *s = exp(*s - lse));
            }
            let dcontext = sizes.view(dcontext, row, 0)?;
            let weighted = (&dcontext * sizes.view(context, row, 0)?)?.sum(2)?.flatten_all()?.to_vec1::<f32>()?;
            let dp = dcontext.matmul(&sizes.view(qkv, row, 2)?.t()?)?;
            let ds = with_floats(&[&dp], |dp| {
                let mut ds = p.clone();
                let lines = ds.chunks_exact_mut(length).zip(dp[0].chunks_exact(length)).zip(&weighted);
                for ((ds, dp), weighted) in lines {
                    ds.iter_mut().zip(dp).for_each(|(ds, dp)| *ds *= (dp - weighted) * scale);
                }
                Ok(ds)
            })?;
            let (p, ds) = (tensor(p, &[heads, length, length])?, tensor(ds, &[heads, length, length])?);
            let (query, key) = (sizes.view(qkv, row, 0)?, sizes.view(qkv, row, 1)?);
            sizes.scatter(&ds.matmul(&key)?, row, 0, columns, &mut dqkv)?;
            sizes.scatter(&ds.t()?.matmul(&query)?, row, 1, columns, &mut dqkv)?;
            sizes.scatter(&p.t()?.matmul(&dcontext)?, row, 2, columns, &mut dqkv)?;
        }
        Ok(vec![tensor(dqkv, qkv.dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let any = include_str!("attention_grad_any.wgsl");
        self.0.kernel_of(include_str!("attention_grad.wgsl"), any, io.inputs[1], io.inputs[2], 5, 2)
    }
}
