//! The weights: streamed in, packed as the graph wants them, put on the device.

use super::Session;
use super::dtype;
use super::shortage::shortage;
use crate::adapter::{Head, HeadLayer};
use crate::checkpoint::gguf::Outline;
use crate::checkpoint::{Arrived, HostTensor, StoredTensor, StreamReader};
use crate::error::{Error, Result};
use crate::models::{Format, Weight, turned_if};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// The tensor that divides frequencies of rotary embeddings, in a GGUF and in what is merged from one.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// A tensor the graph reads, being put together from tensors of the file.
#[derive(Debug)]
struct Packed {
    weight: Weight,
    /// The parts that have come, and how they are kept.
    found: Vec<Option<(StoredTensor, Format)>>,
}

/// The weights on their way in.
pub(super) struct Loader {
    reader: Option<StreamReader>,
    /// Name and number format of the tensors that cannot be read.
    skipped: Vec<(String, String)>,
    /// Every tensor so far and its file, where there may be several.
    seen: BTreeMap<String, String>,
    /// Those that are not whole yet.
    wanted: Vec<Packed>,
    /// How many files were begun, and the last one's outline.
    files: usize,
    outline: Option<Outline>,
    /// Tensors of the task's own head.
    head: BTreeMap<String, HostTensor>,
}

impl Session {
    /// Gets ready for the files of the weights; a second call loads them again.
    pub fn begin_weights(&mut self) -> Result<()> {
        if self.backend.is_none() {
            return Err(Error::NotReady { what: "no device is open yet: open one first".into() });
        }
        let packed = |weight: Weight| Packed { found: vec![None; weight.parts.len()], weight };
        let wanted = self.model.weights()?.into_iter().map(packed).collect();
        self.model.formats.clear();
        // Programs hold on to the tensors they were made with.
        self.drop_programs();
        if let Some(run) = &mut self.run {
            run.leave_device();
        }
        self.outline = None;
        self.loader = Some(Loader {
            reader: None,
            skipped: Vec::new(),
            seen: BTreeMap::new(),
            wanted,
            files: 0,
            outline: None,
            head: BTreeMap::new(),
        });
        self.loaded = false;
        Ok(())
    }

    /// Awaits the bytes of `model.safetensors` or of the next shard. Length and hash are checked where given, those of the file before
    /// it now.
    pub fn begin_file(&mut self, file: &str, content_length: Option<u64>, sha256: Option<[u8; 32]>) -> Result<()> {
        let kept = dtype::choice(self.options.dtype, &self.model)?;
        let loader = self.loader.as_mut().ok_or_else(not_begun)?;
        loader.finish_file()?;
        loader.files += 1;
        loader.reader = Some(StreamReader::new(file, content_length, sha256, kept));
        Ok(())
    }

    /// Takes the next bytes of the file.
    pub fn feed_weights(&mut self, chunk: &[u8]) -> Result<()> {
        let mut loader = self.loader.take().ok_or_else(not_begun)?;
        let found = match loader.reader.take() {
            None => Err(not_begun()),
            Some(mut reader) => {
                let file = reader.file().to_string();
                let found = reader.feed(chunk, &mut |arrived| {
                    loader.check_new(arrived.name, &file)?;
                    self.take_tensor(&mut loader, arrived)
                });
                let found = found.map_err(|error| self.told_of_memory(error, &reader));
                loader.reader = Some(reader);
                found
            }
        };
        self.loader = Some(loader);
        found
    }

    /// Checks that the device has the memory of all weights so far. A GPU says so some time after it was asked.
    async fn check_memory(&mut self, reader: Option<&StreamReader>) -> Result<()> {
        let Some(backend) = &mut self.backend else { return Ok(()) };
        let found = backend.check_weights().await;
        match reader {
            Some(reader) => found.map_err(|error| self.told_of_memory(error, reader)),
            None => found,
        }
    }

    /// Where memory is what is missing, how much, and what would need less.
    fn told_of_memory(&self, error: Error, reader: &StreamReader) -> Error {
        let Error::OutOfMemory { what, bytes } = error else { return error };
        let held = self.weight_bytes() as u64;
        match shortage(&self.model, self.options.dtype, reader, what, bytes, held) {
            Ok(shortage) => Error::WeightsTooLarge(Box::new(shortage)),
            Err(other) => other,
        }
    }

    /// Checks that the last file was whole, that all of them held everything the model needs, and that the device has the memory for it.
    pub async fn finish_weights(&mut self) -> Result<()> {
        let mut loader = self.loader.take().ok_or_else(not_begun)?;
        self.check_memory(loader.reader.as_ref()).await?;
        loader.finish_file()?;
        let skipped = std::mem::take(&mut loader.skipped);
        if let Some(Packed { weight, found }) = loader.wanted.first() {
            let missing = weight.parts.iter().zip(found).find(|(_, found)| found.is_none());
            let name = missing.map_or_else(String::new, |((name, _), _)| name.clone());
            return Err(match skipped.into_iter().find(|(skipped, _)| self.model.bare(skipped) == name) {
                Some((name, dtype)) => Error::TensorDtype { name, dtype },
                None => Error::TensorMissing { name },
            });
        }
        if !self.base.head_modules().is_empty() && self.base_head.is_none() {
            self.base_head = Some(self.own_head(loader.head)?);
        }
        // Only a weight's file says how LLaMA 3 stretches its rotary embeddings where that is a GGUF.
        if let Some(factors) = self.extra.get(ROPE_FACTORS)
            && let Some(family) = self.model.family.with_rope_factors(&factors.clone().dequantised().data)?
        {
            self.model.family = family;
        }
        // Which way round the weights are is known now.
        self.base.sites = self.model.sites()?;
        // Only a GGUF that is the whole model can be written again.
        self.outline = loader.outline.filter(|_| loader.files == 1);
        self.loaded = true;
        Ok(())
    }

