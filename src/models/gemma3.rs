//! The text model of Gemma 3 (Gemma Team 2025), as Hugging Face's `modeling_gemma3.py` computes it.

use super::language::Language;
use super::layers::Builder;
use super::llama::{sliding_window, windows};
use super::rotary::Rotary;
use super::weight::Form;
use super::{Common, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::bad;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Attention, Gate, RmsNorm, Rope};

/// A Gemma's numbers, with Hugging Face's field names. `attn_logit_softcapping` is read by nothing, there or here.
#[derive(Debug, Clone, PartialEq)]
pub struct Gemma3 {
    common: Common,
    windows: Vec<Option<usize>>,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    head_dim: usize,
    intermediate_size: usize,
    rms_norm_eps: f32,
    hidden_activation: ActivationKind,
    /// Factor of the scores.
    scale: f32,
    attention_bias: bool,
    /// Turns layers that see all tokens.
    full: Rotary,
    /// Turns layers with a window.
    sliding: Rotary,
    final_logit_softcapping: Option<f32>,
    tie_word_embeddings: bool,
}

impl Gemma3 {
    /// Sizes must be there; what Gemma's own configuration class defaults may be absent.
    pub fn read(fields: &Fields) -> Result<Gemma3> {
        fields.must_be("use_bidirectional_attention", false)?;
        let hidden_size = fields.size("hidden_size", 1 << 16, None)?;
        let vocab_size = fields.size("vocab_size", 1 << 24, None)?;
        let layers = fields.size("num_hidden_layers", 1 << 10, None)?;
        let heads = fields.size("num_attention_heads", 1 << 10, None)?;
        let key_heads = fields.size("num_key_value_heads", 1 << 10, Some(heads))?;
        if !heads.is_multiple_of(key_heads) {
            return Err(bad("num_key_value_heads", format!("is {key_heads}, which {heads} heads cannot share evenly")));
        }
        let head_dim = fields.size("head_dim", 1 << 12, Some(256))?;
        let longest = fields.size("max_position_embeddings", 1 << 24, Some(131_072))?;
        let pattern = fields.size("sliding_window_pattern", 1 << 10, Some(6))?;
        let scalar = fields.number("query_pre_attn_scalar", 1e-6, 1e6, Some(256.0))?;
        let (full, sliding) = Gemma3::rotaries(fields, head_dim, longest)?;
        Ok(Gemma3 {
            windows: windows(fields, layers, sliding_window(fields)?, |layer| (layer + 1) % pattern != 0)?,
            num_attention_heads: heads,
            num_key_value_heads: key_heads,
            head_dim,
            intermediate_size: fields.size("intermediate_size", 1 << 20, None)?,
            rms_norm_eps: fields.epsilon("rms_norm_eps", 1e-6)? as f32,
            hidden_activation: fields.activation("hidden_activation", "gelu_pytorch_tanh")?.into(),
            scale: scalar.powf(-0.5) as f32,
            attention_bias: fields.flag("attention_bias", false)?,
            full,
            sliding,
            final_logit_softcapping: fields.positive("final_logit_softcapping")?.map(|cap| cap as f32),
            tie_word_embeddings: fields.flag("tie_word_embeddings", true)?,
            common: Common {
                hidden_size,
                vocab_size,
                type_vocab_size: None,
                longest,
                padding: Padding::from_zero(fields.token_id("pad_token_id", vocab_size, 0)?),
                ends: fields.end_tokens(vocab_size)?,
                labels: fields.labels()?,
                prefix: "model.",
                reader_prefix: "model.",
                token_head: "score",
            },
        })
    }

    /// Those of `rope_parameters` by layer type, or of the older fields, which stretch the layers without window alone.
    fn rotaries(fields: &Fields, head: usize, longest: usize) -> Result<(Rotary, Rotary)> {
        if let Some(parameters) = fields.object("rope_parameters")? {
            let of = |layer_type: &str, theta| {
                Rotary::from_parameters(parameters.object(layer_type)?.as_ref(), head, longest, theta)
            };
            return Ok((of("full_attention", 1e6)?, of("sliding_attention", 1e4)?));
        }
        let local = fields.number("rope_local_base_freq", 1.0, 1e12, Some(1e4))?;
        Ok((Rotary::read(fields, head, longest, 1e6)?, Rotary::from_parameters(None, head, longest, local)?))
    }

