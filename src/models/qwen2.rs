//! Qwen2 and Qwen2.5 (Yang et al. 2024): LLaMA with biases of queries, keys and values, and windows in the upper layers where asked
//! for, as Hugging Face's `modeling_qwen2.py` computes it.

use super::llama::{Llama, sliding_window, windows};
use crate::checkpoint::Fields;
use crate::error::Result;

/// As LLaMA's; the layers from `max_window_layers` on have the window, if `use_sliding_window`.
pub fn read(fields: &Fields) -> Result<Llama> {
    let llama = Llama::read_with(fields, 1e4, false)?;
    Ok(Llama { qkv_bias: true, windows: upper_windows(fields, llama.windows.len())?, ..llama })
}

/// The windows of Qwen's layers.
pub fn upper_windows(fields: &Fields, layers: usize) -> Result<Vec<Option<usize>>> {
    let window = if fields.flag("use_sliding_window", false)? { sliding_window(fields)? } else { None };
    let first = fields.number("max_window_layers", 0.0, 1e4, Some(28.0))? as usize;
    windows(fields, layers, window, |layer| layer >= first)
}
