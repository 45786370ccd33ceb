//! The files of one adapter among those that were given.

use std::collections::BTreeMap;

use super::config::CONFIG_FILE;
use super::head::bad;
use crate::Result;

/// The folder that the files lie in.
pub(super) struct Folder<'a> {
    files: &'a BTreeMap<String, Vec<u8>>,
    path: &'a str,
}

impl<'a> Folder<'a> {
    /// The one that holds the configuration.
    pub fn find(files: &'a BTreeMap<String, Vec<u8>>) -> Result<Folder<'a>> {
        let path =
            |name: &'a String| name.strip_suffix(CONFIG_FILE).filter(|path| path.is_empty() || path.ends_with('/'));
        let mut folders = files.keys().filter_map(path);
        match (folders.next(), folders.next()) {
            (Some(path), None) => Ok(Folder { files, path }),
            (Some(a), Some(b)) => Err(bad(format!("there are several, in '{a}' and '{b}': give the files of one"))),
            (None, _) => Err(bad(format!("there is no {CONFIG_FILE} among the files"))),
        }
    }

    /// A file that may be there.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.files.get(&format!("{}{name}", self.path)).map(Vec::as_slice)
    }

    /// A file that must be there.
    pub fn required(&self, name: &str) -> Result<&'a [u8]> {
        let pickle = "adapter_model.bin";
        self.get(name).ok_or_else(|| {
            let hint = if self.get(pickle).is_some() {
                format!(": {pickle} is a Python pickle, save the adapter again with safe_serialization=True")
            } else {
                String::new()
            };
            bad(format!("there is no {name} beside its {CONFIG_FILE}{hint}"))
        })
    }
}
