//! Multi-head attention over one packed projection, or over queries and keys from two, and its gradient.

use super::host::{exp, tensor, with_floats};
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::Tensor;

/// What the score of padding becomes: far below any real one, still finite, so that a fully masked row stays a number.
const MASKED: f32 = -1e30;
/// What the score of a key that its query may never see becomes: its probability is 0 even where all others are padding.
const EXCLUDED: f32 = -3e38;

/// The most vec4 columns of a head that one invocation of a kernel holds in registers.
const MOST_PARTS: usize = 8;

/// Inputs `qkv (B S, (heads + 2 key_heads) head)` (query, key and value side by side), or `q (B S, heads head)` and
/// `kv (B K, 2 key_heads head)`; then `mask (B, K)` (1 attends, 0 is padding); then, if biased, the frozen `bias (heads, S, K)`.
/// Scores are `scale q kᵀ + bias`, masked. Outputs `context (B S, heads head)` and, for the backward pass,
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
    /// There is a bias input.
    pub biased: bool,
    /// Queries come from one projection, keys and values from another.
    pub apart: bool,
}

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

/// The tensors of one call and where things lie in them.
struct Call<'a> {
    op: Attention,
    queries: &'a Tensor,
    keys: &'a Tensor,
    mask: Vec<f32>,
    bias: Option<Vec<f32>>,
    batch: usize,
    /// Queries a text.
    length: usize,
    /// Keys a text.
    count: usize,
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
            biased: false,
            apart: false,
        }
    }

    /// Which input holds keys and values.
    fn keys_input(&self) -> usize {
        usize::from(self.apart)
    }

    fn mask_input(&self) -> usize {
        self.keys_input() + 1
    }

    /// Inputs of the op.
    fn inputs(&self) -> usize {
        self.mask_input() + 1 + usize::from(self.biased)
    }

    /// Elements in a row of queries and of keys, first key and first value.
    fn columns(&self) -> [usize; 4] {
        let (queries, keys) = (self.heads * self.head, self.key_heads * self.head);
        let before = if self.apart { 0 } else { queries };
        [queries + if self.apart { 0 } else { 2 * keys }, before + 2 * keys, before, before + keys]
    }

    /// Whether query `query` of a text may never see key `key`.
    fn excludes(&self, query: usize, key: usize) -> bool {
        self.causal && (key > query || self.window.is_some_and(|window| key + window <= query))
    }

    /// The kernel in vec4, whose invocations compute four tokens, or the one for heads of any size, and how many invocations each
    /// needs for `queries` queries and `keys` keys in all texts together. `first` is the place of the op's inputs among the kernel's.
    fn kernel_of(&self, wgsl: [&'static str; 2], inputs: &[&Shape], first: usize, roles: [bool; 2]) -> Kernel {
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
        kernel.with("scale", self.scale).with("biased", self.biased).with("causal", self.causal)
    }
}

impl<'a> Call<'a> {
    /// From the op's inputs.
    fn new(op: Attention, inputs: &'a [Tensor]) -> Result<Self> {
        let mask = &inputs[op.mask_input()];
        let (batch, count) = mask.dims2()?;
        let flat = |tensor: &Tensor| -> Result<Vec<f32>> { Ok(tensor.flatten_all()?.to_vec1()?) };
        Ok(Call {
            op,
            queries: &inputs[0],
            keys: &inputs[op.keys_input()],
            mask: flat(mask)?,
            bias: if op.biased { Some(flat(&inputs[op.inputs() - 1])?) } else { None },
            batch,
            length: inputs[0].dim(0)? / batch,
            count,
        })
    }

    /// `(heads, tokens, head)` of one text, a strided view of the columns from `start` on.
    fn view(&self, x: &Tensor, text: usize, start: usize, heads: usize) -> Result<Tensor> {
        let tokens = x.dim(0)? / self.batch;
        let x = x.narrow(0, text * tokens, tokens)?.narrow(1, start, heads * self.op.head)?;
        Ok(x.reshape((tokens, heads, self.op.head))?.transpose(0, 1)?)
    }

    fn queries(&self, text: usize) -> Result<Tensor> {
        self.view(self.queries, text, 0, self.op.heads)
    }

    /// Keys (0) or values (1), repeated for every head of queries.
    fn keys(&self, text: usize, which: usize) -> Result<Tensor> {
        let start = self.op.columns()[2 + which];
        let own = self.view(self.keys, text, start, self.op.key_heads)?;
        let shared_by = self.op.heads / self.op.key_heads;
        if shared_by == 1 {
            return Ok(own);
        }
        let (heads, tokens, head) = own.dims3()?;
        Ok(own.unsqueeze(1)?.broadcast_as((heads, shared_by, tokens, head))?.reshape((
            heads * shared_by,
            tokens,
            head,
        ))?)
    }

