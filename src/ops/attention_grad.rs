//! The gradient of attention.

use super::attention::Attention;
use super::attention_twin::{Call, EXCLUDED};
use super::host::{exp, tensor, with_floats};
use crate::cores::{Cores, parts_of};
use crate::error::Result;
use crate::graph::{Io, Op, Shape};
use crate::kernel::Kernel;
use candle_core::Tensor;

/// Which of an attention's inputs a gradient is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The packed projection.
    Packed,
    /// Queries that come alone.
    Queries,
    /// Keys and values that come alone.
    Keys,
}

/// Inputs `dcontext (B S, heads head)`, those of the op, `context`, `lse`; output the gradient of the input that the role names.
/// With `P = exp(score - lse)`: `dV = Pᵀ dO`, `dS = P ⊙ (dO Vᵀ - rowsum(dO ⊙ O))`, `dQ = scale dS K`, `dK = scale dSᵀ Q`.
#[derive(Debug, Clone, Copy)]
pub struct AttentionGrad {
    /// The attention.
    pub of: Attention,
    /// For which input.
    pub role: Role,
}

impl AttentionGrad {
    /// Which parts of the gradient: queries, keys and values.
    fn roles(&self) -> [bool; 2] {
        match self.role {
            Role::Packed => [true, true],
            Role::Queries => [true, false],
            Role::Keys => [false, true],
        }
    }

    /// Probabilities and gradients of the products, `(heads, S, K)` both, of one text.
    fn pairs(&self, call: &Call, text: usize, [dcontext, context, lse]: [&Tensor; 3]) -> Result<[Tensor; 2]> {
        let Attention { heads, scale, .. } = self.of;
        let (length, count) = (call.length, call.count);
        let lse = lse.narrow(0, text, 1)?.flatten_all()?.to_vec1::<f32>()?;
        let weighted = (dcontext * context)?.sum(2)?.flatten_all()?.to_vec1::<f32>()?;
        let dp = dcontext.matmul(&call.keys(text, 1)?.t()?)?;
        let mut p = call.scores(text)?;
        let ds = with_floats(&[&dp], |dp| {
            let mut ds = Vec::with_capacity(p.len());
            for (row, line) in p.chunks_exact_mut(count).enumerate() {
                for (key, score) in line.iter_mut().enumerate() {
                    let probability = if *score > EXCLUDED { exp(*score - lse[row]) } else { 0.0 };
                    ds.push(probability * (dp[0][row * count + key] - weighted[row]) * scale);
                    *score = probability;
                }
            }
            Ok(ds)
        })?;
        let shape = [heads, length, count];
        Ok([tensor(p, &shape)?, tensor(ds, &shape)?])
    }
}

impl AttentionGrad {
    /// Adds the gradient of one text to `out (tokens, columns)`.
    fn of_text(
        &self,
        call: &Call,
        text: usize,
        [dcontext, context, lse]: [&Tensor; 3],
        columns: usize,
        out: &mut [f32],
    ) -> Result<()> {
        let [_, _, key_start, value_start] = self.of.columns();
        let [for_queries, for_keys] = self.roles();
        let view = |x| call.view(x, text, 0, self.of.heads);
        let (dcontext, context) = (view(dcontext)?, view(context)?);
        let [p, ds] = self.pairs(call, text, [&dcontext, &context, lse])?;
        if for_queries {
            call.scatter(&ds.matmul(&call.keys(text, 0)?)?, 0, columns, false, out)?;
        }
        if for_keys {
            call.scatter(&ds.t()?.matmul(&call.queries(text)?)?, key_start, columns, true, out)?;
            call.scatter(&p.t()?.matmul(&dcontext)?, value_start, columns, true, out)?;
        }
        Ok(())
    }
}

impl Op for AttentionGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![match self.role {
            Role::Packed | Role::Queries => inputs[1].clone(),
            Role::Keys => inputs[2].clone(),
        }])
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let call = Call::new(self.of, &inputs[1..])?;
        let (dcontext, context, lse) = (&inputs[0], &inputs[inputs.len() - 2], &inputs[inputs.len() - 1]);
        let [query_row, key_row, ..] = self.of.columns();
        let (rows, columns) = match self.role {
            Role::Packed | Role::Queries => (call.batch * call.length, query_row),
            Role::Keys => (call.batch * call.count, key_row),
        };
        let mut gradient = vec![0.0; rows * columns];
        let of_text = rows / call.batch * columns;
        let parts = parts_of(&mut gradient, of_text, cores.split(call.batch));
        let done = cores.map(parts, |(first, part)| {
            let mut texts = part.chunks_exact_mut(of_text).zip(first..);
            texts.try_for_each(|(out, text)| self.of_text(&call, text, [dcontext, context, lse], columns, out))
        });
        done.into_iter().collect::<Result<()>>()?;
        Ok(vec![tensor(gradient, &[rows, columns])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let wgsl = [include_str!("attention_grad.wgsl"), include_str!("attention_grad_any.wgsl")];
        let [for_queries, for_keys] = self.roles();
        let inputs = self.of.inputs();
        let mut kernel = self.of.kernel_of(wgsl, &io.inputs[1..=inputs], 1, [for_queries, for_keys]);
        kernel.inputs.insert(0, 0);
        kernel.inputs.extend([1 + inputs, 2 + inputs]);
        kernel.with("query_role", for_queries).with("key_role", for_keys)
    }
}
