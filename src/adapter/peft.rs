//! Adapter folders in the format of Hugging Face PEFT: reading, with its quirks, and writing.

use std::collections::BTreeMap;

use super::config::CONFIG_FILE;
use super::folder::Folder;
use super::head::{self, HEAD_CONFIG_FILE, HEAD_FILE, Head, LABELS_FILE, bad, check_shape, unreadable};
use super::keys::{Keys, Vector};
use super::settle::name_all;
use super::targets::{lies_in_saved_module, resolve};
use super::{Adapter, AdapterConfig, Base, Place, Site, TaskType, Vectors, per_head, places_where, shift};
use crate::checkpoint::HostTensor;
use crate::checkpoint::safetensors::{read_all, write};
use crate::{Error, Result};

/// The vectors, and the head where it is part of the Hugging Face model.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// An adapter read from files, and what was remarkable about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The adapter, its modules named as those of the base.
    pub adapter: Adapter,
    /// One sentence for each thing left out or filled in.
    pub warnings: Vec<String>,
}

/// Reads an adapter's files (name to bytes; all may lie in one subfolder) for `base`.
///
/// Beside PEFT's files it takes the shifts ([`shift::SHIFT_FILE`]) and what PEFT has no option for ([`per_head::OPTIONS_FILE`]).
/// Reads what PEFT reads and what it should: keys with the adapter's name left in or without `base_model.model.`, F16
/// and BF16, an adapter of a task model on the bare encoder and the reverse (paths with and without `bert.`). A vector
/// that the configuration asks for and the file lacks is ones, with a warning, as is an unexpected key.
/// The head of a SEQ_CLS file works on other states than those of FEATURE_EXTRACTION: between these it is left out, with a warning.
///
/// [`Error::AdapterMismatch`] naming the module or both shapes where the adapter is another model's,
/// [`Error::NoTargetMatch`] where its targets are not in this one, [`Error::BadAdapter`] where files are missing,
/// malformed, of another method or task, without the head the task must have, or with other modules trained whole.
pub fn load(files: &BTreeMap<String, Vec<u8>>, base: &Base) -> Result<Loaded> {
    let folder = Folder::find(files)?;
    let (mut config, mut warnings) = AdapterConfig::from_json(folder.required(CONFIG_FILE)?)?;
    let pooled = |task| matches!(task, TaskType::SeqCls | TaskType::FeatureExtraction);
    if let Some(other) = config.task_type.filter(|task| *task != base.task && !(pooled(*task) && pooled(base.task))) {
        return Err(bad(format!("it is for the task {other:?} and this model is loaded for {:?}", base.task)));
    }
    let tensors = read_all(folder.required(WEIGHTS_FILE)?).map_err(|error| unreadable(WEIGHTS_FILE, error))?;
    let mut keys = Keys::sort(tensors)?;
    for key in std::mem::take(&mut keys.others) {
        if lies_in_saved_module(&config, &key)? {
            return Err(bad(format!("it brings a trained '{key}': only vectors and a classifier can be used")));
        }
        warnings.push(format!("{WEIGHTS_FILE}: ignored the unexpected key '{key}'"));
    }

    // Matched in the file's own naming, since patterns and full paths in the configuration use it.
    let sites = as_named_in(&keys, base);
    check_modules(keys.vectors.keys(), &sites)?;
    let found = resolve(&config, &base.model_type, &sites, &[])?;
    let vectors = take_vectors(&mut keys, base, &sites, &found, &mut warnings)?;
    let shifts = match folder.get(shift::SHIFT_FILE) {
        Some(file) => shift::read(file, base, &found, &mut warnings)?,
        None => Vectors::new(),
    };
    let head = read_head(&config, keys, base, &folder, &mut warnings)?;

    config.modules_to_save = None;
    fit(&mut config, base, &found)?;
    let per_head = folder.get(per_head::OPTIONS_FILE).map_or(Ok(false), per_head::read)?;
    let adapter = Adapter { config, vectors, shifts, per_head, head };
    if per_head {
        adapter.check_heads(&base.sites)?;
    }
    Ok(Loaded { adapter, warnings })
}

