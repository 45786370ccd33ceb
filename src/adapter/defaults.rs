//! Targets by model type: PEFT's defaults, and the paper's choice.

use super::config::{AdapterConfig, Targets};

/// Target and feed-forward modules of a model type.
pub type Defaults = (&'static [&'static str], &'static [&'static str]);

/// The default of `model_type`, `None` where PEFT has none. Taken over literally from PEFT 0.21.2
/// (`peft/utils/constants.py`, `TRANSFORMERS_MODELS_TO_IA3_*`), also where it departs from the paper: several entries
/// scale queries and values instead of keys and values.
pub fn default_targets(model_type: &str) -> Option<Defaults> {
    Some(match model_type {
        "t5" => (&["k", "v", "wo"], &["wo"]),
        "mt5" => (&["k", "v", "wi_1"], &[]),
        "gpt2" | "gpt_bigcode" => (&["c_attn", "mlp.c_proj"], &["mlp.c_proj"]),
        "bloom" => (&["query_key_value", "mlp.dense_4h_to_h"], &["mlp.dense_4h_to_h"]),
        "roberta" | "bert" => (&["key", "value", "output.dense"], &["output.dense"]),
        "opt" => (&["q_proj", "k_proj", "fc2"], &["fc2"]),
        "gptj" => (&["q_proj", "v_proj", "fc_out"], &["fc_out"]),
        "gpt_neox" | "RefinedWebModel" | "RefinedWeb" | "falcon" => {
            (&["query_key_value", "dense_4h_to_h"], &["dense_4h_to_h"])
        }
        "gpt_neo" => (&["q_proj", "v_proj", "c_proj"], &["c_proj"]),
        "bart" | "phi" => (&["q_proj", "v_proj", "fc2"], &["fc2"]),
        "llama" | "mistral" => (&["k_proj", "v_proj", "down_proj"], &["down_proj"]),
        "llama4" | "gemma" | "gemma2" | "gemma3_text" | "qwen2" | "qwen3" => {
            (&["q_proj", "v_proj", "down_proj"], &["down_proj"])
        }
        "mixtral" => (&["k_proj", "v_proj", "w2"], &["w2"]),
        "deberta-v2" => (&["key_proj", "value_proj", "output.dense"], &["output.dense"]),
        "deberta" => (&["in_proj", "output.dense"], &["output.dense"]),
        _ => return None,
    })
}

/// The paper's vectors (arXiv 2205.05638, section 3.3) as target, feed-forward and excluded modules: keys, values and the input of the
/// second feed-forward layer. `None` for a model type that cannot be loaded. GPT-2 makes queries, keys and values in one layer, so all three
/// are scaled.
fn paper_targets(model_type: &str) -> Option<(Defaults, &'static [&'static str])> {
    Some(match model_type {
        "bert" | "roberta" | "xlm-roberta" => {
            ((&["key", "value", "output.dense"], &["output.dense"]), &["attention.output.dense"])
        }
        "distilbert" => ((&["k_lin", "v_lin", "ffn.lin2"], &["ffn.lin2"]), &[]),
        "mpnet" => ((&["attn.k", "attn.v", "output.dense"], &["output.dense"]), &[]),
        "gpt2" => ((&["c_attn", "mlp.c_proj"], &["mlp.c_proj"]), &[]),
        "llama" | "mistral" | "qwen2" | "qwen3" | "gemma3_text" => {
            ((&["k_proj", "v_proj", "down_proj"], &["down_proj"]), &[])
        }
        "t5" | "mt5" => ((&["k", "v", "wo"], &["wo"]), &[]),
        _ => return None,
    })
}

impl AdapterConfig {
    /// With the paper's targets, `None` for a model type that cannot be loaded.
    pub fn paper(model_type: &str) -> Option<AdapterConfig> {
        let ((targets, feedforward), exclude) = paper_targets(model_type)?;
        let list = |names: &[&str]| Some(Targets::List(names.iter().map(|name| name.to_string()).collect()));
        Some(AdapterConfig {
            target_modules: list(targets),
            feedforward_modules: list(feedforward),
            exclude_modules: if exclude.is_empty() { None } else { list(exclude) },
            ..AdapterConfig::default()
        })
    }

    /// What is measured and estimated with where nobody chose targets: PEFT's default, the paper's where PEFT has none.
    pub fn usual(model_type: &str) -> AdapterConfig {
        let paper = || AdapterConfig::paper(model_type).unwrap_or_default();
        default_targets(model_type).map_or_else(paper, |_| AdapterConfig::default())
    }
}
