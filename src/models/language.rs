//! The head of a language model: from states to the vocabulary, and the loss of the tokens that follow.

use super::layers::Builder;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{Linear, Rows, SoftCap, SoftCapGrad, TokenLoss, TotalLoss};

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
        let weight = self.weight(b, states);
        let logits = b.graph.one(Linear { flipped: false, bias: false, addend: false }, &[states, weight])?;
        match self.cap {
            Some(cap) => b.graph.one(SoftCap(cap), &[logits]),
            None => Ok(logits),
        }
    }

    /// The loss of all tokens, `(1)`. The gradient of each part's states is made beside its loss, so that no logits are kept.
    pub fn loss(&self, b: &mut Builder, states: Id) -> Result<Id> {
        let mut total = None;
        for rows in self.parts(b, states) {
            let x = b.graph.one(rows, &[states])?;
            let (losses, dlogits) = self.losses(b, x, rows.start)?;
            let weight = self.weight(b, states);
            let dx = b.graph.one(Linear { flipped: true, bias: false, addend: false }, &[dlogits, weight])?;
            let inputs: Vec<Id> = [losses, x, dx].into_iter().chain(total).collect();
            total = Some(b.graph.one(TotalLoss, &inputs)?);
        }
        Ok(total.expect("a batch has a token"))
    }

    /// The loss of each token, in parts that make `(B S)`.
    pub fn token_losses(&self, b: &mut Builder, states: Id) -> Result<Vec<Id>> {
        let mut found = Vec::new();
        for rows in self.parts(b, states) {
            let x = b.graph.one(rows, &[states])?;
            found.push(self.losses(b, x, rows.start)?.0);
        }
        Ok(found)
    }

    /// Losses `(n)` of the states of the tokens from `start` on, and the gradient of their sum with respect to the logits.
    fn losses(&self, b: &mut Builder, x: Id, start: usize) -> Result<(Id, Id)> {
        let logits = self.logits(b, x)?;
        let (labels, weights) = (b.batch("token_labels"), b.batch("token_weights"));
        let found = b.graph.apply(TokenLoss { start }, &[logits, labels, weights])?;
        let dlogits = match self.cap {
            Some(cap) => b.graph.one(SoftCapGrad(cap), &[found[1], logits])?,
            None => found[1],
        };
        Ok((found[0], dlogits))
    }

    /// Runs of tokens whose logits are made together.
    fn parts(&self, b: &Builder, states: Id) -> Vec<Rows> {
        let tokens = b.graph.shape(states)[0];
        let count = (tokens * self.vocab_size).div_ceil(MOST_LOGITS);
        let len = tokens.div_ceil(count.max(1));
        (0..tokens).step_by(len).map(|start| Rows { start, len: len.min(tokens - start) }).collect()
    }

    fn weight(&self, b: &mut Builder, states: Id) -> Id {
        let hidden = b.graph.shape(states)[1];
        b.weight(self.weight, vec![self.vocab_size, hidden])
    }
}
