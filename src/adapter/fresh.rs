//! Adapters that are new: ones, or numbers drawn around one.

use serde::Deserialize;

use super::random::Random;
use super::{Adapter, AdapterConfig, Place, Site};

/// How the vectors of a new adapter start. Shifts always start as zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Init {
    /// Ones, the base model.
    #[default]
    Ones,
    /// Drawn from N(1, std²).
    Normal(f32),
    /// Drawn evenly from 1 - range to 1 + range.
    Uniform(f32),
}

/// What a new adapter is told beside its targets.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fresh {
    /// How the vectors start.
    pub init: Init,
    /// Seed of what is drawn.
    pub seed: u64,
    /// A shift beside every vector.
    pub shift: bool,
    /// One value for each attention head.
    pub per_head: bool,
}

impl Adapter {
    /// A fresh adapter at `places` (indices into `sites`). Where the configuration has `init_ia3_weights` false, which is PEFT's way
    /// to make an adapter that shows in tests, the vectors are drawn from N(0, 1) whatever `init` says.
    pub fn new(config: AdapterConfig, sites: &[Site], places: &[(usize, Place)], fresh: Fresh) -> Adapter {
        let mut random = Random::new(fresh.seed);
        let mut draw = || match fresh.init {
            _ if !config.init_ia3_weights => random.normal(),
            Init::Ones => 1.0,
            Init::Normal(std) => 1.0 + std * random.normal(),
            Init::Uniform(range) => 1.0 + range * random.symmetric(),
        };
        let key = |index: usize, place: Place| (sites[index].module.clone(), place);
        let vector = |(index, place): &(usize, Place)| {
            let repeat = if fresh.per_head { sites[*index].repeat(*place) } else { 1 };
            let values = (0..sites[*index].len(*place) / repeat).flat_map(|_| std::iter::repeat_n(draw(), repeat));
            (key(*index, *place), values.collect())
        };
        let vectors = places.iter().map(vector).collect();
        let zeros = |(index, place): &(usize, Place)| (key(*index, *place), vec![0.0; sites[*index].len(*place)]);
        let shifts = places.iter().filter(|_| fresh.shift).map(zeros).collect();
        Adapter { config, vectors, shifts, per_head: fresh.per_head, head: None }
    }

    /// Whether the vectors leave the model as it is.
    pub fn changes_nothing(&self) -> bool {
        self.vectors.values().flatten().all(|x| *x == 1.0) && self.shifts.values().flatten().all(|x| *x == 0.0)
    }
}
