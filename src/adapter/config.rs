//! PEFT's configuration of an IA3 adapter, and its file as PEFT 0.21.2 writes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// File name in an adapter's folder.
pub const CONFIG_FILE: &str = "adapter_config.json";
/// The PEFT version whose files are written.
pub const PEFT_VERSION: &str = "0.21.2";
/// Module names, or a pattern for them. `target_modules` may also be the pattern `all-linear`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Targets {
    /// Names; a module matches by its whole path or by what follows a dot in it.
    List(Vec<String>),
    /// A Python regular expression for the whole path.
    Regex(String),
}

/// PEFT's task types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskType {
    /// Text classification.
    SeqCls,
    /// Token classification.
    TokenCls,
    /// Extractive question answering.
    QuestionAns,
    /// Causal language modelling.
    CausalLm,
    /// Sequence to sequence. Its name has the digit, which the derived one would not.
    #[serde(rename = "SEQ_2_SEQ_LM")]
    Seq2SeqLm,
    /// Hidden states or embeddings.
    FeatureExtraction,
}

/// PEFT's name for the method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PeftType {
    /// Infused Adapter by Inhibiting and Amplifying Inner Activations.
    #[serde(rename = "IA3")]
    Ia3,
}

/// The fields of PEFT's `IA3Config`, in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdapterConfig {
    /// Class and library of the base model, where there is no task type.
    pub auto_mapping: Option<Value>,
    /// Hub id or path of the base model.
    pub base_model_name_or_path: Option<String>,
    /// Modules left out although targeted.
    pub exclude_modules: Option<Targets>,
    /// Whether weights are stored (in, out). Concerns merging only.
    pub fan_in_fan_out: bool,
    /// The targets whose input is scaled; `None` for the model type's default.
    pub feedforward_modules: Option<Targets>,
    /// Whether the vectors are frozen on loading. Always written true, as PEFT does.
    pub inference_mode: bool,
    /// Whether vectors start as ones.
    pub init_ia3_weights: bool,
    /// Modules trained and saved whole.
    pub modules_to_save: Option<Vec<String>>,
    /// The method.
    pub peft_type: PeftType,
    /// The PEFT version that wrote the file, where it says so.
    pub peft_version: Option<String>,
    /// Revision of the base model.
    pub revision: Option<String>,
    /// The modules scaled; `None` for the model type's default.
    pub target_modules: Option<Targets>,
    /// What the model does.
    pub task_type: Option<TaskType>,
}

impl Default for AdapterConfig {
    /// PEFT's defaults.
    fn default() -> Self {
        AdapterConfig {
            auto_mapping: None,
            base_model_name_or_path: None,
            exclude_modules: None,
            fan_in_fan_out: false,
            feedforward_modules: None,
            inference_mode: false,
            init_ia3_weights: true,
            modules_to_save: None,
            peft_type: PeftType::Ia3,
            peft_version: Some(PEFT_VERSION.into()),
            revision: None,
            target_modules: None,
            task_type: None,
        }
    }
}

impl AdapterConfig {
    /// The file as PEFT writes it: `json.dumps(indent=2, sort_keys=True)`, `inference_mode` true, no newline at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let written = AdapterConfig { inference_mode: true, peft_version: Some(PEFT_VERSION.into()), ..self.clone() };
        let json = serde_json::to_string_pretty(&written).expect("a configuration holds nothing JSON cannot");
        ascii(&json).into_bytes()
    }
}

/// Python's `ensure_ascii`: whatever is not printable ASCII stands as UTF-16 escapes. Only strings can hold such.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c > '~' {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}
