//! Adapters: what they are made of, what is made of them.

use super::WebSession;
use super::convert::{self, bytes_of, files_from, files_into, from_js, to_js};
use super::error::to_error;
use crate::session::AdapterOptions;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(js_class = Session)]
impl WebSession {
    /// Adds a fresh adapter, or one that starts from the vectors of another: a name, files, or undefined.
    #[wasm_bindgen(js_name = addAdapter)]
    pub fn add_adapter(&mut self, name: &str, options: JsValue, from: JsValue) -> Result<(), JsValue> {
        let options = AdapterOptions { from: convert::start(&from)?, ..from_js("options", options)? };
        self.session.add_adapter(name, options).map_err(to_error)
    }

    /// Removes an adapter.
    #[wasm_bindgen(js_name = deleteAdapter)]
    pub fn delete_adapter(&mut self, name: &str) -> Result<(), JsValue> {
        self.session.delete_adapter(name).map_err(to_error)
    }

    /// Loads an adapter from the files of a PEFT folder. Answers with warnings.
    #[wasm_bindgen(js_name = loadAdapter)]
    pub fn load_adapter(&mut self, name: &str, files: JsValue) -> Result<Vec<String>, JsValue> {
        self.session.load_adapter(name, &files_from(&files)?).map_err(to_error)
    }

    /// The files of a PEFT folder.
    #[wasm_bindgen(js_name = saveAdapter)]
    pub fn save_adapter(&self, name: &str) -> Result<JsValue, JsValue> {
        Ok(files_into(self.session.save_adapter(name).map_err(to_error)?))
    }

    /// Adds the weighted sum of some adapters.
    #[wasm_bindgen(js_name = combineAdapters)]
    pub fn combine_adapters(&mut self, name: &str, sources: Vec<String>, options: JsValue) -> Result<(), JsValue> {
        self.session.combine_adapters(name, &sources, from_js("options", options)?).map_err(to_error)
    }

    /// Names of the adapters.
    #[wasm_bindgen(js_name = adapterNames)]
    pub fn adapter_names(&self) -> Vec<String> {
        self.session.adapter_names()
    }

    /// How much of the model an adapter trains.
    #[wasm_bindgen(js_name = trainableParameters)]
    pub fn trainable_parameters(&self, name: &str) -> Result<JsValue, JsValue> {
        to_js(&self.session.trainable_parameters(name).map_err(to_error)?)
    }

    /// Starts writing a whole model file with an adapter folded in.
    #[wasm_bindgen(js_name = beginMerge)]
    pub fn begin_merge(&mut self, name: &str, options: JsValue) -> Result<JsValue, JsValue> {
        to_js(&self.session.begin_merge(name, from_js("options", options)?).map_err(to_error)?)
    }

    /// The next bytes of that file.
    #[wasm_bindgen(js_name = nextMerged)]
    pub async fn next_merged(&mut self) -> Result<JsValue, JsValue> {
        let bytes = self.session.next_merged().await.map_err(to_error)?;
        Ok(bytes.map_or(JsValue::UNDEFINED, |bytes| bytes_of(&bytes)))
    }
}
