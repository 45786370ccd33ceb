//! The transformer layer of a site, and targets in some layers only: a pattern that PEFT can load, since its configuration of IA3 has no
//! field for layers.

use super::config::{AdapterConfig, Targets};
use super::targets::{is_all_linear, with_defaults};
use super::{Base, Site};
use crate::{Error, Result};

impl Site {
    /// The transformer layer it is in, counted from 0; None outside of all layers.
    pub fn layer(&self) -> Option<usize> {
        layer_of(self).map(|(_, layer)| layer)
    }
}

impl Base {
    /// Transformer layers; of an encoder-decoder model those of the taller stack.
    pub fn layers(&self) -> usize {
        self.sites.iter().filter_map(Site::layer).map(|layer| layer + 1).max().unwrap_or(0)
    }

    /// Keeps the targets of `config` in these layers, counted from 0; of an encoder-decoder model in both stacks.
    /// [`Error::BadOption`] for no layers or one that the model does not have.
    pub fn restrict(&self, config: &mut AdapterConfig, layers: &[usize]) -> Result<()> {
        let bad = |reason: String| Err(Error::BadOption { option: "layers".into(), reason });
        if layers.is_empty() {
            return bad("is empty: name layers, counting from 0, or leave it out".into());
        }
        let count = self.layers();
        if let Some(layer) = layers.iter().find(|layer| **layer >= count) {
            return bad(format!("names layer {layer}: this model has {count}, counted from 0"));
        }
        let name = self.sites.iter().find_map(layer_of).map_or("", |(name, _)| name);
        let (targets, _) = with_defaults(config, &self.model_type)?;
        let pattern = match &targets {
            all if is_all_linear(all) => ".*".into(),
            Targets::Regex(pattern) => pattern.clone(),
            Targets::List(names) => {
                let names: Vec<String> = names.iter().map(|name| escaped(name)).collect();
                format!(r"(?:.*\.)?(?:{})", names.join("|"))
            }
        };
        let numbers: Vec<String> = layers.iter().map(usize::to_string).collect();
        let within = format!(r"(?=(?:.*\.)?{name}\.(?:{})\.)", numbers.join("|"));
        config.target_modules = Some(Targets::Regex(format!("{within}(?:{pattern})")));
        Ok(())
    }
}

/// What a model's layers are called, and the layer of a site: `encoder.layer.3.output.dense` is in `layer` 3. None outside of all layers.
fn layer_of(site: &Site) -> Option<(&str, usize)> {
    let parts: Vec<&str> = site.module.split('.').collect();
    parts.array_windows().find_map(|[name, number]| number.parse().ok().map(|number| (*name, number)))
}

/// A name in which nothing has a meaning in a pattern.
fn escaped(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    name.chars().map(|c| if plain(c) { c.to_string() } else { format!("\\{c}") }).collect()
}
