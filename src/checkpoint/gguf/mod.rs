//! GGUF, llama.cpp's file format: settings, tokenizer and tensors of a model in one file. Every byte of it is untrusted.
//!
//! Layout (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>): `GGUF`, version, counts of tensors and settings; the settings,
//! name and typed value; name, dimensions (innermost first), number format and place of each tensor; the data, aligned.

mod config;
mod files;
mod metadata;
mod names;
mod reader;
mod sentencepiece;
mod tokenizer;
mod write;

pub use files::files;
pub use metadata::{List, Metadata, Value};
pub use names::Names;
pub use write::Outline;

use super::BlockType;
use crate::{Error, Result};
use reader::{Fault, Reader};
use std::collections::BTreeSet;

/// Longest start of a file, up to the data: those with the largest vocabularies in use take a third of this.
const LONGEST_HEAD: usize = 48 << 20;
/// More settings or tensors has no model that a browser can hold.
const MOST_ENTRIES: u64 = 1 << 16;
/// ggml's own bound.
const MOST_DIMENSIONS: u32 = 4;
const LONGEST_NAME: u64 = 1 << 10;

/// What the file says of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct GgufTensor {
    /// Name in llama.cpp's words, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// How the elements are stored.
    pub kind: BlockType,
    /// Length of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the file.
    pub start: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// The checked start of a file.
#[derive(Debug)]
pub struct Gguf<'a> {
    /// The settings.
    pub metadata: Metadata<'a>,
    /// The same as they lie in the file, and how many there are.
    settings: &'a [u8],
    setting_count: u64,
    /// All tensors in the order of their bytes.
    pub tensors: Vec<GgufTensor>,
    /// Bytes up to the data.
    pub head_bytes: u64,
    /// What places of tensors are multiples of.
    pub alignment: u64,
    /// Bytes up to the end of the last tensor. Some writers fill the file up to the alignment of the data.
    pub file_bytes: u64,
}

impl<'a> Gguf<'a> {
    /// Reads the start of a file called `file` in errors; None where `bytes` end before the data begin. [`Error::NotGguf`] for anything
    /// malformed, [`Error::TensorDtype`] for a number format that cannot be read. Nothing larger than `bytes` is allocated.
    pub fn parse(file: &'a str, bytes: &'a [u8]) -> Result<Option<Gguf<'a>>> {
        match head(file, bytes) {
            Ok(found) => Ok(Some(found)),
            Err(Fault::Short) if bytes.len() < LONGEST_HEAD => Ok(None),
            Err(Fault::Short) => Err(not_gguf(file, format!("it has no tensor within {LONGEST_HEAD} bytes"))),
            Err(Fault::Broken(reason)) => Err(not_gguf(file, reason)),
            Err(Fault::Kind { name, number }) => Err(Error::TensorDtype { name, dtype: BlockType::name_of(number) }),
        }
    }
}

impl Gguf<'_> {
    /// A tensor by its name.
    pub fn tensor(&self, name: &str) -> Option<&GgufTensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

fn head<'a>(file: &'a str, bytes: &'a [u8]) -> std::result::Result<Gguf<'a>, Fault> {
    let mut reader = Reader::new(bytes);
    if reader.take(4)? != b"GGUF" {
        return Err(broken("it does not begin with GGUF"));
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(broken(format!("its version is {version}, and 2 or 3 can be read")));
    }
    let [tensors, settings] = [reader.u64()?, reader.u64()?];
    if tensors.max(settings) > MOST_ENTRIES {
        return Err(broken(format!("it announces {tensors} tensors and {settings} settings")));
    }
    let (setting_count, all, first) = (settings, reader.rest(), reader.at());
    let metadata = Metadata::read(file, &mut reader, settings)?;
    let settings = &all[..reader.at() - first];
    let alignment = metadata.alignment()?;
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for _ in 0..tensors {
        let (tensor, offset) = tensor(&mut reader)?;
        if !offset.is_multiple_of(alignment) {
            return Err(broken(format!("tensor '{}' starts at {offset}, not a multiple of {alignment}", tensor.name)));
        }
        if !names.insert(tensor.name.clone()) {
            return Err(broken(format!("it has two tensors '{}'", tensor.name)));
        }
        found.push(GgufTensor { start: offset, ..tensor });
    }
    let start = (reader.at() as u64).next_multiple_of(alignment);
    found.sort_by_key(|tensor| tensor.start);
    let mut end = 0;
    for tensor in &mut found {
        if tensor.start < end {
            return Err(broken(format!("tensor '{}' lies over the one before it", tensor.name)));
        }
        let far = || broken(format!("tensor '{}' lies too far", tensor.name));
        end = tensor.start.checked_add(tensor.bytes).ok_or_else(far)?;
        tensor.start = tensor.start.checked_add(start).ok_or_else(far)?;
    }
    let file_bytes = start.checked_add(end).ok_or_else(|| broken("its size overflows"))?;
    Ok(Gguf { metadata, settings, setting_count, tensors: found, head_bytes: start, alignment, file_bytes })
}

/// A tensor and its place among the data.
fn tensor(reader: &mut Reader) -> std::result::Result<(GgufTensor, u64), Fault> {
    let name = reader.text(LONGEST_NAME)?.to_string();
    let count = reader.u32()?;
    if count == 0 || count > MOST_DIMENSIONS {
        return Err(broken(format!("tensor '{name}' has {count} dimensions")));
    }
    let mut shape = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let size = reader.u64()?;
        let fits = usize::try_from(size).ok().filter(|size| *size > 0);
        shape.push(fits.ok_or_else(|| broken(format!("tensor '{name}' has a dimension of {size}")))?);
    }
    shape.reverse();
    let number = reader.u32()?;
    let kind = BlockType::from_number(number).ok_or_else(|| Fault::Kind { name: name.clone(), number })?;
    let offset = reader.u64()?;
    let bytes = kind.bytes(&shape).ok_or_else(|| {
        broken(format!("tensor '{name}' of the shape {shape:?} is not made of whole blocks of {kind:?}"))
    })?;
    Ok((GgufTensor { name, kind, shape, start: 0, bytes }, offset))
}

fn broken(reason: impl Into<String>) -> Fault {
    Fault::Broken(reason.into())
}

pub(super) fn not_gguf(file: &str, reason: impl Into<String>) -> Error {
    Error::NotGguf { file: file.into(), reason: reason.into() }
}
