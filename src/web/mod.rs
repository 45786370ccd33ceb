//! What JavaScript sees: thin exports over [`crate::session::Session`], no logic. `src/js` builds the public API on them.

mod clock;
mod convert;
mod device;
mod error;
mod profile;

use crate::models::BatchShape;
use crate::session::{
    AdapterOptions, Continuation, EndReason, EstimateOptions, Example, Prompt, Question, Ranking, Selection, Session,
    SessionOptions, Text, TrainEvent,
};
use convert::{bytes_of, files_from, files_into, from_js, to_js};
use error::{bad_option, to_error};
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
        let (backend, info) = device::open(&device).await.map_err(to_error)?;
        self.session.set_backend(backend);
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

    /// Labels of texts.
    pub async fn classify(&mut self, texts: JsValue, adapter: JsValue, options: JsValue) -> Result<JsValue, JsValue> {
        let (texts, adapter) = selection(texts, adapter)?;
        to_js(&self.session.classify(&texts, &adapter, from_js("options", options)?).await.map_err(to_error)?)
    }

    /// A label for each word of texts.
    pub async fn tag(&mut self, texts: JsValue, adapter: JsValue, options: JsValue) -> Result<JsValue, JsValue> {
        let texts: Vec<Vec<String>> = from_js("texts", texts)?;
        let adapter = from_js("adapter", adapter)?;
        to_js(&self.session.tag(&texts, &adapter, from_js("options", options)?).await.map_err(to_error)?)
    }

    /// Log-probabilities of continuations, token by token.
    pub async fn score(&mut self, rows: JsValue, adapter: JsValue, options: JsValue) -> Result<JsValue, JsValue> {
        let rows: Vec<Continuation> = from_js("inputs", rows)?;
        let adapter = from_js("adapter", adapter)?;
        to_js(&self.session.score(&rows, &adapter, from_js("options", options)?).await.map_err(to_error)?)
    }

    /// The most probable of some choices.
    pub async fn choose(&mut self, rows: JsValue, adapter: JsValue, options: JsValue) -> Result<JsValue, JsValue> {
        let rows: Vec<Ranking> = from_js("inputs", rows)?;
        let adapter = from_js("adapter", adapter)?;
        to_js(&self.session.choose(&rows, &adapter, from_js("options", options)?).await.map_err(to_error)?)
    }

    /// The parts of texts that answer questions.
    pub async fn answer(&mut self, questions: JsValue, adapter: JsValue, options: JsValue) -> Result<JsValue, JsValue> {
        let questions: Vec<Question> = from_js("questions", questions)?;
        let adapter = from_js("adapter", adapter)?;
        to_js(&self.session.answer(&questions, &adapter, from_js("options", options)?).await.map_err(to_error)?)
    }

    /// Vectors of texts.
    pub async fn embed(&mut self, texts: JsValue, adapter: JsValue, options: JsValue) -> Result<JsValue, JsValue> {
        let (texts, adapter) = selection(texts, adapter)?;
        let found = self.session.embed(&texts, &adapter, from_js("options", options)?).await.map_err(to_error)?;
        convert::embeddings(&found)
    }

    /// Quality on labelled examples.
    pub async fn evaluate(
        &mut self,
        examples: JsValue,
        adapter: JsValue,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let examples: Vec<Example> = from_js("examples", examples)?;
        let adapter = from_js("adapter", adapter)?;
        to_js(&self.session.evaluate(&examples, &adapter, from_js("options", options)?).await.map_err(to_error)?)
    }

    /// Starts training an adapter.
    #[wasm_bindgen(js_name = beginTraining)]
    pub async fn begin_training(
        &mut self,
        name: String,
        examples: JsValue,
        options: JsValue,
    ) -> Result<JsValue, JsValue> {
        let examples: Vec<Example> = from_js("examples", examples)?;
        let validation: convert::Validation = from_js("options.validation", options.clone())?;
        let options = from_js("options", options)?;
        let found = self.session.begin_training(&name, &examples, &validation.validation, &options).await;
        let (total_steps, objective) = found.map_err(to_error)?;
        self.clock.start();
        to_js(&convert::Begun { total_steps, objective })
    }

    /// One optimiser step; the events since the last call.
    #[wasm_bindgen(js_name = trainStep)]
    pub async fn train_step(&mut self) -> Result<JsValue, JsValue> {
        let events: Vec<TrainEvent> = self.session.train_step().await.map_err(to_error)?;
        self.clock.stamp(&events)
    }

    /// Ends the run and keeps the best or last vectors.
    #[wasm_bindgen(js_name = endTraining)]
    pub async fn end_training(&mut self, reason: String) -> Result<JsValue, JsValue> {
        let reason = match reason.as_str() {
            "completed" => EndReason::Completed,
            "aborted" => EndReason::Aborted,
            "failed" => EndReason::Failed,
            other => return Err(bad_option("reason", format!("is '{other}': give completed, aborted or failed"))),
        };
        let result = self.session.end_training(reason).await.map_err(to_error)?;
        self.clock.total(&result)
    }

    /// Starts generating what follows prompts.
    #[wasm_bindgen(js_name = beginGeneration)]
    pub fn begin_generation(&mut self, prompts: JsValue, adapter: JsValue, options: JsValue) -> Result<(), JsValue> {
        let prompts: Vec<Prompt> = from_js("prompts", prompts)?;
        let adapter = from_js("adapter", adapter)?;
        self.session.begin_generation(&prompts, &adapter, &from_js("options", options)?).map_err(to_error)
    }

    /// The next token of each row that has not ended.
    #[wasm_bindgen(js_name = nextTokens)]
    pub async fn next_tokens(&mut self) -> Result<JsValue, JsValue> {
        to_js(&self.session.next_tokens().await.map_err(to_error)?)
    }

    /// Ends the generation; the text of each row.
    #[wasm_bindgen(js_name = endGeneration)]
    pub fn end_generation(&mut self) -> Result<JsValue, JsValue> {
        to_js(&self.session.end_generation().map_err(to_error)?)
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

fn selection(texts: JsValue, adapter: JsValue) -> Result<(Vec<Text>, Selection), JsValue> {
    Ok((from_js("texts", texts)?, from_js("adapter", adapter)?))
}
