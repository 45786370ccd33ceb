//! Floats into blocks, as ggml's reference functions make them.

use super::BlockType;
use half::f16;

/// Appends the blocks of whole rows of blocks to `out`.
///
/// # Panics
/// For formats that nothing is quantised to here.
pub fn quantise(kind: BlockType, row: &[f32], out: &mut Vec<u8>) {
    match kind {
        BlockType::F16 => row.iter().for_each(|x| out.extend(f16::from_f32(*x).to_le_bytes())),
        BlockType::Q8_0 => row.as_chunks().0.iter().for_each(|block| q8_0(block, out)),
        BlockType::Q4_1 => row.as_chunks().0.iter().for_each(|block| q4_1(block, out)),
        other => panic!("nothing is quantised to {other:?}"),
    }
}

fn q8_0(block: &[f32; 32], out: &mut Vec<u8>) {
    let d = block.iter().fold(0.0, |largest: f32, x| largest.max(x.abs())) / 127.0;
    let inverse = if d > 0.0 { 1.0 / d } else { 0.0 };
    out.extend(f16::from_f32(d).to_le_bytes());
    out.extend(block.iter().map(|x| ((x * inverse).round() as i8).cast_unsigned()));
}

fn q4_1(block: &[f32; 32], out: &mut Vec<u8>) {
    let least = block.iter().copied().fold(f32::INFINITY, f32::min);
    let d = (block.iter().copied().fold(f32::NEG_INFINITY, f32::max) - least) / 15.0;
    let inverse = if d > 0.0 { 1.0 / d } else { 0.0 };
    out.extend(f16::from_f32(d).to_le_bytes());
    out.extend(f16::from_f32(least).to_le_bytes());
    let q = |x: f32| (((x - least) * inverse + 0.5) as u8).min(15);
    out.extend((0..16).map(|at| q(block[at]) | q(block[at + 16]) << 4));
}
