//! Where a new adapter starts: at another's vectors, as T-Few's at pre-trained ones (arXiv 2205.05638, section 3.3).

use super::Session;
use super::adapters::AdapterOptions;
use crate::adapter::{self, Adapter, AdapterConfig};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// The adapter whose vectors a new one starts from.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// One of the session, by its name.
    Name(String),
    /// The files of a PEFT folder.
    Files(BTreeMap<String, Vec<u8>>),
}

impl Session {
    /// The adapter of a start. [`Error::UnknownAdapter`], or the errors of loading one.
    pub(super) fn started(&self, start: &Start) -> Result<Adapter> {
        match start {
            Start::Name(name) => self.adapter(name).cloned(),
            // What loading warns of is what this adapter lacks, and the new one fills that in itself.
            Start::Files(files) => Ok(adapter::load(files, &self.base)?.adapter),
        }
    }
}

impl AdapterOptions {
    /// The configuration with the targets of the adapter to start from, where no others were asked for.
    pub(super) fn targets_of(&self, config: AdapterConfig, start: &Adapter) -> AdapterConfig {
        let AdapterOptions { target_modules, feedforward_modules, exclude_modules, layers, .. } = self;
        let told = target_modules.is_some() || feedforward_modules.is_some() || exclude_modules.is_some();
        if told || layers.is_some() {
            return config;
        }
        let AdapterConfig { target_modules, feedforward_modules, exclude_modules, .. } = start.config.clone();
        AdapterConfig { target_modules, feedforward_modules, exclude_modules, ..config }
    }
}

/// Copies the vectors that both have. [`Error::AdapterMismatch`] if there are none.
pub(super) fn copy_vectors(start: &Adapter, fresh: &mut Adapter) -> Result<()> {
    let mut shared = false;
    for (key, vector) in &mut fresh.vectors {
        if let Some(found) = start.vectors.get(key) {
            vector.copy_from_slice(found);
            shared = true;
        }
    }
    if shared {
        return Ok(());
    }
    let reason =
        "the adapter to start from has no vector where the new one has any; without targetModules it has the same"
            .into();
    Err(Error::AdapterMismatch { reason })
}
