//! The start of a file of weights, collected while it arrives, and the tensors that it lists. Its first bytes tell the format.

use super::gguf::{Gguf, Outline};
use super::header::Header;
use super::{BlockType, Incoming, Kept, StoredTensor};
use crate::{Error, Result};

/// GGUF lists its tensors behind settings of any length, so it can only be tried: again whenever so many more bytes have come.
const GROWTH: usize = 4;

/// What a file says that it holds.
pub(super) struct Listing {
    /// All tensors in the order of their bytes.
    pub tensors: Vec<Listed>,
    /// Where the first byte after the start lies.
    pub first: u64,
    /// Where the last tensor ends.
    pub end: u64,
    /// Bytes that the file may have at most.
    pub longest: u64,
    /// A GGUF as it may be written again.
    pub outline: Option<Outline>,
}

/// One tensor.
pub(super) struct Listed {
    /// Name in the file.
    pub name: String,
    /// None: its number format is none of weights.
    pub kind: Option<BlockType>,
    /// What the format is called.
    pub format: String,
    /// Length of each dimension, outermost first.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the file.
    pub start: u64,
    /// Length in bytes.
    pub bytes: u64,
}

/// A tensor that a file lists, as it will be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Announced {
    /// Hugging Face's name.
    pub name: String,
    /// The format in which it will be kept.
    pub kind: BlockType,
    /// Bytes that it will take so.
    pub bytes: u64,
    /// It is `(out, in)` where Hugging Face's file has `(in, out)`.
    pub turned: bool,
}

/// What a file, called `file` in errors, lists of weights, in the order of their bytes, from a start that may end anywhere after that:
/// [`Error::FileTruncated`] before. `kept` chooses the formats.
pub fn announced(file: &str, mut start: &[u8], kept: &Kept) -> Result<Vec<Announced>> {
    let mut collected = Start::default();
    let Some((listing, _)) = collected.feed(file, &mut start, true)? else {
        let actual = collected.head.len() as u64;
        return Err(Error::FileTruncated {
            file: file.into(),
            expected: collected.least(file)?.max(actual + 1),
            actual,
        });
    };
    Ok(listing.announced(kept))
}

impl Listing {
    /// All tensors of weights, in the formats that `kept` chooses.
    pub fn announced(&self, kept: &Kept) -> Vec<Announced> {
        let tensor = |tensor: &Listed| {
            let (name, kind) = self.kept(tensor, tensor.kind?, kept);
            let bytes = kind.bytes(&tensor.shape).unwrap_or(u64::MAX);
            Some(Announced { name, kind, bytes, turned: self.turned(&tensor.name) })
        };
        self.tensors.iter().filter_map(tensor).collect()
    }

    /// A tensor under Hugging Face's name, and as Hugging Face's files have it.
    pub fn translate(&self, name: &str, tensor: StoredTensor) -> Result<(String, StoredTensor)> {
        match &self.outline {
            Some(outline) => outline.names.translate(name, tensor),
            None => Ok((name.into(), tensor)),
        }
    }

    /// Whether a tensor is the other way round than in Hugging Face's file.
    pub fn turned(&self, name: &str) -> bool {
        self.outline.as_ref().is_some_and(|outline| outline.names.turned(name))
    }

    /// Hugging Face's name of a tensor of the format `kind`, and the format that `kept` chooses for it. Only one whose rows stay rows may be
    /// kept in blocks.
    pub fn kept(&self, tensor: &Listed, kind: BlockType, kept: &Kept) -> (String, BlockType) {
        let names = self.outline.as_ref().map(|outline| &outline.names);
        let name = names.map_or_else(|| tensor.name.clone(), |names| names.name_of(&tensor.name));
        let keeps_rows = names.is_none_or(|names| names.keeps_rows(&tensor.name));
        let incoming = Incoming { name: &name, kind, shape: &tensor.shape, gguf: names.is_some() };
        let kind = if keeps_rows { kept(incoming) } else { BlockType::F32 };
        (name, kind)
    }

    fn of_safetensors(header: Header, first: u64) -> Listing {
        let listed = |tensor: super::header::TensorInfo| Listed {
            kind: BlockType::from_dtype(tensor.dtype),
            format: tensor.dtype.to_string(),
            name: tensor.name,
            shape: tensor.shape,
            start: tensor.start,
            bytes: tensor.bytes,
        };
        let end = header.file_bytes;
        Listing { tensors: header.tensors.into_iter().map(listed).collect(), first, end, longest: end, outline: None }
    }

    fn of_gguf(file: Gguf) -> Result<Listing> {
        let (first, end, longest) =
            (file.head_bytes, file.file_bytes, file.file_bytes.saturating_add(file.alignment - 1));
        let outline = Outline::of(file)?;
        let listed = |tensor: &super::gguf::GgufTensor| Listed {
            kind: Some(tensor.kind),
            format: format!("{:?}", tensor.kind),
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            start: tensor.start,
            bytes: tensor.bytes,
        };
        let tensors = outline.tensors.iter().map(listed).collect();
        Ok(Listing { tensors, first, end, longest, outline: Some(outline) })
    }
}

/// Bytes so far.
#[derive(Default)]
pub(super) struct Start {
    head: Vec<u8>,
    /// As many bytes were there when they were last tried.
    tried: usize,
}

impl Start {
    /// Takes bytes from `chunk`; once they are enough what the file, called `file` in errors, lists, and the bytes taken that come after.
    /// `whole`: there are no more than these.
    pub fn feed(&mut self, file: &str, chunk: &mut &[u8], whole: bool) -> Result<Option<(Listing, Vec<u8>)>> {
        loop {
            let due = self.least(file)?.saturating_sub(self.head.len() as u64);
            if due == 0 {
                break;
            }
            if chunk.is_empty() {
                return Ok(None);
            }
            let (taken, rest) = chunk.split_at(usize::try_from(due).map_or(chunk.len(), |due| due.min(chunk.len())));
            self.head.extend_from_slice(taken);
            *chunk = rest;
        }
        if !self.is_gguf() {
            let header = Header::parse(&self.head).map_err(|error| named(file, error))?;
            let listing = Listing::of_safetensors(header, self.head.len() as u64);
            self.head = Vec::new();
            return Ok(Some((listing, Vec::new())));
        }
        self.head.extend_from_slice(std::mem::take(chunk));
        if self.head.len() < self.tried + self.tried / GROWTH && !whole {
            return Ok(None);
        }
        self.tried = self.head.len();
        let Some(found) = Gguf::parse(file, &self.head)? else { return Ok(None) };
        let listing = Listing::of_gguf(found)?;
        let mut rest = std::mem::take(&mut self.head);
        rest.drain(..rest.len().min(listing.first as usize));
        Ok(Some((listing, rest)))
    }

    /// Bytes that the start has at least, as far as they tell.
    pub fn least(&self, file: &str) -> Result<u64> {
        match self.head.first_chunk::<8>() {
            _ if self.is_gguf() => Ok(8),
            Some(first) => Header::length(*first).map_err(|error| named(file, error)),
            None => Ok(8),
        }
    }

    fn is_gguf(&self) -> bool {
        self.head.starts_with(b"GGUF")
    }
}

/// A header does not know which file it begins.
fn named(file: &str, error: Error) -> Error {
    match error {
        Error::NotSafetensors { reason, .. } => Error::NotSafetensors { file: file.into(), reason },
        other => other,
    }
}
