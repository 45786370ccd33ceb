//! A whole model file with an adapter folded in, produced piece by piece; the session's own weights stay as they are.

use super::Session;
use crate::adapter::merge::fold;
use crate::adapter::{Adapter, Pooling};
use crate::checkpoint::{HostTensor, safetensors};
use crate::error::{Error, Result};

/// A tensor of the merged file.
#[derive(Debug)]
struct Entry {
    name: String,
    shape: Vec<usize>,
    /// The device's tensor it is a part of, and which part; None for those kept beside the device.
    source: Option<(String, usize)>,
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
    pub fn begin_merge(&mut self, name: &str) -> Result<u64> {
        self.check_loaded()?;
        let adapter = self.with_model_head(self.adapter(name)?.clone());
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
        let head = merge.adapter.head.as_ref();
        let mut tensor = match (&entry.source, entry.name.as_str(), head) {
            (Some((leaf, part)), ..) => {
                let backend = self.backend.as_ref().expect("a loaded session has a device");
                let packed = backend.read(leaf).await?;
                let count: usize = entry.shape.iter().product();
                HostTensor { shape: entry.shape.clone(), data: packed.data[part * count..(part + 1) * count].to_vec() }
            }
            (None, "classifier.weight", Some(head)) => {
                HostTensor { shape: entry.shape.clone(), data: head.weight.clone() }
            }
            (None, "classifier.bias", Some(head)) => HostTensor { shape: entry.shape.clone(), data: head.bias.clone() },
            (None, name, _) => self.extra[name.strip_prefix(self.model.prefix()).unwrap_or(name)].clone(),
        };
        fold(&merge.name, &merge.adapter, &self.base, &entry.name, &mut tensor)?;
        Ok(bytemuck::cast_slice(&tensor.data).to_vec())
    }

    /// Every tensor of the file, named as transformers names it in the task model.
    fn entries(&self, adapter: &Adapter) -> Result<Vec<Entry>> {
        let prefix = self.model.prefix();
        let mut entries = Vec::new();
        for (leaf, shape) in self.model.weights()? {
            let parts: Vec<&str> = leaf.split('+').collect();
            let mut part_shape = shape.clone();
            part_shape[0] /= parts.len();
            entries.extend(parts.iter().enumerate().map(|(at, part)| Entry {
                name: format!("{prefix}{part}"),
                shape: part_shape.clone(),
                source: Some((leaf.clone(), at)),
            }));
        }
        let kept = |(name, tensor): (&String, &HostTensor)| {
            let (name, shape) = (format!("{prefix}{name}"), tensor.shape.clone());
            Entry { name, shape, source: None }
        };
        entries.extend(self.extra.iter().map(kept));
        if let (Pooling::Pooler, Some(head)) = (self.options.pooling, &adapter.head) {
            let labels = head.labels.len();
            let entry = |name: &str, shape: Vec<usize>| Entry { name: name.into(), shape, source: None };
            entries.push(entry("classifier.weight", vec![labels, head.hidden]));
            entries.push(entry("classifier.bias", vec![labels]));
        }
        Ok(entries)
    }
}
