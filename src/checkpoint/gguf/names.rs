//! Tensors of a GGUF as Hugging Face's files have them: names, and the order of rows where llama.cpp has another.

use super::Gguf;
use crate::checkpoint::{Elements, StoredTensor};
use crate::{Error, Result};

/// What a tensor needs beside another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    /// Nothing.
    None,
    /// llama.cpp turns neighbouring columns of a head, Hugging Face those half a head apart.
    Unrotate { heads: usize },
    /// llama.cpp adds the one that Gemma adds to the weights of its norms.
    LessOne,
}

const LLAMA_LAYER: &[(&str, &str)] = &[
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// What follows the attention in LLaMA and its first descendants.
const FFN_NORM: (&str, &str) = ("ffn_norm", "post_attention_layernorm");

const GEMMA3_LAYER: &[(&str, &str)] = &[
    ("post_attention_norm", "post_attention_layernorm"),
    ("ffn_norm", "pre_feedforward_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];

const LLAMA_REST: &[(&str, &str)] =
    &[("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")];

const GPT2_LAYER: &[(&str, &str)] = &[
    ("attn_norm", "ln_1"),
    ("attn_qkv", "attn.c_attn"),
    ("attn_output", "attn.c_proj"),
    ("ffn_norm", "ln_2"),
    ("ffn_up", "mlp.c_fc"),
    ("ffn_down", "mlp.c_proj"),
];

const GPT2_REST: &[(&str, &str)] = &[
    ("token_embd", "transformer.wte"),
    ("position_embd", "transformer.wpe"),
    ("output_norm", "transformer.ln_f"),
    ("output", "lm_head"),
];

const BERT_LAYER: &[(&str, &str)] = &[
    ("attn_q", "attention.self.query"),
    ("attn_k", "attention.self.key"),
    ("attn_v", "attention.self.value"),
    ("attn_output", "attention.output.dense"),
    ("attn_output_norm", "attention.output.LayerNorm"),
    ("ffn_up", "intermediate.dense"),
    ("ffn_down", "output.dense"),
    ("layer_output_norm", "output.LayerNorm"),
];

const BERT_REST: &[(&str, &str)] = &[
    ("token_embd", "bert.embeddings.word_embeddings"),
    ("position_embd", "bert.embeddings.position_embeddings"),
    ("token_types", "bert.embeddings.token_type_embeddings"),
    ("token_embd_norm", "bert.embeddings.LayerNorm"),
];

/// The tensors of one architecture.
#[derive(Debug)]
pub struct Names {
    architecture: String,
    heads: usize,
    key_heads: usize,
}

impl Names {
    /// Of the file's architecture.
    pub fn of(file: &Gguf) -> Result<Names> {
        let settings = &file.metadata;
        let architecture = settings.text("general.architecture")?.to_string();
        let count = |name: &str, default: usize| -> Result<usize> {
            let found = settings.whole(&format!("{architecture}.attention.{name}"))?;
            Ok(found.map_or(default, |heads| heads.clamp(1, 1 << 16) as usize))
        };
        let heads = count("head_count", 1)?;
        let key_heads = count("head_count_kv", heads)?;
        Ok(Names { architecture, heads, key_heads })
    }

    /// Hugging Face's name of a tensor; None for one that is in no table, which keeps its own.
    fn find(&self, name: &str) -> Option<(String, Change)> {
        let find = |tables: &[&[(&str, &'static str)]], part: &str| {
            tables.iter().flat_map(|table| table.iter()).find(|(own, _)| *own == part).map(|(_, hub)| *hub)
        };
        let (layer_tables, rest, prefix): (&[&[(&str, &str)]], _, _) = match self.architecture.as_str() {
            "gpt2" => (&[GPT2_LAYER], GPT2_REST, "transformer.h"),
            "bert" => (&[BERT_LAYER], BERT_REST, "bert.encoder.layer"),
            "gemma3" => (&[LLAMA_LAYER, GEMMA3_LAYER], LLAMA_REST, "model.layers"),
            _ => (&[LLAMA_LAYER, &[FFN_NORM]], LLAMA_REST, "model.layers"),
        };
        let (module, kind) = name.rsplit_once('.')?;
        let hub = match module.strip_prefix("blk.").and_then(|inner| inner.split_once('.')) {
            Some((layer, part)) => format!("{prefix}.{layer}.{}", find(layer_tables, part)?),
            None => find(&[rest], module)?.to_string(),
        };
        let part = module.rsplit('.').next().unwrap_or(module);
        let change = match (self.architecture.as_str(), part) {
            ("llama", "attn_q") => Change::Unrotate { heads: self.heads },
            ("llama", "attn_k") => Change::Unrotate { heads: self.key_heads },
            ("gemma3", part) if part.ends_with("norm") => Change::LessOne,
            _ => Change::None,
        };
        Some((format!("{hub}.{kind}"), change))
    }

    /// Hugging Face's name of a tensor, or its own.
    pub fn name_of(&self, name: &str) -> String {
        self.find(name).map_or_else(|| name.into(), |(hub, _)| hub)
    }

    /// Whether a tensor's rows and numbers stay as they are, so that it may be kept in blocks.
    pub fn keeps_rows(&self, name: &str) -> bool {
        self.find(name).is_none_or(|(_, change)| matches!(change, Change::None | Change::Unrotate { .. }))
    }

    /// Whether a tensor is `(out, in)` where Hugging Face's file has `(in, out)`: the linear layers of GPT-2. It stays so.
    pub fn turned(&self, name: &str) -> bool {
        let part = name.strip_suffix(".weight").and_then(|module| module.rsplit('.').next());
        self.architecture == "gpt2" && matches!(part, Some("attn_qkv" | "attn_output" | "ffn_up" | "ffn_down"))
    }

    /// A tensor as Hugging Face's file has it. One whose rows do not stay as they are comes as floats.
    pub fn translate(&self, name: &str, tensor: StoredTensor) -> Result<(String, StoredTensor)> {
        let Some((hub, change)) = self.find(name) else { return Ok((name.into(), tensor)) };
        let rows = tensor.shape[0];
        match change {
            Change::Unrotate { heads } if !rows.is_multiple_of(2 * heads) => {
                let expected = vec![rows.next_multiple_of(2 * heads)];
                Err(Error::TensorShape { name: name.into(), expected, found: tensor.shape })
            }
            _ => Ok((hub, changed(change, tensor, -1.0, unrotated, unrotated))),
        }
    }

    /// The reverse of [`Names::translate`], for a tensor that came from there.
    pub fn restore(&self, name: &str, tensor: StoredTensor) -> StoredTensor {
        match self.find(name) {
            Some((_, change)) => changed(change, tensor, 1.0, rotated, rotated),
            None => tensor,
        }
    }
}

/// Puts the rows of heads, as many as the second number says, in another order.
type Reorder<T> = fn(&[T], usize, usize) -> Vec<T>;

/// The tensor, `one` added to a norm's weights and the rows of heads reordered.
fn changed(change: Change, tensor: StoredTensor, one: f32, floats: Reorder<f32>, bytes: Reorder<u8>) -> StoredTensor {
    let StoredTensor { shape, elements } = tensor;
    match (change, elements) {
        (Change::None, elements) => StoredTensor { shape, elements },
        (Change::Unrotate { heads }, elements) => {
            let (rows, head) = (shape[0], shape[0] / heads);
            let elements = match elements {
                Elements::Floats(data) => Elements::Floats(floats(&data, rows, head)),
                Elements::Blocks { kind, bytes: data } => Elements::Blocks { kind, bytes: bytes(&data, rows, head) },
            };
            StoredTensor { shape, elements }
        }
        (Change::LessOne, Elements::Floats(mut data)) => {
            data.iter_mut().for_each(|x| *x += one);
            StoredTensor { shape, elements: Elements::Floats(data) }
        }
        (Change::LessOne, Elements::Blocks { .. }) => {
            unreachable!("what does not keep its rows is not kept in blocks")
        }
    }
}

/// Row `half head / 2 + i` of a head goes to row `2 i + half`.
fn rotated<T: Copy>(data: &[T], rows: usize, head: usize) -> Vec<T> {
    let columns = data.len() / rows;
    let from = |row: usize| row / head * head + row % head % 2 * (head / 2) + row % head / 2;
    (0..rows).flat_map(|row| data[from(row) * columns..][..columns].iter().copied()).collect()
}

/// Row `2 i + half` of a head goes to row `half head / 2 + i`.
fn unrotated<T: Copy>(data: &[T], rows: usize, head: usize) -> Vec<T> {
    let columns = data.len() / rows;
    let from = |row: usize| row / head * head + row % head % (head / 2) * 2 + row % head / (head / 2);
    (0..rows).flat_map(|row| data[from(row) * columns..][..columns].iter().copied()).collect()
}
