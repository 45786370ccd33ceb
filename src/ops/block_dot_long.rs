//! Product of one row with a matrix in the long blocks of 256 elements, whose names end in K: as [`super::block_dot`], with a scale for every 32
//! or 16 of them.

use super::block_dot::{Inputs, LOW, ROWS, by_parts};
use super::block_formats::{BLOCK, part};
use super::lanes::{
    Bytes, Lanes, Shorts, bytes, dot, dot_two, either, field, floats, less, multiply_add, shorts, splat, store, words,
};
use crate::checkpoint::scale_and_min;
use half::f16;

/// Groups of 32 elements in a block.
pub(super) const GROUPS: usize = 8;

/// A format of blocks of 256 elements.
pub trait LongFormat<const SIZE: usize> {
    /// Whether the first 16 elements of a group have another scale than the last.
    const HALVES: bool;
    /// Scale of the first 16 elements of a group and of the last, and what is added to all.
    fn scales(block: &[u8; SIZE], group: usize) -> ([f32; 2], f32);
    /// The whole numbers of a group, in the order of [`Inputs`].
    fn quants(block: &[u8; SIZE], group: usize) -> [Shorts; 4];
}

/// `q (d s) - (dmin m)`, q of 4 bits, s and m of 6 bits.
pub struct Q4K;
/// The same with q of 5 bits.
pub struct Q5K;
/// `(q - 32) (d s)`, q of 6 bits, s of 8 bits.
pub struct Q6K;

impl LongFormat<144> for Q4K {
    const HALVES: bool = false;

    #[inline(always)]
    fn scales(block: &[u8; 144], group: usize) -> ([f32; 2], f32) {
        six_bits(block, group)
    }

    #[inline(always)]
    fn quants(block: &[u8; 144], group: usize) -> [Shorts; 4] {
        let from = 4 * (group % 2) as u32;
        let sixteen = |at: usize| pair(bytes(part(block, 16 + group / 2 * BLOCK + at)), from, 4, 0);
        in_order(sixteen(0), sixteen(16))
    }
}

impl LongFormat<176> for Q5K {
    const HALVES: bool = false;

    #[inline(always)]
    fn scales(block: &[u8; 176], group: usize) -> ([f32; 2], f32) {
        six_bits(block, group)
    }

    #[inline(always)]
    fn quants(block: &[u8; 176], group: usize) -> [Shorts; 4] {
        let from = 4 * (group % 2) as u32;
        let sixteen = |at: usize| {
            let low = pair(bytes(part(block, 48 + group / 2 * BLOCK + at)), from, 4, 0);
            let high = pair(bytes(part(block, 16 + at)), group as u32, 1, 4);
            [either(low[0], high[0]), either(low[1], high[1])]
        };
        in_order(sixteen(0), sixteen(16))
    }
}

impl LongFormat<210> for Q6K {
    const HALVES: bool = true;

    #[inline(always)]
    fn scales(block: &[u8; 210], group: usize) -> ([f32; 2], f32) {
        let d = f16::from_le_bytes([block[208], block[209]]).to_f32();
        ([0, 1].map(|half| d * f32::from(block[192 + 2 * group + half].cast_signed())), 0.0)
    }

    #[inline(always)]
    fn quants(block: &[u8; 210], group: usize) -> [Shorts; 4] {
        // Two halves of 128 elements, each four runs of 32: two of them in low nibbles, two in high ones.
        let (half, run) = (group / 4, group % 4);
        let sixteen = |at: usize| {
            let low = pair(bytes(part(block, 64 * half + BLOCK * (run % 2) + at)), 4 * (run / 2) as u32, 4, 0);
            let high = pair(bytes(part(block, 128 + BLOCK * half + at)), 2 * run as u32, 2, 4);
            [less(either(low[0], high[0]), 32), less(either(low[1], high[1]), 32)]
        };
        in_order(sixteen(0), sixteen(16))
    }
}

/// Scale and minimum of a group where both have six bits.
#[inline(always)]
fn six_bits(block: &[u8], group: usize) -> ([f32; 2], f32) {
    let [d, least] = [0, 2].map(|at| f16::from_le_bytes([block[at], block[at + 1]]).to_f32());
    let [scale, min] = scale_and_min(&block[4..16], group);
    ([d * scale; 2], -(least * min))
}

/// A part of the even bytes and of the odd ones: bits `count` from bit `from` on, moved up to bit `to`.
#[inline(always)]
fn pair(x: Bytes, from: u32, count: u32, to: u32) -> [Shorts; 2] {
    let x = words(x);
    [field(x, from, count, to), field(x, from + 8, count, to)]
}

/// Every second of the first 16 numbers and of the last, then those between.
#[inline(always)]
fn in_order(first: [Shorts; 2], last: [Shorts; 2]) -> [Shorts; 4] {
    [first[0], last[0], first[1], last[1]]
}

/// `y = x wᵀ`: `x (inner)`, `w (outer, inner)` in blocks, `y (outer)`.
pub fn matvec_long<const SIZE: usize, F: LongFormat<SIZE>>(x: &[Inputs], w: &[u8], y: &mut [f32]) {
    let (w, blocks) = (w.as_chunks::<SIZE>().0, x.len() / GROUPS);
    assert_eq!(w.len(), blocks * y.len(), "blocks of {} rows of {blocks}", y.len());
    by_parts(y, |at| sums::<SIZE, F>(x, at.map(|row| &w[row * blocks..][..blocks])));
}

/// The sums of four rows.
#[inline(never)]
fn sums<const SIZE: usize, F: LongFormat<SIZE>>(x: &[Inputs], rows: [&[[u8; SIZE]]; ROWS]) -> [f32; ROWS] {
    let mut sums = [splat(0.0); ROWS];
    let mut mins = [0.0; ROWS];
    for (at, x) in x.iter().enumerate() {
        let (block, group) = (at / GROUPS, at % GROUPS);
        let (high, low) = (x.high.map(shorts), x.low.map(shorts));
        for ((sum, min), row) in sums.iter_mut().zip(&mut mins).zip(rows) {
            let ([first, last], least) = F::scales(&row[block], group);
            let q = F::quants(&row[block], group);
            if F::HALVES {
                for (at, scale) in [first, last].into_iter().enumerate() {
                    let two = |x: [Shorts; 4]| floats(dot_two([q[at], q[at + 2]], [x[at], x[at + 2]]));
                    *sum = scaled(two(high), two(low), scale * x.unit, *sum);
                }
            } else {
                *sum = scaled(floats(dot(q, high)), floats(dot(q, low)), first * x.unit, *sum);
                *min += least * x.sum;
            }
        }
    }
    std::array::from_fn(|at| store(sums[at]).iter().sum::<f32>() + mins[at])
}

/// Adds the sums of both halves of the inputs.
#[inline(always)]
fn scaled(high: Lanes, low: Lanes, scale: f32, sum: Lanes) -> Lanes {
    multiply_add(multiply_add(high, splat((1 << LOW) as f32), low), splat(scale), sum)
}
