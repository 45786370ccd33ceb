//! The GGUF that the base model was read from, with an adapter folded in.

use super::Session;
use super::merge::{Entry, Merge, Source};
use crate::adapter::Adapter;
use crate::adapter::blocks::{fold_stored, through_gates, too_large, written};
use crate::checkpoint::gguf::Outline;
use crate::checkpoint::{BlockType, HostTensor, StoredTensor};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

impl Session {
    /// A merge that writes every tensor of the file the model was read from, and the size of what it writes.
    pub(super) fn gguf_merge(&self, name: &str, adapter: &Adapter, requantise: bool) -> Result<(Merge, u64)> {
        let outline = self.outline()?;
        let mut held: BTreeMap<String, Entry> = BTreeMap::new();
        for entry in self.entries(adapter)? {
            held.insert(self.model.bare(&entry.name).into(), entry);
        }
        let mut entries = Vec::with_capacity(outline.tensors.len());
        for tensor in &outline.tensors {
            let hub = outline.names.name_of(&tensor.name);
            entries.push(held.remove(self.model.bare(&hub)).ok_or(Error::TensorMissing { name: hub })?);
        }
        let read =
            |name: &str| self.model.formats.get(self.model.bare(name)).map_or(BlockType::F32, |format| format.kind);
        let kept = |entry: &Entry| match &entry.source {
            Source::Extra(name) => self.extra[name].kind(),
            Source::Device { .. } | Source::Head(_) => read(&entry.name),
        };
        let adapter = through_gates(adapter, &self.base, |module| read(&format!("{module}.weight")).has_scales());
        let tensors = entries.iter().zip(&outline.tensors);
        let tensors = tensors.map(|(entry, tensor)| (entry.name.as_str(), kept(entry), tensor.kind));
        let kinds = written(name, &adapter, &self.base, tensors, requantise)?;
        let header = outline.head(&kinds);
        let rooms = outline.tensors.iter().zip(&kinds).map(|(tensor, kind)| outline.room(tensor, *kind));
        let bytes = header.len() as u64 + rooms.sum::<u64>();
        entries.iter_mut().zip(kinds).for_each(|(entry, kind)| entry.kind = Some(kind));
        Ok((Merge { name: name.into(), adapter, header: Some(header), entries, next: 0 }, bytes))
    }

    /// The bytes of the entry that comes next, up to where the one after it begins. `weight`: see [`fold_stored`].
    pub(super) fn merged_gguf(
        &self,
        merge: &Merge,
        entry: &Entry,
        kind: BlockType,
        tensor: StoredTensor,
        weight: Option<&HostTensor>,
    ) -> Result<Vec<u8>> {
        let outline = self.outline()?;
        let own = &outline.tensors[merge.next].name;
        let folded = fold_stored(&merge.name, &merge.adapter, &self.base, &entry.name, tensor, weight)?;
        let restored = outline.names.restore(own, folded).in_format(kind);
        let mut bytes = restored.ok_or_else(|| too_large(&merge.name, own))?.into_bytes();
        outline.pad(&mut bytes);
        Ok(bytes)
    }

    /// [`Error::BadOption`] where the base model is not a GGUF, or is more than that.
    fn outline(&self) -> Result<&Outline> {
        let bad = |reason: &str| Error::BadOption { option: "format".into(), reason: reason.into() };
        if !self.base.head_modules().is_empty() {
            return Err(bad("is \"gguf\", which has no place for the head: use \"safetensors\""));
        }
        let none = "is \"gguf\", and the base model was not read from a GGUF of one file: use \"safetensors\"";
        self.outline.as_ref().ok_or_else(|| bad(none))
    }
}
