//! The base model's weights on a GPU.

use super::Gpu;
use super::faults::describe;
use super::memory::{Answer, Buffer};
use super::readback::Readback;
use crate::checkpoint::{BlockType, Elements, StoredTensor};
use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::ops::{from_words, to_words};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// A tensor of the base model. Blocks are whole words each, as kernels read them.
struct Weight {
    shape: Shape,
    kind: BlockType,
    words: usize,
    buffer: Buffer,
}

/// All of them, by name.
#[derive(Default)]
pub(super) struct Weights {
    tensors: HashMap<String, Weight>,
    /// What the device will say of those that it was given.
    asked: BTreeMap<String, Answer>,
}

impl Gpu {
    /// Takes over one tensor of the base model.
    pub fn load(&mut self, name: &str, tensor: StoredTensor) -> Result<()> {
        self.faults.check()?;
        let kind = tensor.kind();
        let bytes = match &tensor.elements {
            Elements::Floats(data) => Cow::Borrowed(bytemuck::cast_slice(data)),
            Elements::Blocks { kind, bytes } => to_words(*kind, bytes),
        };
        let words = bytes.len() / 4;
        let what = format!("tensor '{name}'");
        let (buffer, answer) = self.memory.watched(|| {
            let buffer = self.memory.storage(&what, words)?;
            self.queue.write_buffer(&buffer, 0, &bytes);
            Ok(buffer)
        })?;
        self.weights.asked.insert(name.into(), answer);
        self.weights.tensors.insert(name.into(), Weight { shape: tensor.shape, kind, words, buffer });
        Ok(())
    }

    /// Waits until the device has said whether it had the memory for all weights so far; those that it had none for are gone.
    pub async fn check_weights(&mut self) -> Result<()> {
        let mut first = Ok(());
        for (name, answer) in std::mem::take(&mut self.weights.asked) {
            if let Some(error) = answer.await {
                let bytes = self.weights.tensors.remove(&name).map_or(0, |weight| weight.words as u64 * 4);
                first = first.and(Err(describe(error, &format!("tensor '{name}'"), bytes)));
            }
        }
        self.faults.check()?;
        first
    }

    /// A copy of one tensor of the base model.
    pub async fn read(&self, name: &str) -> Result<StoredTensor> {
        self.faults.check()?;
        let weight = self.weights.tensors.get(name).ok_or_else(|| Error::TensorMissing { name: name.into() })?;
        let mut readback = Readback::new(&self.memory, weight.words)?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        readback.copy(&mut encoder, &weight.buffer, 0, 0, weight.words);
        self.queue.submit([encoder.finish()]);
        readback.request();
        let mut data = readback.read(&self.device, &self.faults).await?;
        data.truncate(weight.words);
        let elements = match weight.kind {
            BlockType::F32 => Elements::Floats(data),
            kind => Elements::Blocks { kind, bytes: from_words(kind, bytemuck::cast_slice(&data).to_vec()) },
        };
        Ok(StoredTensor { shape: weight.shape.clone(), elements })
    }

    /// Bytes of the weights.
    pub fn weight_bytes(&self) -> usize {
        self.weights.tensors.values().map(|weight| weight.words * 4).sum()
    }

    pub(super) fn weight(&self, name: &str) -> Result<&wgpu::Buffer> {
        let found = self.weights.tensors.get(name).ok_or_else(|| Error::TensorMissing { name: name.into() })?;
        Ok(&found.buffer)
    }
}
