//! Adapters with one value for each attention head: where that is, and the file that remembers it.

use serde::{Deserialize, Serialize};

use super::head::from_json;
use super::{Adapter, Place, Site};
use crate::{Error, Result};

/// What PEFT's configuration has no field for. PEFT reads vectors whose values repeat, and no such file.
pub const OPTIONS_FILE: &str = "ia3_options.json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    per_head: bool,
}

impl Site {
    /// Channels at `place` that share a value where each attention head has one.
    pub fn repeat(&self, place: Place) -> usize {
        match place {
            Place::Output => self.head_size.unwrap_or(1),
            Place::Input => 1,
        }
    }
}

impl Adapter {
    /// [`Error::AdapterMismatch`] naming a module where the channels of a head have several values.
    pub fn check_heads(&self, sites: &[Site]) -> Result<()> {
        for ((module, place), vector) in self.vectors.iter().chain(&self.shifts) {
            let repeat = sites.iter().find(|site| site.module == *module).map_or(1, |site| site.repeat(*place));
            if vector.chunks(repeat).any(|head| head.iter().any(|value| value.to_bits() != head[0].to_bits())) {
                let reason = format!("it has several values for one attention head of '{module}', not one per head");
                return Err(Error::AdapterMismatch { reason });
            }
        }
        Ok(())
    }
}

/// The file, for an adapter that needs it.
pub(super) fn write(adapter: &Adapter) -> Option<(String, Vec<u8>)> {
    let json = || serde_json::to_vec_pretty(&Options { per_head: true }).expect("a flag is JSON");
    adapter.per_head.then(|| (OPTIONS_FILE.into(), json()))
}

/// What the file says.
pub(super) fn read(file: &[u8]) -> Result<bool> {
    from_json::<Options>(OPTIONS_FILE, file).map(|options| options.per_head)
}
