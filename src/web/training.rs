//! Training, step by step.

use super::WebSession;
use super::convert::{self, from_js, to_js};
use super::error::{bad_option, to_error};
use crate::session::{EndReason, Example, TrainEvent};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(js_class = Session)]
impl WebSession {
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
}
