//! Where a new adapter starts: at ones, at numbers drawn around one, or at another's vectors, as T-Few's at pre-trained ones
//! (arXiv 2205.05638, section 3.3).

use super::Session;
use super::adapters::AdapterOptions;
use crate::adapter::{self, Adapter, AdapterConfig, Fresh, Init, Place, Site};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// The widest distribution that vectors may be drawn from.
const WIDEST: f32 = 100.0;

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

    /// What the new adapter is told beside its targets, which are `places` among `sites`. [`Error::BadOption`] for heads of attention
    /// where no target has any, and where the shift of the adapter to start from would be lost.
    pub(super) fn fresh(&self, start: Option<&Adapter>, sites: &[Site], places: &[(usize, Place)]) -> Result<Fresh> {
        let shifted = start.is_some_and(|start| !start.shifts.is_empty());
        if shifted && self.shift == Some(false) {
            return Err(bad("shift", "is false, and the adapter to start from has one: leave it out"));
        }
        let has_heads = places.iter().any(|(index, place)| sites[*index].repeat(*place) > 1);
        if self.per_head == Some(true) && !has_heads {
            return Err(bad(
                "perHead",
                "is true, and no target makes queries, keys or values of several channels a head",
            ));
        }
        let inherited = start.is_some_and(|start| start.per_head) && has_heads;
        Ok(Fresh {
            init: self.init.unwrap_or_default(),
            seed: self.seed.unwrap_or(0),
            shift: self.shift.unwrap_or(shifted),
            per_head: self.per_head.unwrap_or(inherited),
        })
    }

    /// [`Error::BadOption`] for vectors drawn in a way that makes no sense or against another option.
    pub(super) fn check_init(&self) -> Result<()> {
        let Some(init) = self.init else { return Ok(()) };
        if self.from.is_some() {
            return Err(bad("init", "says how vectors start, and so does from: give one of them"));
        }
        if self.init_ia3_weights.is_some() {
            return Err(bad("init", "says how vectors start, and so does initIa3Weights: give one of them"));
        }
        match init {
            Init::Normal(size) | Init::Uniform(size) if !(0.0..=WIDEST).contains(&size) => {
                Err(bad("init", &format!("is {size} wide: give a number from 0 to {WIDEST}")))
            }
            Init::Ones | Init::Normal(_) | Init::Uniform(_) => Ok(()),
        }
    }
}

fn bad(option: &str, reason: &str) -> Error {
    Error::BadOption { option: option.into(), reason: reason.into() }
}

/// Copies the vectors that both have, and their shifts. [`Error::AdapterMismatch`] if there are none, or where heads of attention have one
/// value in the new adapter and several in the other.
pub(super) fn copy_vectors(start: &Adapter, fresh: &mut Adapter, sites: &[Site]) -> Result<()> {
    let mut shared = false;
    for (key, vector) in &mut fresh.vectors {
        if let Some(found) = start.vectors.get(key) {
            vector.copy_from_slice(found);
            shared = true;
        }
    }
    for (key, shift) in &mut fresh.shifts {
        if let Some(found) = start.shifts.get(key) {
            shift.copy_from_slice(found);
        }
    }
    if shared {
        return if fresh.per_head { fresh.check_heads(sites) } else { Ok(()) };
    }
    let reason =
        "the adapter to start from has no vector where the new one has any; without targetModules it has the same"
            .into();
    Err(Error::AdapterMismatch { reason })
}
