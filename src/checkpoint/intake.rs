//! A tensor's bytes on their way from a file into the number format that it is kept in. Only as much of it as that format takes is ever
//! held, and a block of the file's.

use super::quantise::quantise;
use super::{BlockType, Elements};
use crate::Result;

/// Takes the bytes of one tensor in order, in chunks of any size. [`Error::OutOfMemory`](crate::Error::OutOfMemory) where there is no room for them.
#[derive(Debug)]
pub(super) struct Intake {
    /// What errors call the tensor.
    name: String,
    /// The file's format.
    kind: BlockType,
    elements: Elements,
    /// Start of a block whose end is in the next chunk.
    partial: Vec<u8>,
    /// Elements that are not enough for a block of the format they are kept in.
    pending: Vec<f32>,
}

impl Intake {
    /// Awaits blocks of `kind` of the tensor `name` and keeps them in the format `kept`, of which every row must be whole blocks.
    pub fn new(name: &str, kind: BlockType, kept: BlockType) -> Intake {
        let elements = match kept {
            BlockType::F32 => Elements::Floats(Vec::new()),
            kept => Elements::Blocks { kind: kept, bytes: Vec::new() },
        };
        Intake { name: name.into(), kind, elements, partial: Vec::new(), pending: Vec::new() }
    }

    /// Asks for the memory of `count` elements at once.
    pub fn reserve(&mut self, count: u64) -> Result<()> {
        self.elements.reserve_exact(&self.name, count)
    }

    /// Takes the next bytes.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        let size = self.kind.block_bytes();
        if !self.partial.is_empty() {
            let (end, rest) = bytes.split_at(bytes.len().min(size - self.partial.len()));
            self.partial.extend_from_slice(end);
            bytes = rest;
            if self.partial.len() == size {
                let block = std::mem::take(&mut self.partial);
                self.blocks(&block)?;
            }
        }
        let (whole, rest) = bytes.split_at(bytes.len() / size * size);
        self.blocks(whole)?;
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Takes whole blocks.
    fn blocks(&mut self, blocks: &[u8]) -> Result<()> {
        let count = blocks.len() / self.kind.block_bytes() * self.kind.elements();
        self.elements.reserve(&self.name, count as u64)?;
        match &mut self.elements {
            Elements::Floats(data) => self.kind.dequantise(blocks, data),
            Elements::Blocks { kind, bytes } if *kind == self.kind => bytes.extend_from_slice(blocks),
            Elements::Blocks { kind, bytes } => {
                // Some at a time: a chunk may be as large as the file.
                for part in blocks.chunks(self.kind.block_bytes() << 12) {
                    self.kind.dequantise(part, &mut self.pending);
                    let whole = self.pending.len() / kind.elements() * kind.elements();
                    quantise(*kind, &self.pending[..whole], bytes);
                    self.pending.drain(..whole);
                }
            }
        }
        Ok(())
    }

    /// The tensor's elements, once all bytes have come.
    pub fn finish(self) -> Elements {
        self.elements
    }
}
