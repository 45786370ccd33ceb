//! Product of a batch of rows with a matrix. Each thread computes columns of its own.
//!
//! Blocked as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (ACM TOMS 34(3), 2008): a strip of
//! the matrix, 8 columns wide, is packed so that it stays in the first-level cache, and a block of rows so that it stays in the
//! second; the innermost loop keeps 4 x 8 sums in registers. Packing reads the matrix either way round, so one copy of it serves
//! `x w` and `x wᵀ` alike. The tile is small because x86-64 has 16 SIMD registers and the compilers between here and there neither
//! reorder nor spill well: 6 x 8 and 3 x 12 were slower or came and went with the browser's version.

use super::blocks::Matrix;
use super::lanes::{Lanes, add, load, multiply_add, splat, store};
use crate::cores::Cores;
use std::ops::Range;

/// Rows of a tile.
const ROWS: usize = 4;
/// Columns of a tile: two registers.
const COLUMNS: usize = 8;
/// Most of the inner dimension at once: a strip of 12 KiB.
const DEPTH: usize = 384;
/// Rows of a block: 384 KiB. Fewer would pack the matrix more often.
const BLOCK: usize = 256;

/// Which of a stored matrix's dimensions is summed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inner {
    /// The first: `w (inner, outer)`, the product is `x w`.
    First,
    /// The second: `w (outer, inner)`, the product is `x wᵀ`.
    Second,
}

/// Part of one line of a packed strip: what every row is multiplied with at one position of the inner dimension.
type Line = [Lanes; COLUMNS / 4];

/// Some columns of the product.
struct Product<'a> {
    columns: Range<usize>,
    /// Of each row.
    y: Vec<&'a mut [f32]>,
}

/// The matrix, as it is stored, and what of some of its columns is floats for a moment where it is in blocks.
struct Strips<'a> {
    matrix: Matrix<'a>,
    sizes: (usize, usize),
    inner: Inner,
    columns: Range<usize>,
    floats: Vec<f32>,
}

/// Adds `x w` or `x wᵀ` to `y`: `x (rows, inner)`, `y (rows, outer)`, all row-major; `sizes` is `(inner, outer)`. A matrix in blocks is
/// dequantised while it is packed, a few rows at a time.
///
/// # Panics
/// If a slice does not fit the sizes.
pub fn add_matmul(x: &[f32], w: Matrix, sizes: (usize, usize), inner: Inner, y: &mut [f32], cores: &Cores) {
    let (depth, width) = sizes;
    assert!(
        depth > 0 && width > 0 && x.len().is_multiple_of(depth),
        "the sizes {sizes:?} do not fit {} inputs",
        x.len()
    );
    let rows = x.len() / depth;
    assert_eq!(
        (w.elements(), y.len()),
        (depth * width, rows * width),
        "matrix and result of {rows} rows and {sizes:?}"
    );
    // Whole tiles; and where a row of the matrix is cut, whole blocks.
    let unit = match (inner, w) {
        (Inner::First, Matrix::Blocks { kind, .. }) => kind.elements().max(COLUMNS),
        _ => COLUMNS,
    };
    let cores = cores.worth(rows * depth * width / 16);
    let runs = cores.split(width.div_ceil(unit)).map(|run| run.start * unit..width.min(run.end * unit));
    let mut products: Vec<_> = runs.map(|columns| Product { columns, y: Vec::with_capacity(rows) }).collect();
    for mut row in y.chunks_exact_mut(width) {
        for product in &mut products {
            let (own, rest) = row.split_at_mut(product.columns.len());
            product.y.push(own);
            row = rest;
        }
    }
    cores.map(products, |product| product.add(x, w, sizes, inner));
}

impl Product<'_> {
    fn add(mut self, x: &[f32], matrix: Matrix, sizes: (usize, usize), inner: Inner) {
        let depth = sizes.0;
        let mut strips = Strips { matrix, sizes, inner, columns: self.columns.clone(), floats: Vec::new() };
        let mut strip = vec![[splat(0.0); COLUMNS / 4]; depth.min(DEPTH)];
        let mut block = Vec::new();
        for first in (0..depth).step_by(DEPTH) {
            let part = first..depth.min(first + DEPTH);
            strips.begin(part.clone());
            for (x, y) in x.chunks(BLOCK * depth).zip(self.y.chunks_mut(BLOCK)) {
                pack_rows(x, depth, part.clone(), &mut block);
                for column in self.columns.clone().step_by(COLUMNS) {
                    let strip = &mut strip[..part.len()];
                    strips.pack(part.start, column, strip);
                    for (tile, y) in block.chunks_exact(part.len()).zip(y.chunks_mut(ROWS)) {
                        add_tile(&tile_sums(tile, strip), column - self.columns.start, y);
                    }
                }
            }
        }
    }
}

