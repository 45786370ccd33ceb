//! Whole passes: answers, vectors, measures, and text that is written token by token.

use super::WebSession;
use super::convert::{self, from_js, to_js};
use super::error::to_error;
use crate::session::{Continuation, Example, Prompt, Question, Ranking, Selection, Text};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(js_class = Session)]
impl WebSession {
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
}

fn selection(texts: JsValue, adapter: JsValue) -> Result<(Vec<Text>, Selection), JsValue> {
    Ok((from_js("texts", texts)?, from_js("adapter", adapter)?))
}
