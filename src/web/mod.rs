//! What JavaScript sees: thin exports over [`crate::session::Session`], no logic. `src/js` builds the public API on them.

mod adapters;
mod answers;
mod clock;
mod convert;
mod device;
mod error;
mod profile;
#[cfg(target_feature = "atomics")]
mod threads;
mod training;

use crate::models::BatchShape;
use crate::session::{EstimateOptions, Session, SessionOptions};
use convert::{files_into, from_js, to_js};
use error::to_error;
use wasm_bindgen::prelude::*;

/// Prints panics to the console before they reach JavaScript as a `RuntimeError`.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// The files of a folder that a GGUF stands for, by name, from its first bytes; undefined where they are too few.
#[wasm_bindgen(js_name = ggufFiles)]
pub fn gguf_files(file: &str, start: &[u8]) -> Result<JsValue, JsValue> {
    let found = crate::checkpoint::gguf::files(file, start).map_err(to_error)?;
    Ok(found.map_or(JsValue::UNDEFINED, files_into))
}

/// Sizes of a model from its configuration and the first bytes of each file of its weights.
#[wasm_bindgen]
pub fn estimate(config: &str, starts: Vec<js_sys::Uint8Array>, options: JsValue) -> Result<JsValue, JsValue> {
    let options: EstimateOptions = from_js("options", options)?;
    let starts: Vec<Vec<u8>> = starts.iter().map(js_sys::Uint8Array::to_vec).collect();
    let found = crate::session::estimate(config.as_bytes(), &starts, &options).map_err(to_error)?;
    to_js(&found)
}

/// Values of `model_type` that can be loaded.
#[wasm_bindgen(js_name = supportedModelTypes)]
pub fn supported_model_types() -> Vec<String> {
    crate::models::supported()
}

/// A base model with its adapters on a device.
#[wasm_bindgen(js_name = Session)]
pub struct WebSession {
    session: Session,
    clock: clock::Clock,
}

#[wasm_bindgen(js_class = Session)]
impl WebSession {
    /// Reads configuration and tokenizer.
    #[wasm_bindgen(constructor)]
    pub fn new(config: &[u8], tokenizer: &[u8], options: JsValue) -> Result<WebSession, JsValue> {
        let options: SessionOptions = from_js("options", options)?;
        let session = Session::new(config, tokenizer, options).map_err(to_error)?;
        Ok(WebSession { session, clock: clock::Clock::default() })
    }

    /// Opens a device: "auto", "webgpu" or "wasm". Answers with what was opened and why.
    #[wasm_bindgen(js_name = openDevice)]
    pub async fn open_device(&mut self, device: String) -> Result<JsValue, JsValue> {
        let (backend, mut info) = device::open(&device).await.map_err(to_error)?;
        self.session.set_backend(backend);
        info.activation_dtype = self.session.activation_dtype();
        to_js(&info)
    }

    /// Gets ready for the files of the weights.
    #[wasm_bindgen(js_name = beginWeights)]
    pub fn begin_weights(&mut self) -> Result<(), JsValue> {
        self.session.begin_weights().map_err(to_error)
    }

    /// Awaits the bytes of `model.safetensors` or of the next shard.
    #[wasm_bindgen(js_name = beginFile)]
    pub fn begin_file(
        &mut self,
        file: &str,
        content_length: Option<f64>,
        sha256: Option<String>,
    ) -> Result<(), JsValue> {
        let sha256 = sha256.map(|hex| convert::sha256_from_hex(&hex)).transpose()?;
        self.session.begin_file(file, content_length.map(|bytes| bytes as u64), sha256).map_err(to_error)
    }

    /// Takes the next bytes of the file.
    #[wasm_bindgen(js_name = feedWeights)]
    pub fn feed_weights(&mut self, chunk: &[u8]) -> Result<(), JsValue> {
        self.session.feed_weights(chunk).map_err(to_error)
    }

    /// Checks that the files were whole and held what the model needs.
    #[wasm_bindgen(js_name = finishWeights)]
    pub async fn finish_weights(&mut self) -> Result<(), JsValue> {
        self.session.finish_weights().await.map_err(to_error)
    }

    /// Compiles what a batch shape needs, so that the first calls do not have to; tells `progress(done, total)`.
    #[wasm_bindgen(js_name = warmUp)]
    pub async fn warm_up(
        &mut self,
        batch_size: usize,
        max_length: usize,
        progress: js_sys::Function,
    ) -> Result<(), JsValue> {
        let shape = BatchShape::new(batch_size, max_length);
        let tell = |done: usize, total: usize| {
            // What a listener throws is its own affair.
            let _ = progress.call2(&JsValue::NULL, &done.into(), &total.into());
        };
        self.session.warm_up(shape, &tell).await.map_err(to_error)
    }

    /// Bytes held.
    pub fn memory(&self) -> Result<JsValue, JsValue> {
        to_js(&convert::Memory::of(&self.session))
    }

    /// The plan of a training step, in words: one line a dispatch, then memory.
    #[wasm_bindgen(js_name = planText)]
    pub fn plan_text(&self, batch_size: usize, length: usize, adapter: Option<String>) -> Result<String, JsValue> {
        let shape = BatchShape::new(batch_size, length);
        self.session.plan_text(shape, adapter.as_deref()).map_err(to_error)
    }

    /// Gives back everything the session holds on its device.
    pub fn dispose(&mut self) {
        self.session.close();
    }
}
