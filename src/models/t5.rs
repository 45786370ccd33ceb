//! T5 (Raffel et al. 2019), its version 1.1 with gated layers (Flan-T5 too), and mT5 (Xue et al. 2020), as Hugging Face's `modeling_t5.py`
//! computes them.

use super::language::Language;
use super::layers::Builder;
use super::relative::Buckets;
use super::weight::Form;
use super::{Common, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::bad;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Attention, Gate, RmsNorm};

/// A T5's numbers, with Hugging Face's field names.
#[derive(Debug, Clone, PartialEq)]
pub struct T5 {
    common: Common,
    num_layers: usize,
    num_decoder_layers: usize,
    num_heads: usize,
    d_kv: usize,
    d_ff: usize,
    layer_norm_epsilon: f32,
    activation: ActivationKind,
    gated: bool,
    buckets: Buckets,
    /// The vocabulary is that of the embeddings, and the states are scaled down for it.
    tied: bool,
}

/// The two stacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    Encoder,
    Decoder,
}

impl T5 {
    /// The tied form scales the decoder's states: transformers 5 says so in `scale_decoder_outputs`, before in `tie_word_embeddings`.
    pub fn read(fields: &Fields) -> Result<T5> {
        let tied = fields.flag("scale_decoder_outputs", fields.flag("tie_word_embeddings", true)?)?;
        T5::read_with(fields, "relu", tied)
    }

    /// mT5 has a vocabulary of its own, whatever its configuration says.
    pub fn read_multilingual(fields: &Fields) -> Result<T5> {
        T5::read_with(fields, "gated-gelu", false)
    }

    fn read_with(fields: &Fields, feedforward: &str, tied: bool) -> Result<T5> {
        let vocab_size = fields.size("vocab_size", 1 << 24, None)?;
        let layers = fields.size("num_layers", 1 << 10, None)?;
        let (activation, gated) = match fields.text("feed_forward_proj", Some(feedforward))?.as_str() {
            "relu" => (ActivationKind::Relu, false),
            "gelu" => (ActivationKind::Gelu, false),
            // Written without it, but by the tanh approximation.
            "gated-gelu" => (ActivationKind::GeluTanh, true),
            "gated-silu" => (ActivationKind::Silu, true),
            other => {
                return Err(bad(
                    "feed_forward_proj",
                    format!("is '{other}', not relu, gelu, gated-gelu or gated-silu"),
                ));
            }
        };
        let pad = fields.token_id("pad_token_id", vocab_size, 0)?;
        let start = fields.token_id("decoder_start_token_id", vocab_size, pad)?;
        let count = fields.size("relative_attention_num_buckets", 1 << 10, Some(32))?;
        let max_distance = fields.size("relative_attention_max_distance", 1 << 20, Some(128))?;
        if count < 4 || !count.is_multiple_of(4) || max_distance <= count / 2 {
            let reason = format!("is {count}, not a multiple of 4 below twice the largest distance, {max_distance}");
            return Err(bad("relative_attention_num_buckets", reason));
        }
        Ok(T5 {
            num_layers: layers,
            num_decoder_layers: fields.size("num_decoder_layers", 1 << 10, Some(layers))?,
            num_heads: fields.size("num_heads", 1 << 10, None)?,
            d_kv: fields.size("d_kv", 1 << 12, None)?,
            d_ff: fields.size("d_ff", 1 << 20, None)?,
            layer_norm_epsilon: fields.epsilon("layer_norm_epsilon", 1e-6)? as f32,
            activation,
            gated,
            buckets: Buckets { count, max_distance, both_ways: true },
            tied,
            common: Common {
                hidden_size: fields.size("d_model", 1 << 16, None)?,
                vocab_size,
                type_vocab_size: None,
                longest: fields.size("n_positions", 1 << 20, Some(512))?,
                padding: Padding::from_zero(pad).starting(start),
                ends: fields.end_tokens(vocab_size)?,
                labels: fields.labels()?,
                prefix: "",
                reader_prefix: "",
                token_head: "classifier",
            },
        })
    }

    fn norm(&self) -> RmsNorm {
        RmsNorm::rows(self.layer_norm_epsilon, 0.0)
    }

    /// A stack over `ids`; the decoder also looks at the encoder's states, or at what a cache has of them.
    fn stack(&self, b: &mut Builder, stack: Stack, encoder: Option<Id>) -> Result<Id> {
        let (name, layers, ids, length) = match stack {
            Stack::Encoder => ("encoder", self.num_layers, "ids", b.shape.length),
            Stack::Decoder => ("decoder", self.num_decoder_layers, "decoder_ids", b.shape.written),
        };
        let buckets = Buckets { both_ways: stack == Stack::Encoder, ..self.buckets };
        let module = format!("{name}.block.0.layer.0.SelfAttention.relative_attention_bias");
        let bias = match b.shape.cache.filter(|_| stack == Stack::Decoder) {
            Some(capacity) => buckets.back(b, &module, self.num_heads, capacity).to_vec(),
            None => vec![buckets.bias(b, &module, self.num_heads, length)?],
        };
        let mut x = b.embed(&[(ids, "shared", self.common.vocab_size)], self.common.hidden_size)?;
        for layer in 0..layers {
            x = self.block(b, x, stack, &bias, encoder, &format!("{name}.block.{layer}"))?;
        }
        // The tied vocabulary wants states of another size (`scale_decoder_outputs`).
        let root = (self.common.hidden_size as f32).sqrt();
        let times = if stack == Stack::Decoder && self.tied { 1.0 / root } else { 1.0 };
        let norm = RmsNorm { times, ..self.norm() };
        b.rms_norm(x, &format!("{name}.final_layer_norm"), norm, self.common.hidden_size)
    }

