//! GPT-2 (Radford et al. 2019), as Hugging Face's `modeling_gpt2.py` computes it.

use super::language::Language;
use super::layers::Builder;
use super::weight::Form;
use super::{Common, DECODER_TASKS, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::check_heads;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Attention};

/// A GPT-2's numbers, with Hugging Face's field names.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpt2 {
    common: Common,
    n_layer: usize,
    n_head: usize,
    n_inner: usize,
    layer_norm_epsilon: f64,
    activation_function: ActivationKind,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    tie_word_embeddings: bool,
}

impl Gpt2 {
    /// Sizes must be there; what GPT-2's own configuration class defaults may be absent.
    pub fn read(fields: &Fields) -> Result<Gpt2> {
        fields.must_be("add_cross_attention", false)?;
        let hidden_size = fields.size("n_embd", 1 << 16, None)?;
        let vocab_size = fields.size("vocab_size", 1 << 24, None)?;
        let pad = fields.has("pad_token_id").then(|| fields.token_id("pad_token_id", vocab_size, 0)).transpose()?;
        let gpt2 = Gpt2 {
            n_layer: fields.size("n_layer", 1 << 10, None)?,
            n_head: fields.size("n_head", 1 << 10, None)?,
            n_inner: fields.size("n_inner", 1 << 18, Some(4 * hidden_size))?,
            layer_norm_epsilon: fields.epsilon("layer_norm_epsilon", 1e-5)?,
            activation_function: fields.activation("activation_function", "gelu_new")?.into(),
            scale_attn_weights: fields.flag("scale_attn_weights", true)?,
            scale_attn_by_inverse_layer_idx: fields.flag("scale_attn_by_inverse_layer_idx", false)?,
            tie_word_embeddings: fields.flag("tie_word_embeddings", true)?,
            common: Common {
                hidden_size,
                vocab_size,
                type_vocab_size: None,
                longest: fields.size("n_positions", 1 << 20, None)?,
                padding: Padding::optional(pad),
                ends: fields.end_tokens(vocab_size)?,
                labels: fields.labels()?,
                prefix: "transformer.",
                reader_prefix: "transformer.",
                token_head: "classifier",
            },
        };
        check_heads("n_embd", hidden_size, gpt2.n_head)?;
        Ok(gpt2)
    }

    fn block(&self, b: &mut Builder, x: Id, layer: usize) -> Result<Id> {
        b.checkpoint(x);
        let (name, hidden) = (format!("h.{layer}"), self.common.hidden_size);
        let y = b.layer_norm(x, &format!("{name}.ln_1"), self.layer_norm_epsilon)?;
        let parts = [(&*format!("{name}.attn.c_attn"), 3 * hidden)];
        let qkv = b.project_heads(y, &parts, Form::Conv1d, hidden / self.n_head)?;
        let full = Attention::full(self.n_head, hidden);
        let scale = if self.scale_attn_weights { full.scale } else { 1.0 };
        let scale = if self.scale_attn_by_inverse_layer_idx { scale / (layer + 1) as f32 } else { scale };
        let context = b.attention(Attention { scale, causal: true, ..full }, qkv, ["mask", "segments"], &[])?;
        let attended = b.project(context, &[(&format!("{name}.attn.c_proj"), hidden)], Form::Conv1d)?;
        let x = b.add(x, attended)?;
        let y = b.layer_norm(x, &format!("{name}.ln_2"), self.layer_norm_epsilon)?;
        let wide = b.project(y, &[(&format!("{name}.mlp.c_fc"), self.n_inner)], Form::Conv1d)?;
        let wide = b.activation(wide, self.activation_function)?;
        let narrow = b.project(wide, &[(&format!("{name}.mlp.c_proj"), hidden)], Form::Conv1d)?;
        b.add(x, narrow)
    }
}

impl Family for Gpt2 {
    fn common(&self) -> &Common {
        &self.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &DECODER_TASKS
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        let tables = [("ids", "wte", self.common.vocab_size), ("positions", "wpe", self.common.longest)];
        let mut x = b.embed(&tables, self.common.hidden_size)?;
        for layer in 0..self.n_layer {
            x = self.block(b, x, layer)?;
        }
        b.layer_norm(x, "ln_f", self.layer_norm_epsilon)
    }

    fn pooler(&self, _b: &mut Builder, _states: Id) -> Result<Option<Id>> {
        Ok(None)
    }

    /// The state of the last token that is no padding.
    fn pooled(&self, b: &mut Builder, states: Id) -> Result<Id> {
        b.last_state(states)
    }

    fn head(&self) -> Vec<HeadModule> {
        vec![HeadModule::unbiased("score", self.common.hidden_size)]
    }

    fn logits(&self, b: &mut Builder, pooled: Id) -> Result<Id> {
        b.head(pooled, "score")
    }

    fn language(&self) -> Option<Language> {
        let weight = if self.tie_word_embeddings { "wte.weight" } else { "lm_head.weight" };
        Some(Language { weight, vocab_size: self.common.vocab_size, cap: None })
    }
}
