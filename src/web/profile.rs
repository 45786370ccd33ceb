//! Measurements for the benchmark page: a training step op by op, and one matrix product by itself.

use super::clock::Page;
use super::convert::to_js;
use super::error::{bad_option, to_error};
use super::{WebSession, device};
use crate::models::BatchShape;
use crate::session::Matmul;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(js_class = Session)]
impl WebSession {
    /// Runs each op of a training step `times` times by itself. Answers with `{op, inputs, outputs, ms}` for each, in order.
    pub async fn profile(&mut self, batch_size: usize, length: usize, times: usize) -> Result<JsValue, JsValue> {
        let shape = BatchShape::new(batch_size, length);
        to_js(&self.session.profile(shape, times.max(1), &Page).await.map_err(to_error)?)
    }
}

/// One frozen linear layer on a device of its own.
#[wasm_bindgen(js_name = Matmul)]
pub struct WebMatmul(Matmul);

#[wasm_bindgen(js_class = Matmul)]
impl WebMatmul {
    /// Opens a device ("webgpu" or "wasm") and makes `(rows, inner) x (inner, outer)` ready on it; flipped, the layer's
    /// backward pass `(rows, outer) x (outer, inner)`.
    pub async fn open(
        device: String,
        rows: usize,
        inner: usize,
        outer: usize,
        flipped: bool,
    ) -> Result<WebMatmul, JsValue> {
        if rows * inner * outer == 0 {
            return Err(bad_option("sizes", format!("are {rows}, {inner}, {outer}: give at least 1 for each")));
        }
        let (backend, _) = device::open(&device).await.map_err(to_error)?;
        Ok(WebMatmul(Matmul::new(backend, (rows, inner, outer), flipped).await.map_err(to_error)?))
    }

    /// Milliseconds of one product, from `times` of them in a row.
    pub async fn time(&self, times: usize) -> Result<f64, JsValue> {
        self.0.time(times, &Page).await.map_err(to_error)
    }
}
