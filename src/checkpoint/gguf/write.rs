//! A GGUF written anew: the settings of the file that was read, byte for byte, and tensors of any number format.

use super::metadata::whole_number_at;
use super::{Gguf, GgufTensor, Names};
use crate::Result;
use crate::checkpoint::BlockType;
use std::collections::BTreeMap;

/// The version written. Settings and tensors look as in version 2.
const VERSION: u32 = 3;

/// llama.cpp's number of a file whose matrices are mostly of a format: `llama_ftype` in `llama.h`. Of those that mix formats the usual one.
fn file_type(kind: BlockType) -> u64 {
    match kind {
        BlockType::F32 => 0,
        BlockType::F16 => 1,
        BlockType::Q4_0 => 2,
        BlockType::Q4_1 => 3,
        BlockType::Q8_0 => 7,
        BlockType::Q5_0 => 8,
        BlockType::Q5_1 => 9,
        BlockType::Q4_K => 15,
        BlockType::Q5_K => 17,
        BlockType::Q6_K => 18,
        BlockType::BF16 => 32,
    }
}

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

    /// All bytes before the first tensor, for tensors of these formats. Their names, shapes and order are the file's; where its formats are
    /// others, its `general.file_type` becomes that of the format that most elements have.
    ///
    /// # Panics
    /// Where there are not as many formats as tensors, or where a row is not whole blocks.
    pub fn head(&self, kinds: &[BlockType]) -> Vec<u8> {
        assert_eq!(kinds.len(), self.tensors.len(), "every tensor has a format");
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(self.settings_for(kinds));
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

    fn settings_for(&self, kinds: &[BlockType]) -> Vec<u8> {
        let mut settings = self.settings.clone();
        if self.tensors.iter().zip(kinds).any(|(tensor, kind)| tensor.kind != *kind)
            && let Some(place) = whole_number_at(&settings, "general.file_type")
        {
            let mut elements: BTreeMap<BlockType, usize> = BTreeMap::new();
            for (tensor, kind) in self.tensors.iter().zip(kinds) {
                *elements.entry(*kind).or_default() += tensor.shape.iter().product::<usize>();
            }
            let most = elements.into_iter().max_by_key(|(_, count)| *count).map_or(BlockType::F32, |(kind, _)| kind);
            let number = file_type(most).to_le_bytes();
            let length = place.len();
            settings[place].copy_from_slice(&number[..length]);
        }
        settings
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
