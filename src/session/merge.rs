//! A whole model file with an adapter folded in, produced piece by piece; the session's own weights stay as they are.

use super::Session;
use crate::adapter::merge::{check_biases, fold, weight_for};
use crate::adapter::{Adapter, TaskType};
use crate::checkpoint::{BlockType, Elements, HostTensor, StoredTensor, safetensors};
use crate::error::{Error, Result};
use crate::models::turned_if;
use serde::{Deserialize, Serialize};

/// The kind of file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MergeFormat {
    /// Floats of 32 bits under Hugging Face's names.
    Safetensors,
    /// The settings, names and number formats of the GGUF that the base model was read from.
    Gguf,
}

/// How an adapter is merged.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MergeOptions {
    /// The file; where it is absent a GGUF, if the base model is one and has no head beside it, else safetensors.
    #[serde(default)]
    pub format: Option<MergeFormat>,
    /// Quantise again what cannot be folded into the scales of its blocks.
    #[serde(default)]
    pub requantise: bool,
}

/// What a merge is going to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MergedFile {
    /// The kind of file.
    pub format: MergeFormat,
    /// Its size.
    pub total_bytes: u64,
}

/// A tensor of the merged file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Hugging Face's name.
    pub name: String,
    /// Its shape as it is kept.
    pub shape: Vec<usize>,
    /// The other way round than in Hugging Face's files.
    pub turned: bool,
    pub source: Source,
    /// The format in which a GGUF has it; None in safetensors.
    pub kind: Option<BlockType>,
}

impl Entry {
    /// Its shape in Hugging Face's files.
    fn hub_shape(&self) -> Vec<usize> {
        turned_if(self.turned, self.shape.clone())
    }
}

/// Where a tensor comes from.
#[derive(Debug)]
pub(super) enum Source {
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
    pub name: String,
    pub adapter: Adapter,
    pub header: Option<Vec<u8>>,
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// The one that is to be written next.
    pub next: usize,
}

impl Session {
    /// Starts writing a file with the adapter folded in.
    /// [`Error::BadAdapter`] where the adapter shifts a layer without a bias, [`Error::NotFoldable`] where the blocks of a GGUF cannot take
    /// it up, [`Error::BadOption`] for a GGUF of what is none.
    pub fn begin_merge(&mut self, name: &str, options: MergeOptions) -> Result<MergedFile> {
        self.check_loaded()?;
        let adapter = self.with_model_head(self.adapter(name)?.clone());
        check_biases(name, &adapter, &self.base)?;
        let whole = self.outline.is_some() && self.base.head_modules().is_empty();
        let usual = if whole { MergeFormat::Gguf } else { MergeFormat::Safetensors };
        let format = options.format.unwrap_or(usual);
        let (merge, total_bytes) = match format {
            MergeFormat::Safetensors => self.safetensors_merge(name, adapter)?,
            MergeFormat::Gguf => self.gguf_merge(name, &adapter, options.requantise)?,
        };
        self.merge = Some(merge);
        Ok(MergedFile { format, total_bytes })
    }

    fn safetensors_merge(&self, name: &str, adapter: Adapter) -> Result<(Merge, u64)> {
        let mut entries = self.entries(&adapter)?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        let shapes: Vec<_> = entries.iter().map(Entry::hub_shape).collect();
        let names = entries.iter().map(|entry| entry.name.as_str());
        let header = safetensors::write_header(names.zip(shapes.iter().map(Vec::as_slice)));
        let elements: usize = entries.iter().map(|entry| entry.shape.iter().product::<usize>()).sum();
        let bytes = header.len() as u64 + 4 * elements as u64;
        Ok((Merge { name: name.into(), adapter, header: Some(header), entries, next: 0 }, bytes))
    }

