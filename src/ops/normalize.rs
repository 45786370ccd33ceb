//! Rows brought to unit length.

use super::host::{tensor, with_floats};
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, grid};
use candle_core::Tensor;

/// Below this length a row is divided by this instead (torch's `functional.normalize`).
const EPS: f32 = 1e-12;

/// Input `x (B, H)`; output `x / max(|x|, 1e-12)`, row by row.
#[derive(Debug)]
pub struct Normalize;

/// Inputs `dy (B, H)`, `x (B, H)`; output `dx = (dy - y (y · dy)) / |x|`.
#[derive(Debug)]
pub struct NormalizeGrad;

fn length(row: &[f32]) -> f32 {
    row.iter().map(|x| x * x).sum::<f32>().sqrt().max(EPS)
}

impl Op for Normalize {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        Ok(vec![Some(graph.one(NormalizeGrad, &[at.dy(), at.inputs[0]])?)])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let hidden = inputs[0].dim(1)?;
        let y = with_floats(&[&inputs[0]], |x| {
            let unit = |row: &[f32]| {
                let length = length(row);
                row.iter().map(|x| x / length).collect::<Vec<_>>()
            };
            Ok(x[0].chunks_exact(hidden).flat_map(unit).collect())
        })?;
        Ok(vec![tensor(y, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.inputs[0][0], io.inputs[0][1]);
        Kernel::new(include_str!("normalize.wgsl"), 1, &[("rows", rows), ("columns", columns)], grid(rows))
    }
}

impl Op for NormalizeGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let hidden = inputs[0].dim(1)?;
        let dx = with_floats(&[&inputs[0], &inputs[1]], |x| {
            let mut dx = x[0].to_vec();
            for (dx, row) in dx.chunks_exact_mut(hidden).zip(x[1].chunks_exact(hidden)) {
                let length = length(row);
                let along = dx.iter().zip(row).map(|(dy, x)| dy * x).sum::<f32>() / (length * length);
                dx.iter_mut().zip(row).for_each(|(dx, x)| *dx = (*dx - x * along) / length);
            }
            Ok(dx)
        })?;
        Ok(vec![tensor(dx, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.inputs[0][0], io.inputs[0][1]);
        Kernel::new(include_str!("normalize_grad.wgsl"), 2, &[("rows", rows), ("columns", columns)], grid(rows))
    }
}