/// Packs rows of `x (rows, depth)`: for every four rows, the elements `part` of all four side by side. Missing rows are zero.
fn pack_rows(x: &[f32], depth: usize, part: Range<usize>, block: &mut Vec<[f32; ROWS]>) {
    block.clear();
    block.resize(x.len().div_ceil(ROWS * depth) * part.len(), [0.0; ROWS]);
    for (tile, rows) in block.chunks_exact_mut(part.len()).zip(x.chunks(ROWS * depth)) {
        for (at, row) in rows.chunks_exact(depth).enumerate() {
            tile.iter_mut().zip(&row[part.clone()]).for_each(|(to, from)| to[at] = *from);
        }
    }
}

impl Strips<'_> {
    /// Gets ready to pack strips of this part of the inner dimension.
    fn begin(&mut self, part: Range<usize>) {
        if let (Inner::First, Matrix::Blocks { .. }) = (self.inner, self.matrix) {
            self.floats.clear();
            for row in part {
                self.matrix.span(row, self.sizes.1, self.columns.clone()).dequantise(&mut self.floats);
            }
        }
    }

    /// Packs the strip of columns from `column` on, at `first ..` of the inner dimension. Missing columns are zero.
    fn pack(&mut self, first: usize, column: usize, strip: &mut [Line]) {
        let (depth, width) = self.sizes;
        let columns = COLUMNS.min(self.columns.end - column);
        match self.inner {
            Inner::First => {
                let part = match self.matrix {
                    Matrix::Floats(data) => Part { rows: &data[first * width..], row: width, at: column },
                    Matrix::Blocks { .. } => {
                        Part { rows: &self.floats, row: self.columns.len(), at: column - self.columns.start }
                    }
                };
                for (line, row) in strip.iter_mut().zip(part.rows.chunks_exact(part.row)) {
                    *line = line_of(&row[part.at..part.at + columns]);
                }
            }
            Inner::Second => {
                let part = match self.matrix {
                    Matrix::Floats(data) => Part { rows: data, row: depth, at: column * depth + first },
                    Matrix::Blocks { kind, .. } => {
                        // Whole blocks, which may begin before the part and end after it.
                        let size = kind.elements();
                        let start = first / size * size;
                        let end = (first + strip.len()).next_multiple_of(size);
                        self.floats.clear();
                        for row in column..column + columns {
                            self.matrix.span(row, depth, start..end).dequantise(&mut self.floats);
                        }
                        Part { rows: &self.floats, row: end - start, at: first - start }
                    }
                };
                // A missing column repeats the last one; its sums are never stored.
                let rows: [&[f32]; COLUMNS] =
                    std::array::from_fn(|at| &part.rows[part.at + at.min(columns - 1) * part.row..][..strip.len()]);
                for (at, line) in strip.iter_mut().enumerate() {
                    *line = [
                        load([rows[0][at], rows[1][at], rows[2][at], rows[3][at]]),
                        load([rows[4][at], rows[5][at], rows[6][at], rows[7][at]]),
                    ];
                }
            }
        }
    }
}

/// Where rows of floats lie, and the first element that is wanted.
struct Part<'a> {
    rows: &'a [f32],
    row: usize,
    at: usize,
}

fn line_of(row: &[f32]) -> Line {
    if let Ok([a, b, c, d, e, f, g, h]) = <[f32; COLUMNS]>::try_from(row) {
        return [load([a, b, c, d]), load([e, f, g, h])];
    }
    let mut whole = [0.0; COLUMNS];
    whole[..row.len()].copy_from_slice(row);
    line_of(&whole)
}