    /// Copies `(heads, tokens, head)` to the columns from `start` on of one text of `out (B tokens, columns)`, summed over the heads
    /// that share columns.
    fn scatter(&self, x: &Tensor, text: usize, start: usize, columns: usize, key: bool, out: &mut [f32]) -> Result<()> {
        let head = self.op.head;
        let tokens = x.dim(1)?;
        let shared_by = if key { self.op.heads / self.op.key_heads } else { 1 };
        with_floats(&[x], |x| {
            for (at, values) in x[0].chunks_exact(head).enumerate() {
                let (own, token) = (at / tokens / shared_by, at % tokens);
                let first = (text * tokens + token) * columns + start + own * head;
                out[first..first + head].iter_mut().zip(values).for_each(|(out, x)| *out += x);
            }
            Ok(())
        })
    }

    /// Scores `(heads, S, K)` of one text, masked.
    fn scores(&self, text: usize) -> Result<Vec<f32>> {
        let scores = self.queries(text)?.matmul(&self.keys(text, 0)?.t()?)?;
        let mask = &self.mask[text * self.count..(text + 1) * self.count];
        with_floats(&[&scores], |x| {
            let mut scores = x[0].to_vec();
            for (row, line) in scores.chunks_exact_mut(self.count).enumerate() {
                for (key, score) in line.iter_mut().enumerate() {
                    *score *= self.op.scale;
                    if let Some(bias) = &self.bias {
                        *score += bias[row * self.count + key];
                    }
                    if self.op.excludes(row % self.length, key) {
                        *score = EXCLUDED;
                    } else if mask[key] <= 0.0 {
                        *score = MASKED;
                    }
                }
            }
            Ok(scores)
        })
    }
}

impl Op for Attention {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (queries, keys, mask) = (inputs[0], inputs[self.keys_input()], inputs[self.mask_input()]);
        let [query_row, key_row, ..] = self.columns();
        let length = queries[0] / mask[0];
        let bias_fits = !self.biased || *inputs[self.inputs() - 1] == [self.heads, length, mask[1]];
        let fits = queries[1] == query_row && keys[1] == key_row && keys[0] == mask[0] * mask[1];
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

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let call = Call::new(*self, inputs)?;
        let hidden = self.heads * self.head;
        let mut context = vec![0.0; call.batch * call.length * hidden];
        let mut lse = Vec::with_capacity(call.batch * self.heads * call.length);
        for text in 0..call.batch {
            let mut scores = call.scores(text)?;
            for line in scores.chunks_exact_mut(call.count) {
                let max = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                line.iter_mut().for_each(|s| *s = exp(*s - max) * f32::from(*s > EXCLUDED));
                let sum = line.iter().sum::<f32>();
                line.iter_mut().for_each(|s| *s /= sum);
                lse.push(max + sum.ln());
            }
            let probabilities = tensor(scores, &[self.heads, call.length, call.count])?;
            let value = probabilities.matmul(&call.keys(text, 1)?)?;
            call.scatter(&value, text, 0, hidden, false, &mut context)?;
        }
        let lse = tensor(lse, &[call.batch, self.heads, call.length])?;
        Ok(vec![tensor(context, &[call.batch * call.length, hidden])?, lse])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let wgsl = [include_str!("attention.wgsl"), include_str!("attention_any.wgsl")];
        self.kernel_of(wgsl, io.inputs, 0, [true, false])
    }
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

impl Op for AttentionGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![match self.role {
            Role::Packed | Role::Queries => inputs[1].clone(),
            Role::Keys => inputs[2].clone(),
        }])
    }

    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let call = Call::new(self.of, &inputs[1..])?;
        let (dcontext, context, lse) = (&inputs[0], &inputs[inputs.len() - 2], &inputs[inputs.len() - 1]);
        let [query_row, key_row, key_start, value_start] = self.of.columns();
        let [for_queries, for_keys] = self.roles();
        let (rows, columns) = match self.role {
            Role::Packed | Role::Queries => (call.batch * call.length, query_row),
            Role::Keys => (call.batch * call.count, key_row),
        };
        let mut gradient = vec![0.0; rows * columns];
        for text in 0..call.batch {
            let view = |x| call.view(x, text, 0, self.of.heads);
            let (dcontext, context) = (view(dcontext)?, view(context)?);
            let [p, ds] = self.pairs(&call, text, [&dcontext, &context, lse])?;
            if for_queries {
                call.scatter(&ds.matmul(&call.keys(text, 0)?)?, text, 0, columns, false, &mut gradient)?;
            }
            if for_keys {
                let key = ds.t()?.matmul(&call.queries(text)?)?;
                call.scatter(&key, text, key_start, columns, true, &mut gradient)?;
                call.scatter(&p.t()?.matmul(&dcontext)?, text, value_start, columns, true, &mut gradient)?;
            }
        }
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
