//! The shifts of an adapter as a file beside PEFT's, which has no such vector.

use std::collections::BTreeMap;

use super::head::{bad, check_shape, unreadable};
use super::keys::Keys;
use super::peft::shape;
use super::{Adapter, Base, Place, Vectors};
use crate::Result;
use crate::checkpoint::HostTensor;
use crate::checkpoint::safetensors::{read_all, write as safetensors};

/// The shifts, named and shaped as PEFT's vectors with `ia3_b` in the place of `ia3_l`.
pub const SHIFT_FILE: &str = "ia3_shift.safetensors";
const SUFFIX: &str = ".ia3_b";

/// The file, for an adapter that has shifts.
pub(super) fn write(adapter: &Adapter) -> Option<(String, Vec<u8>)> {
    let tensor = |((module, place), shift): (&(String, Place), &Vec<f32>)| {
        let tensor = HostTensor::new(shape(*place, shift.len()).to_vec(), shift.clone());
        (format!("{}{module}{SUFFIX}", Keys::PREFIX), tensor)
    };
    let tensors: BTreeMap<String, HostTensor> = adapter.shifts.iter().map(tensor).collect();
    (!tensors.is_empty()).then(|| (SHIFT_FILE.into(), safetensors(&tensors)))
}

/// The shifts in a file, each at one of the places `found`; module paths may differ by the base model's prefix, as `bert.`.
pub(super) fn read(file: &[u8], base: &Base, found: &[(usize, Place)], warnings: &mut Vec<String>) -> Result<Vectors> {
    let mut shifts = Vectors::new();
    for (key, tensor) in read_all(file).map_err(|error| unreadable(SHIFT_FILE, error))? {
        let path = key.strip_prefix(Keys::PREFIX).unwrap_or(&key);
        let module = path.strip_suffix(SUFFIX);
        let target = |(index, _): &&(usize, Place)| {
            module.is_some_and(|module| base.same_module(&base.sites[*index].module, module))
        };
        let Some((index, place)) = found.iter().find(target) else {
            return Err(bad(format!("{SHIFT_FILE} has '{key}', which is no target")));
        };
        let site = &base.sites[*index];
        check_shape(&key, &tensor.shape, &shape(*place, site.len(*place)))?;
        if !tensor.data.iter().all(|value| value.is_finite()) {
            warnings.push(format!("{SHIFT_FILE}: '{key}' holds numbers that are not finite"));
        }
        shifts.insert((site.module.clone(), *place), tensor.data);
    }
    Ok(shifts)
}
