//! LLaMA (Touvron et al. 2023), as Hugging Face's `modeling_llama.py` computes it, with what its descendants change as fields.

use super::language::Language;
use super::layers::Builder;
use super::rotary::Rotary;
use super::weight::Form;
use super::{Common, DECODER_TASKS, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::bad;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Attention, Gate, RmsNorm, Rope};
use std::rc::Rc;

/// The numbers of a LLaMA or of one of its descendants, with Hugging Face's field names.
#[derive(Debug, Clone, PartialEq)]
pub struct Llama {
    pub common: Common,
    /// How many of the last tokens each layer sees, where not all.
    pub windows: Vec<Option<usize>>,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    pub intermediate_size: usize,
    pub rms_norm_eps: f32,
    pub hidden_act: ActivationKind,
    pub rotary: Rotary,
    /// Queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// The output of attention has one.
    pub output_bias: bool,
    /// The feed-forward layers have one.
    pub mlp_bias: bool,
    /// Queries and keys are normalised head by head.
    pub qk_norm: bool,
    pub tie_word_embeddings: bool,
}

impl Llama {
    /// Sizes must be there; what LLaMA's own configuration class defaults may be absent.
    pub fn read(fields: &Fields) -> Result<Llama> {
        let bias = fields.flag("attention_bias", false)?;
        let llama = Llama::read_with(fields, 1e4, false)?;
        Ok(Llama { qkv_bias: bias, output_bias: bias, mlp_bias: fields.flag("mlp_bias", false)?, ..llama })
    }

    /// What all descendants have in common; no biases, no windows. `theta` and `tied` are the family's defaults.
    pub fn read_with(fields: &Fields, theta: f64, tied: bool) -> Result<Llama> {
        let hidden_size = fields.size("hidden_size", 1 << 16, None)?;
        let vocab_size = fields.size("vocab_size", 1 << 24, None)?;
        let layers = fields.size("num_hidden_layers", 1 << 10, None)?;
        let heads = fields.size("num_attention_heads", 1 << 10, None)?;
        let key_heads = fields.size("num_key_value_heads", 1 << 10, Some(heads))?;
        if !heads.is_multiple_of(key_heads) {
            return Err(bad("num_key_value_heads", format!("is {key_heads}, which {heads} heads cannot share evenly")));
        }
        let head_dim = fields.size("head_dim", 1 << 12, Some((hidden_size / heads).max(1)))?;
        let longest = fields.size("max_position_embeddings", 1 << 24, Some(2048))?;
        let pad = fields.has("pad_token_id").then(|| fields.token_id("pad_token_id", vocab_size, 0)).transpose()?;
        Ok(Llama {
            windows: vec![None; layers],
            num_attention_heads: heads,
            num_key_value_heads: key_heads,
            head_dim,
            intermediate_size: fields.size("intermediate_size", 1 << 20, None)?,
            rms_norm_eps: fields.epsilon("rms_norm_eps", 1e-6)? as f32,
            hidden_act: fields.activation("hidden_act", "silu")?.into(),
            rotary: Rotary::read(fields, head_dim, longest, theta)?,
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            qk_norm: false,
            tie_word_embeddings: fields.flag("tie_word_embeddings", tied)?,
            common: Common {
                hidden_size,
                vocab_size,
                type_vocab_size: None,
                longest,
                padding: Padding::optional(pad),
                ends: fields.end_tokens(vocab_size)?,
                labels: fields.labels()?,
                prefix: "model.",
                reader_prefix: "transformer.",
                token_head: "score",
            },
        })
    }

