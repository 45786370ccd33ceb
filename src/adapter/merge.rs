//! An adapter folded into the weights it scales, so that the model alone does what model and adapter did.

use super::{Adapter, Base, Place};
use crate::checkpoint::HostTensor;
use crate::{Error, Result};

/// Scales `tensor`, which has the name `tensor_name` in the base model's file, by the vectors that `adapter` (named
/// `name`) has for its module; whether there was any. An output vector scales the rows of a weight `(out, in)` and its
/// bias, an input vector the columns: W' = diag(l) W, b' = l ⊙ b; W' = W diag(l). File and module paths may differ by the
/// base model's prefix, as `bert.`.
///
/// [`Error::BadAdapter`] where the result is no longer finite, [`Error::TensorShape`] where the tensor has not the
/// module's shape; the tensor is unchanged then.
pub fn fold(name: &str, adapter: &Adapter, base: &Base, tensor_name: &str, tensor: &mut HostTensor) -> Result<bool> {
    let Some((module, parameter)) = tensor_name.rsplit_once('.') else { return Ok(false) };
    let Some(site) = base.sites.iter().find(|site| base.same_module(&site.module, module)) else { return Ok(false) };
    let expected = match parameter {
        "weight" if site.conv1d => vec![site.in_features, site.out_features],
        "weight" => vec![site.out_features, site.in_features],
        "bias" => vec![site.out_features],
        _ => return Ok(false),
    };
    let vector = |place| adapter.vectors.get(&(site.module.clone(), place));
    let rows = vector(Place::Output);
    let columns = vector(Place::Input).filter(|_| parameter == "weight");
    if rows.is_none() && columns.is_none() {
        return Ok(false);
    }
    if tensor.shape != expected {
        return Err(Error::TensorShape { name: tensor_name.into(), expected, found: tensor.shape.clone() });
    }
    // A weight that is stored the other way round has rows and columns exchanged.
    let (width, down, along) = match (parameter, site.conv1d) {
        ("weight", true) => (site.out_features, columns, rows),
        ("weight", false) => (site.in_features, rows, columns),
        _ => (1, rows, None),
    };
    let mut merged = tensor.data.clone();
    for (i, row) in merged.chunks_exact_mut(width).enumerate() {
        if let Some(scale) = down {
            row.iter_mut().for_each(|value| *value *= scale[i]);
        }
        if let Some(scale) = along {
            row.iter_mut().zip(scale).for_each(|(value, scale)| *value *= scale);
        }
    }
    if !merged.iter().all(|value| value.is_finite()) {
        return Err(Error::BadAdapter {
            reason: format!("merging '{name}' into '{tensor_name}' gives numbers that are not finite: train it again"),
        });
    }
    tensor.data = merged;
    Ok(true)
}
