//! Blocks of 32 elements: their scales, and their whole numbers in registers.

use super::lanes::{Shorts, bytes, either, evens, less, nibbles, odds, sixteens};

/// Elements of a block.
pub(super) const BLOCK: usize = 32;

/// A format of blocks of 32 elements `q d + m`.
pub trait Format<const SIZE: usize> {
    /// Whether there is an m.
    const HAS_MIN: bool;
    /// `d` in the lower half, `m` in the upper one.
    fn header(block: &[u8; SIZE]) -> u32;
    /// The whole numbers, in the order of [`super::block_dot::Inputs`].
    fn quants(block: &[u8; SIZE]) -> [Shorts; 4];
}

/// `q d`, q of 4 bits from -8 on.
pub struct Q4_0;
/// `q d + m`, q of 4 bits.
pub struct Q4_1;
/// `q d`, q of 5 bits from -16 on.
pub struct Q5_0;
/// `q d + m`, q of 5 bits.
pub struct Q5_1;
/// `q d`, q of 8 bits.
pub struct Q8_0;

impl Format<18> for Q4_0 {
    const HAS_MIN: bool = false;

    #[inline(always)]
    fn header(block: &[u8; 18]) -> u32 {
        u16::from_le_bytes([block[0], block[1]]).into()
    }

    #[inline(always)]
    fn quants(block: &[u8; 18]) -> [Shorts; 4] {
        let [a, b, c, d] = nibbles(bytes(part(block, 2)));
        [less(a, 8), less(b, 8), less(c, 8), less(d, 8)]
    }
}

impl Format<20> for Q4_1 {
    const HAS_MIN: bool = true;

    #[inline(always)]
    fn header(block: &[u8; 20]) -> u32 {
        u32::from_le_bytes([block[0], block[1], block[2], block[3]])
    }

    #[inline(always)]
    fn quants(block: &[u8; 20]) -> [Shorts; 4] {
        nibbles(bytes(part(block, 4)))
    }
}

impl Format<22> for Q5_0 {
    const HAS_MIN: bool = false;

    #[inline(always)]
    fn header(block: &[u8; 22]) -> u32 {
        u16::from_le_bytes([block[0], block[1]]).into()
    }

    #[inline(always)]
    fn quants(block: &[u8; 22]) -> [Shorts; 4] {
        let [a, b, c, d] = fives(part(block, 6), [block[2], block[3], block[4], block[5]]);
        [less(a, 16), less(b, 16), less(c, 16), less(d, 16)]
    }
}

impl Format<24> for Q5_1 {
    const HAS_MIN: bool = true;

    #[inline(always)]
    fn header(block: &[u8; 24]) -> u32 {
        u32::from_le_bytes([block[0], block[1], block[2], block[3]])
    }

    #[inline(always)]
    fn quants(block: &[u8; 24]) -> [Shorts; 4] {
        fives(part(block, 8), [block[4], block[5], block[6], block[7]])
    }
}

impl Format<34> for Q8_0 {
    const HAS_MIN: bool = false;

    #[inline(always)]
    fn header(block: &[u8; 34]) -> u32 {
        u16::from_le_bytes([block[0], block[1]]).into()
    }

    #[inline(always)]
    fn quants(block: &[u8; 34]) -> [Shorts; 4] {
        let (first, last) = (bytes(part(block, 2)), bytes(part(block, 18)));
        [evens(first), evens(last), odds(first), odds(last)]
    }
}

/// Numbers of five bits: their nibbles, and the fifth bits of the first 16 and of the last.
#[inline(always)]
fn fives(low: &[u8; 16], high: [u8; 4]) -> [Shorts; 4] {
    let [a, b, c, d] = nibbles(bytes(low));
    let [first, last] = [u16::from_le_bytes([high[0], high[1]]), u16::from_le_bytes([high[2], high[3]])];
    [
        either(a, sixteens(first)),
        either(b, sixteens(last)),
        either(c, sixteens(first >> 1)),
        either(d, sixteens(last >> 1)),
    ]
}

#[inline(always)]
pub(super) fn part<const SIZE: usize>(block: &[u8; SIZE], at: usize) -> &[u8; 16] {
    block[at..at + 16].try_into().expect("sixteen bytes")
}
