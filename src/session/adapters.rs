//! The adapters of a session: added, loaded, saved, combined, counted.

use super::Session;
use super::start::{Start, copy_vectors};
use crate::adapter::{self, Adapter, AdapterConfig, Init, Layout, Missing, Targets, TaskType};
use crate::error::{Error, Result};
use crate::models::Weight;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `target_modules` says for the paper's vectors.
const PAPER: &str = "paper";

/// What a new adapter can be told; the names are those of PEFT's `IA3Config`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdapterOptions {
    /// Modules to scale: names, a regular expression, "all-linear", or "paper" for keys, values and the input of the second
    /// feed-forward layer. Default: PEFT's for the model type.
    pub target_modules: Option<TargetOption>,
    /// Which of them scale their input. Default: PEFT's for the model type.
    pub feedforward_modules: Option<TargetOption>,
    /// Modules to leave out.
    pub exclude_modules: Option<TargetOption>,
    /// Only targets in these layers, counted from 0.
    pub layers: Option<Vec<usize>>,
    /// Modules trained whole beside the vectors. Only the classification head can be.
    pub modules_to_save: Option<Vec<String>>,
    /// Start from ones (the default), or from N(0, 1) to make an adapter that shows in tests.
    pub init_ia3_weights: Option<bool>,
    /// Start from vectors drawn around one instead.
    pub init: Option<Init>,
    /// Seed of what is drawn.
    pub seed: Option<u64>,
    /// A shift beside every vector, `h ⊙ l + b`. Default: as the adapter to start from, else none.
    pub shift: Option<bool>,
    /// One value for each attention head in the vectors of queries, keys and values. Default: as the adapter to start from, else one
    /// for each channel.
    pub per_head: Option<bool>,
    /// Start from the vectors of another adapter, with its targets unless others are named; where it has none, as without.
    #[serde(skip)]
    pub from: Option<Start>,
}

/// Module names, or a pattern for them.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum TargetOption {
    /// Names.
    List(Vec<String>),
    /// A regular expression, or "all-linear".
    Regex(String),
}

/// Weights of a combination.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CombineOptions {
    /// One weight an adapter; default: all alike, summing to one.
    pub weights: Option<Vec<f32>>,
    /// What a missing vector counts as.
    pub missing: MissingOption,
}

/// What an adapter without a vector at some place counts as.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MissingOption {
    /// Ones.
    #[default]
    One,
    /// Zeros, PEFT's rule.
    Zero,
}

impl From<MissingOption> for Missing {
    fn from(option: MissingOption) -> Self {
        match option {
            MissingOption::One => Missing::One,
            MissingOption::Zero => Missing::Zero,
        }
    }
}

/// How much of a model an adapter trains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ParameterCount {
    /// Elements of vectors, shifts and head.
    pub trainable: usize,
    /// All elements, base model included.
    pub total: usize,
    /// Their ratio, in percent.
    pub percentage: f64,
}

impl From<TargetOption> for Targets {
    fn from(option: TargetOption) -> Self {
        match option {
            TargetOption::List(names) => Targets::List(names),
            TargetOption::Regex(pattern) => Targets::Regex(pattern),
        }
    }
}

impl Session {
    /// Adds a fresh adapter: the base model until it is trained.
    pub fn add_adapter(&mut self, name: &str, options: AdapterOptions) -> Result<()> {
        self.check_new(name)?;
        let mut config = AdapterConfig {
            base_model_name_or_path: self.options.model_id.clone(),
            revision: self.options.revision.clone(),
            modules_to_save: options.modules_to_save.clone(),
            init_ia3_weights: options.init_ia3_weights.unwrap_or(true),
            ..self.targets(&options)?
        };
        options.check_init()?;
        let start = options.from.as_ref().map(|start| self.started(start)).transpose()?;
        if let Some(start) = &start {
            config = options.targets_of(config, start);
        }
        if let Some(layers) = &options.layers {
            self.base.restrict(&mut config, layers)?;
        }
        let places = self.base.settle(&mut config)?;
        let told = options.fresh(start.as_ref(), &self.base.sites, &places)?;
        let mut fresh = Adapter::new(config, &self.base.sites, &places, told);
        if let Some(start) = &start {
            copy_vectors(start, &mut fresh, &self.base.sites)?;
        }
        let fresh = self.with_model_head(fresh);
        self.adapters.insert(name.into(), fresh);
        Ok(())
    }

