//! Multi-head attention over one packed projection, or over queries and keys from two.

use super::attention_grad::{AttentionGrad, Role};
use super::attention_twin::{Call, EXCLUDED};
use super::host::{exp, tensor};
use super::segments::visible;
use crate::cores::{Cores, parts_of};
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// The most vec4 columns of a head that one invocation of a kernel holds in registers.
const MOST_PARTS: usize = 8;

/// Inputs `qkv (B S, (heads + 2 key_heads) head)` (query, key and value side by side), or `q (B S, heads head)` and
/// `kv (B K, 2 key_heads head)`; then `mask (B, K)` (1 attends, 0 is padding) or, if segmented, the [`super::mark`] of each token as u32;
/// then, if biased, the frozen `bias (heads, S, K)`. Scores are `scale q kᵀ + bias`, masked. Outputs `context (B S, heads head)` and, for the backward pass,
/// `lse (B, heads, S)`, the log of each softmax's denominator: with it the backward pass rebuilds the probabilities instead of
/// keeping them (FlashAttention, arXiv 2205.14135).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, each shared by `heads / key_heads` of the queries' (arXiv 2305.13245).
    pub key_heads: usize,
    /// Columns of a head.
    pub head: usize,
    /// Factor of the scores: as a rule `1 / sqrt(head)`.
    pub scale: f32,
    /// A query sees only keys up to its own place.
    pub causal: bool,
    /// And only the last so many of them. Needs `causal`.
    pub window: Option<usize>,
    /// A query sees only keys of its own segment and of segment 0. Windows and biases then go by positions, not by places in the row.
    /// Not with `apart`.
    pub segmented: bool,
    /// There is a bias input.
    pub biased: bool,
    /// Queries come from one projection, keys and values from another.
    pub apart: bool,
}

impl Attention {
    /// Every token sees every other: an encoder with `hidden` columns.
    pub fn full(heads: usize, hidden: usize) -> Attention {
        let head = hidden / heads;
        Attention {
            heads,
            key_heads: heads,
            head,
            scale: 1.0 / (head as f32).sqrt(),
            causal: false,
            window: None,
            segmented: false,
            biased: false,
            apart: false,
        }
    }

    /// Which input holds keys and values.
    pub(super) fn keys_input(&self) -> usize {
        usize::from(self.apart)
    }

    pub(super) fn mask_input(&self) -> usize {
        self.keys_input() + 1
    }

    /// Inputs of the op.
    pub(super) fn inputs(&self) -> usize {
        self.mask_input() + 1 + usize::from(self.biased)
    }

    /// Elements in a row of queries and of keys, first key and first value.
    pub(super) fn columns(&self) -> [usize; 4] {
        let (queries, keys) = (self.heads * self.head, self.key_heads * self.head);
        let before = if self.apart { 0 } else { queries };
        [queries + if self.apart { 0 } else { 2 * keys }, before + 2 * keys, before, before + keys]
    }

    /// Whether query `query` of a text may never see key `key`; `marks` are those of the text's tokens where they are segmented.
    pub(super) fn excludes(&self, marks: &[u32], query: usize, key: usize) -> bool {
        let after = self.causal && key > query;
        let far = if self.segmented {
            !visible(marks[query], marks[key], self.window)
        } else {
            self.causal && self.window.is_some_and(|window| key + window <= query)
        };
        after || far
    }

