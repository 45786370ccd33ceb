//! Model families: each file writes one family's forward graph, once, for every batch shape and device.

mod bert;
mod layers;

pub use layers::{BatchShape, Builder};

use crate::adapter::{Layout, Pooling, Site};
use crate::checkpoint::ModelConfig;
use crate::error::Result;
use crate::graph::{Graph, Id};
use crate::ops::{CrossEntropy, Normalize, PairLoss, PairLossKind, Pool, PoolKind, Similarity};

/// What a graph computes at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Output {
    /// One vector per text, `(B, H)`.
    Embedding,
    /// Logits, `(B, labels)`.
    Logits,
    /// Cross-entropy of the logits against `labels`, `(1)`.
    CrossEntropy,
    /// A contrastive loss of the embeddings against `labels`, `(1)`.
    Contrastive(PairLossKind),
}

/// A base model's architecture: its configuration and how texts become vectors.
#[derive(Debug, Clone)]
pub struct Model {
    /// The checked `config.json`.
    pub config: ModelConfig,
    /// How token states become one vector.
    pub pooling: Pooling,
}

impl Model {
    /// What comes before module names in the task model: transformers wraps the encoder as `bert` when it adds a head.
    pub fn prefix(&self) -> &'static str {
        match self.pooling {
            Pooling::Mean => "",
            Pooling::Pooler => "bert.",
        }
    }

    /// The graph for one batch shape, with a table of `adapters` rows laid out as `layout`; and its output.
    pub fn graph(&self, shape: BatchShape, layout: &Layout, adapters: usize, output: Output) -> Result<(Graph, Id)> {
        let mut b = Builder::new(shape, layout, adapters, self.prefix());
        let embedding = self.embedding(&mut b)?;
        let end = match output {
            Output::Embedding => embedding,
            Output::Logits => b.head(embedding)?,
            Output::CrossEntropy => {
                let logits = b.head(embedding)?;
                let (labels, weights) = (b.batch("labels"), b.batch("weights"));
                b.graph.one(CrossEntropy, &[logits, labels, weights])?
            }
            Output::Contrastive(kind) => {
                let unit = match self.pooling {
                    Pooling::Mean => embedding,
                    Pooling::Pooler => b.graph.one(Normalize, &[embedding])?,
                };
                let similarity = b.graph.one(Similarity, &[unit])?;
                let (labels, weights) = (b.batch("labels"), b.batch("weights"));
                b.graph.one(PairLoss(kind), &[similarity, labels, weights])?
            }
        };
        Ok((b.graph, end))
    }

    /// Every layer an adapter could hook into, in model order, under its name in the task model.
    pub fn sites(&self) -> Result<Vec<Site>> {
        let layout = Layout::new(&[], &[], None);
        let mut b = Builder::new(BatchShape { batch: 1, length: 1 }, &layout, 1, self.prefix());
        let states = bert::encoder(&mut b, &self.config)?;
        // A bare encoder has the pooler's module too, so PEFT's adapters may target it, though nothing here runs it.
        bert::pooler(&mut b, &self.config, states)?;
        Ok(b.sites)
    }

    fn embedding(&self, b: &mut Builder) -> Result<Id> {
        let states = bert::encoder(b, &self.config)?;
        match self.pooling {
            Pooling::Mean => {
                let mask = b.batch("mask");
                let mean = b.graph.one(Pool(PoolKind::Mean), &[states, mask])?;
                b.graph.one(Normalize, &[mean])
            }
            Pooling::Pooler => bert::pooler(b, &self.config, states),
        }
    }
}
