//! Keys and values put into a cache.

use super::host::integers;
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Io, Op, Shape};
use crate::kernel::{Kernel, elementwise};
use candle_core::{CpuStorage, InplaceOp3, Layout, Tensor};

/// Inputs `qkv (B S, (heads + 2 key_heads) head)` (query, key and value side by side) or keys and values alone, `places (B, S)` and
/// `cache (B, C, 2 key_heads head)`, which is changed in place: keys and values of each token go to its place in the cache's row of its text,
/// where place C is place 0 again and so on. No two tokens of a text may have the same place. Nothing is trained through it.
#[derive(Debug, Clone, Copy)]
pub struct Store {
    /// A token whose place is not below this is left out.
    pub end: usize,
}

/// What the CPU does with the cache's memory: [`InplaceOp3`] hands out no slices, so offsets are those of contiguous tensors. None: left out.
struct Write(Vec<Option<usize>>);

impl Op for Store {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (qkv, places, cache) = (inputs[0], inputs[1], inputs[2]);
        if qkv[0] != places[0] * places[1] || cache[0] != places[0] || qkv[1] < cache[2] {
            let reason = format!("qkv {qkv:?}, places {places:?}, cache {cache:?}");
            return Err(Error::Shape { op: "Store".into(), reason });
        }
        Ok(vec![cache.clone()])
    }

    fn in_place(&self) -> Option<usize> {
        Some(2)
    }

    fn reads_half(&self, input: usize) -> bool {
        [0, 2].contains(&input)
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (places, cache) = (integers(&inputs[1])?, &inputs[2]);
        let places = places.into_iter().map(|place| Some(place as usize).filter(|place| *place < self.end)).collect();
        cache.inplace_op3(&inputs[0], &inputs[1], &Write(places))?;
        Ok(vec![cache.clone()])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (qkv, places, cache) = (io.inputs[0], io.inputs[1], io.inputs[2]);
        let sizes = [
            ("tokens", qkv[0]),
            ("length", places[1]),
            ("end", self.end),
            ("capacity", cache[1]),
            ("row", qkv[1]),
            ("columns", cache[2]),
        ];
        Kernel::new(include_str!("store.wgsl"), 2, &sizes, elementwise(qkv[0] * cache[2]))
    }
}

impl InplaceOp3 for Write {
    fn name(&self) -> &'static str {
        "store"
    }

    fn cpu_fwd(
        &self,
        cache: &mut CpuStorage,
        shape: &Layout,
        qkv: &CpuStorage,
        row: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> candle_core::Result<()> {
        let (CpuStorage::F32(cache), CpuStorage::F32(qkv)) = (cache, qkv) else {
            candle_core::bail!("keys and values are f32");
        };
        let (batch, capacity, columns) = shape.shape().dims3()?;
        let (tokens, width) = row.shape().dims2()?;
        let length = tokens / batch;
        for (token, place) in self.0.iter().enumerate() {
            let Some(place) = place else { continue };
            let to = shape.start_offset() + (token / length * capacity + place % capacity) * columns;
            let end = row.start_offset() + (token + 1) * width;
            cache[to..to + columns].copy_from_slice(&qkv[end - columns..end]);
        }
        Ok(())
    }
}
