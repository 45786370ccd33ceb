//! Learning rates that differ from layer to layer.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The largest multiplier.
const MOST: f32 = 1e3;

/// What the learning rate of each transformer layer's vectors is multiplied with; 0 leaves them as they are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum LayerRates {
    /// One multiplier a layer.
    All(Vec<f32>),
    /// Some, by the number of the layer; the others' is 1. (Keys of a JavaScript object are strings.)
    Some(BTreeMap<String, f32>),
}

impl LayerRates {
    /// One multiplier for each of `layers` layers. [`Error::BadOption`] where there are more or fewer, or one that makes no sense.
    pub fn resolve(&self, layers: usize) -> Result<Vec<f32>> {
        let rates = match self {
            LayerRates::All(rates) if rates.len() != layers => {
                return Err(bad(format!(
                    "has {} numbers: this model has {layers} layers, give one for each",
                    rates.len()
                )));
            }
            LayerRates::All(rates) => rates.clone(),
            LayerRates::Some(named) => {
                let mut rates = vec![1.0; layers];
                for (name, rate) in named {
                    let layer = name.parse().ok().filter(|layer: &usize| *layer < layers);
                    let unknown = || bad(format!("names layer {name}: this model has {layers}, counted from 0"));
                    rates[layer.ok_or_else(unknown)?] = *rate;
                }
                rates
            }
        };
        match rates.iter().find(|rate| !(0.0..=MOST).contains(*rate)) {
            Some(rate) => Err(bad(format!("is {rate} for a layer: give a number from 0 to {MOST}"))),
            None => Ok(rates),
        }
    }
}

fn bad(reason: String) -> Error {
    Error::BadOption { option: "layerLearningRates".into(), reason }
}
