//! BERT (Devlin et al. 2018), as Hugging Face's `modeling_bert.py` computes it.

use super::layers::Builder;
use crate::checkpoint::{HiddenAct, ModelConfig};
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{Activation, ActivationKind, Attention, Embed, Pool, PoolKind};

/// Token states `(B S, H)` of the last layer.
pub fn encoder(b: &mut Builder, config: &ModelConfig) -> Result<Id> {
    let mut x = embeddings(b, config)?;
    for layer in 0..config.num_hidden_layers {
        x = block(b, config, x, &format!("encoder.layer.{layer}"))?;
    }
    Ok(x)
}

/// The pooler's vector of each text, `(B, H)`: tanh of a linear of the first token's state.
pub fn pooler(b: &mut Builder, config: &ModelConfig, states: Id) -> Result<Id> {
    let mask = b.batch("mask");
    let first = b.graph.one(Pool(PoolKind::First), &[states, mask])?;
    let y = b.linear(first, "pooler.dense", config.hidden_size)?;
    b.graph.one(Activation { kind: ActivationKind::Tanh, scale: None }, &[y])
}

fn embeddings(b: &mut Builder, config: &ModelConfig) -> Result<Id> {
    let hidden = config.hidden_size;
    let (ids, types) = (b.batch("ids"), b.batch("types"));
    let words = b.weight("embeddings.word_embeddings.weight", vec![config.vocab_size, hidden]);
    let positions = b.weight("embeddings.position_embeddings.weight", vec![config.max_position_embeddings, hidden]);
    let kinds = b.weight("embeddings.token_type_embeddings.weight", vec![config.type_vocab_size, hidden]);
    let sum = b.graph.one(Embed, &[ids, types, words, positions, kinds])?;
    b.layer_norm(sum, "embeddings.LayerNorm", config.layer_norm_eps)
}

fn block(b: &mut Builder, config: &ModelConfig, x: Id, name: &str) -> Result<Id> {
    let attended = attention(b, config, x, &format!("{name}.attention"))?;
    let sum = b.add(x, attended)?;
    let x = b.layer_norm(sum, &format!("{name}.attention.output.LayerNorm"), config.layer_norm_eps)?;
    let wide = b.linear(x, &format!("{name}.intermediate.dense"), config.intermediate_size)?;
    let wide = b.graph.one(Activation { kind: activation(config.hidden_act), scale: None }, &[wide])?;
    let narrow = b.linear(wide, &format!("{name}.output.dense"), config.hidden_size)?;
    let sum = b.add(x, narrow)?;
    b.layer_norm(sum, &format!("{name}.output.LayerNorm"), config.layer_norm_eps)
}

fn attention(b: &mut Builder, config: &ModelConfig, x: Id, name: &str) -> Result<Id> {
    let parts = ["query", "key", "value"].map(|part| format!("{name}.self.{part}"));
    let qkv = b.linears(x, &parts.each_ref().map(String::as_str), config.hidden_size)?;
    let head_size = config.hidden_size / config.num_attention_heads;
    let op = Attention { heads: config.num_attention_heads, scale: 1.0 / (head_size as f32).sqrt() };
    let mask = b.batch("mask");
    let context = b.graph.one(op, &[qkv, mask])?;
    b.linear(context, &format!("{name}.output.dense"), config.hidden_size)
}

fn activation(name: HiddenAct) -> ActivationKind {
    match name {
        HiddenAct::Gelu => ActivationKind::Gelu,
        HiddenAct::GeluTanh => ActivationKind::GeluTanh,
        HiddenAct::Relu => ActivationKind::Relu,
    }
}