    fn block(&self, b: &mut Builder, x: Id, table: Id, layer: usize) -> Result<Id> {
        b.checkpoint(x);
        let (name, hidden) = (format!("layers.{layer}"), self.common.hidden_size);
        let norm = RmsNorm::rows(self.rms_norm_eps, 0.0);
        let y = b.rms_norm(x, &format!("{name}.input_layernorm"), norm, hidden)?;
        let attended = self.attention(b, y, table, layer, &format!("{name}.self_attn"))?;
        let x = b.add(x, attended)?;
        let y = b.rms_norm(x, &format!("{name}.post_attention_layernorm"), norm, hidden)?;
        let parts = ["gate_proj", "up_proj"].map(|part| format!("{name}.mlp.{part}"));
        let form = Form::biased(self.mlp_bias);
        let wide = b.project(y, &parts.each_ref().map(|part| (part.as_str(), self.intermediate_size)), form)?;
        let wide = b.graph.one(Gate(self.hidden_act), &[wide])?;
        let narrow = b.project(wide, &[(&format!("{name}.mlp.down_proj"), hidden)], form)?;
        b.add(x, narrow)
    }

    fn attention(&self, b: &mut Builder, x: Id, table: Id, layer: usize, name: &str) -> Result<Id> {
        let Llama { num_attention_heads: heads, num_key_value_heads: key_heads, head_dim: head, .. } = *self;
        let parts = [("q_proj", heads), ("k_proj", key_heads), ("v_proj", key_heads)];
        let parts = parts.map(|(part, heads)| (format!("{name}.{part}"), heads * head));
        let parts = parts.each_ref().map(|(part, out)| (part.as_str(), *out));
        let mut qkv = b.project_heads(x, &parts, Form::biased(self.qkv_bias), head)?;
        if self.qk_norm {
            for (part, start, groups) in [("q_norm", 0, heads), ("k_norm", heads * head, key_heads)] {
                let norm = RmsNorm { start, groups, ..RmsNorm::rows(self.rms_norm_eps, 0.0) };
                qkv = b.rms_norm(qkv, &format!("{name}.{part}"), norm, head)?;
            }
        }
        let turned = b.turn(Rope { heads: heads + key_heads, head, back: false }, qkv, table)?;
        let window = self.windows[layer];
        let op = Attention { key_heads, causal: true, window, ..Attention::full(heads, heads * head) };
        let context = b.attention(op, turned, ["mask", "segments"], &[])?;
        b.project(context, &[(&format!("{name}.o_proj"), self.common.hidden_size)], Form::biased(self.output_bias))
    }
}

impl Family for Llama {
    fn common(&self) -> &Common {
        &self.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &DECODER_TASKS
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        let (hidden, table) = (self.common.hidden_size, self.rotary.table(b));
        let mut x = b.embed(&[("ids", "embed_tokens", self.common.vocab_size)], hidden)?;
        for layer in 0..self.windows.len() {
            x = self.block(b, x, table, layer)?;
        }
        b.rms_norm(x, "norm", RmsNorm::rows(self.rms_norm_eps, 0.0), hidden)
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

    fn with_rope_factors(&self, factors: &[f32]) -> Result<Option<Rc<dyn Family>>> {
        Ok(Some(Rc::new(Llama { rotary: self.rotary.with_factors(factors)?, ..self.clone() })))
    }

    fn language(&self) -> Option<Language> {
        let weight = if self.tie_word_embeddings { "embed_tokens.weight" } else { "lm_head.weight" };
        Some(Language { weight, vocab_size: self.common.vocab_size, cap: None })
    }
}

/// The window of each layer: by `layer_types`, or where the file has none by `slides`.
pub fn windows(
    fields: &Fields,
    layers: usize,
    window: Option<usize>,
    slides: impl Fn(usize) -> bool,
) -> Result<Vec<Option<usize>>> {
    let types = fields.layers("layer_types", layers)?;
    let of = |layer: usize| match types.as_ref().map(|types| types[layer].as_str()) {
        Some("full_attention") => Ok(None),
        Some("sliding_attention") if window.is_some() => Ok(window),
        Some("sliding_attention") => Err(bad("sliding_window", "is missing, and layer_types ask for it".into())),
        Some(other) => Err(bad("layer_types", format!("has '{other}', not full_attention or sliding_attention"))),
        None => Ok(window.filter(|_| slides(layer))),
    };
    (0..layers).map(of).collect()
}

/// `sliding_window`, where it is a number.
pub fn sliding_window(fields: &Fields) -> Result<Option<usize>> {
    fields.has("sliding_window").then(|| fields.size("sliding_window", 1 << 24, None)).transpose()
}
