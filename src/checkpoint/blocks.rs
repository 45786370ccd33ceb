//! The number formats of tensors in files: single numbers, or GGUF's blocks of elements that share scales, laid out as in ggml's
//! `ggml-common.h`.

use super::header::Dtype;
use half::{bf16, f16};

/// How a tensor's elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[allow(non_camel_case_types)] // ggml's names, which people know.
pub enum BlockType {
    /// The number itself, of 32 bits.
    #[default]
    F32,
    /// Of 16 bits.
    F16,
    /// The upper 16 of 32 bits.
    BF16,
    /// `(q - 8) d`, q of 4 bits.
    Q4_0,
    /// `q d + m`, q of 4 bits.
    Q4_1,
    /// `(q - 16) d`, q of 5 bits.
    Q5_0,
    /// `q d + m`, q of 5 bits.
    Q5_1,
    /// `q d`, q of 8 bits.
    Q8_0,
    /// `q (d s) - (dmin m)`, q of 4 bits, s and m of 6 bits for each 32 elements.
    Q4_K,
    /// The same with q of 5 bits.
    Q5_K,
    /// `(q - 32) (d s)`, q of 6 bits, s of 8 bits for each 16 elements.
    Q6_K,
}

/// Elements of a block: of the older formats, and of the newer ones, whose names end in K.
const SHORT: usize = 32;
const LONG: usize = 256;

/// ggml's numbers of the formats that can be read.
const NUMBERS: [(u32, BlockType); 11] = [
    (0, BlockType::F32),
    (1, BlockType::F16),
    (30, BlockType::BF16),
    (2, BlockType::Q4_0),
    (3, BlockType::Q4_1),
    (6, BlockType::Q5_0),
    (7, BlockType::Q5_1),
    (8, BlockType::Q8_0),
    (12, BlockType::Q4_K),
    (13, BlockType::Q5_K),
    (14, BlockType::Q6_K),
];

/// Names of formats that cannot be read, so that an error can name them.
const OTHERS: [(u32, &str); 22] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
];

impl BlockType {
    /// The format of ggml's number.
    pub fn from_number(number: u32) -> Option<BlockType> {
        NUMBERS.iter().find(|(found, _)| *found == number).map(|(_, kind)| *kind)
    }

    /// ggml's number of the format.
    pub fn number(self) -> u32 {
        NUMBERS.iter().find(|(_, kind)| *kind == self).map(|(number, _)| *number).expect("every format has a number")
    }

    /// The format of a safetensors file's tensors; None for those that no weights have.
    pub fn from_dtype(dtype: Dtype) -> Option<BlockType> {
        match dtype {
            Dtype::F32 => Some(BlockType::F32),
            Dtype::F16 => Some(BlockType::F16),
            Dtype::BF16 => Some(BlockType::BF16),
            _ => None,
        }
    }

    /// What a format is called that may be none of these.
    pub fn name_of(number: u32) -> String {
        let other = OTHERS.iter().find(|(found, _)| *found == number);
        other.map_or_else(|| format!("number {number}"), |(_, name)| (*name).into())
    }

    /// Elements of a block.
    pub fn elements(self) -> usize {
        use BlockType::*;
        match self {
            F32 | F16 | BF16 => 1,
            Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0 => SHORT,
            Q4_K | Q5_K | Q6_K => LONG,
        }
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        use BlockType::*;
        match self {
            F32 => 4,
            F16 | BF16 => 2,
            Q4_0 => 18,
            Q4_1 => 20,
            Q5_0 => 22,
            Q5_1 => 24,
            Q8_0 => 34,
            Q4_K => 144,
            Q5_K => 176,
            Q6_K => 210,
        }
    }

    /// Bytes of a tensor; None where its rows are not whole blocks or its size overflows.
    pub fn bytes(self, shape: &[usize]) -> Option<u64> {
        let row = shape.last().copied().unwrap_or(1);
        let elements = shape.iter().try_fold(1_usize, |product, n| product.checked_mul(*n))?;
        let whole = row.is_multiple_of(self.elements());
        (elements as u64 / self.elements() as u64).checked_mul(self.block_bytes() as u64).filter(|_| whole)
    }

    /// Appends the elements of whole blocks to `out`. Bytes that fill no block are passed over.
    pub fn dequantise(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            BlockType::F32 => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            BlockType::F16 => out.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
            BlockType::BF16 => out.extend(bytes.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
            _ => bytes.chunks_exact(self.block_bytes()).for_each(|block| self.block(block, out)),
        }
    }

