//! PEFT's default targets by model type.

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
