//! Product of a few rows with a matrix: each row by itself, since there is nothing to win by packing.

use super::block_dot::{Inputs, matvec, prepare};
use super::block_dot_long::{Q4K, Q5K, Q6K, matvec_long};
use super::block_formats::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use super::blocks::Matrix;
use super::lanes::{Lanes, add, load, multiply_add, splat, store};
use crate::checkpoint::BlockType;
use crate::cores::Cores;

/// Rows up to which this is faster than [`super::matmul`].
#[cfg(target_arch = "wasm32")]
pub const FEW: usize = 3;
/// Rows of the matrix at once, from as many parts of it: see [`matvec`].
const PARTS: usize = 4;

/// Adds `x wᵀ` to `y`: `x (rows, inner)`, `w (outer, inner)`, `y (rows, outer)`; `sizes` is `(inner, outer)`. Threads share the rows of
/// the matrix.
pub fn add_matvec(x: &[f32], w: Matrix, (inner, outer): (usize, usize), y: &mut [f32], cores: &Cores) {
    let mut sums = vec![0.0; outer];
    for (x, y) in x.chunks_exact(inner).zip(y.chunks_exact_mut(outer)) {
        let in_blocks = matches!(w, Matrix::Blocks { kind, .. } if kind.elements() > 1);
        let inputs = if in_blocks { prepare(x) } else { Vec::new() };
        cores.worth(inner * outer / 8).share(&mut sums, 1, |first, sums| match w.rows(first, sums.len(), inner) {
            Matrix::Floats(w) => of_floats(x, w, sums),
            Matrix::Blocks { kind, bytes } => of_blocks(x, &inputs, kind, bytes, sums),
        });
        y.iter_mut().zip(&sums).for_each(|(y, sum)| *y += sum);
    }
}

fn of_blocks(x: &[f32], inputs: &[Inputs], kind: BlockType, bytes: &[u8], y: &mut [f32]) {
    match kind {
        BlockType::Q4_0 => matvec::<18, Q4_0>(inputs, bytes, y),
        BlockType::Q4_1 => matvec::<20, Q4_1>(inputs, bytes, y),
        BlockType::Q5_0 => matvec::<22, Q5_0>(inputs, bytes, y),
        BlockType::Q5_1 => matvec::<24, Q5_1>(inputs, bytes, y),
        BlockType::Q8_0 => matvec::<34, Q8_0>(inputs, bytes, y),
        BlockType::Q4_K => matvec_long::<144, Q4K>(inputs, bytes, y),
        BlockType::Q5_K => matvec_long::<176, Q5K>(inputs, bytes, y),
        BlockType::Q6_K => matvec_long::<210, Q6K>(inputs, bytes, y),
        BlockType::F32 | BlockType::F16 | BlockType::BF16 => {
            let size = bytes.len() / y.len();
            let mut row = Vec::with_capacity(x.len());
            for (y, bytes) in y.iter_mut().zip(bytes.chunks_exact(size)) {
                row.clear();
                kind.dequantise(bytes, &mut row);
                *y = dots(x, [&row])[0];
            }
        }
    }
}

fn of_floats(x: &[f32], w: &[f32], y: &mut [f32]) {
    let part = y.len().div_ceil(PARTS);
    for first in 0..part {
        // Where the parts are not equal, the last one repeats rows of its own or of others.
        let at = std::array::from_fn::<_, PARTS, _>(|n| (n * part + first).min(y.len() - 1));
        let sums = dots(x, at.map(|row| &w[row * x.len()..][..x.len()]));
        at.into_iter().zip(sums).for_each(|(row, sum)| y[row] = sum);
    }
}

/// The products of `x` with some rows of the same length.
#[inline(never)]
fn dots<const N: usize>(x: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let mut sums = [[splat(0.0); 2]; N];
    let (whole, rest) = x.as_chunks::<8>();
    let lanes = |x: &[f32; 8]| -> [Lanes; 2] { [load([x[0], x[1], x[2], x[3]]), load([x[4], x[5], x[6], x[7]])] };
    for (at, x) in whole.iter().enumerate() {
        let x = lanes(x);
        for (sums, row) in sums.iter_mut().zip(rows) {
            let w = lanes(row[8 * at..8 * at + 8].try_into().expect("eight elements"));
            sums[0] = multiply_add(x[0], w[0], sums[0]);
            sums[1] = multiply_add(x[1], w[1], sums[1]);
        }
    }
    let mut found = sums.map(|[a, b]| store(add(a, b)).iter().sum::<f32>());
    for (sum, row) in found.iter_mut().zip(rows) {
        *sum += rest.iter().zip(&row[8 * whole.len()..]).map(|(x, w)| x * w).sum::<f32>();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_and_odd_sizes() {
        let small = [(0, 13, 7), (0, 64, 1), (2, 64, 5), (3, 96, 6), (8, 32, 9), (7, 32, 3), (12, 512, 2)];
        let shared = [(0, 1300, 131), (1, 1300, 131), (3, 960, 181), (8, 576, 333), (14, 512, 301)];
        for (number, inner, outer) in small.into_iter().chain(shared) {
            let kind = BlockType::from_number(number).unwrap();
            let floats: Vec<f32> = (0..inner * outer).map(|at| (at * 3 % 7) as f32 - 3.0).collect();
            let size = inner * outer / kind.elements() * kind.block_bytes();
            // Scales of 16 bits between 0 and 2: their upper byte is below 64.
            let bytes: Vec<u8> = (0..size).map(|at| (at * 37 % 61) as u8).collect();
            let w = if number == 0 { Matrix::Floats(&floats) } else { Matrix::Blocks { kind, bytes: &bytes } };
            let mut elements = Vec::new();
            w.dequantise(&mut elements);
            let x: Vec<f32> = (0..2 * inner).map(|at| (at * 5 % 11) as f32 - 5.0).collect();
            let mut y = vec![1.0; 2 * outer];
            add_matvec(&x, w, (inner, outer), &mut y, &Cores::one());
            let mut of_three = vec![1.0; 2 * outer];
            Cores::with_threads(3, |three| add_matvec(&x, w, (inner, outer), &mut of_three, &three));
            assert_eq!(y, of_three, "{kind:?}");
            for (at, y) in y.iter().enumerate() {
                let (x, w) = (&x[at / outer * inner..][..inner], &elements[at % outer * inner..][..inner]);
                let exact: f64 = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                let sizes: f64 = x.iter().zip(w).map(|(x, w)| f64::from(x * w).abs()).sum();
                assert!((f64::from(*y) - 1.0 - exact).abs() <= 1e-6 * sizes.max(1.0), "{kind:?}: {y}, not {exact} + 1");
            }
        }
    }
}