    fn norm(&self) -> RmsNorm {
        RmsNorm::rows(self.rms_norm_eps, 1.0)
    }

    fn block(&self, b: &mut Builder, x: Id, table: Id, layer: usize) -> Result<Id> {
        b.checkpoint(x);
        let (name, hidden) = (format!("layers.{layer}"), self.common.hidden_size);
        let norm = |b: &mut Builder, x: Id, part: &str| b.rms_norm(x, &format!("{name}.{part}"), self.norm(), hidden);
        let y = norm(b, x, "input_layernorm")?;
        let attended = self.attention(b, y, table, layer, &format!("{name}.self_attn"))?;
        let attended = norm(b, attended, "post_attention_layernorm")?;
        let x = b.add(x, attended)?;
        let y = norm(b, x, "pre_feedforward_layernorm")?;
        let parts = ["gate_proj", "up_proj"].map(|part| format!("{name}.mlp.{part}"));
        let parts = parts.each_ref().map(|part| (part.as_str(), self.intermediate_size));
        let wide = b.project(y, &parts, Form::Unbiased)?;
        let wide = b.graph.one(Gate(self.hidden_activation), &[wide])?;
        let narrow = b.project(wide, &[(&format!("{name}.mlp.down_proj"), hidden)], Form::Unbiased)?;
        let narrow = norm(b, narrow, "post_feedforward_layernorm")?;
        b.add(x, narrow)
    }

    fn attention(&self, b: &mut Builder, x: Id, table: Id, layer: usize, name: &str) -> Result<Id> {
        let Gemma3 { num_attention_heads: heads, num_key_value_heads: key_heads, head_dim: head, .. } = *self;
        let form = Form::biased(self.attention_bias);
        let parts = [("q_proj", heads), ("k_proj", key_heads), ("v_proj", key_heads)];
        let parts = parts.map(|(part, heads)| (format!("{name}.{part}"), heads * head));
        let parts = parts.each_ref().map(|(part, out)| (part.as_str(), *out));
        let mut qkv = b.project_heads(x, &parts, form, head)?;
        for (part, start, groups) in [("q_norm", 0, heads), ("k_norm", heads * head, key_heads)] {
            let norm = RmsNorm { start, groups, ..self.norm() };
            qkv = b.rms_norm(qkv, &format!("{name}.{part}"), norm, head)?;
        }
        let turned = b.turn(Rope { heads: heads + key_heads, head, back: false }, qkv, table)?;
        let (scale, window) = (self.scale, self.windows[layer]);
        let op = Attention { key_heads, scale, causal: true, window, ..Attention::full(heads, heads * head) };
        let context = b.attention(op, turned, ["mask", "segments"], &[])?;
        b.project(context, &[(&format!("{name}.o_proj"), self.common.hidden_size)], form)
    }
}

impl Family for Gemma3 {
    fn common(&self) -> &Common {
        &self.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &[TaskType::FeatureExtraction, TaskType::SeqCls, TaskType::CausalLm]
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        let hidden = self.common.hidden_size;
        let (full, sliding) = (self.full.table(b), self.sliding.table(b));
        let words = [("ids", "embed_tokens", self.common.vocab_size)];
        let mut x = b.scaled_embed(&words, hidden, (hidden as f32).sqrt())?;
        for (layer, window) in self.windows.iter().enumerate() {
            x = self.block(b, x, if window.is_some() { sliding } else { full }, layer)?;
        }
        b.rms_norm(x, "norm", self.norm(), hidden)
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
        let weight = if self.tie_word_embeddings { "embed_tokens.weight" } else { "lm_head.weight" };
        Some(Language { weight, vocab_size: self.common.vocab_size, cap: self.final_logit_softcapping })
    }
}
