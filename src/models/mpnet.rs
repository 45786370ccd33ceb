//! MPNet (Song et al. 2020): an encoder whose attention knows how far tokens are apart, as Hugging Face's `modeling_mpnet.py`
//! computes it.

use super::layers::Builder;
use super::relative::Buckets;
use super::roberta::{first_state, two_layer_logits, two_layers};
use super::weight::Form;
use super::{Common, ENCODER_TASKS, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::{bad, check_heads};
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Attention, Pool, PoolKind};

/// The padding token and the first of the positions that no token has; fixed in Hugging Face's code.
const PAD: u32 = 1;
/// Buckets of distances, likewise fixed.
const BUCKETS: Buckets = Buckets { count: 32, max_distance: 128, both_ways: true };

/// An MPNet's numbers, with Hugging Face's field names.
#[derive(Debug, Clone, PartialEq)]
pub struct MpNet {
    common: Common,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    layer_norm_eps: f64,
    hidden_act: ActivationKind,
}

impl MpNet {
    /// Sizes must be there; what MPNet's own configuration class defaults may be absent.
    pub fn read(fields: &Fields) -> Result<MpNet> {
        let vocab_size = fields.size("vocab_size", 1 << 24, None)?;
        let max_position_embeddings = fields.size("max_position_embeddings", 1 << 20, None)?;
        if max_position_embeddings <= PAD as usize + 1 {
            return Err(bad(
                "max_position_embeddings",
                format!("is {max_position_embeddings}: no token has a position"),
            ));
        }
        let buckets = fields.size("relative_attention_num_buckets", 1 << 10, Some(BUCKETS.count))?;
        if buckets != BUCKETS.count {
            return Err(bad("relative_attention_num_buckets", format!("is {buckets}: only 32 is supported")));
        }
        let model = MpNet {
            num_hidden_layers: fields.size("num_hidden_layers", 1 << 10, None)?,
            num_attention_heads: fields.size("num_attention_heads", 1 << 10, None)?,
            intermediate_size: fields.size("intermediate_size", 1 << 18, None)?,
            max_position_embeddings,
            layer_norm_eps: fields.epsilon("layer_norm_eps", 1e-12)?,
            hidden_act: fields.activation("hidden_act", "gelu")?.into(),
            common: Common {
                hidden_size: fields.size("hidden_size", 1 << 16, None)?,
                vocab_size,
                type_vocab_size: None,
                longest: max_position_embeddings - PAD as usize - 1,
                padding: Padding::after_pads(PAD),
                ends: fields.end_tokens(vocab_size)?,
                labels: fields.labels()?,
                prefix: "mpnet.",
                reader_prefix: "mpnet.",
                token_head: "classifier",
            },
        };
        check_heads("hidden_size", model.common.hidden_size, model.num_attention_heads)?;
        Ok(model)
    }

    fn embeddings(&self, b: &mut Builder) -> Result<Id> {
        let tables = [
            ("ids", "embeddings.word_embeddings", self.common.vocab_size),
            ("positions", "embeddings.position_embeddings", self.max_position_embeddings),
        ];
        let sum = b.embed(&tables, self.common.hidden_size)?;
        b.layer_norm(sum, "embeddings.LayerNorm", self.layer_norm_eps)
    }

    fn block(&self, b: &mut Builder, x: Id, bias: Id, name: &str) -> Result<Id> {
        b.checkpoint(x);
        let hidden = self.common.hidden_size;
        let parts = ["q", "k", "v"].map(|part| format!("{name}.attention.attn.{part}"));
        let parts = parts.each_ref().map(|part| (part.as_str(), hidden));
        let qkv = b.project_heads(x, &parts, Form::Biased, hidden / self.num_attention_heads)?;
        let op = Attention { biased: true, ..Attention::full(self.num_attention_heads, hidden) };
        let mask = b.batch("mask");
        let context = b.graph.one(op, &[qkv, mask, bias])?;
        let attended = b.linear(context, &format!("{name}.attention.attn.o"), hidden)?;
        let sum = b.add(x, attended)?;
        let x = b.layer_norm(sum, &format!("{name}.attention.LayerNorm"), self.layer_norm_eps)?;
        let wide = b.linear(x, &format!("{name}.intermediate.dense"), self.intermediate_size)?;
        let wide = b.activation(wide, self.hidden_act)?;
        let narrow = b.linear(wide, &format!("{name}.output.dense"), hidden)?;
        let sum = b.add(x, narrow)?;
        b.layer_norm(sum, &format!("{name}.output.LayerNorm"), self.layer_norm_eps)
    }
}

impl Family for MpNet {
    fn common(&self) -> &Common {
        &self.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &ENCODER_TASKS
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        let mut x = self.embeddings(b)?;
        let length = b.shape.length;
        let bias = BUCKETS.bias(b, "encoder.relative_attention_bias", self.num_attention_heads, length)?;
        for layer in 0..self.num_hidden_layers {
            x = self.block(b, x, bias, &format!("encoder.layer.{layer}"))?;
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
        first_state(b, states)
    }

    fn head(&self) -> Vec<HeadModule> {
        two_layers(self.common.hidden_size)
    }

    fn logits(&self, b: &mut Builder, pooled: Id) -> Result<Id> {
        two_layer_logits(b, pooled)
    }
}