    fn block(&self, b: &mut Builder, x: Id, stack: Stack, bias: &[Id], encoder: Option<Id>, name: &str) -> Result<Id> {
        b.checkpoint(x);
        let mut x = self.self_attention(b, x, stack, bias, &format!("{name}.layer.0"))?;
        let last = match stack {
            Stack::Encoder => 1,
            Stack::Decoder => {
                x = self.cross_attention(b, x, encoder, &format!("{name}.layer.1"))?;
                2
            }
        };
        self.feed_forward(b, x, &format!("{name}.layer.{last}"))
    }

    fn self_attention(&self, b: &mut Builder, x: Id, stack: Stack, bias: &[Id], name: &str) -> Result<Id> {
        let inner = self.num_heads * self.d_kv;
        let y = b.rms_norm(x, &format!("{name}.layer_norm"), self.norm(), self.common.hidden_size)?;
        let parts = ["q", "k", "v"].map(|part| format!("{name}.SelfAttention.{part}"));
        let parts = parts.each_ref().map(|part| (part.as_str(), inner));
        let qkv = b.project_heads(y, &parts, Form::Unbiased, self.d_kv)?;
        let causal = stack == Stack::Decoder;
        let op = Attention { scale: 1.0, causal, biased: true, ..Attention::full(self.num_heads, inner) };
        let context = match stack {
            Stack::Encoder => {
                let mask = b.batch("mask");
                b.graph.one(op, &[&[qkv, mask], bias].concat())?
            }
            Stack::Decoder => b.attention(op, qkv, ["decoder_mask", "decoder_segments"], bias)?,
        };
        let output = [(&*format!("{name}.SelfAttention.o"), self.common.hidden_size)];
        let attended = b.project(context, &output, Form::Unbiased)?;
        b.add(x, attended)
    }

    fn cross_attention(&self, b: &mut Builder, x: Id, encoder: Option<Id>, name: &str) -> Result<Id> {
        let inner = self.num_heads * self.d_kv;
        let y = b.rms_norm(x, &format!("{name}.layer_norm"), self.norm(), self.common.hidden_size)?;
        let part = |part: &str| format!("{name}.EncDecAttention.{part}");
        let queries = b.project_heads(y, &[(&part("q"), inner)], Form::Unbiased, self.d_kv)?;
        let keys = [(&*part("k"), inner), (&*part("v"), inner)];
        let keys = encoder.map(|states| b.project_heads(states, &keys, Form::Unbiased, self.d_kv)).transpose()?;
        let op = Attention { scale: 1.0, apart: true, ..Attention::full(self.num_heads, inner) };
        let context = b.cross_attention(op, queries, keys)?;
        let attended = b.project(context, &[(&part("o"), self.common.hidden_size)], Form::Unbiased)?;
        b.add(x, attended)
    }

    fn feed_forward(&self, b: &mut Builder, x: Id, name: &str) -> Result<Id> {
        let hidden = self.common.hidden_size;
        let y = b.rms_norm(x, &format!("{name}.layer_norm"), self.norm(), hidden)?;
        let part = |part: &str| format!("{name}.DenseReluDense.{part}");
        let wide = if self.gated {
            let wide = b.project(y, &[(&part("wi_0"), self.d_ff), (&part("wi_1"), self.d_ff)], Form::Unbiased)?;
            b.graph.one(Gate(self.activation), &[wide])?
        } else {
            let wide = b.project(y, &[(&part("wi"), self.d_ff)], Form::Unbiased)?;
            b.activation(wide, self.activation)?
        };
        let narrow = b.project(wide, &[(&part("wo"), hidden)], Form::Unbiased)?;
        b.add(x, narrow)
    }
}

impl Family for T5 {
    fn common(&self) -> &Common {
        &self.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &[TaskType::FeatureExtraction, TaskType::Seq2SeqLm]
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        self.stack(b, Stack::Encoder, None)
    }

    fn pooler(&self, _b: &mut Builder, _states: Id) -> Result<Option<Id>> {
        Ok(None)
    }

    fn pooled(&self, _b: &mut Builder, _states: Id) -> Result<Id> {
        unreachable!("T5 is not loaded for SEQ_CLS")
    }

    fn head(&self) -> Vec<HeadModule> {
        unreachable!("T5 is not loaded for SEQ_CLS")
    }

    fn logits(&self, _b: &mut Builder, _pooled: Id) -> Result<Id> {
        unreachable!("T5 is not loaded for SEQ_CLS")
    }

    fn decoded(&self, b: &mut Builder, states: Id) -> Result<Id> {
        self.stack(b, Stack::Decoder, Some(states))
    }

    fn cached(&self, b: &mut Builder) -> Result<Id> {
        let encoder = if b.shape.length > 0 { Some(self.states(b)?) } else { None };
        self.stack(b, Stack::Decoder, encoder)
    }

    fn language(&self) -> Option<Language> {
        let weight = if self.tied { "shared.weight" } else { "lm_head.weight" };
        Some(Language { weight, vocab_size: self.common.vocab_size, cap: None })
    }
}
