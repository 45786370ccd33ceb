//! The head of a language model: from states to the vocabulary, and the loss of the tokens that follow.

use super::layers::{Builder, Matrix};
use crate::error::Result;
use crate::graph::{Dtype, Id, Leaf};
use crate::ops::{Add, Gather, Greedy, Linear, RankLoss, Rows, RowsGrad, SoftCap, SoftCapGrad, TokenLoss, TotalLoss};

/// Logits that are in memory at once, at most: those of a small vocabulary come in one part, those of a large one in several.
const MOST_LOGITS: usize = 1 << 22;

/// How states become logits of the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Language {
    /// Name of the weight `(vocabulary, hidden)`: that of the embeddings where they are tied.
    pub weight: &'static str,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Logits are `cap tanh(logits / cap)`.
    pub cap: Option<f32>,
}

impl Language {
    /// Logits `(n, V)` of states `(n, H)`.
    pub fn logits(&self, b: &mut Builder, states: Id) -> Result<Id> {
        let matrix = self.matrix(b, states);
        let linear = Linear { kind: matrix.format.kind, ..Linear::default() };
        let logits = b.graph.one(linear, &[states, matrix.id])?;
        match self.cap {
            Some(cap) => b.graph.one(SoftCap(cap), &[logits]),
            None => Ok(logits),
        }
    }

    /// The states that tell the tokens which are asked for, `(N, H)`: logits are made of these alone. One state tells several tokens where
    /// continuations share the text before them.
    fn telling(&self, b: &mut Builder, states: Id) -> Result<Id> {
        let rows = b.graph.shape(states)[0];
        let [sources, order] = ["sources", "source_order"].map(|name| b.batch(name));
        let starts = b.graph.leaf(Leaf::Batch("source_starts"), vec![rows + 1], Dtype::U32);
        b.graph.one(Gather, &[states, sources, order, starts])
    }

    /// The loss of all tokens asked for, `(1)`, from the states of all. The gradient of each part's states is made beside its loss, so that no logits are kept.
    pub fn loss(&self, b: &mut Builder, states: Id) -> Result<Id> {
        let states = self.telling(b, states)?;
        let mut total = None;
        for rows in self.parts(b, states) {
            let x = b.graph.one(rows, &[states])?;
            let logits = self.logits(b, x)?;
            let found = self.losses(b, logits, rows.start)?;
            let (losses, dx) = (found[0], self.dstates(b, states, found[1], logits)?);
            let inputs: Vec<Id> = [losses, x, dx].into_iter().chain(total).collect();
            total = Some(b.graph.one(TotalLoss, &inputs)?);
        }
        Ok(total.expect("a batch has a token"))
    }

    /// The loss of choices that are ranked, `(1)`. It needs the losses of all tokens before any has a gradient, so of a large vocabulary the
    /// logits are made twice.
    pub fn rank_loss(&self, b: &mut Builder, states: Id, op: RankLoss) -> Result<Id> {
        let states = self.telling(b, states)?;
        let parts = self.parts(b, states);
        let [labels, weights] = ["asked", "asked_weights"].map(|name| b.batch(name));
        let choices = op.examples * op.choices;
        let starts = b.graph.leaf(Leaf::Batch("choice_starts"), vec![choices + 1], Dtype::U32);
        let answers = b.graph.leaf(Leaf::Batch("answers"), vec![choices], Dtype::U32);
        let (mut losses, mut kept) = (None, None);
        for part in &parts {
            let x = b.graph.one(*part, &[states])?;
            let logits = self.logits(b, x)?;
            let found = b.graph.one(TokenLoss { start: part.start }, &[logits, labels, weights])?;
            losses = Some(joined(b, losses, found, part, states)?);
            kept = Some(logits).filter(|_| parts.len() == 1);
        }
        let losses = losses.expect("a batch has a token");
        let ranked = b.graph.apply(op, &[losses, starts, answers])?;
        let mut dstates = None;
        for part in &parts {
            let logits = match kept {
                Some(logits) => logits,
                None => {
                    let x = b.graph.one(*part, &[states])?;
                    self.logits(b, x)?
                }
            };
            // What a token's loss counts is what its logits' gradient is multiplied with.
            let found = b.graph.apply(TokenLoss { start: part.start }, &[logits, labels, ranked[1]])?;
            let dx = self.dstates(b, states, found[1], logits)?;
            dstates = Some(joined(b, dstates, dx, part, states)?);
        }
        b.graph.one(TotalLoss, &[ranked[0], states, dstates.expect("a batch has a token")])
    }

    /// The gradient of some states from that of their logits as they left the cap.
    fn dstates(&self, b: &mut Builder, states: Id, dlogits: Id, logits: Id) -> Result<Id> {
        let matrix = self.matrix(b, states);
        let dlogits = match self.cap {
            Some(cap) => b.graph.one(SoftCapGrad(cap), &[dlogits, logits])?,
            None => dlogits,
        };
        b.graph.one(Linear { flipped: true, kind: matrix.format.kind, ..Linear::default() }, &[dlogits, matrix.id])
    }

    /// The loss of each token asked for, in parts that make `(N)`; then in as many parts whether greedy decoding would write it.
    pub fn tokens(&self, b: &mut Builder, states: Id) -> Result<Vec<Id>> {
        let states = self.telling(b, states)?;
        let (mut losses, mut hits) = (Vec::new(), Vec::new());
        for Rows { start, len } in self.parts(b, states) {
            let x = b.graph.one(Rows { start, len }, &[states])?;
            let logits = self.logits(b, x)?;
            losses.push(self.losses(b, logits, start)?[0]);
            let asked = b.batch("asked");
            hits.push(b.graph.one(Greedy { start }, &[logits, asked])?);
        }
        Ok([losses, hits].concat())
    }

    /// Losses `(n)` of the tokens from `start` on, and the gradient of their sum with respect to the logits.
    fn losses(&self, b: &mut Builder, logits: Id, start: usize) -> Result<Vec<Id>> {
        let (labels, weights) = (b.batch("asked"), b.batch("asked_weights"));
        b.graph.apply(TokenLoss { start }, &[logits, labels, weights])
    }

    /// Runs of tokens whose logits are made together.
    fn parts(&self, b: &Builder, states: Id) -> Vec<Rows> {
        let tokens = b.graph.shape(states)[0];
        let count = (tokens * self.vocab_size).div_ceil(MOST_LOGITS);
        let len = tokens.div_ceil(count.max(1));
        (0..tokens).step_by(len).map(|start| Rows { start, len: len.min(tokens - start) }).collect()
    }

    fn matrix(&self, b: &mut Builder, states: Id) -> Matrix {
        let hidden = b.graph.shape(states)[1];
        b.matrix(self.weight, vec![self.vocab_size, hidden])
    }
}

/// A whole with one part more, of as many rows as the states.
fn joined(b: &mut Builder, whole: Option<Id>, part: Id, rows: &Rows, states: Id) -> Result<Id> {
    let tokens = b.graph.shape(states)[0];
    if rows.len == tokens {
        return Ok(part);
    }
    let widened = b.graph.one(RowsGrad { start: rows.start, rows: tokens }, &[part])?;
    match whole {
        Some(whole) => b.graph.one(Add, &[whole, widened]),
        None => Ok(widened),
    }
}
