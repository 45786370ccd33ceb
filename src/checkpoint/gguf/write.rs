//! A GGUF written anew: the settings of the file that was read, byte for byte, and tensors of any number format.

use super::{Gguf, GgufTensor, Names};
use crate::Result;
use crate::checkpoint::BlockType;

/// The version written. Settings and tensors look as in version 2.
const VERSION: u32 = 3;

/// What a file is written from: all of another file but its elements.
#[derive(Debug)]
pub struct Outline {
    /// Names and values as they lie in the file, and how many there are: a few megabytes, most of them the tokenizer's.
    settings: Vec<u8>,
    count: u64,
    alignment: usize,
    /// All tensors in the order of their bytes.
    pub tensors: Vec<GgufTensor>,
    /// What they are called elsewhere.
    pub names: Names,
}

impl Outline {
    /// Of a file. The errors of [`Names::of`].
    pub fn of(file: Gguf) -> Result<Outline> {
        let names = Names::of(&file)?;
        let Gguf { settings, setting_count, alignment, tensors, .. } = file;
        Ok(Outline { settings: settings.to_vec(), count: setting_count, alignment: alignment as usize, tensors, names })
    }

    /// All bytes before the first tensor, for tensors of these formats. Their names, shapes and order are the file's.
    ///
    /// # Panics
    /// Where there are not as many formats as tensors, or where a row is not whole blocks.
    pub fn head(&self, kinds: &[BlockType]) -> Vec<u8> {
        assert_eq!(kinds.len(), self.tensors.len(), "every tensor has a format");
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(&self.settings);
        let mut offset = 0_u64;
        for (tensor, kind) in self.tensors.iter().zip(kinds) {
            bytes.extend((tensor.name.len() as u64).to_le_bytes());
            bytes.extend(tensor.name.as_bytes());
            bytes.extend((tensor.shape.len() as u32).to_le_bytes());
            bytes.extend(tensor.shape.iter().rev().flat_map(|size| (*size as u64).to_le_bytes()));
            bytes.extend(kind.number().to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            offset += self.room(tensor, *kind);
        }
        self.pad(&mut bytes);
        bytes
    }

    /// Bytes of a tensor of this format, with those up to the next one.
    pub fn room(&self, tensor: &GgufTensor, kind: BlockType) -> u64 {
        let bytes = kind.bytes(&tensor.shape).expect("a tensor is written in a format that its rows are blocks of");
        bytes.next_multiple_of(self.alignment as u64)
    }

    /// Fills up to where the next tensor begins.
    pub fn pad(&self, bytes: &mut Vec<u8>) {
        bytes.resize(bytes.len().next_multiple_of(self.alignment), 0);
    }
}