    /// A configuration with the targets that were asked for.
    fn targets(&self, options: &AdapterOptions) -> Result<AdapterConfig> {
        let AdapterOptions { target_modules, feedforward_modules, exclude_modules, .. } = options;
        match target_modules {
            Some(TargetOption::Regex(name)) if name == PAPER => {
                if feedforward_modules.is_some() || exclude_modules.is_some() {
                    let reason = "is \"paper\", which says all: leave out feedforwardModules and excludeModules";
                    return Err(Error::BadOption { option: "targetModules".into(), reason: reason.into() });
                }
                Ok(AdapterConfig::paper(&self.base.model_type).expect("every family has the paper's targets"))
            }
            _ => Ok(AdapterConfig {
                target_modules: target_modules.clone().map(Targets::from),
                feedforward_modules: feedforward_modules.clone().map(Targets::from),
                exclude_modules: exclude_modules.clone().map(Targets::from),
                ..AdapterConfig::default()
            }),
        }
    }

    /// Loads an adapter from the files of a PEFT folder. Returns warnings, such as vectors the files lack.
    pub fn load_adapter(&mut self, name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<String>> {
        self.check_new(name)?;
        let mut loaded = adapter::load(files, &self.base)?;
        if let Some(head) = &mut loaded.adapter.head {
            head.arrange(&self.base.labels)?;
        }
        self.adapters.insert(name.into(), loaded.adapter);
        Ok(loaded.warnings)
    }

    /// The files of a PEFT folder, by name.
    pub fn save_adapter(&self, name: &str) -> Result<BTreeMap<String, Vec<u8>>> {
        adapter::save(&self.with_model_head(self.adapter(name)?.clone()), &self.base)
    }

    /// Removes an adapter.
    pub fn delete_adapter(&mut self, name: &str) -> Result<()> {
        self.adapter(name)?;
        if self.run.as_ref().is_some_and(|run| run.adapter() == name) {
            return Err(Error::Busy { what: format!("training of adapter '{name}'") });
        }
        self.adapters.remove(name);
        Ok(())
    }

    /// Adds the weighted sum of some adapters as a new one.
    pub fn combine_adapters(&mut self, name: &str, sources: &[String], options: CombineOptions) -> Result<()> {
        self.check_new(name)?;
        let adapters = sources.iter().map(|source| self.adapter(source)).collect::<Result<Vec<_>>>()?;
        let weights = options.weights.unwrap_or_else(|| vec![1.0 / sources.len().max(1) as f32; sources.len()]);
        let sum = adapter::weighted_sum(&adapters, &weights, options.missing.into(), &self.base.sites)?;
        self.adapters.insert(name.into(), sum);
        Ok(())
    }

    /// Names of the adapters, sorted.
    pub fn adapter_names(&self) -> Vec<String> {
        self.adapters.keys().cloned().collect()
    }

    /// How much of the model an adapter trains; a head that training will add counts.
    pub fn trainable_parameters(&self, name: &str) -> Result<ParameterCount> {
        let vectors = Layout::with_head(&self.base.sites, &[self.adapter(name)?], &[]);
        let trainable = vectors.len + self.base.head_len();
        let read = self.model.weights()?.iter().map(Weight::shape).collect::<Vec<_>>();
        let shapes = read.iter().chain(self.extra.values().map(|tensor| &tensor.shape));
        let total = shapes.map(|shape| shape.iter().product::<usize>()).sum::<usize>() + trainable;
        Ok(ParameterCount { trainable, total, percentage: 100.0 * trainable as f64 / total as f64 })
    }

    pub(super) fn adapter(&self, name: &str) -> Result<&Adapter> {
        self.adapters.get(name).ok_or_else(|| Error::UnknownAdapter { name: name.into(), known: self.adapter_names() })
    }

    fn check_new(&self, name: &str) -> Result<()> {
        match name {
            "" => Err(Error::BadOption { option: "name".into(), reason: "is empty: give the adapter a name".into() }),
            _ if self.adapters.contains_key(name) => Err(Error::AdapterExists { name: name.into() }),
            _ => Ok(()),
        }
    }

    /// In a task model an adapter without a head has a copy of the model's own, as with PEFT's `modules_to_save`.
    pub(super) fn with_model_head(&self, mut adapter: Adapter) -> Adapter {
        if self.base.task != TaskType::FeatureExtraction && adapter.head.is_none() {
            adapter.head = self.base_head.clone();
        }
        adapter
    }
}
