//! A frozen linear layer, and the same weight flipped for its backward pass.

use super::host::{tensor, with_floats};
#[cfg(target_arch = "wasm32")]
use super::matmul::{Inner, add_matmul};
use crate::error::{Error, Result};
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{AdapterKind, Kernel};
use candle_core::Tensor;

/// Inputs `x (N, in)`, `w (out, in)`, then `bias (out)` if there is one, then `addend (N, out)` if there is one.
/// `y = x wᵀ + bias + addend`; flipped, `x` is `(N, out)` and `y = x w + addend` is `(N, in)`.
/// The weight is frozen: it never gets a gradient.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// Multiply by `w` instead of `wᵀ`: the backward pass of the layer, with the weight as it stands.
    pub flipped: bool,
    /// There is a bias input.
    pub bias: bool,
    /// There is an input to add to the result (a residual, or another gradient).
    pub addend: bool,
}

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

impl Tile {
    /// The largest tile of the device's table that the matrix fills.
    fn choose(adapter: AdapterKind, rows: usize, columns: usize) -> Tile {
        let table: &[Tile] = match adapter {
            AdapterKind::Software => &SOFTWARE,
            AdapterKind::Hardware => &HARDWARE,
        };
        let fits = |tile: &&Tile| rows.div_ceil(4).is_multiple_of(tile.tall) && (columns / 4).is_multiple_of(tile.wide);
        *table.iter().find(fits).expect("the last tile fits everything")
    }

    fn kernel(self, rows: usize, inner: usize, columns: usize) -> Kernel {
        let Tile { tall, wide, group } = self;
        let sizes = [
            ("rows", rows),
            ("inner", inner / 4),
            ("columns", columns / 4),
            ("tall", tall),
            ("wide", wide),
            ("group_x", group.0),
            ("group_y", group.1),
        ];
        let x = columns.div_ceil(4 * wide * group.0);
        let y = rows.div_ceil(4 * tall * group.1);
        Kernel::new(include_str!("linear_direct.wgsl"), 2, &sizes, [x as u32, y as u32, 1])
    }
}

impl Op for Linear {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let (x, w) = (inputs[0], inputs[1]);
        let (inner, outer) = if self.flipped { (w[0], w[1]) } else { (w[1], w[0]) };
        if x[1] != inner {
            return Err(Error::Shape { op: "Linear".into(), reason: format!("input {x:?} against weight {w:?}") });
        }
        Ok(vec![vec![x[0], outer]])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let back = Linear { flipped: !self.flipped, bias: false, addend: false };
        let mut found = vec![None; at.inputs.len()];
        if at.wants[0] {
            found[0] = Some(graph.one(back, &[at.dy(), at.inputs[1]])?);
        }
        if self.addend && at.wants[at.inputs.len() - 1] {
            found[at.inputs.len() - 1] = Some(at.dy());
        }
        Ok(found)
    }

    /// In a browser the product is our own, which is 1.3 to 1.4 times as fast there as candle's (`super::matmul`); natively it is candle's,
    /// which has wider registers and more cores.
    #[cfg(target_arch = "wasm32")]
    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let (rows, w) = (inputs[0].dim(0)?, inputs[1].dims2()?);
        let (sizes, inner) = if self.flipped { (w, Inner::First) } else { ((w.1, w.0), Inner::Second) };
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let y = with_floats(&inputs, |x| {
            let mut y = if self.addend { x[x.len() - 1].to_vec() } else { vec![0.0; rows * sizes.1] };
            if self.bias {
                y.chunks_exact_mut(sizes.1).for_each(|row| add_to(row, x[2]));
            }
            add_matmul(x[0], x[1], sizes, inner, &mut y);
            Ok(y)
        })?;
        Ok(vec![tensor(y, &[rows, sizes.1])?])
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn cpu(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let w = if self.flipped { inputs[1].clone() } else { inputs[1].t()? };
        let y = inputs[0].matmul(&w)?;
        if inputs.len() == 2 {
            return Ok(vec![y]);
        }
        let columns = y.dim(1)?;
        let rest: Vec<&Tensor> = std::iter::once(&y).chain(&inputs[2..]).collect();
        let sum = with_floats(&rest, |x| {
            let mut sum = x[0].to_vec();
            if self.bias {
                sum.chunks_exact_mut(columns).for_each(|row| add_to(row, x[1]));
            }
            if self.addend {
                add_to(&mut sum, x[x.len() - 1]);
            }
            Ok(sum)
        })?;
        Ok(vec![tensor(sum, y.dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, inner, columns) = (io.inputs[0][0], io.inputs[0][1], io.outputs[0][1]);
        let mut kernel = if inner % 4 == 0 && columns % 4 == 0 {
            Tile::choose(io.adapter, rows, columns).kernel(rows, inner, columns)
        } else {
            let sizes = [("rows", rows), ("inner", inner), ("columns", columns)];
            let grid = [columns.div_ceil(32) as u32, rows.div_ceil(32) as u32, 1];
            Kernel::new(include_str!("linear_any.wgsl"), 2, &sizes, grid)
        };
        // Bindings 2 and 3 are bias and addend; the input stands in for one that is absent.
        kernel.inputs.push(if self.bias { 2 } else { 0 });
        kernel.inputs.push(if self.addend { io.inputs.len() - 1 } else { 0 });
        kernel.with("flipped", self.flipped).with("biased", self.bias).with("added", self.addend)
    }
}

fn add_to(sum: &mut [f32], x: &[f32]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}
