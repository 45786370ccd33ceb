//! Several adapters as one: their weighted sum, or their product.

use std::collections::BTreeMap;

use super::settle::name_all;
use super::{Adapter, AdapterConfig, Head, HeadLayer, Site, Vectors, places_where};
use crate::{Error, Result};

/// What an adapter without a vector at some place counts as in a weighted sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Ones: what such an adapter does there.
    One,
    /// Zeros: PEFT's rule, which shrinks activations where only some of the adapters have a vector.
    Zero,
}

/// The new adapter Σ wᵢ lᵢ, as PEFT's `add_weighted_adapter`: weights are used as given, so they should sum to 1. Shifts add up in the same
/// way, Σ wᵢ bᵢ, and an adapter without one counts as zeros.
/// The head is the weighted sum of the heads where all adapters have one for the same labels in the same order; else
/// there is none. (PEFT always starts a combined adapter with an untrained head.) `sites` are those of the base model.
///
/// [`Error::BadOption`] without sources or with a number of weights other than theirs.
pub fn weighted_sum(sources: &[&Adapter], weights: &[f32], missing: Missing, sites: &[Site]) -> Result<Adapter> {
    let bad = |option: &str, reason: String| Error::BadOption { option: option.into(), reason };
    let first = sources.first().ok_or_else(|| bad("sources", "is empty: name the adapters to combine".into()))?;
    if weights.len() != sources.len() {
        return Err(bad("weights", format!("has {} numbers for {} adapters", weights.len(), sources.len())));
    }
    if let Some(weight) = weights.iter().find(|weight| !weight.is_finite()) {
        return Err(bad("weights", format!("contains {weight}: give finite numbers")));
    }
    let absent = match missing {
        Missing::One => 1.0,
        Missing::Zero => 0.0,
    };
    let sum = |absent: f32, values: &mut dyn Iterator<Item = Option<f32>>| {
        values.zip(weights).map(|(value, weight)| weight * value.unwrap_or(absent)).sum()
    };
    let vectors = combine(sources, |source| &source.vectors, |pairs| sum(absent, &mut pairs.map(|(scale, _)| scale)));
    let shifts = combine(sources, |source| &source.shifts, |pairs| sum(0.0, &mut pairs.map(|(_, shift)| shift)));
    let config = config(first, sources, &vectors, sites);
    let per_head = sources.iter().all(|source| source.per_head);
    Ok(Adapter { config, vectors, shifts, per_head, head: weighted_head(sources, weights) })
}

/// The adapter that does what all of `actives` do in turn: their vectors multiply, as with several active adapters in
/// PEFT. With shifts the order counts: `(h ⊙ l₁ + b₁) ⊙ l₂ + b₂ = h ⊙ (l₁ ⊙ l₂) + (b₁ ⊙ l₂ + b₂)`. PEFT refuses two active heads; here the last adapter that has a head classifies. Without actives this is
/// the base model.
pub fn product(actives: &[&Adapter], sites: &[Site]) -> Adapter {
    let vectors =
        combine(actives, |active| &active.vectors, |pairs| pairs.map(|(scale, _)| scale.unwrap_or(1.0)).product());
    let after = |b: f32, (scale, shift): Pair| b * scale.unwrap_or(1.0) + shift.unwrap_or(0.0);
    let shifts = combine(actives, |active| &active.shifts, |pairs| pairs.fold(0.0, after));
    let per_head = actives.iter().all(|active| active.per_head);
    let head = actives.iter().rev().find_map(|adapter| adapter.head.clone());
    let config = match actives.first() {
        Some(first) => config(first, actives, &vectors, sites),
        None => AdapterConfig::default(),
    };
    Adapter { config, vectors, shifts, per_head, head }
}

/// What an adapter does to a channel: its elements of vector and shift, where it has them.
type Pair = (Option<f32>, Option<f32>);

/// `rule` on the elements at every place where some source has what `of` gives, in the order of the sources.
fn combine(
    sources: &[&Adapter],
    of: impl Fn(&Adapter) -> &Vectors,
    rule: impl Fn(&mut dyn Iterator<Item = Pair>) -> f32,
) -> Vectors {
    let places: BTreeMap<_, _> =
        sources.iter().flat_map(|source| of(source)).map(|(place, values)| (place, values.len())).collect();
    let combined = places.into_iter().map(|(place, len)| {
        let present: Vec<_> =
            sources.iter().map(|source| (source.vectors.get(place), source.shifts.get(place))).collect();
        let pair = |i: usize| {
            move |(scale, shift): &(Option<&Vec<f32>>, Option<&Vec<f32>>)| {
                (scale.map(|values| values[i]), shift.map(|values| values[i]))
            }
        };
        (place.clone(), (0..len).map(|i| rule(&mut present.iter().map(pair(i)))).collect())
    });
    combined.collect()
}

fn weighted_head(sources: &[&Adapter], weights: &[f32]) -> Option<Head> {
    let heads: Vec<&Head> = sources.iter().map(|adapter| adapter.head.as_ref()).collect::<Option<_>>()?;
    let first = heads.first()?;
    if heads.iter().any(|head| head.labels != first.labels || head.elements() != first.elements()) {
        return None;
    }
    let sum = |layer: usize, part: fn(&HeadLayer) -> &[f32]| {
        let of = |head: &&Head, i: usize| part(&head.layers[layer])[i];
        let element = |i: usize| heads.iter().zip(weights).map(|(head, weight)| weight * of(head, i)).sum();
        (0..part(&first.layers[layer]).len()).map(element).collect()
    };
    let layer = |(at, layer): (usize, &HeadLayer)| HeadLayer {
        weight: sum(at, |layer| &layer.weight),
        bias: sum(at, |layer| &layer.bias),
        module: layer.module.clone(),
        in_features: layer.in_features,
    };
    Some(Head { layers: first.layers.iter().enumerate().map(layer).collect(), labels: first.labels.clone() })
}

/// The sources' own configuration where all choose the same modules, else one that names the places in full: unions of
/// lists and patterns, PEFT's way, can match more than the sources do, and fail where some have lists and some patterns.
fn config(first: &Adapter, sources: &[&Adapter], vectors: &Vectors, sites: &[Site]) -> AdapterConfig {
    let mut config = first.config.clone();
    let choice = |config: &AdapterConfig| {
        (config.target_modules.clone(), config.feedforward_modules.clone(), config.exclude_modules.clone())
    };
    if sources.iter().any(|source| choice(&source.config) != choice(&config)) {
        let found = places_where(sites, |key| vectors.contains_key(key));
        name_all(&mut config, sites, &found);
    }
    config
}
