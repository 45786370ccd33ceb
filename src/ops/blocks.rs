//! Matrices in blocks of GGUF's formats: as the twins read them, and what kernels are told of them.

use super::host::with_floats;
use crate::checkpoint::BlockType;
use crate::error::{Error, Result};
use crate::graph::Shape;
use candle_core::{CpuStorage, Storage, Tensor};
use std::borrow::Cow;

/// Bytes of padding that make a block whole words.
const PADDING: usize = 2;

/// A matrix, row by row.
#[derive(Debug, Clone, Copy)]
pub enum Matrix<'a> {
    /// 32-bit floats.
    Floats(&'a [f32]),
    /// Whole blocks in each row.
    Blocks {
        /// Their format.
        kind: BlockType,
        /// All of them, as in the file.
        bytes: &'a [u8],
    },
}

impl<'a> Matrix<'a> {
    /// The rows from `start` on, `len` of them, of `columns` elements each.
    pub fn rows(self, start: usize, len: usize, columns: usize) -> Matrix<'a> {
        match self {
            Matrix::Floats(data) => Matrix::Floats(&data[start * columns..][..len * columns]),
            Matrix::Blocks { kind, bytes } => {
                let row = columns / kind.elements() * kind.block_bytes();
                Matrix::Blocks { kind, bytes: &bytes[start * row..][..len * row] }
            }
        }
    }

    /// Elements `part` of a row of `columns` elements; whole blocks.
    #[cfg(any(target_arch = "wasm32", test))]
    pub fn span(self, row: usize, columns: usize, part: std::ops::Range<usize>) -> Matrix<'a> {
        match self.rows(row, 1, columns) {
            Matrix::Floats(data) => Matrix::Floats(&data[part]),
            Matrix::Blocks { kind, bytes } => {
                let at = |element: usize| element / kind.elements() * kind.block_bytes();
                Matrix::Blocks { kind, bytes: &bytes[at(part.start)..at(part.end)] }
            }
        }
    }

    /// How many elements it has.
    #[cfg(any(target_arch = "wasm32", test))]
    pub fn elements(self) -> usize {
        match self {
            Matrix::Floats(data) => data.len(),
            Matrix::Blocks { kind, bytes } => bytes.len() / kind.block_bytes() * kind.elements(),
        }
    }

    /// Appends elements to `out`.
    pub fn dequantise(self, out: &mut Vec<f32>) {
        match self {
            Matrix::Floats(data) => out.extend_from_slice(data),
            #[cfg(target_arch = "wasm32")]
            Matrix::Blocks { kind, bytes } => super::block_floats::dequantise(kind, bytes, out),
            #[cfg(not(target_arch = "wasm32"))]
            Matrix::Blocks { kind, bytes } => kind.dequantise(bytes, out),
        }
    }
}

/// Calls `f` with the matrix that a twin is given: an f32 tensor, or the bytes of blocks.
pub fn with_matrix<T>(tensor: &Tensor, kind: BlockType, f: impl FnOnce(Matrix) -> Result<T>) -> Result<T> {
    if kind == BlockType::F32 {
        return with_floats(&[tensor], |data| f(Matrix::Floats(data[0])));
    }
    let (storage, layout) = tensor.storage_and_layout();
    let Storage::Cpu(CpuStorage::U8(bytes)) = &*storage else {
        return Err(Error::Backend { reason: format!("a CPU twin was given a tensor that is not bytes of {kind:?}") });
    };
    assert!(layout.is_contiguous(), "a CPU twin was given a strided tensor");
    f(Matrix::Blocks { kind, bytes: &bytes[layout.start_offset()..][..layout.shape().elem_count()] })
}

/// Shape of the matrix that a twin is given: blocks come as `(rows, bytes of a row)`.
pub fn matrix_shape(tensor: &Tensor, kind: BlockType) -> Result<Shape> {
    let (rows, row) = tensor.dims2()?;
    Ok(vec![rows, if kind == BlockType::F32 { row } else { row / kind.block_bytes() * kind.elements() }])
}

/// Constants that `blocks.wgsl` wants for rows of `columns` elements.
pub fn constants(kind: BlockType, columns: usize) -> [(&'static str, usize); 4] {
    // Single numbers are taken four at a time.
    let elements = kind.elements().max(4);
    let words = (kind.block_bytes() * elements / kind.elements()).div_ceil(4);
    [
        ("kind", kind.number() as usize),
        ("row_words", columns / elements * words),
        ("block_quads", elements / 4),
        ("block_words", words),
    ]
}

/// Where padding goes in a block of so many bytes, in the formats whose blocks are not whole words: behind the 16-bit scale that stands alone,
/// so that what follows it begins a word.
fn padding(kind: BlockType) -> Option<usize> {
    match kind {
        BlockType::Q4_0 | BlockType::Q5_0 | BlockType::Q8_0 => Some(2),
        BlockType::Q6_K => Some(kind.block_bytes()),
        _ => None,
    }
}

/// Blocks of whole words, as kernels read them.
pub fn to_words(kind: BlockType, bytes: &[u8]) -> Cow<'_, [u8]> {
    let Some(at) = padding(kind) else { return Cow::Borrowed(bytes) };
    let blocks = bytes.chunks_exact(kind.block_bytes());
    let mut words = Vec::with_capacity(blocks.len() * (kind.block_bytes() + PADDING));
    for block in blocks {
        words.extend_from_slice(&block[..at]);
        words.extend_from_slice(&[0; PADDING]);
        words.extend_from_slice(&block[at..]);
    }
    Cow::Owned(words)
}

/// The blocks again.
pub fn from_words(kind: BlockType, mut words: Vec<u8>) -> Vec<u8> {
    let Some(at) = padding(kind) else { return words };
    let size = kind.block_bytes();
    let blocks = words.len() / (size + PADDING);
    for block in 0..blocks {
        let (from, to) = (block * (size + PADDING), block * size);
        words.copy_within(from..from + at, to);
        words.copy_within(from + at + PADDING..from + PADDING + size, to + at);
    }
    words.truncate(blocks * size);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_the_blocks_they_were_made_of() {
        for number in [1, 2, 3, 6, 7, 8, 12, 13, 14, 30] {
            let kind = BlockType::from_number(number).unwrap();
            let bytes: Vec<u8> = (0..3 * kind.block_bytes()).map(|at| at as u8).collect();
            let words = to_words(kind, &bytes).into_owned();
            let size = words.len() / 3;
            assert!(kind.elements() == 1 || size.is_multiple_of(4), "{kind:?}: {size}");
            assert_eq!(from_words(kind, words), bytes, "{kind:?}");
        }
    }
}
