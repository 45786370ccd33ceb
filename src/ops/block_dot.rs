//! Product of one row with a matrix of quantised blocks, without making floats of the matrix.
//!
//! Each 32 inputs become whole numbers of 29 bits and a sign below the largest of them, in two halves: `x = (2¹⁵ high + low) unit`. SIMD
//! multiplies eight 16-bit integers and adds them in one instruction, where four floats take three and a conversion each; the sums
//! are exact, so the result is no further from the true one than sums of floats are. ggml rounds its inputs to 8 bits here.

use super::block_formats::{BLOCK, Format};
use super::lanes::{dot, floats, halves, multiply_add, shorts, splat, store};

/// Rows of the matrix at once: one register of scales, and what is loaded of `x` serves all of them.
pub(super) const ROWS: usize = 4;
/// Bits below the largest input, and those of the lower half.
const BITS: i32 = 29;
pub(super) const LOW: i32 = 15;

/// 32 inputs, in registers of eight: every second one of the first 16 and of the last, then those between. So are the nibbles of four
/// bytes and the bytes of a register quickest to take apart.
pub struct Inputs {
    pub(super) high: [[i16; 8]; 4],
    pub(super) low: [[i16; 8]; 4],
    /// What the lower half counts.
    pub(super) unit: f32,
    /// Of all.
    pub(super) sum: f32,
}

impl Inputs {
    fn of(x: &[f32; BLOCK]) -> Inputs {
        let largest = x.iter().fold(0.0, |largest: f32, x| largest.max(x.abs()));
        let sum = x.iter().sum::<f32>();
        // The exponent of a power of two above the largest; neither it nor its reciprocal overflows.
        let above = ((largest.to_bits() >> 23).cast_signed() - 126).max(-90);
        let scale = power(BITS - above);
        let mut halves = [[[0; 8]; 4]; 2];
        for (at, x) in x.iter().enumerate() {
            let (register, lane) = (at / 16 + at % 2 * 2, at % 16 / 2);
            let whole = (x * scale) as i32;
            let high = whole.wrapping_add(1 << (LOW - 1)) >> LOW;
            halves[0][register][lane] = high as i16;
            halves[1][register][lane] = whole.wrapping_sub(high << LOW) as i16;
        }
        let [high, low] = halves;
        // What is not a number must not become one.
        let unit = if sum.is_finite() { power(above - BITS) } else { f32::NAN };
        Inputs { high, low, unit, sum }
    }
}

/// `2^exponent`
fn power(exponent: i32) -> f32 {
    f32::from_bits((exponent + 127).cast_unsigned() << 23)
}

/// Takes apart a row whose length is a multiple of 32.
pub fn prepare(x: &[f32]) -> Vec<Inputs> {
    x.as_chunks().0.iter().map(Inputs::of).collect()
}

/// `y = x wᵀ`: `x (inner)`, `w (outer, inner)` in blocks, `y (outer)`.
///
/// Rows are taken from four parts of the matrix at once, each read from its start to its end: the processor fetches such streams ahead,
/// but not those of four neighbours, which end after a few hundred bytes.
pub fn matvec<const SIZE: usize, F: Format<SIZE>>(x: &[Inputs], w: &[u8], y: &mut [f32]) {
    let w = w.as_chunks::<SIZE>().0;
    assert_eq!(w.len(), x.len() * y.len(), "blocks of {} rows of {}", y.len(), x.len());
    by_parts(y, |at| sums::<SIZE, F>(x, at.map(|row| &w[row * x.len()..][..x.len()])));
}

/// Fills `y` from the sums of four rows at a time, each from another part of the matrix.
pub(super) fn by_parts(y: &mut [f32], sums: impl Fn([usize; ROWS]) -> [f32; ROWS]) {
    let part = y.len().div_ceil(ROWS);
    for first in 0..part {
        // Where the parts are not equal, the last one repeats rows of its own or of others.
        let at = std::array::from_fn::<_, ROWS, _>(|n| (n * part + first).min(y.len() - 1));
        at.into_iter().zip(sums(at)).for_each(|(row, sum)| y[row] = sum);
    }
}

