//! Our errors as JavaScript `Error` objects with a `code` and `details`.

use crate::error::Error;
use js_sys::Object;
use wasm_bindgen::JsValue;

/// An `Error` with the message, `code` and `details`.
pub fn to_error(error: Error) -> JsValue {
    let object = js_sys::Error::new(&error.to_string());
    let object: &Object = object.as_ref();
    super::convert::set(object, "code", &error.code().into());
    super::convert::set(object, "details", &details(&error));
    object.clone().into()
}

/// A [`Error::BadOption`] for JavaScript.
pub fn bad_option(option: &str, reason: String) -> JsValue {
    to_error(Error::BadOption { option: option.into(), reason })
}

/// The parts of an error that a program may want.
fn details(error: &Error) -> JsValue {
    let object = Object::new();
    let text = |name: &str, value: &str| super::convert::set(&object, name, &value.into());
    let number = |name: &str, value: f64| super::convert::set(&object, name, &value.into());
    match error {
        Error::FileTruncated { file, expected, actual } | Error::FileLength { file, expected, actual } => {
            text("file", file);
            number("expected", *expected as f64);
            number("actual", *actual as f64);
        }
        Error::FileHash { file, expected, actual } => {
            text("file", file);
            text("expected", expected);
            text("actual", actual);
        }
        Error::TensorMissing { name } | Error::TensorShape { name, .. } | Error::TensorDtype { name, .. } => {
            text("tensor", name);
        }
        Error::UnknownAdapter { name, .. } | Error::AdapterExists { name } => text("adapter", name),
        Error::NotFoldable { name, modules } => {
            text("adapter", name);
            let modules: js_sys::Array = modules.iter().map(|module| JsValue::from(module.as_str())).collect();
            super::convert::set(&object, "modules", &modules.into());
        }
        Error::UnknownLabel { label, .. } | Error::SingleClass { label } => text("label", label),
        Error::EmptyText { index } | Error::BadExample { index, .. } => number("index", *index as f64),
        Error::BadOption { option, .. } => text("option", option),
        Error::Diverged { step } => number("step", *step as f64),
        Error::OutOfMemory { bytes, .. } => number("bytes", *bytes as f64),
        Error::WeightsTooLarge(shortage) => {
            number("bytes", shortage.bytes as f64);
            number("weightBytes", shortage.needed as f64);
            let dtype = shortage.dtype.map_or(JsValue::NULL, JsValue::from);
            super::convert::set(&object, "dtype", &dtype);
            let smaller = Object::new();
            shortage.smaller.iter().for_each(|(dtype, bytes)| {
                super::convert::set(&smaller, dtype, &(*bytes as f64).into());
            });
            super::convert::set(&object, "smaller", &smaller.into());
        }
        Error::UnsupportedModel { model_type, .. } => text("modelType", model_type),
        Error::BadConfig { field, .. } => text("field", field),
        Error::NotSafetensors { file, .. } | Error::NotGguf { file, .. } => text("file", file),
        Error::BadTokenizer { .. }
        | Error::EmptyTrainingSet
        | Error::NoTargetMatch { .. }
        | Error::BadAdapter { .. }
        | Error::AdapterMismatch { .. }
        | Error::WebGpuUnavailable { .. }
        | Error::DeviceLost { .. }
        | Error::NoHead { .. }
        | Error::Busy { .. }
        | Error::NotReady { .. }
        | Error::NoGradient { .. }
        | Error::Shape { .. }
        | Error::Backend { .. } => {}
    }
    object.into()
}
