//! DistilBERT (Sanh et al. 2019): BERT without token types and pooler, as Hugging Face's `modeling_distilbert.py` computes it.

use super::layers::Builder;
use super::roberta::first_state;
use super::weight::Form;
use super::{Common, ENCODER_TASKS, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::check_heads;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Attention};

/// Of every layer normalisation; no field of the configuration.
const EPS: f64 = 1e-12;

/// A DistilBERT's numbers, with Hugging Face's field names.
#[derive(Debug, Clone, PartialEq)]
pub struct DistilBert {
    common: Common,
    n_layers: usize,
    n_heads: usize,
    hidden_dim: usize,
    activation: ActivationKind,
}

impl DistilBert {
    /// Sizes must be there. Sinusoidal positions are a table in the file like learned ones.
    pub fn read(fields: &Fields) -> Result<DistilBert> {
        let vocab_size = fields.size("vocab_size", 1 << 24, None)?;
        let model = DistilBert {
            n_layers: fields.size("n_layers", 1 << 10, None)?,
            n_heads: fields.size("n_heads", 1 << 10, None)?,
            hidden_dim: fields.size("hidden_dim", 1 << 18, None)?,
            activation: fields.activation("activation", "gelu")?.into(),
            common: Common {
                hidden_size: fields.size("dim", 1 << 16, None)?,
                vocab_size,
                type_vocab_size: None,
                longest: fields.size("max_position_embeddings", 1 << 20, None)?,
                padding: Padding::from_zero(fields.token_id("pad_token_id", vocab_size, 0)?),
                ends: fields.end_tokens(vocab_size)?,
                labels: fields.labels()?,
                prefix: "distilbert.",
                reader_prefix: "distilbert.",
                token_head: "classifier",
            },
        };
        check_heads("dim", model.common.hidden_size, model.n_heads)?;
        Ok(model)
    }

    fn embeddings(&self, b: &mut Builder) -> Result<Id> {
        let tables = [
            ("ids", "embeddings.word_embeddings", self.common.vocab_size),
            ("positions", "embeddings.position_embeddings", self.common.longest),
        ];
        let sum = b.embed(&tables, self.common.hidden_size)?;
        b.layer_norm(sum, "embeddings.LayerNorm", EPS)
    }

    fn block(&self, b: &mut Builder, x: Id, name: &str) -> Result<Id> {
        b.checkpoint(x);
        let hidden = self.common.hidden_size;
        let parts = ["q_lin", "k_lin", "v_lin"].map(|part| format!("{name}.attention.{part}"));
        let parts = parts.each_ref().map(|part| (part.as_str(), hidden));
        let qkv = b.project_heads(x, &parts, Form::Biased, hidden / self.n_heads)?;
        let mask = b.batch("mask");
        let context = b.graph.one(Attention::full(self.n_heads, hidden), &[qkv, mask])?;
        let attended = b.linear(context, &format!("{name}.attention.out_lin"), hidden)?;
        let sum = b.add(x, attended)?;
        let x = b.layer_norm(sum, &format!("{name}.sa_layer_norm"), EPS)?;
        let wide = b.linear(x, &format!("{name}.ffn.lin1"), self.hidden_dim)?;
        let wide = b.activation(wide, self.activation)?;
        let narrow = b.linear(wide, &format!("{name}.ffn.lin2"), hidden)?;
        let sum = b.add(x, narrow)?;
        b.layer_norm(sum, &format!("{name}.output_layer_norm"), EPS)
    }
}

impl Family for DistilBert {
    fn common(&self) -> &Common {
        &self.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &ENCODER_TASKS
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        let mut x = self.embeddings(b)?;
        for layer in 0..self.n_layers {
            x = self.block(b, x, &format!("transformer.layer.{layer}"))?;
        }
        Ok(x)
    }

    fn pooler(&self, _b: &mut Builder, _states: Id) -> Result<Option<Id>> {
        Ok(None)
    }

    fn pooled(&self, b: &mut Builder, states: Id) -> Result<Id> {
        first_state(b, states)
    }

    fn head(&self) -> Vec<HeadModule> {
        let hidden = self.common.hidden_size;
        vec![HeadModule::inner("pre_classifier", hidden), HeadModule::last("classifier", hidden)]
    }

    fn logits(&self, b: &mut Builder, pooled: Id) -> Result<Id> {
        let y = b.head(pooled, "pre_classifier")?;
        let y = b.activation(y, ActivationKind::Relu)?;
        b.head(y, "classifier")
    }
}
