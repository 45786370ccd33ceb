//! BERT (Devlin et al. 2018), as Hugging Face's `modeling_bert.py` computes it.

use super::layers::Builder;
use super::weight::Form;
use super::{Common, ENCODER_TASKS, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::check_heads;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Attention, Pool, PoolKind};

/// A BERT's numbers, with Hugging Face's field names.
#[derive(Debug, Clone, PartialEq)]
pub struct Bert {
    pub common: Common,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    pub type_vocab_size: usize,
    pub layer_norm_eps: f64,
    pub hidden_act: ActivationKind,
}

impl Bert {
    /// Sizes must be there; what BERT's own configuration class defaults may be absent.
    pub fn read(fields: &Fields) -> Result<Bert> {
        fields.only("position_embedding_type", "absolute")?;
        fields.must_be("is_decoder", false)?;
        let vocab_size = fields.size("vocab_size", 1 << 24, None)?;
        let type_vocab_size = fields.size("type_vocab_size", 1 << 10, Some(2))?;
        let max_position_embeddings = fields.size("max_position_embeddings", 1 << 20, None)?;
        let bert = Bert {
            num_hidden_layers: fields.size("num_hidden_layers", 1 << 10, None)?,
            num_attention_heads: fields.size("num_attention_heads", 1 << 10, None)?,
            intermediate_size: fields.size("intermediate_size", 1 << 18, None)?,
            max_position_embeddings,
            type_vocab_size,
            layer_norm_eps: fields.epsilon("layer_norm_eps", 1e-12)?,
            hidden_act: fields.activation("hidden_act", "gelu")?.into(),
            common: Common {
                hidden_size: fields.size("hidden_size", 1 << 16, None)?,
                vocab_size,
                type_vocab_size: Some(type_vocab_size),
                longest: max_position_embeddings,
                padding: Padding::from_zero(fields.token_id("pad_token_id", vocab_size, 0)?),
                ends: fields.end_tokens(vocab_size)?,
                labels: fields.labels()?,
                prefix: "bert.",
                reader_prefix: "bert.",
                token_head: "classifier",
            },
        };
        check_heads("hidden_size", bert.common.hidden_size, bert.num_attention_heads)?;
        Ok(bert)
    }

    fn embeddings(&self, b: &mut Builder) -> Result<Id> {
        let tables = [
            ("ids", "embeddings.word_embeddings", self.common.vocab_size),
            ("positions", "embeddings.position_embeddings", self.max_position_embeddings),
            ("types", "embeddings.token_type_embeddings", self.type_vocab_size),
        ];
        let sum = b.embed(&tables, self.common.hidden_size)?;
        b.layer_norm(sum, "embeddings.LayerNorm", self.layer_norm_eps)
    }

    fn block(&self, b: &mut Builder, x: Id, name: &str) -> Result<Id> {
        b.checkpoint(x);
        let attended = self.attention(b, x, &format!("{name}.attention"))?;
        let sum = b.add(x, attended)?;
        let x = b.layer_norm(sum, &format!("{name}.attention.output.LayerNorm"), self.layer_norm_eps)?;
        let wide = b.linear(x, &format!("{name}.intermediate.dense"), self.intermediate_size)?;
        let wide = b.activation(wide, self.hidden_act)?;
        let narrow = b.linear(wide, &format!("{name}.output.dense"), self.common.hidden_size)?;
        let sum = b.add(x, narrow)?;
        b.layer_norm(sum, &format!("{name}.output.LayerNorm"), self.layer_norm_eps)
    }

    fn attention(&self, b: &mut Builder, x: Id, name: &str) -> Result<Id> {
        let hidden = self.common.hidden_size;
        let parts = ["query", "key", "value"].map(|part| format!("{name}.self.{part}"));
        let parts = parts.each_ref().map(|part| (part.as_str(), hidden));
        let qkv = b.project_heads(x, &parts, Form::Biased, hidden / self.num_attention_heads)?;
        let mask = b.batch("mask");
        let context = b.graph.one(Attention::full(self.num_attention_heads, hidden), &[qkv, mask])?;
        b.linear(context, &format!("{name}.output.dense"), hidden)
    }
}

impl Family for Bert {
    fn common(&self) -> &Common {
        &self.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &ENCODER_TASKS
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        let mut x = self.embeddings(b)?;
        for layer in 0..self.num_hidden_layers {
            x = self.block(b, x, &format!("encoder.layer.{layer}"))?;
        }
        Ok(x)
    }

    /// tanh of a linear of the first token's state.
    fn pooler(&self, b: &mut Builder, states: Id) -> Result<Option<Id>> {
        let mask = b.batch("mask");
        let first = b.graph.one(Pool(PoolKind::First), &[states, mask])?;
        let y = b.linear(first, "pooler.dense", self.common.hidden_size)?;
        b.activation(y, ActivationKind::Tanh).map(Some)
    }

    fn pooled(&self, b: &mut Builder, states: Id) -> Result<Id> {
        Ok(self.pooler(b, states)?.expect("BERT has a pooler"))
    }

    fn head(&self) -> Vec<HeadModule> {
        vec![HeadModule::last("classifier", self.common.hidden_size)]
    }

    fn logits(&self, b: &mut Builder, pooled: Id) -> Result<Id> {
        b.head(pooled, "classifier")
    }
}
