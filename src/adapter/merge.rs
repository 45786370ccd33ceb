//! An adapter folded into the weights it scales, so that the model alone does what model and adapter did.

use super::{Adapter, Base, Place, Site};
use crate::checkpoint::HostTensor;
use crate::{Error, Result};

/// Folds into `tensor`, which has the name `tensor_name` in the base model's file and is kept as its module's [`Site`] says, what `adapter`
/// (named `name`) has for that module; whether there was anything. File and module paths may differ by the base model's prefix, as `bert.`.
///
/// An output vector scales the rows of a weight `(out, in)` and its bias, and its shift adds to the bias; an input vector scales the
/// columns, and its shift adds what the weight makes of it:
/// `(W (x ⊙ l + s) + c) ⊙ m + t = diag(m) W diag(l) x + (W s + c) ⊙ m + t`. So the bias of a module whose input is shifted needs `weight`,
/// the tensor that [`weight_for`] names, as it was before.
///
/// [`Error::BadAdapter`] where the result is no longer finite, [`Error::TensorShape`] where a tensor has not the
/// module's shape; the tensor is unchanged then.
pub fn fold(
    name: &str,
    adapter: &Adapter,
    base: &Base,
    tensor_name: &str,
    tensor: &mut HostTensor,
    weight: Option<&HostTensor>,
) -> Result<bool> {
    let Some((site, parameter)) = part(base, tensor_name) else { return Ok(false) };
    let part = Part { site, adapter };
    let merged = match parameter {
        Parameter::Weight if part.scales_weight() => {
            part.check_weight(tensor_name, &tensor.shape)?;
            part.weight(&tensor.data)
        }
        Parameter::Bias if part.changes_bias() => {
            check_shape(tensor_name, &tensor.shape, &[site.out_features])?;
            if let Some(weight) = weight {
                part.check_weight(&weight_name(tensor_name), &weight.shape)?;
            }
            part.bias(&tensor.data, weight)
        }
        Parameter::Weight | Parameter::Bias => return Ok(false),
    };
    if !merged.iter().all(|value| value.is_finite()) {
        return Err(Error::BadAdapter {
            reason: format!("merging '{name}' into '{tensor_name}' gives numbers that are not finite: train it again"),
        });
    }
    tensor.data = merged;
    Ok(true)
}

/// The tensor that [`fold`] needs beside `tensor_name`: the weight, where that is the bias of a module whose input is shifted.
pub fn weight_for(adapter: &Adapter, base: &Base, tensor_name: &str) -> Option<String> {
    let (site, parameter) = part(base, tensor_name)?;
    let shifted = Part { site, adapter }.shift(Place::Input).is_some();
    (shifted && parameter == Parameter::Bias).then(|| weight_name(tensor_name))
}

/// [`Error::BadAdapter`] where `adapter` (named `name`) shifts a module that has no bias to take the shift up.
pub fn check_biases(name: &str, adapter: &Adapter, base: &Base) -> Result<()> {
    let without = |site: &&Site| !site.bias && Part { site, adapter }.shifts();
    match base.sites.iter().find(without) {
        None => Ok(()),
        Some(Site { module, .. }) => Err(Error::BadAdapter {
            reason: format!(
                "'{name}' cannot be merged: '{module}' has no bias to take up its shift: use it as an adapter, or train one without shift"
            ),
        }),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    Weight,
    Bias,
}

/// The module and parameter that a tensor of the file is.
pub(super) fn part<'a>(base: &'a Base, tensor_name: &str) -> Option<(&'a Site, Parameter)> {
    let (module, parameter) = tensor_name.rsplit_once('.')?;
    let parameter = match parameter {
        "weight" => Parameter::Weight,
        "bias" => Parameter::Bias,
        _ => return None,
    };
    base.sites.iter().find(|site| base.same_module(&site.module, module)).map(|site| (site, parameter))
}

fn weight_name(bias: &str) -> String {
    format!("{}.weight", bias.trim_end_matches(".bias"))
}

