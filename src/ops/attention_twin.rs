//! What the CPU twins of attention and of its gradient share: the tensors of a call, and masked scores.

use super::attention::Attention;
use super::host::{integers, with_floats};
use super::segments::position;
use crate::error::Result;
use candle_core::Tensor;

/// What the score of padding becomes: far below any real one, still finite, so that a fully masked row stays a number.
const MASKED: f32 = -1e30;
/// What the score of a key that its query may never see becomes: its probability is 0 even where all others are padding.
pub(super) const EXCLUDED: f32 = -3e38;

/// The tensors of one call and where things lie in them.
pub(super) struct Call<'a> {
    op: Attention,
    queries: &'a Tensor,
    keys: &'a Tensor,
    /// Of each key, whether it is no padding.
    attends: Vec<bool>,
    /// The mark of each token, where they are segmented.
    marks: Vec<u32>,
    bias: Option<Vec<f32>>,
    pub(super) batch: usize,
    /// Queries a text.
    pub(super) length: usize,
    /// Keys a text.
    pub(super) count: usize,
}

impl<'a> Call<'a> {
    /// From the op's inputs.
    pub(super) fn new(op: Attention, inputs: &'a [Tensor]) -> Result<Self> {
        let mask = &inputs[op.mask_input()];
        let (batch, count) = mask.dims2()?;
        let flat = |tensor: &Tensor| -> Result<Vec<f32>> { Ok(tensor.flatten_all()?.to_vec1()?) };
        let marks = if op.segmented { integers(mask)? } else { Vec::new() };
        Ok(Call {
            op,
            queries: &inputs[0],
            keys: &inputs[op.keys_input()],
            attends: match op.segmented {
                true => marks.iter().map(|mark| *mark > 0).collect(),
                false => flat(mask)?.into_iter().map(|attends| attends > 0.0).collect(),
            },
            marks,
            bias: if op.biased { Some(flat(&inputs[op.inputs() - 1])?) } else { None },
            batch,
            length: inputs[0].dim(0)? / batch,
            count,
        })
    }

    /// `(heads, tokens, head)` of one text, a strided view of the columns from `start` on.
    pub(super) fn view(&self, x: &Tensor, text: usize, start: usize, heads: usize) -> Result<Tensor> {
        let tokens = x.dim(0)? / self.batch;
        let x = x.narrow(0, text * tokens, tokens)?.narrow(1, start, heads * self.op.head)?;
        Ok(x.reshape((tokens, heads, self.op.head))?.transpose(0, 1)?)
    }

    pub(super) fn queries(&self, text: usize) -> Result<Tensor> {
        self.view(self.queries, text, 0, self.op.heads)
    }

    /// Keys (0) or values (1), repeated for every head of queries.
    pub(super) fn keys(&self, text: usize, which: usize) -> Result<Tensor> {
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

    /// Copies `(heads, tokens, head)` of one text to the columns from `start` on of its `out (tokens, columns)`, summed over the heads that
    /// share columns.
    pub(super) fn scatter(&self, x: &Tensor, start: usize, columns: usize, key: bool, out: &mut [f32]) -> Result<()> {
        let head = self.op.head;
        let tokens = x.dim(1)?;
        let shared_by = if key { self.op.heads / self.op.key_heads } else { 1 };
        with_floats(&[x], |x| {
            for (at, values) in x[0].chunks_exact(head).enumerate() {
                let (own, token) = (at / tokens / shared_by, at % tokens);
                let first = token * columns + start + own * head;
                out[first..first + head].iter_mut().zip(values).for_each(|(out, x)| *out += x);
            }
            Ok(())
        })
    }

    /// Scores `(heads, S, K)` of one text, masked.
    pub(super) fn scores(&self, text: usize) -> Result<Vec<f32>> {
        let scores = self.queries(text)?.matmul(&self.keys(text, 0)?.t()?)?;
        let own = text * self.count..(text + 1) * self.count;
        let attends = &self.attends[own.clone()];
        let marks = if self.op.segmented { &self.marks[own] } else { &[] };
        with_floats(&[&scores], |x| {
            let mut scores = x[0].to_vec();
            for (row, line) in scores.chunks_exact_mut(self.count).enumerate() {
                let (head, query) = (row / self.length, row % self.length);
                for (key, score) in line.iter_mut().enumerate() {
                    *score *= self.op.scale;
                    if let Some(bias) = &self.bias {
                        let [query, key] =
                            if self.op.segmented { [query, key].map(|at| position(marks[at])) } else { [query, key] };
                        *score += bias[(head * self.length + query) * self.count + key];
                    }
                    if self.op.excludes(marks, query, key) {
                        *score = EXCLUDED;
                    } else if !attends[key] {
                        *score = MASKED;
                    }
                }
            }
            Ok(scores)
        })
    }
}
