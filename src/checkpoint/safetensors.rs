//! The tensors of a safetensors file: read as f32, written as Hugging Face writes them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::header::{Dtype, Entry, FILE, Header, Shape, TensorInfo};
use super::{BlockType, HostTensor};
use crate::{Error, Result};

/// Every tensor of a whole file. [`Error::TensorDtype`] where one is neither F32, F16 nor BF16.
pub fn read_all(bytes: &[u8]) -> Result<BTreeMap<String, HostTensor>> {
    let header = Header::parse(bytes)?;
    let (expected, actual) = (header.file_bytes, bytes.len() as u64);
    match actual.cmp(&expected) {
        Ordering::Less => return Err(Error::FileTruncated { file: FILE.into(), expected, actual }),
        Ordering::Greater => return Err(Error::FileLength { file: FILE.into(), expected, actual }),
        Ordering::Equal => {}
    }
    let mut tensors = BTreeMap::new();
    for TensorInfo { name, dtype, shape, start, bytes: size } in header.tensors {
        let Some(kind) = BlockType::from_dtype(dtype) else {
            return Err(Error::TensorDtype { name, dtype: dtype.to_string() });
        };
        let mut data = Vec::with_capacity(shape.iter().product());
        kind.dequantise(&bytes[start as usize..(start + size) as usize], &mut data);
        tensors.insert(name, HostTensor { shape, data });
    }
    Ok(tensors)
}

/// A whole file with `tensors` as F32, byte for byte as Hugging Face's own writer lays it out.
pub fn write(tensors: &BTreeMap<String, HostTensor>) -> Vec<u8> {
    let mut file = write_header(tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice())));
    for tensor in tensors.values() {
        file.extend_from_slice(bytemuck::cast_slice(&tensor.data));
    }
    file
}

/// Length field and header for F32 tensors that will follow in the order given, which must be that of their names.
/// The metadata is PyTorch's, `{"format": "pt"}`: transformers refuses a file without it.
pub fn write_header<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> Vec<u8> {
    let mut json = String::from(r#"{"__metadata__":{"format":"pt"}"#);
    let mut offset = 0;
    for (name, shape) in tensors {
        let end = offset + 4 * shape.iter().product::<usize>() as u64;
        let entry = Entry { dtype: Dtype::F32, shape: Shape(shape.to_vec()), data_offsets: [offset, end] };
        let text = |result: serde_json::Result<String>| result.expect("strings and integers always serialise");
        json += &format!(",{}:{}", text(serde_json::to_string(name)), text(serde_json::to_string(&entry)));
        offset = end;
    }
    json.push('}');
    // The format aligns the data to 8 bytes by padding the header with spaces.
    let length = json.len().next_multiple_of(8);
    let mut bytes = (length as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(json.as_bytes());
    bytes.resize(8 + length, b' ');
    bytes
}