    /// The kernel in vec4, whose invocations compute four tokens, or the one for heads of any size, and how many invocations each
    /// needs for `queries` queries and `keys` keys in all texts together. `first` is the place of the op's inputs among the kernel's.
    pub(super) fn kernel_of(
        &self,
        wgsl: [&'static str; 2],
        inputs: &[&Shape],
        first: usize,
        roles: [bool; 2],
    ) -> Kernel {
        let mask = inputs[self.mask_input()];
        let (batch, keys) = (mask[0], mask[1]);
        let length = inputs[0][0] / batch;
        let unit = if self.head.is_multiple_of(4) { 4 } else { 1 };
        let head = self.head / unit;
        let part = (1..=MOST_PARTS).rev().find(|part| head.is_multiple_of(*part)).expect("1 divides every number");
        let parts = if unit == 4 { head / part } else { 1 };
        let [queries_count, keys_count] =
            [self.heads * length.div_ceil(unit), self.key_heads * keys.div_ceil(unit)].map(|n| batch * parts * n);
        let count = if roles[0] { queries_count } else { 0 } + if roles[1] { keys_count } else { 0 };
        let [query_row, key_row, key_start, value_start] = self.columns().map(|columns| columns / unit);
        let sizes = [
            ("batch", batch),
            ("length", length),
            ("keys", keys),
            ("heads", self.heads),
            ("key_heads", self.key_heads),
            ("head", head),
            ("query_row", query_row),
            ("key_row", key_row),
            ("key_start", key_start),
            ("value_start", value_start),
            ("window", self.window.unwrap_or(0)),
        ];
        let mut kernel = Kernel::new(wgsl[usize::from(unit == 1)], 0, &sizes, elementwise(count));
        if unit == 4 {
            kernel = kernel.with_size("part", part);
        }
        // Queries, keys and values, mask, bias; the mask stands in for a bias that is absent.
        let bias = if self.biased { self.inputs() - 1 } else { self.mask_input() };
        kernel.inputs = [0, self.keys_input(), self.mask_input(), bias].map(|input| first + input).to_vec();
        kernel
            .with("scale", self.scale)
            .with("biased", self.biased)
            .with("causal", self.causal)
            .with("segmented", self.segmented)
    }
}

impl Attention {
    /// `context (S, heads head)` and `lse (heads, S)` of one text.
    fn attend(&self, call: &Call, text: usize, context: &mut [f32], lse: &mut [f32]) -> Result<()> {
        let mut scores = call.scores(text)?;
        for (line, lse) in scores.chunks_exact_mut(call.count).zip(lse) {
            let max = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            line.iter_mut().for_each(|s| *s = exp(*s - max) * f32::from(*s > EXCLUDED));
            let sum = line.iter().sum::<f32>();
            line.iter_mut().for_each(|s| *s /= sum);
            *lse = max + sum.ln();
        }
        let probabilities = tensor(scores, &[self.heads, call.length, call.count])?;
        let value = probabilities.matmul(&call.keys(text, 1)?)?;
        call.scatter(&value, 0, self.heads * self.head, false, context)
    }
}

impl Op for Attention {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (queries, keys, mask) = (inputs[0], inputs[self.keys_input()], inputs[self.mask_input()]);
        let [query_row, key_row, ..] = self.columns();
        let length = queries[0] / mask[0];
        let bias_fits = !self.biased || *inputs[self.inputs() - 1] == [self.heads, length, mask[1]];
        let own = !self.segmented || (!self.apart && length == mask[1]);
        let fits = own && queries[1] == query_row && keys[1] == key_row && keys[0] == mask[0] * mask[1];
        if !fits || !bias_fits || !queries[0].is_multiple_of(mask[0]) || !self.heads.is_multiple_of(self.key_heads) {
            let reason = format!("queries {queries:?}, keys and values {keys:?}, mask {mask:?}");
            return Err(Error::Shape { op: format!("{self:?}"), reason });
        }
        Ok(vec![vec![queries[0], self.heads * self.head], vec![mask[0], self.heads, length]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let mut inputs = vec![at.dy()];
        inputs.extend(at.inputs);
        inputs.extend(at.outputs);
        let mut found = vec![None; at.inputs.len()];
        let roles: &[Role] = if self.apart { &[Role::Queries, Role::Keys] } else { &[Role::Packed] };
        for (input, role) in roles.iter().enumerate() {
            if at.wants[input] {
                found[input] = Some(graph.one(AttentionGrad { of: *self, role: *role }, &inputs)?);
            }
        }
        Ok(found)
    }

    fn reads_half(&self, input: usize) -> bool {
        input <= self.keys_input()
    }

    /// The kernel for heads of any size adds up in its output.
    fn writes_half(&self) -> bool {
        self.head.is_multiple_of(4)
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let call = Call::new(*self, inputs)?;
        let hidden = self.heads * self.head;
        let mut context = vec![0.0; call.batch * call.length * hidden];
        let mut lse = vec![0.0; call.batch * self.heads * call.length];
        let of_text = [call.length * hidden, self.heads * call.length];
        let parts = parts_of(&mut context, of_text[0], cores.split(call.batch)).into_iter();
        let parts = parts.zip(parts_of(&mut lse, of_text[1], cores.split(call.batch)));
        let done = cores.map(parts.collect(), |((first, context), (_, lse))| {
            let mut texts = context.chunks_exact_mut(of_text[0]).zip(lse.chunks_exact_mut(of_text[1])).zip(first..);
            texts.try_for_each(|((context, lse), text)| self.attend(&call, text, context, lse))
        });
        done.into_iter().collect::<Result<()>>()?;
        let lse = tensor(lse, &[call.batch, self.heads, call.length])?;
        Ok(vec![tensor(context, &[call.batch * call.length, hidden])?, lse])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let wgsl = [include_str!("attention.wgsl"), include_str!("attention_any.wgsl")];
        self.kernel_of(wgsl, io.inputs, 0, [true, false])
    }
}
