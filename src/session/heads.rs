//! Heads made for training: class means of embeddings, where an adapter has none.

use super::Session;
use super::infer::{InferOptions, Selection};
use super::tokenized::Examples;
use crate::adapter::{Adapter, Head, TaskType};
use crate::error::Result;
use crate::models::Output;
use crate::train::{Encoded, prototypes};

impl Session {
    /// Embeddings of texts with an adapter that need not be one of the session's yet.
    pub(super) async fn embeddings_with(
        &mut self,
        name: &str,
        adapter: &Adapter,
        texts: &[Encoded],
    ) -> Result<Vec<Vec<f32>>> {
        let kept = self.adapters.insert(name.into(), adapter.clone());
        let selection = Selection::Active(vec![name.into()]);
        let rows = self.forward(texts, &selection, Output::Embedding, InferOptions::default()).await;
        match kept {
            Some(kept) => self.adapters.insert(name.into(), kept),
            None => self.adapters.remove(name),
        };
        rows
    }

    /// The adapter with a head: class means of its embeddings where it has none yet. The base model gets the class means of its own,
    /// so that base and adapter can be compared.
    pub(super) async fn with_head(&mut self, mut adapter: Adapter, examples: &Examples) -> Result<Adapter> {
        if self.base.task != TaskType::FeatureExtraction {
            return Ok(self.with_model_head(adapter));
        }
        let base = Selection::Active(Vec::new());
        let rows = self.forward(&examples.texts, &base, Output::Embedding, InferOptions::default()).await?;
        self.base_head = Some(self.prototype_head(&rows, &examples.classes()));
        if adapter.head.is_none() {
            let rows = if adapter.changes_nothing() {
                rows
            } else {
                self.embeddings_with("", &adapter, &examples.texts).await?
            };
            adapter.head = Some(self.prototype_head(&rows, &examples.classes()));
        }
        Ok(adapter)
    }

    fn prototype_head(&self, rows: &[Vec<f32>], labels: &[usize]) -> Head {
        let (weight, bias) = prototypes(rows, labels, self.base.labels.len());
        self.make_head(weight, bias)
    }

    pub(super) fn make_head(&self, weight: Vec<f32>, bias: Vec<f32>) -> Head {
        Head::single(&self.base, weight, bias)
    }
}
