//! Attention of some tokens over the keys and values of a cache.

use super::host::{exp, integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Io, Op, Shape};
use crate::kernel::{AdapterKind, Kernel, grid};
use candle_core::Tensor;

/// Inputs `qkv (B S, (heads + 2 key_heads) head)`, of which the queries are read, or queries alone, `positions (B, S)` and the
/// `cache (B, C, 2 key_heads head)` that [`super::Store`] left; then, if biased, the frozen `weight (buckets, heads)` and `buckets (C)`, its row
/// for each distance from a query back to a key. A query at position p sees the keys in the places 0 to p of its text, and of these only the last
/// `window`, where there is one. Positions are below C, or the window is no longer than C and place C is place 0 again and so on.
/// Output `context (B S, heads head)`. Nothing is trained through it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CachedAttention {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, each shared by `heads / key_heads` of the queries' (arXiv 2305.13245).
    pub key_heads: usize,
    /// Columns of a head.
    pub head: usize,
    /// Factor of the scores.
    pub scale: f32,
    /// How many of the last keys a query sees, where not all.
    pub window: Option<usize>,
    /// Scores have a bias by the distance of query and key.
    pub biased: bool,
}

impl Op for CachedAttention {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (qkv, positions, cache) = (inputs[0], inputs[1], inputs[2]);
        let (queries, keys) = (self.heads * self.head, 2 * self.key_heads * self.head);
        let tokens = positions[0] * positions[1];
        let row_fits = qkv[1] == queries || qkv[1] == queries + keys;
        let bias_fits = !self.biased || (inputs[3][1] == self.heads && *inputs[4] == [cache[1]]);
        let fits = qkv[0] == tokens && row_fits && cache[0] == positions[0] && cache[2] == keys && bias_fits;
        if !fits || !self.heads.is_multiple_of(self.key_heads) {
            let reason = format!("qkv {qkv:?}, positions {positions:?}, cache {cache:?}");
            return Err(Error::Shape { op: format!("{self:?}"), reason });
        }
        Ok(vec![vec![tokens, queries]])
    }

    fn reads_half(&self, input: usize) -> bool {
        [0, 2].contains(&input)
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let positions = integers(&inputs[1])?;
        let (batch, capacity, columns) = inputs[2].dims3()?;
        let (head, shared_by, length) = (self.head, self.heads / self.key_heads, positions.len() / batch);
        let (hidden, row) = (self.heads * head, inputs[0].dim(1)?);
        let buckets = if self.biased { integers(&inputs[4])? } else { Vec::new() };
        let mut context = vec![0.0; positions.len() * hidden];
        let floats: Vec<&Tensor> = [&inputs[0], &inputs[2]].into_iter().chain(inputs.get(3)).collect();
        with_floats(&floats, |x| {
            let longest = positions.iter().max().map_or(0, |position| (*position as usize + 1).min(capacity));
            // Head by head: a single token is shared too.
            cores.worth(positions.len() * hidden * longest / 4).share(&mut context, head, |first, context| {
                let mut scores = Vec::with_capacity(longest);
                for (out, place) in context.chunks_exact_mut(head).zip(first..) {
                    let (token, at) = (place / self.heads, place % self.heads);
                    let end = positions[token] as usize + 1;
                    let first = end - end.min(self.window.unwrap_or(end));
                    let text = &x[1][token / length * capacity * columns..][..capacity * columns];
                    let (from, to) = (first % capacity, (end - 1) % capacity + 1);
                    let parts = if from < to { [from..to, 0..0] } else { [from..capacity, 0..to] };
                    let [first, second] = parts.map(|part| &text[part.start * columns..part.end * columns]);
                    let seen = || first.chunks_exact(columns).chain(second.chunks_exact(columns));
                    let query = &x[0][token * row + at * head..][..head];
                    let key = at / shared_by * head;
                    let keys = seen().map(|row| &row[key..key + head]);
                    scores.clear();
                    scores.extend(keys.map(|key| dot(query, key) * self.scale));
                    for (score, bucket) in scores.iter_mut().rev().zip(&buckets) {
                        *score += x[2][*bucket as usize * self.heads + at];
                    }
                    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    scores.iter_mut().for_each(|score| *score = exp(*score - most));
                    let sum = scores.iter().sum::<f32>();
                    let value = key + columns / 2;
                    for (score, row) in scores.iter().zip(seen()) {
                        add_times(out, &row[value..value + head], score / sum);
                    }
                }
            });
            Ok(())
        })?;
        Ok(vec![tensor(context, &[positions.len(), hidden])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (positions, cache) = (io.inputs[1], io.inputs[2]);
        let count = positions[0] * positions[1] * self.heads;
        let lanes = match io.adapter {
            AdapterKind::Software => 1,
            AdapterKind::Hardware => 64,
        };
        let sizes = [
            ("tokens", positions[0] * positions[1]),
            ("length", positions[1]),
            ("capacity", cache[1]),
            ("heads", self.heads),
            ("key_heads", self.key_heads),
            ("head", self.head),
            ("row", io.inputs[0][1]),
            ("window", self.window.unwrap_or(0)),
            ("lanes", lanes),
        ];
        let mut kernel = Kernel::new(include_str!("cached_attention.wgsl"), 5, &sizes, grid(count));
        if !self.biased {
            // Cache and positions stand in for the weight and the buckets that are absent.
            kernel.inputs = vec![0, 1, 2, 2, 1];
        }
        kernel.with("scale", self.scale).with("biased", self.biased)
    }
}

/// The sum of products, in eight parts, so that the compiler can keep them in registers of four.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        sums = std::array::from_fn(|at| sums[at] + a[at] * b[at]);
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Adds `x times` to `y`.
fn add_times(y: &mut [f32], x: &[f32], times: f32) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x * times);
}
