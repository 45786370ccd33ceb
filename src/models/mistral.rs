//! Mistral (Jiang et al. 2023): LLaMA whose layers see a window, as Hugging Face's `modeling_mistral.py` computes it.

use super::Common;
use super::llama::{Llama, sliding_window, windows};
use crate::checkpoint::Fields;
use crate::error::Result;

/// As LLaMA's; every layer has the window, where there is one.
pub fn read(fields: &Fields) -> Result<Llama> {
    let llama = Llama::read_with(fields, 1e4, false)?;
    let windows = windows(fields, llama.windows.len(), sliding_window(fields)?, |_| true)?;
    let common = Common { reader_prefix: "model.", ..llama.common.clone() };
    Ok(Llama { windows, common, ..llama })
}
