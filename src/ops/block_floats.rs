//! Blocks as floats, for products of many rows: what [`BlockType::dequantise`] computes one by one, four at a time.

use super::block_dot_long::{GROUPS, LongFormat, Q4K, Q5K, Q6K};
use super::block_formats::{BLOCK, Format, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use super::lanes::{Shorts, multiply_add, splat, store, zipped};
use crate::checkpoint::BlockType;
use half::f16;

/// Appends the elements of whole blocks to `out`.
pub fn dequantise(kind: BlockType, bytes: &[u8], out: &mut Vec<f32>) {
    match kind {
        BlockType::Q4_0 => short::<18, Q4_0>(bytes, out),
        BlockType::Q4_1 => short::<20, Q4_1>(bytes, out),
        BlockType::Q5_0 => short::<22, Q5_0>(bytes, out),
        BlockType::Q5_1 => short::<24, Q5_1>(bytes, out),
        BlockType::Q8_0 => short::<34, Q8_0>(bytes, out),
        BlockType::Q4_K => long::<144, Q4K>(bytes, out),
        BlockType::Q5_K => long::<176, Q5K>(bytes, out),
        BlockType::Q6_K => long::<210, Q6K>(bytes, out),
        BlockType::F32 | BlockType::F16 | BlockType::BF16 => kind.dequantise(bytes, out),
    }
}

#[inline(never)]
fn short<const SIZE: usize, F: Format<SIZE>>(bytes: &[u8], out: &mut Vec<f32>) {
    let blocks = bytes.as_chunks::<SIZE>().0;
    for (block, to) in blocks.iter().zip(room(out, blocks.len())) {
        let header = F::header(block);
        let [d, m] = [header as u16, (header >> 16) as u16].map(|bits| f16::from_bits(bits).to_f32());
        write(F::quants(block), [d; 2], if F::HAS_MIN { m } else { 0.0 }, to);
    }
}

#[inline(never)]
fn long<const SIZE: usize, F: LongFormat<SIZE>>(bytes: &[u8], out: &mut Vec<f32>) {
    let blocks = bytes.as_chunks::<SIZE>().0;
    let groups = blocks.iter().flat_map(|block| (0..GROUPS).map(move |group| (block, group)));
    for ((block, group), to) in groups.zip(room(out, blocks.len() * GROUPS)) {
        let (scales, m) = F::scales(block, group);
        write(F::quants(block, group), scales, m, to);
    }
}

/// Makes `out` longer by so many runs of 32, and gives them.
fn room(out: &mut Vec<f32>, count: usize) -> &mut [[f32; BLOCK]] {
    let start = out.len();
    out.resize(start + count * BLOCK, 0.0);
    out[start..].as_chunks_mut().0
}

/// `q d + m` of 32 numbers in the order of [`super::block_dot::Inputs`]; the first 16 and the last have a scale of their own.
#[inline(always)]
fn write(q: [Shorts; 4], scales: [f32; 2], m: f32, to: &mut [f32; BLOCK]) {
    for (half, scale) in scales.into_iter().enumerate() {
        let numbers = zipped(q[half], q[half + 2]);
        let (scale, m) = (splat(scale), splat(m));
        for (register, to) in numbers.into_iter().zip(to[16 * half..16 * half + 16].as_chunks_mut::<4>().0) {
            *to = store(multiply_add(register, scale, m));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_floats() {
        for number in [2, 3, 6, 7, 8, 12, 13, 14] {
            let kind = BlockType::from_number(number).unwrap();
            let bytes: Vec<u8> = (0..5 * kind.block_bytes()).map(|at| (at * 37 % 251) as u8).collect();
            // The sign and the largest exponents of scales are cleared: no infinities.
            let bytes: Vec<u8> = bytes.into_iter().map(|byte| byte & 0xbf).collect();
            let (mut found, mut expected) = (vec![7.0], vec![7.0]);
            dequantise(kind, &bytes, &mut found);
            kind.dequantise(&bytes, &mut expected);
            assert!(expected.iter().all(|x| x.is_finite()));
            assert_eq!(found, expected, "{kind:?}");
        }
    }
}