    /// The next bytes of the file; None at its end.
    pub async fn next_merged(&mut self) -> Result<Option<Vec<u8>>> {
        let mut merge = self
            .merge
            .take()
            .ok_or_else(|| Error::NotReady { what: "no merge is under way: begin one first".into() })?;
        let begun = merge.header.is_none();
        let bytes = match merge.header.take() {
            Some(header) => Some(header),
            None => match merge.entries.get(merge.next) {
                Some(entry) => Some(self.merged(&merge, entry).await?),
                None => None,
            },
        };
        merge.next += usize::from(begun);
        if bytes.is_some() {
            self.merge = Some(merge);
        }
        Ok(bytes)
    }

    async fn merged(&self, merge: &Merge, entry: &Entry) -> Result<Vec<u8>> {
        let tensor = self.tensor(entry).await?;
        let weight = match weight_for(&merge.adapter, &self.base, &entry.name) {
            Some(name) => {
                let weight = merge.entries.iter().find(|entry| entry.name == name);
                Some(self.tensor(weight.ok_or(Error::TensorMissing { name })?).await?.dequantised())
            }
            None => None,
        };
        if let Some(kind) = entry.kind {
            return self.merged_gguf(merge, entry, kind, tensor, weight.as_ref());
        }
        let mut tensor = tensor.dequantised();
        fold(&merge.name, &merge.adapter, &self.base, &entry.name, &mut tensor, weight.as_ref())?;
        let data = if entry.turned { columns_first(&tensor) } else { tensor.data };
        Ok(bytemuck::cast_slice(&data).to_vec())
    }

    /// A tensor as the base model has it.
    async fn tensor(&self, entry: &Entry) -> Result<StoredTensor> {
        Ok(match &entry.source {
            Source::Device { leaf, start } => {
                let backend = self.backend.as_ref().expect("a loaded session has a device");
                let packed = backend.read(leaf).await?;
                let end = start + entry.shape.iter().product::<usize>();
                let elements = match packed.elements {
                    Elements::Floats(data) => Elements::Floats(data[*start..end].to_vec()),
                    Elements::Blocks { kind, bytes } => {
                        let at = |element: usize| element / kind.elements() * kind.block_bytes();
                        Elements::Blocks { kind, bytes: bytes[at(*start)..at(end)].to_vec() }
                    }
                };
                StoredTensor { shape: entry.shape.clone(), elements }
            }
            Source::Head(tensor) => tensor.clone().into(),
            Source::Extra(name) => self.extra[name].clone(),
        })
    }

    /// Every tensor of the file, named as transformers names it in the task model.
    pub(super) fn entries(&self, adapter: &Adapter) -> Result<Vec<Entry>> {
        let prefix = self.model.prefix();
        let mut entries = Vec::new();
        let entry = |name: String, shape: &[usize], source| Entry {
            name,
            shape: shape.to_vec(),
            turned: false,
            source,
            kind: None,
        };
        for weight in self.model.weights()? {
            for leaf in weight.leaves(&self.model.formats) {
                let mut start = 0;
                for (part, shape) in leaf.parts {
                    let source = Source::Device { leaf: leaf.name.clone(), start };
                    let kept = turned_if(leaf.format.turned, shape.clone());
                    entries.push(Entry { turned: leaf.format.turned, ..entry(self.model.full(part), &kept, source) });
                    start += shape.iter().product::<usize>();
                }
            }
        }
        let kept = self.extra.iter();
        entries.extend(
            kept.map(|(name, tensor)| entry(format!("{prefix}{name}"), &tensor.shape, Source::Extra(name.clone()))),
        );
        if self.base.task != TaskType::FeatureExtraction {
            let tensors = adapter.head.iter().flat_map(|head| head.tensors());
            entries.extend(tensors.map(|(name, tensor)| entry(name, &tensor.shape.clone(), Source::Head(tensor))));
        }
        Ok(entries)
    }
}

/// The elements of a matrix, column by column.
fn columns_first(HostTensor { shape, data }: &HostTensor) -> Vec<f32> {
    let column = |column: usize| data.iter().skip(column).step_by(shape[1]).copied();
    (0..shape[1]).flat_map(column).collect()
}
