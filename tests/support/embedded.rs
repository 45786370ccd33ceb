//! The fixtures that browser tests read: a browser has no file system, so they are part of the test binary.

macro_rules! files {
    ($($file:literal)*) => {
        &[$(($file, include_bytes!(concat!("../fixtures/", $file)))),*]
    };
}

/// Names under `tests/fixtures` and contents.
const FILES: &[(&str, &[u8])] = files! {
    "tiny-bert/config.json"
    "tiny-bert/model.safetensors"
    "tiny-bert/all-linear-ff/case.json"
    "tiny-bert/all-linear-ff/golden.safetensors"
    "tiny-bert/default/case.json"
    "tiny-bert/default/golden.safetensors"
    "tiny-bert/exclude/case.json"
    "tiny-bert/exclude/golden.safetensors"
    "tiny-bert/inverse/case.json"
    "tiny-bert/inverse/golden.safetensors"
    "tiny-bert/padding/case.json"
    "tiny-bert/padding/golden.safetensors"
    "tiny-bert/pairs/case.json"
    "tiny-bert/pairs/golden.safetensors"
    "tiny-bert/paper/case.json"
    "tiny-bert/paper/golden.safetensors"
    "tiny-bert/pooler-dense/case.json"
    "tiny-bert/pooler-dense/golden.safetensors"
    "tiny-bert/regex/case.json"
    "tiny-bert/regex/golden.safetensors"
    "tiny-bert-mean/config.json"
    "tiny-bert-mean/model.safetensors"
    "tiny-bert-mean/default/case.json"
    "tiny-bert-mean/default/golden.safetensors"
};

/// The contents of one of [`FILES`].
pub fn bytes(name: &str) -> &'static [u8] {
    let (_, contents) =
        FILES.iter().find(|(file, _)| *file == name).unwrap_or_else(|| panic!("{name} is not embedded"));
    contents
}
