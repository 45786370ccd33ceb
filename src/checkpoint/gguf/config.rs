//! What `config.json` would say of a GGUF's model: its settings under Hugging Face's names.

use super::{Gguf, Metadata, not_gguf};
use crate::Result;
use serde_json::{Map, Value, json};

/// A setting's name behind that of the architecture, and Hugging Face's.
type Names = &'static [(&'static str, &'static str)];

/// Settings that LLaMA and its descendants have in common.
const LLAMA: Names = &[
    ("context_length", "max_position_embeddings"),
    ("block_count", "num_hidden_layers"),
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
    ("attention.key_length", "head_dim"),
    ("rope.freq_base", "rope_theta"),
];

const GPT2: Names = &[
    ("context_length", "n_positions"),
    ("block_count", "n_layer"),
    ("embedding_length", "n_embd"),
    ("feed_forward_length", "n_inner"),
    ("attention.head_count", "n_head"),
    ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
];

const BERT: Names = &[
    ("context_length", "max_position_embeddings"),
    ("block_count", "num_hidden_layers"),
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.layer_norm_epsilon", "layer_norm_eps"),
];

/// Architectures that can be read: llama.cpp's name, Hugging Face's `model_type`, settings.
const ARCHITECTURES: [(&str, &str, Names); 6] = [
    ("llama", "llama", LLAMA),
    ("qwen2", "qwen2", LLAMA),
    ("qwen3", "qwen3", LLAMA),
    ("gemma3", "gemma3_text", LLAMA),
    ("gpt2", "gpt2", GPT2),
    ("bert", "bert", BERT),
];

impl Gguf<'_> {
    /// `config.json` of this file's model. [`crate::Error::UnsupportedModel`] for an unknown architecture, [`crate::Error::NotGguf`] for a
    /// setting that cannot be one, or that asks for what is not supported, and for one of several files.
    pub fn config(&self) -> Result<Vec<u8>> {
        let settings = &self.metadata;
        if let Some(count) = settings.whole("split.count")?.filter(|count| *count > 1) {
            let reason = format!("it is one of the {count} files of a model: join them with llama-gguf-split --merge");
            return Err(not_gguf(settings.file(), reason));
        }
        let architecture = settings.text("general.architecture")?;
        let Some((_, model_type, names)) = ARCHITECTURES.iter().find(|(name, ..)| *name == architecture) else {
            return Err(crate::Error::UnsupportedModel {
                model_type: architecture.into(),
                supported: ARCHITECTURES.iter().map(|(name, ..)| (*name).into()).collect(),
            });
        };
        let mut config = Map::new();
        config.insert("model_type".into(), json!(model_type));
        for (name, field) in *names {
            let found = settings.number(&format!("{architecture}.{name}"))?;
            // A file of JSON tells 8 and 8.0 apart.
            let number = found.map(|n| if n.fract() == 0.0 && n >= 0.0 { json!(n as u64) } else { json!(n) });
            config.extend(number.map(|number| ((*field).to_string(), number)));
        }
        let vocabulary = self.tensor("token_embd.weight").and_then(|tensor| tensor.shape.first().copied());
        config.insert("vocab_size".into(), json!(vocabulary.unwrap_or(0)));
        for (name, field) in [("bos", "bos_token_id"), ("eos", "eos_token_id"), ("padding", "pad_token_id")] {
            let id = settings.whole(&format!("tokenizer.ggml.{name}_token_id"))?;
            config.insert(field.into(), json!(id));
        }
        match *model_type {
            "bert" => {
                let types = self.tensor("token_types.weight").map_or(1, |tensor| tensor.shape[0]);
                config.insert("type_vocab_size".into(), json!(types));
            }
            "gpt2" => {}
            _ => {
                config.insert("tie_word_embeddings".into(), json!(self.tensor("output.weight").is_none()));
                config.extend(self.rope(settings, architecture)?.map(|rope| ("rope_scaling".to_string(), rope)));
            }
        }
        let window = settings.whole(&format!("{architecture}.attention.sliding_window"))?.filter(|window| *window > 0);
        if let Some(window) = window.filter(|_| ["llama", "gemma3"].contains(&architecture)) {
            config.insert("sliding_window".into(), json!(window));
            if architecture == "llama" {
                // llama.cpp knows Mistral as a LLaMA.
                config.insert("model_type".into(), json!("mistral"));
            }
        }
        if architecture == "gemma3" {
            // llama.cpp scales scores by the size of a head, as all sizes but the largest do.
            config.insert("query_pre_attn_scalar".into(), config.get("head_dim").cloned().unwrap_or(json!(256)));
            let cap = settings.number("gemma3.final_logit_softcapping")?;
            config.extend(cap.map(|cap| ("final_logit_softcapping".to_string(), json!(cap))));
        }
        Ok(serde_json::to_vec(&config).expect("numbers and texts always serialise"))
    }

    /// How rotary embeddings are stretched, as `rope_scaling`; None where they are not, or by a tensor.
    fn rope(&self, settings: &Metadata, architecture: &str) -> Result<Option<Value>> {
        // LLaMA 3's factors, which the model takes from the tensor once it is loaded.
        let stretched = self.tensor("rope_freqs.weight").is_some();
        if stretched && architecture != "llama" {
            let reason = "its rotary embeddings are stretched by rope_freqs.weight, which only LLaMA's can be";
            return Err(not_gguf(settings.file(), reason));
        }
        let setting = |name: &str| format!("{architecture}.rope.scaling.{name}");
        let kind = match settings.get(&setting("type")) {
            None => return Ok(None),
            Some(_) => settings.text(&setting("type"))?,
        };
        if kind == "none" {
            return Ok(None);
        }
        if stretched {
            return Err(not_gguf(
                settings.file(),
                format!("its rotary embeddings are stretched by rope_freqs.weight and '{kind}'"),
            ));
        }
        let mut scaling = Map::new();
        scaling.insert("rope_type".into(), json!(kind));
        for (name, field) in [("factor", "factor"), ("original_context_length", "original_max_position_embeddings")] {
            scaling.extend(settings.number(&setting(name))?.map(|number| (field.to_string(), json!(number))));
        }
        Ok(Some(Value::Object(scaling)))
    }
}