    /// Appends the elements of one block: first its whole numbers, then what their group makes of them. In functions that are not
    /// repeated for every format: unrolled for each, they made the module a twentieth larger.
    fn block(self, block: &[u8], out: &mut Vec<f32>) {
        let mut q = [0_i8; LONG];
        let d = half_at(block, 0);
        match self {
            BlockType::F32 | BlockType::F16 | BlockType::BF16 => {}
            BlockType::Q4_0 => {
                nibbles(&block[2..], &mut q);
                scaled(&q[..SHORT], 8, d, 0.0, out);
            }
            BlockType::Q4_1 => {
                nibbles(&block[4..], &mut q);
                scaled(&q[..SHORT], 0, d, half_at(block, 2), out);
            }
            BlockType::Q5_0 => {
                nibbles(&block[6..], &mut q);
                fifth_bits(&block[2..6], &mut q);
                scaled(&q[..SHORT], 16, d, 0.0, out);
            }
            BlockType::Q5_1 => {
                nibbles(&block[8..], &mut q);
                fifth_bits(&block[4..8], &mut q);
                scaled(&q[..SHORT], 0, d, half_at(block, 2), out);
            }
            BlockType::Q8_0 => {
                q.iter_mut().zip(&block[2..]).for_each(|(q, byte)| *q = byte.cast_signed());
                scaled(&q[..SHORT], 0, d, 0.0, out);
            }
            BlockType::Q4_K | BlockType::Q5_K => {
                let low = if self == BlockType::Q4_K { &block[16..] } else { &block[48..] };
                for (at, bytes) in low.chunks_exact(SHORT).enumerate() {
                    // 32 low nibbles, then the 32 high ones of the same bytes.
                    let group = &mut q[2 * SHORT * at..];
                    for (l, byte) in bytes.iter().enumerate() {
                        let high = if self == BlockType::Q4_K { 0 } else { block[16 + l] >> (2 * at) };
                        group[l] = (byte & 15 | (high & 1) << 4).cast_signed();
                        group[SHORT + l] = (byte >> 4 | (high & 2) << 3).cast_signed();
                    }
                }
                let least = half_at(block, 2);
                for (at, q) in q.chunks_exact(SHORT).enumerate() {
                    let [scale, min] = scale_and_min(&block[4..16], at);
                    scaled(q, 0, d * scale, -(least * min), out);
                }
            }
            BlockType::Q6_K => {
                for (at, q) in q.iter_mut().enumerate() {
                    // Two halves of 128 elements, each four runs of 32: two of them in low nibbles, two in high ones.
                    let (half, run, l) = (at / 128, at % 128 / 32, at % 32);
                    let low = block[64 * half + 32 * (run % 2) + l] >> (4 * (run / 2)) & 15;
                    let high = block[128 + 32 * half + l] >> (2 * run) & 3;
                    *q = (low | high << 4).cast_signed();
                }
                let d = half_at(block, 208);
                for (q, scale) in q.chunks_exact(16).zip(&block[192..208]) {
                    scaled(q, 32, d * f32::from(scale.cast_signed()), 0.0, out);
                }
            }
        }
    }
}

/// Appends `(q - zero) d + m`.
#[inline(never)]
fn scaled(q: &[i8], zero: i8, d: f32, m: f32, out: &mut Vec<f32>) {
    out.extend(q.iter().map(|q| f32::from(q - zero) * d + m));
}

/// The low nibbles of the first 16 bytes, then the high ones.
#[inline(never)]
fn nibbles(bytes: &[u8], q: &mut [i8]) {
    for (at, byte) in bytes.iter().take(SHORT / 2).enumerate() {
        q[at] = (byte & 15).cast_signed();
        q[at + SHORT / 2] = (byte >> 4).cast_signed();
    }
}

/// Gives each of 32 numbers its fifth bit out of four bytes.
#[inline(never)]
fn fifth_bits(bytes: &[u8], q: &mut [i8]) {
    for (at, q) in q.iter_mut().take(SHORT).enumerate() {
        *q |= ((bytes[at / 8] >> (at % 8) & 1) << 4).cast_signed();
    }
}

/// Scale and minimum number `at` of the eight that twelve bytes hold, six bits each.
pub fn scale_and_min(packed: &[u8], at: usize) -> [f32; 2] {
    let [scale, min] = if at < 4 {
        [packed[at] & 63, packed[at + 4] & 63]
    } else {
        [packed[at + 4] & 15 | packed[at - 4] >> 6 << 4, packed[at + 4] >> 4 | packed[at] >> 6 << 4]
    };
    [scale.into(), min.into()]
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}