    /// Puts one tensor of the file where it belongs.
    fn take_tensor(&mut self, loader: &mut Loader, Arrived { name, tensor, turned }: Arrived) -> Result<()> {
        let bare = self.model.bare(name).to_string();
        let place = |packed: &Packed| packed.weight.parts.iter().position(|(part, _)| *part == bare);
        let found = loader.wanted.iter().enumerate().find_map(|(at, packed)| Some((at, place(packed)?)));
        let Some((at, part)) = found else {
            let heads = self.base.head_modules();
            if bare.rsplit_once('.').is_some_and(|(module, _)| heads.contains(&module)) {
                loader.head.insert(bare, tensor.dequantised());
            } else {
                self.extra.insert(bare, tensor);
            }
            return Ok(());
        };
        let packed = &mut loader.wanted[at];
        let format = Format { kind: tensor.kind(), turned };
        let expected = turned_if(turned, packed.weight.parts[part].1.clone());
        if tensor.shape != expected {
            return Err(Error::TensorShape { name: name.into(), expected, found: tensor.shape });
        }
        packed.found[part] = Some((tensor, format));
        if packed.found.iter().all(Option::is_some) {
            self.put(loader.wanted.remove(at))?;
        }
        Ok(())
    }

    /// Puts a whole weight on the device.
    fn put(&mut self, Packed { weight, found }: Packed) -> Result<()> {
        let (found, formats): (Vec<StoredTensor>, Vec<Format>) = found.into_iter().flatten().unzip();
        let formats = weight.parts.iter().map(|(name, _)| name.clone()).zip(formats);
        self.model.formats.extend(formats.filter(|(_, format)| *format != Format::default()));
        let mut found = found.into_iter();
        let backend = self.backend.as_mut().expect("a loader is made only with a device");
        for leaf in weight.leaves(&self.model.formats) {
            let mut whole = found.next().expect("every part has come").elements;
            let rest =
                leaf.parts[1..].iter().map(|(_, shape)| shape.iter().map(|size| *size as u64).product::<u64>()).sum();
            whole.reserve_exact(&leaf.name, rest)?;
            found.by_ref().take(leaf.parts.len() - 1).for_each(|part| whole.extend(part.elements));
            backend.load(&leaf.name, StoredTensor { shape: leaf.shape(), elements: whole })?;
        }
        Ok(())
    }

    /// The file's own head if it has one for these labels; else one drawn as transformers draws it, N(0, 0.02) and zero bias.
    fn own_head(&self, mut found: BTreeMap<String, HostTensor>) -> Result<Head> {
        let mut rng = SmallRng::seed_from_u64(self.options.seed);
        let mut normal = || -> f32 {
            // Box-Muller.
            let (u, v): (f32, f32) = (rng.random::<f32>().max(f32::MIN_POSITIVE), rng.random());
            (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
        };
        let mut layers = Vec::with_capacity(self.base.head.len());
        for (module, rows, columns, bias) in self.base.head_sizes() {
            let mut own = |kind: &str, shape: &[usize]| {
                found
                    .remove(&format!("{module}.{kind}"))
                    .filter(|tensor| tensor.shape == shape)
                    .map(|tensor| tensor.data)
            };
            let weight = own("weight", &[rows, columns]);
            let held = if bias { own("bias", &[rows]) } else { Some(Vec::new()) };
            let (weight, bias) = match (weight, held) {
                (Some(weight), Some(bias)) => (weight, bias),
                _ => {
                    let weight = (0..rows * columns).map(|_| 0.02 * normal()).collect();
                    (weight, vec![0.0; if bias { rows } else { 0 }])
                }
            };
            layers.push(HeadLayer { module, weight, bias, in_features: columns });
        }
        Ok(Head { layers, labels: self.base.labels.clone() })
    }
}

impl Loader {
    /// Ends the file being read, if there is one.
    fn finish_file(&mut self) -> Result<()> {
        let Some(mut reader) = self.reader.take() else { return Ok(()) };
        self.skipped.extend_from_slice(reader.skipped());
        self.outline = reader.outline();
        reader.finish()
    }

    /// A file cannot hold a tensor twice, but two shards can: which of them counts, nobody could tell.
    fn check_new(&mut self, name: &str, file: &str) -> Result<()> {
        match self.seen.insert(name.into(), file.into()) {
            None => Ok(()),
            Some(other) => {
                let reason = format!("it has tensor '{name}', which {other} has too");
                Err(Error::NotSafetensors { file: file.into(), reason })
            }
        }
    }
}

fn not_begun() -> Error {
    Error::NotReady { what: "no weights are being loaded: begin first".into() }
}