/// The sums of four rows.
#[inline(never)]
fn sums<const SIZE: usize, F: Format<SIZE>>(x: &[Inputs], rows: [&[[u8; SIZE]]; ROWS]) -> [f32; ROWS] {
    let mut sums = [splat(0.0); ROWS];
    let mut mins = splat(0.0);
    let [a, b, c, d] = rows;
    for ((((x, a), b), c), d) in x.iter().zip(a).zip(b).zip(c).zip(d) {
        let blocks = [a, b, c, d];
        let [scales, least] = halves(blocks.map(F::header));
        if F::HAS_MIN {
            mins = multiply_add(least, splat(x.sum), mins);
        }
        let scales = store(multiply_add(scales, splat(x.unit), splat(0.0)));
        let (high, low) = (x.high.map(shorts), x.low.map(shorts));
        // Written out: a loop of four is not always unrolled, and then the sums do not stay in registers.
        let add = |at: usize| {
            let q = F::quants(blocks[at]);
            let both = multiply_add(floats(dot(q, high)), splat((1 << LOW) as f32), floats(dot(q, low)));
            multiply_add(both, splat(scales[at]), sums[at])
        };
        sums = [add(0), add(1), add(2), add(3)];
    }
    let mins = store(mins);
    std::array::from_fn(|at| store(sums[at]).iter().sum::<f32>() + mins[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::block_formats::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};

    fn bits(seed: &mut u32) -> u32 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 17;
        *seed ^= *seed << 5;
        *seed
    }

    /// Blocks with scales of both signs, and their elements.
    fn matrix<const SIZE: usize>(blocks: usize, element: impl Fn(&[u8], usize) -> f32) -> (Vec<u8>, Vec<f32>) {
        let mut seed = 7;
        let mut bytes: Vec<u8> = (0..blocks * SIZE).map(|_| (bits(&mut seed) >> 8) as u8).collect();
        for block in bytes.chunks_exact_mut(SIZE) {
            block[1] = block[1] & 0x83 | 0x1c; // a scale between 2^-9 and 2^-8 or so
            block[3] = if SIZE == 20 || SIZE == 24 { block[3] & 0x83 | 0x2c } else { block[3] };
        }
        let elements = bytes
            .chunks_exact(SIZE)
            .flat_map(|block| (0..32).map(|at| element(block, at)).collect::<Vec<_>>())
            .collect();
        (bytes, elements)
    }

    fn half(block: &[u8], at: usize) -> f32 {
        let h = u32::from(u16::from_le_bytes([block[at], block[at + 1]]));
        let (e, m) = ((h >> 10 & 31) as i32, (h & 1023) as f32);
        let x = if e == 0 { m * 2_f32.powi(-24) } else { (1.0 + m / 1024.0) * 2_f32.powi(e - 15) };
        if h >> 15 == 1 { -x } else { x }
    }

    fn nibble(bytes: &[u8], at: usize) -> f32 {
        f32::from(if at < 16 { bytes[at] & 15 } else { bytes[at - 16] >> 4 })
    }

    fn fifth(bytes: &[u8], at: usize) -> f32 {
        f32::from((bytes[at / 8] >> (at % 8) & 1) << 4)
    }

    fn check<const SIZE: usize, F: Format<SIZE>>(element: impl Fn(&[u8], usize) -> f32) {
        for (outer, inner) in [(1, 32), (4, 64), (7, 576), (130, 96)] {
            let (bytes, w) = matrix::<SIZE>(outer * inner / 32, &element);
            let mut seed = 3;
            let x: Vec<f32> =
                (0..inner).map(|at| (bits(&mut seed) as i32) as f32 * 2_f32.powi(-31 - (at % 20) as i32)).collect();
            let mut y = vec![0.0; outer];
            matvec::<SIZE, F>(&prepare(&x), &bytes, &mut y);
            for (y, w) in y.iter().zip(w.chunks(inner)) {
                let exact: f64 = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                let size: f64 = x.iter().zip(w).map(|(x, w)| f64::from(x * w).abs()).sum();
                // m and q d of Q4_1 nearly cancel, where their sizes are larger than that of the element
                assert!(
                    (f64::from(*y) - exact).abs() <= 3e-7 * size.max(1e-3),
                    "{outer} x {inner}: {y} instead of {exact}"
                );
            }
        }
    }

    #[test]
    fn every_format() {
        check::<18, Q4_0>(|b, at| (nibble(&b[2..], at) - 8.0) * half(b, 0));
        check::<20, Q4_1>(|b, at| nibble(&b[4..], at) * half(b, 0) + half(b, 2));
        check::<22, Q5_0>(|b, at| (nibble(&b[6..], at) + fifth(&b[2..], at) - 16.0) * half(b, 0));
        check::<24, Q5_1>(|b, at| (nibble(&b[8..], at) + fifth(&b[4..], at)) * half(b, 0) + half(b, 2));
        check::<34, Q8_0>(|b, at| f32::from(b[2 + at].cast_signed()) * half(b, 0));
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = [1.0; 32];
            x[5] = bad;
            let mut y = [0.0];
            matvec::<34, Q8_0>(&prepare(&x), &[1; 34], &mut y);
            assert!(y[0].is_nan(), "{y:?}");
        }
    }

    #[test]
    fn any_magnitude() {
        for x in [0.0, f32::from_bits(1), 1e-38, 1e-30, 1.0, 3e30, 1e37] {
            let mut block = [1; 34];
            block[..2].copy_from_slice(&0x3c00_u16.to_le_bytes()); // 1.0
            let mut y = [0.0];
            matvec::<34, Q8_0>(&prepare(&[x; 32]), &block, &mut y);
            let lost = if x < 1e-35 { 32.0 * 2_f32.powi(-119) } else { 0.0 };
            assert!((y[0] - 32.0 * x).abs() <= lost, "{x}: {y:?}");
        }
    }
}
