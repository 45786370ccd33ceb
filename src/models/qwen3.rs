//! Qwen3 (Yang et al. 2025): LLaMA with normalised queries and keys, as Hugging Face's `modeling_qwen3.py` computes it.

use super::llama::Llama;
use super::qwen2::upper_windows;
use crate::checkpoint::Fields;
use crate::error::Result;

/// As LLaMA's, with heads of 128 columns unless told otherwise, and Qwen2's windows.
pub fn read(fields: &Fields) -> Result<Llama> {
    let bias = fields.flag("attention_bias", false)?;
    fields.size("head_dim", 1 << 12, None)?;
    let llama = Llama::read_with(fields, 1e4, false)?;
    let windows = upper_windows(fields, llama.windows.len())?;
    Ok(Llama { qkv_bias: bias, output_bias: bias, qk_norm: true, windows, ..llama })
}