/// Writes an adapter of `base` as PEFT 0.21.2 does: a folder's files by name, with files of our own for what PEFT does not know. The configuration is adjusted where PEFT
/// could not load it or would scale other modules than `adapter` does (see [`super::settle`]).
///
/// [`Error::NoHead`] where the format includes a head and the adapter has none, [`Error::BadAdapter`] where a module
/// has both an input and an output vector, for which PEFT has no place.
pub fn save(adapter: &Adapter, base: &Base) -> Result<BTreeMap<String, Vec<u8>>> {
    let found = places_where(&base.sites, |key| adapter.vectors.contains_key(key));
    check_modules(adapter.vectors.keys().map(|(module, _)| module), &base.sites)?;
    if let Some([(index, _), _]) = found.array_windows().find(|[a, b]| a.0 == b.0) {
        let module = &base.sites[*index].module;
        return Err(bad(format!("it scales input and output of '{module}', and PEFT keeps one vector a module")));
    }
    let mut config = adapter.config.clone();
    config.modules_to_save = None;
    fit(&mut config, base, &found)?;

    let mut tensors = BTreeMap::new();
    for (index, place) in found {
        let module = &base.sites[index].module;
        let vector = &adapter.vectors[&(module.clone(), place)];
        let tensor = HostTensor::new(shape(place, vector.len()).to_vec(), vector.clone());
        tensors.insert(format!("{}{module}.ia3_l", Keys::PREFIX), tensor);
    }
    if !base.head_modules().is_empty() {
        let head = adapter.head.as_ref().ok_or(Error::NoHead { adapter: None })?;
        tensors.extend(head.tensors().into_iter().map(|(path, tensor)| (format!("{}{path}", Keys::PREFIX), tensor)));
    }
    let mut files = BTreeMap::from([(CONFIG_FILE.into(), config.to_json()), (WEIGHTS_FILE.into(), write(&tensors))]);
    files.extend(adapter.head.iter().flat_map(|head| head.files(base.task)));
    files.extend([shift::write(adapter), per_head::write(adapter)].into_iter().flatten());
    Ok(files)
}

/// A module that is not among `sites` belongs to another model.
fn check_modules<'a>(mut modules: impl Iterator<Item = &'a String>, sites: &[Site]) -> Result<()> {
    match modules.find(|module| sites.iter().all(|site| site.module != **module)) {
        Some(module) => {
            Err(Error::AdapterMismatch { reason: format!("it scales '{module}', which this model does not have") })
        }
        None => Ok(()),
    }
}

/// PEFT's shape of a vector in its file.
pub(super) fn shape(place: Place, len: usize) -> [usize; 2] {
    match place {
        Place::Output => [len, 1],
        Place::Input => [1, len],
    }
}

/// Makes `config` one that scales exactly `found` on `base`, and that PEFT can load.
fn fit(config: &mut AdapterConfig, base: &Base, found: &[(usize, Place)]) -> Result<()> {
    if base.settle(config).is_ok_and(|settled| settled == found) {
        return Ok(());
    }
    name_all(config, &base.sites, found);
    base.settle(config).map(|_| ())
}

/// The base's layers under the paths that the file gives them.
fn as_named_in(keys: &Keys, base: &Base) -> Vec<Site> {
    let prefixed = !base.prefix.is_empty() && keys.vectors.keys().any(|module| module.starts_with(base.prefix));
    let prefix = if prefixed { base.prefix } else { "" };
    let rename = |site: &Site| Site { module: format!("{prefix}{}", base.bare(&site.module)), ..site.clone() };
    base.sites.iter().map(rename).collect()
}

fn take_vectors(
    keys: &mut Keys,
    base: &Base,
    sites: &[Site],
    found: &[(usize, Place)],
    warnings: &mut Vec<String>,
) -> Result<Vectors> {
    let mut vectors = Vectors::new();
    for (index, place) in found {
        let site = &sites[*index];
        let len = site.len(*place);
        let values = match keys.vectors.remove(&site.module) {
            Some(Vector { key, tensor }) => {
                check_shape(&key, &tensor.shape, &shape(*place, len))?;
                if !tensor.data.iter().all(|value| value.is_finite()) {
                    warnings.push(format!("{WEIGHTS_FILE}: '{key}' holds numbers that are not finite"));
                }
                tensor.data
            }
            None => {
                warnings.push(format!("{WEIGHTS_FILE}: no vector for '{}', left at ones", site.module));
                vec![1.0; len]
            }
        };
        vectors.insert((base.sites[*index].module.clone(), *place), values);
    }
    let unexpected = std::mem::take(&mut keys.vectors).into_values();
    warnings
        .extend(unexpected.map(|Vector { key, .. }| format!("{WEIGHTS_FILE}: ignored '{key}', which is no target")));
    Ok(vectors)
}

fn read_head(
    config: &AdapterConfig,
    keys: Keys,
    base: &Base,
    folder: &Folder,
    warnings: &mut Vec<String>,
) -> Result<Option<Head>> {
    let separate = folder.get(HEAD_FILE).zip(folder.get(HEAD_CONFIG_FILE));
    let mut found = keys.head;
    if let (TaskType::FeatureExtraction, Some((weights, config))) = (base.task, separate) {
        return head::read_head(weights, config, base).map(Some);
    }
    let own = config.task_type == Some(base.task);
    if base.head_modules().is_empty() || (found.is_empty() && !own) {
        if !found.is_empty() || separate.is_some() {
            warnings.push("left out the head, which works on other states than this model's task gives".into());
        }
        return Ok(None);
    }
    let labels = match base.task {
        TaskType::QuestionAns => None,
        _ => folder.get(LABELS_FILE).map(head::read_labels).transpose()?,
    };
    let missing = |path: &str| bad(format!("{WEIGHTS_FILE} has no '{}{path}'", Keys::PREFIX));
    let read = Head::new(Keys::PREFIX, |path| found.remove(path).ok_or_else(|| missing(path)), labels, base)?;
    match found.keys().next() {
        Some(path) => Err(bad(format!("it brings a trained '{path}', which the head of this model does not have"))),
        None => Ok(Some(read)),
    }
}
