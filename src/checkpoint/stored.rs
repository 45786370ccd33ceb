//! A tensor in memory in the number format that it is computed with: floats, or the blocks of its file.

use super::quantise::quantise;
use super::{BlockType, HostTensor};
use crate::{Error, Result};

/// The elements of a tensor, row by row.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// 32-bit floats.
    Floats(Vec<f32>),
    /// Blocks as [`BlockType`] lays them out; every row is whole blocks.
    Blocks {
        /// Their format.
        kind: BlockType,
        /// All of them.
        bytes: Vec<u8>,
    },
}

impl Elements {
    /// Makes room for so many more elements, exactly: what a vector reserves beyond would be held as long as the weights are.
    /// [`Error::OutOfMemory`] calls the tensor `name`.
    pub fn reserve_exact(&mut self, name: &str, count: u64) -> Result<()> {
        self.make_room(name, count, true)
    }

    /// Makes room for so many more elements and, where there is enough memory, for others to come. [`Error::OutOfMemory`] calls the tensor `name`.
    pub fn reserve(&mut self, name: &str, count: u64) -> Result<()> {
        self.make_room(name, count, false)
    }

    fn make_room(&mut self, name: &str, count: u64, exact: bool) -> Result<()> {
        fn had<T>(data: &mut Vec<T>, more: u64, exact: bool) -> bool {
            let Ok(more) = usize::try_from(more) else { return false };
            (!exact && data.try_reserve(more).is_ok()) || data.try_reserve_exact(more).is_ok()
        }
        let (bytes, had) = match self {
            Elements::Floats(data) => (count.saturating_mul(4), had(data, count, exact)),
            Elements::Blocks { kind, bytes } => {
                let more = (count / kind.elements() as u64).saturating_mul(kind.block_bytes() as u64);
                (more, had(bytes, more, exact))
            }
        };
        if had { Ok(()) } else { Err(Error::OutOfMemory { what: format!("tensor '{name}'"), bytes }) }
    }

    /// Appends elements of the same format. Panics for those of another: that is a fault of the caller.
    pub fn extend(&mut self, other: Elements) {
        match (self, other) {
            (Elements::Floats(data), Elements::Floats(other)) => data.extend(other),
            (Elements::Blocks { kind, bytes }, Elements::Blocks { kind: other_kind, bytes: other })
                if *kind == other_kind =>
            {
                bytes.extend(other);
            }
            _ => panic!("elements of two formats cannot be one tensor's"),
        }
    }
}

/// A tensor of a base model.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Length of each dimension, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// The elements; as many as the product of `shape`.
    pub elements: Elements,
}

impl StoredTensor {
    /// The number format.
    pub fn kind(&self) -> BlockType {
        match &self.elements {
            Elements::Floats(_) => BlockType::F32,
            Elements::Blocks { kind, .. } => *kind,
        }
    }

    /// As floats.
    pub fn dequantised(self) -> HostTensor {
        let data = match self.elements {
            Elements::Floats(data) => data,
            Elements::Blocks { kind, bytes } => {
                let mut data = Vec::with_capacity(self.shape.iter().product());
                kind.dequantise(&bytes, &mut data);
                data
            }
        };
        HostTensor { shape: self.shape, data }
    }

    /// The same in the format `kind`, quantised anew unless it has that format; None where the format cannot hold its numbers.
    pub fn in_format(self, kind: BlockType) -> Option<StoredTensor> {
        if self.kind() == kind {
            return Some(self);
        }
        let HostTensor { shape, data } = self.dequantised();
        if kind == BlockType::F32 {
            return Some(StoredTensor { shape, elements: Elements::Floats(data) });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(kind.bytes(&shape)?).ok()?);
        quantise(kind, &data, &mut bytes);
        let mut read = Vec::with_capacity(data.len());
        kind.dequantise(&bytes, &mut read);
        let found = StoredTensor { shape, elements: Elements::Blocks { kind, bytes } };
        read.iter().all(|x| x.is_finite()).then_some(found)
    }

    /// The elements as a file has them.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.elements {
            Elements::Floats(data) => bytemuck::cast_slice(&data).to_vec(),
            Elements::Blocks { bytes, .. } => bytes,
        }
    }
}

impl From<HostTensor> for StoredTensor {
    fn from(tensor: HostTensor) -> StoredTensor {
        StoredTensor { shape: tensor.shape, elements: Elements::Floats(tensor.data) }
    }
}
