//! The model's `config.json`, read into the numbers the model code needs, each checked.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// Values of `model_type` that can be loaded.
pub const SUPPORTED: &[&str] = &["bert"];
/// Far above any real file; bounds what a hostile one can cost.
const MAX_BYTES: usize = 4 << 20;

/// Activation between the two feed-forward layers, under Hugging Face's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HiddenAct {
    /// `gelu`: x·Φ(x), by the error function.
    Gelu,
    /// `gelu_new` and `gelu_pytorch_tanh`: its tanh approximation.
    GeluTanh,
    /// `relu`: max(x, 0).
    Relu,
}

/// Configuration of an encoder, with Hugging Face's field names.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Architecture, one of [`SUPPORTED`].
    pub model_type: String,
    /// Length of a token's state.
    pub hidden_size: usize,
    /// Encoder layers.
    pub num_hidden_layers: usize,
    /// Attention heads; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Length of the feed-forward layer's inner state.
    pub intermediate_size: usize,
    /// Token ids are below this.
    pub vocab_size: usize,
    /// Longest input in tokens.
    pub max_position_embeddings: usize,
    /// Token type ids are below this.
    pub type_vocab_size: usize,
    /// Added to the variance in layer normalisation.
    pub layer_norm_eps: f64,
    /// Activation of the feed-forward layer.
    pub hidden_act: HiddenAct,
    /// Token id that fills short rows.
    pub pad_token_id: u32,
    /// Names of the classes in order, where the file has `id2label` or `label2id`.
    pub labels: Option<Vec<String>>,
}

impl ModelConfig {
    /// Reads `config.json`. [`Error::UnsupportedModel`] for another architecture, [`Error::BadConfig`] naming the field
    /// that is missing or out of range. Sizes must be there; what BERT's own configuration class defaults may be absent.
    pub fn from_json(bytes: &[u8]) -> Result<ModelConfig> {
        if bytes.len() > MAX_BYTES {
            return Err(bad("the file", format!("has {} bytes, more than any model configuration", bytes.len())));
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| bad("the file", format!("is not a JSON object: {error}")))?;
        let fields = Fields(fields);
        let model_type = fields.text("model_type", None)?;
        if !SUPPORTED.contains(&model_type.as_str()) {
            let supported = SUPPORTED.iter().map(|name| name.to_string()).collect();
            return Err(Error::UnsupportedModel { model_type, supported });
        }
        fields.only("position_embedding_type", "absolute")?;
        if fields.0.get("is_decoder") == Some(&Value::Bool(true)) {
            return Err(bad("is_decoder", "is true: give the configuration of an encoder".into()));
        }
        let config = ModelConfig {
            model_type,
            hidden_size: fields.size("hidden_size", 1 << 16, None)?,
            num_hidden_layers: fields.size("num_hidden_layers", 1 << 10, None)?,
            num_attention_heads: fields.size("num_attention_heads", 1 << 10, None)?,
            intermediate_size: fields.size("intermediate_size", 1 << 18, None)?,
            vocab_size: fields.size("vocab_size", 1 << 24, None)?,
            max_position_embeddings: fields.size("max_position_embeddings", 1 << 20, None)?,
            type_vocab_size: fields.size("type_vocab_size", 1 << 10, Some(2))?,
            layer_norm_eps: fields.epsilon("layer_norm_eps", 1e-12)?,
            hidden_act: fields.hidden_act()?,
            pad_token_id: fields.pad_token_id()?,
            labels: fields.labels()?,
        };
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
            return Err(bad("hidden_size", format!("is {hidden}, which {heads} attention heads cannot share evenly")));
        }
        if config.pad_token_id as usize >= config.vocab_size {
            return Err(bad("pad_token_id", format!("is {}, beyond the vocabulary", config.pad_token_id)));
        }
        Ok(config)
    }
}

/// The file's object, read field by field with errors that name the field.
struct Fields(Map<String, Value>);

impl Fields {
    /// A field that is there and not null.
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    fn text(&self, field: &str, default: Option<&str>) -> Result<String> {
        match (self.get(field), default) {
            (Some(Value::String(text)), _) => Ok(text.clone()),
            (Some(other), _) => Err(bad(field, format!("is {}, not a string", short(other)))),
            (None, Some(default)) => Ok(default.into()),
            (None, None) => Err(bad(field, "is missing: give the config.json of the model".into())),
        }
    }

    fn only(&self, field: &str, supported: &str) -> Result<()> {
        let found = self.text(field, Some(supported))?;
        if found == supported {
            Ok(())
        } else {
            Err(bad(field, format!("is '{found}': only '{supported}' is supported")))
        }
    }

    fn size(&self, field: &str, most: usize, default: Option<usize>) -> Result<usize> {
        match (self.get(field), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(bad(field, "is missing: give the config.json of the model".into())),
            (Some(value), _) => match value.as_u64() {
                Some(n) if (1..=most as u64).contains(&n) => Ok(n as usize),
                _ => Err(bad(field, format!("is {}, not a whole number from 1 to {most}", short(value)))),
            },
        }
    }

    fn epsilon(&self, field: &str, default: f64) -> Result<f64> {
        match self.get(field) {
            None => Ok(default),
            Some(value) => match value.as_f64() {
                Some(eps) if eps > 0.0 && eps < 1.0 => Ok(eps),
                _ => Err(bad(field, format!("is {}, not a number between 0 and 1", short(value)))),
            },
        }
    }

    fn hidden_act(&self) -> Result<HiddenAct> {
        match self.text("hidden_act", Some("gelu"))?.as_str() {
            "gelu" => Ok(HiddenAct::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(HiddenAct::GeluTanh),
            "relu" => Ok(HiddenAct::Relu),
            other => Err(bad("hidden_act", format!("is '{other}', not gelu, gelu_new, gelu_pytorch_tanh or relu"))),
        }
    }

    fn pad_token_id(&self) -> Result<u32> {
        match self.get("pad_token_id") {
            None => Ok(0),
            Some(value) => value
                .as_u64()
                .and_then(|id| u32::try_from(id).ok())
                .ok_or_else(|| bad("pad_token_id", format!("is {}, not a token id", short(value)))),
        }
    }

    /// `id2label` ({"0": "no", "1": "yes"}) or the inverse `label2id`; ids must count up from 0.
    fn labels(&self) -> Result<Option<Vec<String>>> {
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
}

fn bad(field: &str, reason: String) -> Error {
    Error::BadConfig { field: field.into(), reason }
}

/// A value as it stands in the file, cut where it would swamp the message.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
