//! The model's `config.json`, read field by field: each value checked, each error naming its field.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Far above any real file; bounds what a hostile one can cost.
const MAX_BYTES: usize = 4 << 20;

/// The token that ends a text where a file does not say: the default of transformers' configuration class of each model type.
const ENDS: [(&str, u32); 6] =
    [("llama", 2), ("mistral", 2), ("gemma3_text", 1), ("gpt2", 50_256), ("t5", 1), ("mt5", 1)];

/// Activation of a feed-forward layer, under Hugging Face's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenAct {
    /// `gelu`: x·Φ(x), by the error function.
    Gelu,
    /// `gelu_new`, `gelu_pytorch_tanh` and `gelu_fast`: its tanh approximation.
    GeluTanh,
    /// `relu`: max(x, 0).
    Relu,
    /// `silu` and `swish`: x·σ(x).
    Silu,
}

/// The file's object. A field that is null counts as absent. Every method fails with [`Error::BadConfig`].
#[derive(Debug, Clone, PartialEq)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Parses `config.json`.
    pub fn from_json(bytes: &[u8]) -> Result<Fields> {
        if bytes.len() > MAX_BYTES {
            return Err(bad("the file", format!("has {} bytes, more than any model configuration", bytes.len())));
        }
        let fields =
            serde_json::from_slice(bytes).map_err(|error| bad("the file", format!("is not a JSON object: {error}")))?;
        Ok(Fields(fields))
    }

    /// Whether a field is there.
    pub fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    /// A string; without a default it must be there.
    pub fn text(&self, field: &str, default: Option<&str>) -> Result<String> {
        match (self.get(field), default) {
            (Some(Value::String(text)), _) => Ok(text.clone()),
            (Some(other), _) => Err(bad(field, format!("is {}, not a string", short(other)))),
            (None, Some(default)) => Ok(default.into()),
            (None, None) => Err(bad(field, "is missing: give the config.json of the model".into())),
        }
    }

    /// Refuses every string but one; absent, it is that one.
    pub fn only(&self, field: &str, supported: &str) -> Result<()> {
        let found = self.text(field, Some(supported))?;
        if found == supported {
            Ok(())
        } else {
            Err(bad(field, format!("is '{found}': only '{supported}' is supported")))
        }
    }

    /// `true` or `false`.
    pub fn flag(&self, field: &str, default: bool) -> Result<bool> {
        match self.get(field) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(bad(field, format!("is {}, neither true nor false", short(other)))),
        }
    }

    /// Refuses a switch that stands otherwise than `supported`; absent, it stands so.
    pub fn must_be(&self, field: &str, supported: bool) -> Result<()> {
        if self.flag(field, supported)? == supported {
            Ok(())
        } else {
            Err(bad(field, format!("is {}: only {supported} is supported", !supported)))
        }
    }

    /// A whole number from 1 to `most`; without a default it must be there.
    pub fn size(&self, field: &str, most: usize, default: Option<usize>) -> Result<usize> {
        match (self.get(field), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(bad(field, "is missing: give the config.json of the model".into())),
            (Some(value), _) => match value.as_u64() {
                Some(n) if (1..=most as u64).contains(&n) => Ok(n as usize),
                _ => Err(bad(field, format!("is {}, not a whole number from 1 to {most}", short(value)))),
            },
        }
    }

    /// A number above 0 and below 1.
    pub fn epsilon(&self, field: &str, default: f64) -> Result<f64> {
        match self.get(field) {
            None => Ok(default),
            Some(value) => match value.as_f64() {
                Some(eps) if eps > 0.0 && eps < 1.0 => Ok(eps),
                _ => Err(bad(field, format!("is {}, not a number between 0 and 1", short(value)))),
            },
        }
    }

    /// A number from `least` to `most`; without a default it must be there.
    pub fn number(&self, field: &str, least: f64, most: f64, default: Option<f64>) -> Result<f64> {
        match (self.get(field), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(bad(field, "is missing: give the config.json of the model".into())),
            (Some(value), _) => match value.as_f64() {
                Some(number) if (least..=most).contains(&number) => Ok(number),
                _ => Err(bad(field, format!("is {}, not a number from {least} to {most}", short(value)))),
            },
        }
    }

    /// A number above 0; None where it is absent or null.
    pub fn positive(&self, field: &str) -> Result<Option<f64>> {
        self.get(field).map(|_| self.number(field, f64::MIN_POSITIVE, 1e9, None)).transpose()
    }

    /// An object's own fields.
    pub fn object(&self, field: &str) -> Result<Option<Fields>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields(fields.clone()))),
            Some(other) => Err(bad(field, format!("is {}, not an object", short(other)))),
        }
    }

    /// One string for each of `count` layers; None where it is absent.
    pub fn layers(&self, field: &str, count: usize) -> Result<Option<Vec<String>>> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let names = value
            .as_array()
            .and_then(|names| names.iter().map(|name| name.as_str().map(str::to_string)).collect::<Option<Vec<_>>>());
        match names {
            Some(names) if names.len() == count => Ok(Some(names)),
            _ => Err(bad(field, format!("is {}, not a list of {count} strings", short(value)))),
        }
    }

    /// The activation that a field names.
    pub fn activation(&self, field: &str, default: &str) -> Result<HiddenAct> {
        match self.text(field, Some(default))?.as_str() {
            "gelu" => Ok(HiddenAct::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(HiddenAct::GeluTanh),
            "relu" => Ok(HiddenAct::Relu),
            "silu" | "swish" => Ok(HiddenAct::Silu),
            other => {
                Err(bad(field, format!("is '{other}', not gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu or silu")))
            }
        }
    }

    /// A token id below `vocabulary`.
    pub fn token_id(&self, field: &str, vocabulary: usize, default: u32) -> Result<u32> {
        let id = match self.get(field) {
            None => default,
            Some(value) => value
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(|| bad(field, format!("is {}, not a token id", short(value))))?,
        };
        if id as usize >= vocabulary {
            return Err(bad(field, format!("is {id}, beyond the vocabulary")));
        }
        Ok(id)
    }

    /// `eos_token_id`, one or several; none where it is null. Where it is absent, what transformers' configuration class has.
    pub fn end_tokens(&self, vocabulary: usize) -> Result<Vec<u32>> {
        let Some(value) = self.get("eos_token_id") else {
            let silent = !self.0.contains_key("eos_token_id");
            let model_type = self.text("model_type", Some(""))?;
            let usual = ENDS.iter().filter(|(name, id)| silent && *name == model_type && (*id as usize) < vocabulary);
            return Ok(usual.map(|(_, id)| *id).collect());
        };
        let ids = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        let token = |id: &Value| id.as_u64().filter(|id| (*id as usize) < vocabulary).map(|id| id as u32);
        let ids = ids.iter().map(token).collect::<Option<Vec<_>>>().filter(|ids| !ids.is_empty());
        ids.ok_or_else(|| bad("eos_token_id", format!("is {}, not a token of the vocabulary", short(value))))
    }

    /// Names of the classes in order: `id2label` ({"0": "no", "1": "yes"}) or the inverse `label2id`; ids must count up from 0.
    /// None where the file has neither.
    pub fn labels(&self) -> Result<Option<Vec<String>>> {
        let (field, pairs): (_, Vec<(Option<u64>, Option<&str>)>) = match (self.get("id2label"), self.get("label2id")) {
            (Some(Value::Object(map)), _) => {
                ("id2label", map.iter().map(|(id, label)| (id.parse().ok(), label.as_str())).collect())
            }
            (None, Some(Value::Object(map))) => {
                ("label2id", map.iter().map(|(label, id)| (id.as_u64(), Some(label.as_str()))).collect())
            }
            (Some(_), _) => return Err(bad("id2label", "is not an object from class number to name".into())),
            (None, Some(_)) => return Err(bad("label2id", "is not an object from name to class number".into())),
            (None, None) => return Ok(None),
        };
        let mut labels = vec![None; pairs.len()];
        for (id, label) in pairs {
            let slot = id.and_then(|id| labels.get_mut(usize::try_from(id).ok()?));
            match (slot, label) {
                (Some(slot @ None), Some(label)) => *slot = Some(label.to_string()),
                _ => return Err(bad(field, "does not number its classes 0, 1, 2 and so on".into())),
            }
        }
        Ok(labels.into_iter().collect())
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }
}

/// [`Error::BadConfig`] of a field.
pub fn bad(field: &str, reason: String) -> Error {
    Error::BadConfig { field: field.into(), reason }
}

/// Fails unless heads can share a width evenly; `field` is the name of the width.
pub fn check_heads(field: &str, width: usize, heads: usize) -> Result<()> {
    if width.is_multiple_of(heads) {
        return Ok(());
    }
    Err(bad(field, format!("is {width}, which {heads} attention heads cannot share evenly")))
}

/// A value as it stands in the file, cut where it would swamp the message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
