//! Which kernel multiplies with a matrix: by its format, its sizes and the kind of GPU.

use super::Linear;
use super::blocks::constants;
use crate::checkpoint::BlockType;
use crate::graph::Io;
use crate::kernel::{AdapterKind, Kernel};

/// Rows of the input up to which each is multiplied by itself.
const FEW: usize = 4;

/// A kernel variant without workgroup memory: what one invocation computes, and how many make a workgroup.
#[derive(Debug, Clone, Copy)]
struct Tile {
    /// Blocks of four rows.
    tall: usize,
    /// Blocks of four columns.
    wide: usize,
    /// Invocations of a workgroup along the columns and along the rows.
    group: (usize, usize),
}

/// From the largest to the smallest.
const SOFTWARE: [Tile; 4] = [
    Tile { tall: 4, wide: 4, group: (8, 1) },
    Tile { tall: 2, wide: 4, group: (8, 1) },
    Tile { tall: 2, wide: 2, group: (8, 1) },
    Tile { tall: 1, wide: 1, group: (8, 1) },
];
const HARDWARE: [Tile; 2] = [Tile { tall: 2, wide: 2, group: (8, 8) }, Tile { tall: 1, wide: 1, group: (8, 8) }];

/// The same of a matrix in blocks: four columns at a time, so that what is dequantised serves many rows.
const SOFTWARE_BLOCKS: [Tile; 3] = [
    Tile { tall: 4, wide: 1, group: (8, 1) },
    Tile { tall: 2, wide: 1, group: (8, 1) },
    Tile { tall: 1, wide: 1, group: (8, 1) },
];
const HARDWARE_BLOCKS: [Tile; 2] = [Tile { tall: 2, wide: 1, group: (8, 8) }, Tile { tall: 1, wide: 1, group: (8, 8) }];

impl Tile {
    /// The largest tile of a table that the matrix fills.
    fn choose(table: &[Tile], rows: usize, columns: usize) -> Tile {
        let fits = |tile: &&Tile| rows.div_ceil(4).is_multiple_of(tile.tall) && (columns / 4).is_multiple_of(tile.wide);
        *table.iter().find(fits).expect("the last tile fits everything")
    }

    /// The kernel `wgsl` with this tile.
    fn kernel(self, wgsl: &'static str, rows: usize, columns: usize) -> Kernel {
        let Tile { tall, wide, group } = self;
        let sizes = [("rows", rows), ("tall", tall), ("group_x", group.0), ("group_y", group.1)];
        let x = columns.div_ceil(4 * wide * group.0);
        let y = rows.div_ceil(4 * tall * group.1);
        Kernel::new(wgsl, 2, &sizes, [x as u32, y as u32, 1])
    }
}

/// The kernel of an op. Bindings 2 and 3 are bias and addend; the input stands in for one that is absent.
pub(super) fn kernel(op: &Linear, io: &Io) -> Kernel {
    let (rows, inner, columns) = (io.inputs[0][0], io.inputs[0][1], io.outputs[0][1]);
    let first = op.rows.map_or(0, |rows| rows.start);
    let floats = op.kind == BlockType::F32;
    let mut kernel = if rows <= FEW && !op.flipped && inner.is_multiple_of(4) {
        vector(io.adapter, rows, inner, columns).with_sizes(&constants(op.kind, inner))
    } else if !floats {
        blocks(op.flipped, io.adapter, rows, inner, columns)
            .with_sizes(&constants(op.kind, if op.flipped { columns } else { inner }))
    } else if inner.is_multiple_of(4) && columns.is_multiple_of(4) {
        let table: &[Tile] = if io.adapter == AdapterKind::Software { &SOFTWARE } else { &HARDWARE };
        let tile = Tile::choose(table, rows, columns);
        tile.kernel(include_str!("linear_direct.wgsl"), rows, columns)
            .with_sizes(&[("inner", inner / 4), ("columns", columns / 4), ("wide", tile.wide)])
            .with("flipped", op.flipped)
    } else {
        let sizes = [("rows", rows), ("inner", inner), ("columns", columns)];
        let grid = [columns.div_ceil(32) as u32, rows.div_ceil(32) as u32, 1];
        Kernel::new(include_str!("linear_any.wgsl"), 2, &sizes, grid).with("flipped", op.flipped)
    };
    kernel.inputs.push(if op.bias { 2 } else { 0 });
    kernel.inputs.push(if op.addend { io.inputs.len() - 1 } else { 0 });
    kernel.with_size("first", first).with("biased", op.bias).with("added", op.addend)
}

/// Many rows and a matrix in blocks.
fn blocks(flipped: bool, adapter: AdapterKind, rows: usize, inner: usize, columns: usize) -> Kernel {
    let table: &[Tile] = if adapter == AdapterKind::Software { &SOFTWARE_BLOCKS } else { &HARDWARE_BLOCKS };
    let tile = Tile::choose(table, rows, columns);
    let (wgsl, sizes) = if flipped {
        let wgsl = concat!(include_str!("blocks.wgsl"), include_str!("linear_blocks_flipped.wgsl"));
        (wgsl, [("inner", inner), ("columns", columns / 4)])
    } else {
        let wgsl = concat!(include_str!("blocks.wgsl"), include_str!("linear_blocks.wgsl"));
        (wgsl, [("inner", inner / 4), ("columns", columns)])
    };
    tile.kernel(wgsl, rows, columns).with_sizes(&sizes)
}

/// Few rows and a matrix in any format.
fn vector(adapter: AdapterKind, rows: usize, inner: usize, columns: usize) -> Kernel {
    let (lanes, group) = match adapter {
        AdapterKind::Software => (1, 16),
        AdapterKind::Hardware => (32, 2),
    };
    let wgsl = concat!(include_str!("blocks.wgsl"), include_str!("linear_vector.wgsl"));
    let sizes = [("inner", inner / 4), ("columns", columns), ("lanes", lanes), ("group", group)];
    Kernel::new(wgsl, 2, &sizes, [columns.div_ceil(4 * group) as u32, rows as u32, 1])
}
