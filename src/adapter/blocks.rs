//! An adapter folded into weights that are kept in blocks: into the blocks' scales wherever they can take it up, so that no element is
//! quantised again.

use super::merge::{Parameter, Part, fold, part};
use super::{Adapter, Base, Place};
use crate::checkpoint::{BlockType, Elements, HostTensor, StoredTensor, quantisable};
use crate::{Error, Result};

/// The layer that ends a gated feed-forward network, and the two it multiplies: `down(act(gate x) ⊙ (up x))`.
const DOWN: &str = "down_proj";
const UP: &str = "up_proj";
const GATE: &str = "gate_proj";

/// The same adapter with the input vectors of gated feed-forward networks as output vectors of `up_proj`, whose rows they scale as well:
/// `down(act(g) ⊙ u ⊙ l) = down(act(g) ⊙ (u ⊙ l))`. Only those of modules that `in_blocks`, where columns share scales and rows do not.
pub fn through_gates(adapter: &Adapter, base: &Base, in_blocks: impl Fn(&str) -> bool) -> Adapter {
    let mut moved = adapter.clone();
    for site in base.sites.iter().filter(|site| in_blocks(&site.module)) {
        let Some(network) = site.module.strip_suffix(DOWN) else { continue };
        let sibling = |name: &str| base.sites.iter().find(|site| site.module == format!("{network}{name}"));
        let (Some(up), Some(_)) = (sibling(UP), sibling(GATE)) else { continue };
        let Some(vector) = moved.vectors.remove(&(site.module.clone(), Place::Input)) else { continue };
        let key = (up.module.clone(), Place::Output);
        // What comes out of `up_proj` is scaled after its own vector and shift.
        if let Some(shift) = moved.shifts.get_mut(&key) {
            shift.iter_mut().zip(&vector).for_each(|(shift, scale)| *shift *= scale);
        }
        let own = moved.vectors.entry(key).or_insert_with(|| vec![1.0; vector.len()]);
        own.iter_mut().zip(&vector).for_each(|(own, scale)| *own *= scale);
    }
    moved
}

/// What folding does to a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folding {
    /// Nothing.
    Nothing,
    /// It changes the scales of its blocks.
    Scales,
    /// It changes every element by itself.
    Elements,
}

/// What folding `adapter` does to a tensor kept in the format `kind`.
pub fn folding(adapter: &Adapter, base: &Base, tensor_name: &str, kind: BlockType) -> Folding {
    let Some((site, parameter)) = part(base, tensor_name) else { return Folding::Nothing };
    let part = Part { site, adapter };
    match parameter {
        Parameter::Weight if part.scales_weight() => {
            let rows_only = part.across_rows().is_none();
            if kind.has_scales() && rows_only { Folding::Scales } else { Folding::Elements }
        }
        Parameter::Bias if part.changes_bias() => Folding::Elements,
        Parameter::Weight | Parameter::Bias => Folding::Nothing,
    }
}

/// [`fold`] for a tensor in any format. Where it changes only the scales of blocks these become `d l` and `m l`, up to the rounding of
/// [`BlockType::rescale`]; a tensor whose elements it changes comes as floats. [`Error::BadAdapter`] where either is no longer finite.
pub fn fold_stored(
    name: &str,
    adapter: &Adapter,
    base: &Base,
    tensor_name: &str,
    tensor: StoredTensor,
    weight: Option<&HostTensor>,
) -> Result<StoredTensor> {
    let folding = folding(adapter, base, tensor_name, tensor.kind());
    let StoredTensor { shape, elements } = tensor;
    match (folding, elements) {
        (Folding::Nothing, elements) => Ok(StoredTensor { shape, elements }),
        (Folding::Scales, Elements::Blocks { kind, mut bytes }) => {
            let (site, _) = part(base, tensor_name).expect("what is folded is a module's");
            let part = Part { site, adapter };
            part.check_weight(tensor_name, &shape)?;
            let scales = part.along_rows().expect("rows are scaled");
            let row = bytes.len() / scales.len();
            let mut rows = bytes.chunks_exact_mut(row).zip(scales);
            if !rows.all(|(row, scale)| kind.rescale(row, *scale)) {
                return Err(too_large(name, tensor_name));
            }
            Ok(StoredTensor { shape, elements: Elements::Blocks { kind, bytes } })
        }
        (Folding::Scales | Folding::Elements, elements) => {
            let mut tensor = StoredTensor { shape, elements }.dequantised();
            fold(name, adapter, base, tensor_name, &mut tensor, weight)?;
            Ok(tensor.into())
        }
    }
}

/// [`Error::BadAdapter`] of an adapter (named `name`) that makes a tensor's numbers larger than its format holds.
pub fn too_large(name: &str, tensor_name: &str) -> Error {
    let reason = format!(
        "merging '{name}' into '{tensor_name}' gives numbers that are not finite, or too large for 16 bits: train it again"
    );
    Error::BadAdapter { reason }
}

/// The formats that tensors are written in once `adapter` (named `name`) is folded in: those they are kept in. With `requantise`, those whose blocks
/// cannot take a vector up are quantised again, as are those that are kept as floats instead of their file's blocks. `tensors` are names,
/// formats kept and formats of the file.
///
/// [`Error::NotFoldable`] names the modules whose blocks cannot take a vector up, without `requantise`.
pub fn written<'a>(
    name: &str,
    adapter: &Adapter,
    base: &Base,
    tensors: impl Iterator<Item = (&'a str, BlockType, BlockType)>,
    requantise: bool,
) -> Result<Vec<BlockType>> {
    let mut modules = Vec::new();
    let kinds = tensors.map(|(tensor, kept, file)| {
        let again = folding(adapter, base, tensor, kept) == Folding::Elements && kept.has_scales();
        match kept {
            BlockType::F32 if requantise => quantisable(file),
            kept if again && requantise => quantisable(kept),
            kept => {
                if again {
                    modules.push(tensor.trim_end_matches(".weight").to_string());
                }
                kept
            }
        }
    });
    let kinds = kinds.collect();
    if modules.is_empty() { Ok(kinds) } else { Err(Error::NotFoldable { name: name.into(), modules }) }
}
