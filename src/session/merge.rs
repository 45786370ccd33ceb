//! A whole model file with an adapter folded in, produced piece by piece; the session's own weights stay as they are.

use super::Session;
use crate::adapter::merge::{check_biases, fold, weight_for};
use crate::adapter::{Adapter, TaskType};
use crate::checkpoint::{HostTensor, safetensors};
use crate::error::{Error, Result};

/// A tensor of the merged file.
#[derive(Debug)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    source: Source,
}

/// Where a tensor comes from.
#[derive(Debug)]
enum Source {
    /// The device's tensor it is a part of, from this element on.
    Device { leaf: String, start: usize },
    /// The adapter's head.
    Head(HostTensor),
    /// Those kept beside the device.
    Extra(String),
}

/// A merge under way.
#[derive(Debug)]
pub(super) struct Merge {
    name: String,
    adapter: Adapter,
    header: Option<Vec<u8>>,
    /// In reverse order of the file.
    entries: Vec<Entry>,
}

impl Session {
    /// Starts writing a `model.safetensors` with the adapter folded in. Returns its size in bytes.
    /// [`Error::BadAdapter`] where the adapter shifts a layer without a bias.
    pub fn begin_merge(&mut self, name: &str) -> Result<u64> {
        self.check_loaded()?;
        let adapter = self.with_model_head(self.adapter(name)?.clone());
        check_biases(name, &adapter, &self.base)?;
        let mut entries = self.entries(&adapter)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let header =
            safetensors::write_header(entries.iter().map(|entry| (entry.name.as_str(), entry.shape.as_slice())));
        let elements: usize = entries.iter().map(|entry| entry.shape.iter().product::<usize>()).sum();
        let bytes = header.len() as u64 + 4 * elements as u64;
        entries.reverse();
        self.merge = Some(Merge { name: name.into(), adapter, header: Some(header), entries });
        Ok(bytes)
    }

    /// The next bytes of the file; None at its end.
    pub async fn next_merged(&mut self) -> Result<Option<Vec<u8>>> {
        let mut merge = self
            .merge
            .take()
            .ok_or_else(|| Error::NotReady { what: "no merge is under way: begin one first".into() })?;
        let bytes = match merge.header.take() {
            Some(header) => Some(header),
            None => match merge.entries.pop() {
                Some(entry) => Some(self.merged(&merge, &entry).await?),
                None => None,
            },
        };
        if bytes.is_some() {
            self.merge = Some(merge);
        }
        Ok(bytes)
    }

    async fn merged(&self, merge: &Merge, entry: &Entry) -> Result<Vec<u8>> {
        let mut tensor = self.tensor(entry).await?;
        let weight = match weight_for(&merge.adapter, &self.base, &entry.name) {
            Some(name) => {
                // In the order of names a bias comes before its weight, which is still to be written.
                let weight = merge.entries.iter().find(|entry| entry.name == name);
                Some(self.tensor(weight.ok_or(Error::TensorMissing { name })?).await?)
            }
            None => None,
        };
        fold(&merge.name, &merge.adapter, &self.base, &entry.name, &mut tensor, weight.as_ref())?;
        Ok(bytemuck::cast_slice(&tensor.data).to_vec())
    }

    /// A tensor as the base model has it.
    async fn tensor(&self, entry: &Entry) -> Result<HostTensor> {
        Ok(match &entry.source {
            Source::Device { leaf, start } => {
                let backend = self.backend.as_ref().expect("a loaded session has a device");
                let packed = backend.read(leaf).await?.dequantised();
                let count: usize = entry.shape.iter().product();
                HostTensor { shape: entry.shape.clone(), data: packed.data[*start..start + count].to_vec() }
            }
            Source::Head(tensor) => tensor.clone(),
            Source::Extra(name) => self.extra[name].clone(),
        })
    }

    /// Every tensor of the file, named as transformers names it in the task model.
    fn entries(&self, adapter: &Adapter) -> Result<Vec<Entry>> {
        let prefix = self.model.prefix();
        let mut entries = Vec::new();
        for weight in self.model.weights()? {
            for leaf in weight.leaves(&self.model.formats) {
                let mut start = 0;
                for (part, shape) in leaf.parts {
                    let source = Source::Device { leaf: leaf.name.clone(), start };
                    entries.push(Entry { name: self.model.full(part), shape: shape.clone(), source });
                    start += shape.iter().product::<usize>();
                }
            }
        }
        let kept = |(name, tensor): (&String, &HostTensor)| {
            let (own, shape) = (format!("{prefix}{name}"), tensor.shape.clone());
            Entry { name: own, shape, source: Source::Extra(name.clone()) }
        };
        entries.extend(self.extra.iter().map(kept));
        if self.base.task != TaskType::FeatureExtraction {
            let tensors = adapter.head.iter().flat_map(|head| head.tensors());
            let entry = |(name, tensor): (String, HostTensor)| {
                let shape = tensor.shape.clone();
                Entry { name, shape, source: Source::Head(tensor) }
            };
            entries.extend(tensors.map(entry));
        }
        Ok(entries)
    }
}
