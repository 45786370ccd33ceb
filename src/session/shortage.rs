//! How much memory weights need that are on their way, where it cannot be had.

use super::Dtype;
use super::dtype::choice;
use crate::checkpoint::{BlockType, Incoming, StreamReader};
use crate::error::Result;
use crate::models::Model;
use crate::shortage::Shortage;
use std::collections::BTreeSet;

/// The shortage of `bytes` for `what` beside `held` that are on the device, in the middle of a file.
pub(super) fn shortage(
    model: &Model,
    dtype: Option<Dtype>,
    reader: &StreamReader,
    what: String,
    bytes: u64,
    held: u64,
) -> Result<Shortage> {
    let needed = weight_bytes(model, dtype, reader)?;
    let mut smaller = Vec::new();
    for other in Dtype::ALL {
        let bytes = weight_bytes(model, Some(other), reader)?;
        if bytes < needed {
            smaller.push((other.name(), bytes));
        }
    }
    let own = if reader.is_gguf() { dtype } else { dtype.or(Some(Dtype::F32)) };
    Ok(Shortage { what, bytes, held, dtype: own.map(Dtype::name), needed, smaller })
}

/// Bytes of all weights in the formats that `dtype` chooses, as an estimate counts them: the tensors that the file lists and, since it may be one
/// of several shards, those that the graph reads beside them.
fn weight_bytes(model: &Model, dtype: Option<Dtype>, reader: &StreamReader) -> Result<u64> {
    let kept = choice(dtype, model)?;
    let listed = reader.announced(&kept);
    let names: BTreeSet<&str> = listed.iter().map(|tensor| model.bare(&tensor.name)).collect();
    let of_graph = model.weights()?.into_iter().flat_map(|weight| weight.parts);
    let elsewhere = of_graph.filter(|(name, _)| !names.contains(name.as_str())).map(|(name, shape)| {
        let kind = kept(Incoming { name: &name, kind: BlockType::F32, shape: &shape, gguf: false });
        kind.bytes(&shape).unwrap_or(u64::MAX)
    });
    Ok(listed.iter().map(|tensor| tensor.bytes).chain(elsewhere).fold(0, u64::saturating_add))
}
