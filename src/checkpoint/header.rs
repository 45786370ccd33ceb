//! The header of a safetensors file, checked in full before anything of the data is read.
//!
//! Layout (<https://github.com/huggingface/safetensors>): 8 bytes header length, little-endian; the header, JSON from
//! tensor name to dtype, shape and byte range; the data. Byte ranges cover the data without gap or overlap.
//! The header is parsed here and not by the crate of that name because the crate wants the whole file in memory and
//! buffers the JSON at many times its size; a download is read as it arrives.

use std::collections::BTreeSet;
use std::fmt;

pub use safetensors::Dtype;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Name given to the file in errors.
pub(super) const FILE: &str = "model.safetensors";
/// The format's own bound for the header.
const MAX_HEADER: u64 = 100_000_000;
/// No model has tensors of more dimensions; keeps a hostile header from growing in memory.
const MAX_RANK: usize = 8;

/// What the header says of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorInfo {
    /// Name in the file, such as `encoder.layer.0.output.dense.weight`.
    pub name: String,
    /// How the elements are stored.
    pub dtype: Dtype,
    /// Length of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the file.
    pub start: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// The checked header of a safetensors file.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// All tensors in the order of their bytes.
    pub tensors: Vec<TensorInfo>,
    /// Length of the whole file in bytes.
    pub file_bytes: u64,
}

impl Header {
    /// Bytes up to the first tensor, read from the first eight; [`Error::NotSafetensors`] beyond the format's 100 MB.
    pub fn length(first: [u8; 8]) -> Result<u64> {
        let length = u64::from_le_bytes(first);
        if length > MAX_HEADER {
            return Err(broken(format!("its header would take {length} bytes")));
        }
        Ok(8 + length)
    }

    /// Reads the header at the start of `bytes`, which may end anywhere after it. Checks that every tensor's byte range
    /// has the length its shape and dtype ask for and that the ranges follow each other from the end of the header.
    pub fn parse(bytes: &[u8]) -> Result<Header> {
        let truncated = |expected| Error::FileTruncated { file: FILE.into(), expected, actual: bytes.len() as u64 };
        let first = bytes.first_chunk::<8>().ok_or_else(|| truncated(8))?;
        let data_start = Header::length(*first)?;
        let json = bytes.get(8..data_start as usize).ok_or_else(|| truncated(data_start))?;
        let Entries(mut entries) = serde_json::from_slice(json).map_err(|error| broken(error.to_string()))?;
        let mut names = BTreeSet::new();
        if let Some((name, _)) = entries.iter().find(|(name, _)| !names.insert(name.as_str())) {
            return Err(broken(format!("it has two tensors '{name}'")));
        }
        entries.sort_by_key(|(_, entry)| entry.data_offsets);

        let mut tensors = Vec::with_capacity(entries.len());
        let mut end = 0;
        for (name, entry) in entries {
            let [from, to] = entry.data_offsets;
            if from != end {
                return Err(broken(format!("tensor '{name}' starts at {from} where {end} is due")));
            }
            let bytes = byte_size(&entry).ok_or_else(|| broken(format!("the size of tensor '{name}' overflows")))?;
            end = from
                .checked_add(bytes)
                .filter(|end| *end == to)
                .ok_or_else(|| broken(format!("tensor '{name}' needs {bytes} bytes, its range is {from} to {to}")))?;
            let start = data_start.checked_add(from).ok_or_else(|| broken(format!("tensor '{name}' lies too far")))?;
            tensors.push(TensorInfo { name, dtype: entry.dtype, shape: entry.shape.0, start, bytes });
        }
        let file_bytes = data_start.checked_add(end).ok_or_else(|| broken("its size overflows".into()))?;
        Ok(Header { tensors, file_bytes })
    }
}

fn byte_size(entry: &Entry) -> Option<u64> {
    let elements = entry.shape.0.iter().try_fold(1usize, |product, n| product.checked_mul(*n))?;
    let bits = (elements as u64).checked_mul(entry.dtype.bitsize() as u64)?;
    bits.is_multiple_of(8).then_some(bits / 8)
}

fn broken(reason: String) -> Error {
    Error::NotSafetensors { file: FILE.into(), reason }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub dtype: Dtype,
    pub shape: Shape,
    pub data_offsets: [u64; 2],
}

#[derive(Serialize)]
pub(super) struct Shape(pub Vec<usize>);

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Dimensions;
        impl<'de> Visitor<'de> for Dimensions {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "a shape")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(n) = seq.next_element()? {
                    if shape.len() == MAX_RANK {
                        return Err(A::Error::custom(format!("a shape of more than {MAX_RANK} dimensions")));
                    }
                    shape.push(n);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Dimensions)
    }
}

/// The header's JSON object in file order, without its metadata.
struct Entries(Vec<(String, Entry)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        entries.push((name, map.next_value()?));
                    }
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