/// The sums of one tile. Not inlined and not unrolled by hand: with one position at a time all sums stay in registers.
#[inline(never)]
fn tile_sums(rows: &[[f32; ROWS]], strip: &[Line]) -> [Line; ROWS] {
    let mut sums = [[splat(0.0); COLUMNS / 4]; ROWS];
    for (x, line) in rows.iter().zip(strip) {
        for (sums, x) in sums.iter_mut().zip(x) {
            let x = splat(*x);
            sums[0] = multiply_add(x, line[0], sums[0]);
            sums[1] = multiply_add(x, line[1], sums[1]);
        }
    }
    sums
}

/// Adds a tile to up to `ROWS` rows, from `column` on.
fn add_tile(sums: &[Line; ROWS], column: usize, y: &mut [&mut [f32]]) {
    for (y, sums) in y.iter_mut().zip(sums) {
        let (whole, rest) = y[column..].as_chunks_mut::<4>();
        let mut sums = sums.iter();
        for (y, sums) in whole.iter_mut().zip(&mut sums) {
            *y = store(add(load(*y), *sums));
        }
        if let Some(sums) = sums.next() {
            rest.iter_mut().zip(store(*sums)).for_each(|(y, sum)| *y += sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::BlockType;

    /// Enough for threads to share even the smallest of these products.
    const ROWS_OF_MANY: usize = 80;

    /// Small whole numbers, so that every order of summation gives the same floats.
    fn numbers(count: usize, step: usize) -> Vec<f32> {
        (0..count).map(|at| (at * step % 7) as f32 - 3.0).collect()
    }

    fn expected(x: &[f32], w: &[f32], (depth, width): (usize, usize), inner: Inner) -> Vec<f32> {
        let at = |k: usize, n: usize| match inner {
            Inner::First => w[k * width + n],
            Inner::Second => w[n * depth + k],
        };
        let row = |x: &[f32], n: usize| (0..depth).map(|k| x[k] * at(k, n)).sum::<f32>() + 1.0;
        x.chunks(depth).flat_map(|x| (0..width).map(move |n| row(x, n))).collect()
    }

    #[test]
    fn blocks_are_the_floats_they_stand_for() {
        for (number, depth, width) in [(8, 416, 32_usize), (3, 416, 9), (14, 768, 10), (12, 512, 256)] {
            let kind = BlockType::from_number(number).unwrap();
            for inner in [Inner::First, Inner::Second] {
                if inner == Inner::First && !width.is_multiple_of(kind.elements()) {
                    continue;
                }
                let bytes = depth * width / kind.elements() * kind.block_bytes();
                // Scales of 16 bits between 0 and 2: their upper byte is below 64.
                let bytes: Vec<u8> = (0..bytes).map(|at| (at * 37 % 61) as u8).collect();
                let matrix = Matrix::Blocks { kind, bytes: &bytes };
                let mut floats = Vec::new();
                matrix.dequantise(&mut floats);
                let x = numbers(ROWS_OF_MANY * depth, 5);
                let product = |w, cores: &Cores| {
                    let mut y = vec![0.0; ROWS_OF_MANY * width];
                    add_matmul(&x, w, (depth, width), inner, &mut y, cores);
                    y
                };
                let [of_blocks, of_floats] = [matrix, Matrix::Floats(&floats)].map(|w| product(w, &Cores::one()));
                assert!(of_blocks.iter().all(|y| y.is_finite()), "{kind:?}");
                assert_eq!(of_blocks, of_floats, "{kind:?}, {inner:?}");
                assert_eq!(Cores::with_threads(3, |three| product(matrix, &three)), of_blocks, "{kind:?}, {inner:?}");
            }
        }
    }

    #[test]
    fn every_remainder_of_every_block() {
        let sizes = [(1, 1, 1), (3, 5, 7), (4, 384, 8), (5, 385, 9), (130, 6, 12), (131, 400, 17), (300, 400, 33)];
        Cores::with_threads(3, |three| {
            for ((rows, depth, width), cores) in
                sizes.into_iter().flat_map(|size| [(size, Cores::one()), (size, three.clone())])
            {
                for inner in [Inner::First, Inner::Second] {
                    let (x, w) = (numbers(rows * depth, 5), numbers(depth * width, 3));
                    let mut y = vec![1.0; rows * width];
                    add_matmul(&x, Matrix::Floats(&w), (depth, width), inner, &mut y, &cores);
                    let expected = expected(&x, &w, (depth, width), inner);
                    assert_eq!(y, expected, "{rows} x {depth} x {width}, {inner:?}, {} threads", cores.count());
                }
            }
        });
    }
}
