//! Configurations made such that PEFT loads them and scales the same modules.

use std::collections::BTreeSet;

use super::config::{AdapterConfig, Targets};
use super::targets::{Matcher, is_all_linear, is_named, resolve, with_defaults};
use super::{Place, Site};
use crate::{Error, Result};

/// Names that the families give to modules that are not linear layers.
const OTHERS: [&str; 35] = [
    "LayerNorm",
    "sa_layer_norm",
    "output_layer_norm",
    "dropout",
    "activation",
    "intermediate_act_fn",
    "relative_attention_bias",
    "embeddings",
    "embeddings.word_embeddings",
    "embeddings.position_embeddings",
    "embeddings.token_type_embeddings",
    "embeddings.LayerNorm",
    "wte",
    "wpe",
    "drop",
    "ln_1",
    "ln_2",
    "ln_f",
    "act",
    "attn_dropout",
    "resid_dropout",
    "embed_tokens",
    "rotary_emb",
    "norm",
    "q_norm",
    "k_norm",
    "act_fn",
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
    "shared",
    "layer_norm",
    "final_layer_norm",
    "lm_head",
];

/// Fills in what `config` leaves to defaults so that PEFT can load it once it is written, and resolves it.
///
/// * `all-linear` becomes the list of paths it stands for.
/// * Where both fields are lists, PEFT demands on loading that `feedforward_modules` be a literal subset of
///   `target_modules`, yet makes configurations that are not: it fills in the default beside targets chosen by hand.
///   Here the list is cut to those targets it covers.
/// * PEFT refuses targets that are not linear layers and warns of exclusions that exclude nothing: names that match no
///   linear layer go.
///
/// Where that would change what is scaled, or a pattern also matches something that is no linear layer, both fields
/// become the full paths of the modules found.
pub fn settle(
    config: &mut AdapterConfig,
    model_type: &str,
    sites: &[Site],
    head_modules: &[&str],
) -> Result<Vec<(usize, Place)>> {
    let found = resolve(config, model_type, sites, head_modules)?;
    let (targets, feedforward) = with_defaults(config, model_type)?;
    let targets = match targets {
        all if is_all_linear(&all) => paths(sites, &found, |_| true),
        Targets::List(mut names) => {
            names.retain(|name| sites.iter().any(|site| is_named(&site.module, name)));
            Targets::List(names)
        }
        pattern @ Targets::Regex(_) => pattern,
    };
    let feedforward = match (&targets, feedforward) {
        (Targets::List(targets), Targets::List(endings)) => {
            let covered = |target: &&String| endings.iter().any(|ending| target.ends_with(ending));
            Targets::List(targets.iter().filter(covered).cloned().collect())
        }
        (Targets::List(_) | Targets::Regex(_), feedforward) => feedforward,
    };
    if !excludes_any(config, model_type, sites)? {
        config.exclude_modules = None;
    }
    config.target_modules = Some(targets);
    config.feedforward_modules = Some(feedforward);

    let fits = |config: &AdapterConfig| {
        let same = resolve(config, model_type, sites, head_modules).is_ok_and(|settled| settled == found);
        Ok::<_, Error>(same && !matches_others(config, model_type, sites, head_modules)?)
    };
    if !fits(config)? {
        name_all(config, sites, &found);
        if !fits(config)? {
            let reason = "its targets cannot be written as PEFT reads them: name the modules in full";
            return Err(Error::BadAdapter { reason: reason.into() });
        }
    }
    Ok(found)
}

/// Replaces the fields that choose modules by full paths of exactly those in `found`.
pub(super) fn name_all(config: &mut AdapterConfig, sites: &[Site], found: &[(usize, Place)]) {
    config.target_modules = Some(paths(sites, found, |_| true));
    config.feedforward_modules = Some(paths(sites, found, |place| place == Place::Input));
    config.exclude_modules = None;
}

fn paths(sites: &[Site], found: &[(usize, Place)], wanted: impl Fn(Place) -> bool) -> Targets {
    let chosen = found.iter().filter(|(_, place)| wanted(*place));
    Targets::List(chosen.map(|(index, _)| sites[*index].module.clone()).collect())
}

fn excludes_any(config: &AdapterConfig, model_type: &str, sites: &[Site]) -> Result<bool> {
    let matcher = Matcher::new(config, model_type, &[])?;
    for site in sites {
        if matcher.excludes(&site.module)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the targets include a module around or beside the linear layers.
fn matches_others(config: &AdapterConfig, model_type: &str, sites: &[Site], head_modules: &[&str]) -> Result<bool> {
    let matcher = Matcher::new(config, model_type, head_modules)?;
    let dots = |path: &'_ str| path.match_indices('.').map(|(at, _)| at).collect::<Vec<_>>();
    let around =
        |site: &Site| dots(&site.module).into_iter().map(|at| site.module[..at].to_string()).collect::<Vec<_>>();
    let mut containers: BTreeSet<String> = sites.iter().flat_map(around).collect();
    containers.insert(String::new());
    for container in &containers {
        let beside = OTHERS.map(|name| format!("{container}.{name}").trim_start_matches('.').to_string());
        for path in beside.iter().chain([container]) {
            if matcher.place(path)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
