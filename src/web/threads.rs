//! Threads that share the work of sessions on the processor: workers with an instance of the module each, all on one memory. Only in
//! the module that is built with atomics; a page gets it where it is cross-origin isolated.

use super::WebSession;
use super::convert::set;
use crate::cores::{Cores, Pool};
use js_sys::Object;
use std::sync::Arc;
use wasm_bindgen::prelude::*;

/// Where the engine posts work, and its helpers find it.
#[wasm_bindgen]
#[derive(Default)]
pub struct Threads {
    pool: Arc<Pool>,
}

#[wasm_bindgen]
impl Threads {
    /// Without helpers.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Threads {
        Threads::default()
    }

    /// What one worker needs to become a helper: `module` and `memory` to start its instance with, `pool` for [`help`], and `lost`, the address of
    /// the word that it raises by one when a trap has cut `help` off.
    pub fn invitation(&self) -> JsValue {
        let object = Object::new();
        set(&object, "module", &wasm_bindgen::module());
        set(&object, "memory", &wasm_bindgen::memory());
        set(&object, "lost", &address(self.pool.lost()).into());
        set(&object, "pool", &address(Arc::into_raw(self.pool.clone())).into());
        object.into()
    }
}

#[wasm_bindgen(js_class = Session)]
impl WebSession {
    /// Shares the work with so many helpers.
    #[wasm_bindgen(js_name = useThreads)]
    pub fn use_threads(&mut self, threads: &Threads, helpers: usize) {
        self.session.share(Cores::with_helpers(threads.pool.clone(), helpers));
    }
}

/// Helps for as long as the engine is there. `pool` is that of an invitation, which serves once.
#[wasm_bindgen]
pub fn help(pool: usize) {
    // SAFETY: the address is one that `invitation` made of an `Arc` for this call alone.
    #[expect(unsafe_code)]
    let pool = unsafe { Arc::from_raw(pool as *const Pool) };
    pool.help();
}

fn address<T>(of: *const T) -> u32 {
    of as u32
}
