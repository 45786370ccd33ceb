//! Times of a training run, put into its events and its result.

use super::convert::{set, to_js};
use crate::backend;
use crate::session::{TrainEvent, TrainResult};
use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast, JsValue};

/// When a run began and when it last had something to tell, in milliseconds.
#[derive(Default)]
pub struct Clock {
    began: f64,
    last: f64,
}

/// Milliseconds, from the page's or the worker's `performance`.
fn now() -> f64 {
    let performance =
        Reflect::get(&js_sys::global(), &"performance".into()).expect("a page and a worker have performance");
    performance.unchecked_into::<web_sys::Performance>().now()
}

/// The clock of the page or the worker.
pub struct Page;

impl backend::Clock for Page {
    fn milliseconds(&self) -> f64 {
        now()
    }
}

impl Clock {
    /// A run begins.
    pub fn start(&mut self) {
        self.began = now();
        self.last = self.began;
    }

    /// The events with `ms` (time of the step) and `etaMs` (time left at the run's mean pace) on each step.
    pub fn stamp(&mut self, events: &[TrainEvent]) -> Result<JsValue, JsValue> {
        let (now, list) = (now(), Array::new());
        let steps = events.iter().filter(|event| matches!(event, TrainEvent::Step { .. })).count();
        for event in events {
            let object: js_sys::Object = to_js(event)?.unchecked_into();
            if let TrainEvent::Step { step, total_steps, .. } = event {
                let left = (total_steps - step) as f64 * (now - self.began) / *step as f64;
                set(&object, "ms", &((now - self.last) / steps as f64).into());
                set(&object, "etaMs", &left.into());
            }
            list.push(&object);
        }
        if steps > 0 {
            self.last = now;
        }
        Ok(list.into())
    }

    /// The result with `ms`, the time of the whole run.
    pub fn total(&self, result: &TrainResult) -> Result<JsValue, JsValue> {
        let object: js_sys::Object = to_js(result)?.unchecked_into();
        set(&object, "ms", &(now() - self.began).into());
        Ok(object.into())
    }
}