fn check_shape(name: &str, found: &[usize], expected: &[usize]) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::TensorShape { name: name.into(), expected: expected.to_vec(), found: found.to_vec() })
}

impl Site {
    /// Whether the weight is kept (in, out).
    fn in_first(&self) -> bool {
        self.conv1d && !self.turned
    }

    /// Shape of the weight as it is kept.
    fn weight_shape(&self) -> [usize; 2] {
        if self.in_first() { [self.in_features, self.out_features] } else { [self.out_features, self.in_features] }
    }
}

/// A module and what an adapter has for it.
pub(super) struct Part<'a> {
    pub site: &'a Site,
    pub adapter: &'a Adapter,
}

impl<'a> Part<'a> {
    fn vector(&self, place: Place) -> Option<&'a Vec<f32>> {
        self.adapter.vectors.get(&(self.site.module.clone(), place))
    }

    fn shift(&self, place: Place) -> Option<&'a Vec<f32>> {
        self.adapter.shifts.get(&(self.site.module.clone(), place))
    }

    pub fn scales_weight(&self) -> bool {
        self.vector(Place::Output).or(self.vector(Place::Input)).is_some()
    }

    pub fn changes_bias(&self) -> bool {
        self.vector(Place::Output).or(self.shift(Place::Output)).or(self.shift(Place::Input)).is_some()
    }

    /// Whether anything but zeros is added.
    fn shifts(&self) -> bool {
        let added = |place| self.shift(place).is_some_and(|shift| shift.iter().any(|x| *x != 0.0));
        added(Place::Output) || added(Place::Input)
    }

    /// A number for each row of the weight as it is stored.
    pub fn along_rows(&self) -> Option<&'a Vec<f32>> {
        self.vector(if self.site.in_first() { Place::Input } else { Place::Output })
    }

    /// A number for each column.
    pub fn across_rows(&self) -> Option<&'a Vec<f32>> {
        self.vector(if self.site.in_first() { Place::Output } else { Place::Input })
    }

    /// [`Error::TensorShape`] unless the weight has the module's shape.
    pub fn check_weight(&self, name: &str, shape: &[usize]) -> Result<()> {
        check_shape(name, shape, &self.site.weight_shape())
    }

    /// The weight with rows and columns scaled; stored the other way round they are exchanged.
    fn weight(&self, weight: &[f32]) -> Vec<f32> {
        let (down, along) = (self.along_rows(), self.across_rows());
        let mut merged = weight.to_vec();
        for (i, row) in merged.chunks_exact_mut(self.site.weight_shape()[1]).enumerate() {
            if let Some(scale) = down {
                row.iter_mut().for_each(|value| *value *= scale[i]);
            }
            if let Some(scale) = along {
                row.iter_mut().zip(scale).for_each(|(value, scale)| *value *= scale);
            }
        }
        merged
    }

    /// The bias, `(W s + c) ⊙ m + t`, with the weight from before.
    fn bias(&self, bias: &[f32], weight: Option<&HostTensor>) -> Vec<f32> {
        let Site { in_features, out_features, .. } = *self.site;
        let weighed = |row: usize, weight: &HostTensor, shift: &[f32]| -> f32 {
            let at = |column: usize| match self.site.in_first() {
                true => column * out_features + row,
                false => row * in_features + column,
            };
            shift.iter().enumerate().map(|(column, s)| f64::from(weight.data[at(column)]) * f64::from(*s)).sum::<f64>()
                as f32
        };
        let added = |row: usize| match (self.shift(Place::Input), weight) {
            (Some(shift), Some(weight)) => weighed(row, weight, shift),
            (Some(_), None) => unreachable!("the bias of a module whose input is shifted is folded with its weight"),
            (None, _) => 0.0,
        };
        let element = |(row, c): (usize, &f32)| {
            let scale = self.vector(Place::Output).map_or(1.0, |vector| vector[row]);
            (c + added(row)) * scale + self.shift(Place::Output).map_or(0.0, |shift| shift[row])
        };
        bias.iter().enumerate().map(element).collect()
    }
}
