//! The weights: streamed in, packed as the graph wants them, put on the device.

use super::Session;
use crate::adapter::{Head, HeadLayer};
use crate::checkpoint::{HostTensor, StreamReader};
use crate::error::{Error, Result};
use crate::graph::Shape;
use crate::models::Weight;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// A tensor the graph reads, being put together from tensors of the file.
#[derive(Debug)]
struct Packed {
    shape: Shape,
    /// Names in the file (bare), shapes and, when they have come, their elements.
    parts: Vec<(String, Shape, Option<Vec<f32>>)>,
}

/// The weights on their way in.
pub(super) struct Loader {
    reader: Option<StreamReader>,
    /// Name and number format of the tensors that cannot be read.
    skipped: Vec<(String, String)>,
    /// Every tensor so far and its file, where there may be several.
    seen: BTreeMap<String, String>,
    wanted: BTreeMap<String, Packed>,
    /// Tensors of the task's own head.
    head: BTreeMap<String, HostTensor>,
}

impl Session {
    /// Gets ready for the files of the weights; a second call loads them again.
    pub fn begin_weights(&mut self) -> Result<()> {
        if self.backend.is_none() {
            return Err(Error::NotReady { what: "no device is open yet: open one first".into() });
        }
        let packed = |weight: Weight| {
            let shape = weight.shape();
            let parts = weight.parts.into_iter().map(|(name, shape)| (name, shape, None)).collect();
            (weight.leaf, Packed { shape, parts })
        };
        let wanted = self.model.weights()?.into_iter().map(packed).collect();
        // Programs hold on to the tensors they were made with.
        self.programs.clear();
        if let Some(run) = &mut self.run {
            run.leave_device();
        }
        self.loader =
            Some(Loader { reader: None, skipped: Vec::new(), seen: BTreeMap::new(), wanted, head: BTreeMap::new() });
        self.loaded = false;
        Ok(())
    }

    /// Awaits the bytes of `model.safetensors` or of the next shard. Length and hash are checked where given, those of the file before
    /// it now.
    pub fn begin_file(&mut self, file: &str, content_length: Option<u64>, sha256: Option<[u8; 32]>) -> Result<()> {
        let loader = self.loader.as_mut().ok_or_else(not_begun)?;
        loader.finish_file()?;
        loader.reader = Some(StreamReader::new(file, content_length, sha256));
        Ok(())
    }

    /// Takes the next bytes of the file.
    pub fn feed_weights(&mut self, chunk: &[u8]) -> Result<()> {
        let mut loader = self.loader.take().ok_or_else(not_begun)?;
        let found = match loader.reader.take() {
            None => Err(not_begun()),
            Some(mut reader) => {
                let file = reader.file().to_string();
                let found = reader.feed(chunk, &mut |name, tensor| {
                    loader.check_new(name, &file)?;
                    self.take_tensor(&mut loader, name, tensor)
                });
                loader.reader = Some(reader);
                found
            }
        };
        self.loader = Some(loader);
        found
    }

    /// Checks that the last file was whole and that all of them held everything the model needs.
    pub fn finish_weights(&mut self) -> Result<()> {
        let mut loader = self.loader.take().ok_or_else(not_begun)?;
        loader.finish_file()?;
        let skipped = std::mem::take(&mut loader.skipped);
        if let Some(packed) = loader.wanted.values().next() {
            let missing = packed.parts.iter().find(|(.., data)| data.is_none());
            let name = missing.map_or_else(String::new, |(name, ..)| name.clone());
            return Err(match skipped.into_iter().find(|(skipped, _)| self.model.bare(skipped) == name) {
                Some((name, dtype)) => Error::TensorDtype { name, dtype },
                None => Error::TensorMissing { name },
            });
        }
        if !self.base.head_modules().is_empty() && self.base_head.is_none() {
            self.base_head = Some(self.own_head(loader.head)?);
        }
        self.loaded = true;
        Ok(())
    }

    /// Puts one tensor of the file where it belongs.
    fn take_tensor(&mut self, loader: &mut Loader, name: &str, tensor: HostTensor) -> Result<()> {
        let bare = self.model.bare(name);
        let holds = |packed: &Packed| packed.parts.iter().any(|(part, ..)| part == bare);
        let Some(key) = loader.wanted.iter().find(|(_, packed)| holds(packed)).map(|(key, _)| key.clone()) else {
            let heads = self.base.head_modules();
            if bare.rsplit_once('.').is_some_and(|(module, _)| heads.contains(&module)) {
                loader.head.insert(bare.into(), tensor);
            } else {
                self.extra.insert(bare.into(), tensor);
            }
            return Ok(());
        };
        let packed = loader.wanted.get_mut(&key).expect("the key was just found");
        let (_, expected, data) =
            packed.parts.iter_mut().find(|(part, ..)| part == bare).expect("the key holds this part");
        if tensor.shape != *expected {
            return Err(Error::TensorShape { name: name.into(), expected: expected.clone(), found: tensor.shape });
        }
        *data = Some(tensor.data);
        if packed.parts.iter().all(|(.., data)| data.is_some()) {
            let Packed { shape, parts } = loader.wanted.remove(&key).expect("the key was just found");
            let mut parts = parts.into_iter().filter_map(|(.., data)| data);
            let mut data = parts.next().expect("a packed tensor has a part");
            // Exactly: what a vector reserves beyond would be held as long as the weights are.
            data.reserve_exact(shape.iter().product::<usize>() - data.len());
            parts.for_each(|part| data.extend(part));
            self.backend
                .as_mut()
                .expect("a loader is made only with a device")
                .load(&key, HostTensor { shape, data })?;
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
        let Some(reader) = self.reader.take() else { return Ok(()) };
        self.skipped.extend_from_slice(reader.skipped());
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
