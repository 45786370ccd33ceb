//! The register as `simd128` has it.

use std::arch::wasm32::{
    f32x4, f32x4_add, f32x4_convert_i32x4, f32x4_extract_lane, f32x4_mul, f32x4_splat, i16x8, i16x8_eq, i16x8_shl,
    i16x8_shr, i16x8_shuffle, i16x8_splat, i16x8_sub, i32x4, i32x4_add, i32x4_dot_i16x8, i32x4_extend_high_i16x8,
    i32x4_extend_low_i16x8, i32x4_shl, i32x4_shr, u16x8_shr, u16x8_splat, u32x4, u32x4_splat, v128, v128_and, v128_or,
};

/// Four floats.
pub type Lanes = v128;

/// One value four times.
#[inline(always)]
pub fn splat(value: f32) -> Lanes {
    f32x4_splat(value)
}

/// From an array.
#[inline(always)]
pub fn load([a, b, c, d]: [f32; 4]) -> Lanes {
    f32x4(a, b, c, d)
}

/// To an array.
#[inline(always)]
pub fn store(x: Lanes) -> [f32; 4] {
    [f32x4_extract_lane::<0>(x), f32x4_extract_lane::<1>(x), f32x4_extract_lane::<2>(x), f32x4_extract_lane::<3>(x)]
}

/// `a + b`.
#[inline(always)]
pub fn add(a: Lanes, b: Lanes) -> Lanes {
    f32x4_add(a, b)
}

/// `a b + sum`.
#[inline(always)]
pub fn multiply_add(a: Lanes, b: Lanes, sum: Lanes) -> Lanes {
    f32x4_add(sum, f32x4_mul(a, b))
}

/// Sixteen signed bytes.
pub type Bytes = v128;
/// Eight signed 16-bit integers.
pub type Shorts = v128;
/// Four signed 32-bit integers.
pub type Ints = v128;

/// From an array.
#[inline(always)]
pub fn bytes(x: &[u8; 16]) -> Bytes {
    let word = |at: usize| i32::from_le_bytes([x[at], x[at + 1], x[at + 2], x[at + 3]]);
    i32x4(word(0), word(4), word(8), word(12))
}

/// The four nibbles of each of eight shorts, the lowest first, as numbers from 0 to 15.
#[inline(always)]
pub fn nibbles(x: Bytes) -> [Shorts; 4] {
    let low = |x| v128_and(x, u16x8_splat(15));
    [low(x), low(u16x8_shr(x, 4)), low(u16x8_shr(x, 8)), u16x8_shr(x, 12)]
}

/// `x - y` for each.
#[inline(always)]
pub fn less(x: Shorts, y: i16) -> Shorts {
    i16x8_sub(x, i16x8_splat(y))
}

/// Two bytes each, the second the upper one.
#[inline(always)]
pub fn words(x: Bytes) -> Shorts {
    x
}

/// Bits `count` of each, from bit `from` on, moved up to bit `to`.
#[inline(always)]
pub fn field(x: Shorts, from: u32, count: u32, to: u32) -> Shorts {
    i16x8_shl(v128_and(u16x8_shr(x, from), u16x8_splat((1 << count) - 1)), to)
}

/// The bits of either.
#[inline(always)]
pub fn either(x: Shorts, y: Shorts) -> Shorts {
    v128_or(x, y)
}

/// 16 where bit `2 lane` of `bits` is set, else 0.
#[inline(always)]
pub fn sixteens(bits: u16) -> Shorts {
    let own = i16x8(1, 4, 16, 64, 256, 1024, 4096, 16384);
    v128_and(i16x8_eq(v128_and(u16x8_splat(bits), own), own), u16x8_splat(16))
}

/// Four sums of the products of two neighbours each, and of those of two registers.
#[inline(always)]
pub fn dot_two(a: [Shorts; 2], b: [Shorts; 2]) -> Ints {
    i32x4_add(i32x4_dot_i16x8(a[0], b[0]), i32x4_dot_i16x8(a[1], b[1]))
}

/// The first, third, ... of sixteen signed bytes.
#[inline(always)]
pub fn evens(x: Bytes) -> Shorts {
    i16x8_shr(i16x8_shl(x, 8), 8)
}

/// The second, fourth, ... of sixteen signed bytes.
#[inline(always)]
pub fn odds(x: Bytes) -> Shorts {
    i16x8_shr(x, 8)
}

/// From an array.
#[inline(always)]
pub fn shorts([a, b, c, d, e, f, g, h]: [i16; 8]) -> Shorts {
    i16x8(a, b, c, d, e, f, g, h)
}

/// Four sums of the products of two neighbours each, and of those of four registers.
#[inline(always)]
pub fn dot(a: [Shorts; 4], b: [Shorts; 4]) -> Ints {
    let product = |at: usize| i32x4_dot_i16x8(a[at], b[at]);
    i32x4_add(i32x4_add(product(0), product(1)), i32x4_add(product(2), product(3)))
}

/// The nearest floats.
#[inline(always)]
pub fn floats(x: Ints) -> Lanes {
    f32x4_convert_i32x4(x)
}

/// The numbers of both in turn: the first of `even`, the first of `odd`, the second of `even`, ...
#[inline(always)]
pub fn zipped(even: Shorts, odd: Shorts) -> [Lanes; 4] {
    let first = i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(even, odd);
    let last = i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(even, odd);
    [
        floats(i32x4_extend_low_i16x8(first)),
        floats(i32x4_extend_high_i16x8(first)),
        floats(i32x4_extend_low_i16x8(last)),
        floats(i32x4_extend_high_i16x8(last)),
    ]
}

/// The finite 16-bit floats in the low and in the high halves of four words, as 32-bit floats.
#[inline(always)]
pub fn halves([a, b, c, d]: [u32; 4]) -> [Lanes; 2] {
    let words = u32x4(a, b, c, d);
    let (bits, unit) = (u32x4_splat(0x8fff_e000), f32x4_splat(f32::from_bits(0x7780_0000)));
    let wide = |x| f32x4_mul(v128_and(i32x4_shr(x, 3), bits), unit);
    [wide(i32x4_shl(words, 16)), wide(words)]
}
