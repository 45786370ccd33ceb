//! Floats into blocks, as ggml's reference functions (`quantize_row_*_ref` of `ggml-quants.c`) make them.

use super::BlockType;
use half::{bf16, f16};

const SIZE: usize = 32;

/// The format that elements are quantised to where `kind` is wished for: Q8_0 for the formats whose names end in K, which are read only.
pub fn quantisable(kind: BlockType) -> BlockType {
    match kind {
        BlockType::Q4_K | BlockType::Q5_K | BlockType::Q6_K => BlockType::Q8_0,
        kind => kind,
    }
}

/// Appends `row` to `out` in the format `kind`. Elements that fill no block are passed over.
///
/// # Panics
/// For formats that nothing is quantised to (see [`quantisable`]).
pub fn quantise(kind: BlockType, row: &[f32], out: &mut Vec<u8>) {
    let mut blocks = |block: fn(&[f32; SIZE], &mut Vec<u8>)| row.as_chunks().0.iter().for_each(|x| block(x, out));
    match kind {
        BlockType::F32 => row.iter().for_each(|x| out.extend(x.to_le_bytes())),
        BlockType::F16 => row.iter().for_each(|x| out.extend(f16::from_f32(*x).to_le_bytes())),
        BlockType::BF16 => row.iter().for_each(|x| out.extend(bf16::from_f32(*x).to_le_bytes())),
        BlockType::Q4_0 => blocks(|block, out| {
            let q = centred(block, 8.0, out);
            nibbles(&q, out);
        }),
        BlockType::Q4_1 => blocks(|block, out| {
            let q = from_least(block, 15.0, out);
            nibbles(&q, out);
        }),
        BlockType::Q5_0 => blocks(|block, out| {
            let q = centred(block, 16.0, out);
            fifth_bits(&q, out);
            nibbles(&q, out);
        }),
        BlockType::Q5_1 => blocks(|block, out| {
            let q = from_least(block, 31.0, out);
            fifth_bits(&q, out);
            nibbles(&q, out);
        }),
        BlockType::Q8_0 => blocks(q8_0),
        BlockType::Q4_K | BlockType::Q5_K | BlockType::Q6_K => panic!("nothing is quantised to {kind:?}"),
    }
}

fn q8_0(block: &[f32; SIZE], out: &mut Vec<u8>) {
    let d = block.iter().fold(0.0, |largest: f32, x| largest.max(x.abs())) / 127.0;
    let inverse = inverse(d);
    half(d, out);
    out.extend(block.iter().map(|x| ((x * inverse).round() as i8).cast_unsigned()));
}

/// Appends the scale and gives q of `(q - zero) d`: the element farthest from 0 becomes q = 0.
fn centred(block: &[f32; SIZE], zero: f32, out: &mut Vec<u8>) -> [u8; SIZE] {
    let farthest = block.iter().fold(0.0, |farthest: f32, x| if x.abs() > farthest.abs() { *x } else { farthest });
    let d = farthest / -zero;
    let inverse = inverse(d);
    half(d, out);
    block.map(|x| (x * inverse + (zero + 0.5)).min(2.0 * zero - 1.0) as u8)
}

/// Appends scale and minimum and gives q of `q d + m`, `most` at most.
fn from_least(block: &[f32; SIZE], most: f32, out: &mut Vec<u8>) -> [u8; SIZE] {
    let least = block.iter().copied().fold(f32::INFINITY, f32::min);
    let d = (block.iter().copied().fold(f32::NEG_INFINITY, f32::max) - least) / most;
    let inverse = inverse(d);
    half(d, out);
    half(least, out);
    block.map(|x| ((x - least) * inverse + 0.5).min(most) as u8)
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

fn half(x: f32, out: &mut Vec<u8>) {
    out.extend(f16::from_f32(x).to_le_bytes());
}

/// The lower four bits: elements of the first half in the low ones of a byte, those of the second in the high ones.
fn nibbles(q: &[u8; SIZE], out: &mut Vec<u8>) {
    let (low, high) = q.split_at(SIZE / 2);
    out.extend(low.iter().zip(high).map(|(low, high)| low & 15 | high << 4));
}

/// The fifth bits of all elements.
fn fifth_bits(q: &[u8; SIZE], out: &mut Vec<u8>) {
    let bits = q.iter().enumerate().fold(0_u32, |bits, (at, q)| bits | u32::from(q >> 4 & 1) << at);
    out.extend(bits.to_le_bytes());
}
