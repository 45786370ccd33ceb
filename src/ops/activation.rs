//! Elementwise activations, with the IA3 scale of the feed-forward input folded in.

use super::host::{erf, exp, slots, tanh, tensor, with_floats};
use super::scale::Scale;
use crate::cores::Cores;
use crate::error::Result;
use crate::graph::{Grad, Graph, Id, Io, Op, Shape};
use crate::kernel::{Kernel, elementwise, grid};
use candle_core::Tensor;

/// Which activation; names as Hugging Face's `hidden_act`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActivationKind {
    /// `x Φ(x)`, exact.
    Gelu,
    /// Gelu's tanh approximation (`gelu_new`, `gelu_pytorch_tanh`).
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `tanh(x)`.
    Tanh,
    /// `x σ(x)` (`silu`, `swish`).
    Silu,
}

/// Inputs `x (N, C)`, and with a scale also `table (A, P)` and `slots (B)`: `y = f(x) ⊙ l`, or `y = f(x) ⊙ l + b` with a shift.
/// Folding the scale in saves one pass and, more, the memory of `f(x)`: the backward pass needs only `x`.
#[derive(Debug, Clone, Copy)]
pub struct Activation {
    /// Which function.
    pub kind: ActivationKind,
    /// The scale applied to the result; it covers every channel, with a parameter for each.
    pub scale: Option<Scale>,
}

/// Inputs `dy (N, C)` and those of the op. Outputs `dx = dy ⊙ l ⊙ f'(x)` and, with a scale, `dl (C) = Σ_n dy ⊙ f(x)`,
/// followed with a shift by `db (C) = Σ_n dy`.
#[derive(Debug, Clone, Copy)]
pub struct ActivationGrad(pub Activation);

const SQRT_2_OVER_PI: f32 = 0.797_884_6;
const INV_SQRT_2PI: f32 = 0.398_942_3;

impl ActivationKind {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        match self {
            ActivationKind::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            ActivationKind::GeluTanh => 0.5 * x * (1.0 + tanh(SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x))),
            ActivationKind::Relu => x.max(0.0),
            ActivationKind::Tanh => tanh(x),
            ActivationKind::Silu => x / (1.0 + exp(-x)),
        }
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        match self {
            ActivationKind::Gelu => {
                0.5 * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)) + x * INV_SQRT_2PI * exp(-0.5 * x * x)
            }
            ActivationKind::GeluTanh => {
                let t = tanh(SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x));
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * SQRT_2_OVER_PI * (1.0 + 3.0 * 0.044_715 * x * x)
            }
            ActivationKind::Relu => f32::from(x > 0.0),
            ActivationKind::Tanh => 1.0 - tanh(x) * tanh(x),
            ActivationKind::Silu => {
                let share = 1.0 / (1.0 + exp(-x));
                share * (1.0 + x * (1.0 - share))
            }
        }
    }

    /// The function, or its slope, of each element.
    fn map(self, x: &[f32], slope: bool, cores: &Cores) -> Vec<f32> {
        let mut y = vec![0.0; x.len()];
        cores.rows(&mut y, 1, |first, y| self.fill(&x[first..][..y.len()], slope, y));
        y
    }

    /// Each kind has a loop of its own, compiled for it alone.
    fn fill(self, x: &[f32], slope: bool, y: &mut [f32]) {
        let each = y.iter_mut().zip(x);
        macro_rules! kinds {
            ($($kind:ident),*) => {
                match (self, slope) {
                    $((ActivationKind::$kind, false) => each.for_each(|(y, x)| *y = ActivationKind::$kind.value(*x)),
                      (ActivationKind::$kind, true) => each.for_each(|(y, x)| *y = ActivationKind::$kind.slope(*x)),)*
                }
            };
        }
        kinds!(Gelu, GeluTanh, Relu, Tanh, Silu)
    }
}

impl Op for Activation {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        Ok(vec![inputs[0].clone()])
    }

    fn table_range(&self) -> Option<(usize, usize)> {
        self.scale.and_then(|scale| scale.table_range())
    }

    fn grad(&self, graph: &mut Graph, at: &Grad) -> Result<Vec<Option<Id>>> {
        let inputs: Vec<Id> = std::iter::once(at.dy()).chain(at.inputs.iter().copied()).collect();
        let found = graph.apply(ActivationGrad(*self), &inputs)?;
        Ok((0..at.inputs.len()).map(|input| (input < found.len() && at.wants[input]).then(|| found[input])).collect())
    }

    fn reads_half(&self, input: usize) -> bool {
        input == 0
    }

    fn writes_half(&self) -> bool {
        true
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let y = with_floats(&[&inputs[0]], |x| Ok(self.kind.map(x[0], false, cores)))?;
        let y = tensor(y, inputs[0].dims())?;
        match self.scale {
            Some(scale) => scale.cpu(&[y, inputs[1].clone(), inputs[2].clone()], cores),
            None => Ok(vec![y]),
        }
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.outputs[0][0], io.outputs[0][1]);
        let grid = elementwise(rows * columns);
        let wgsl = include_str!("activation.wgsl");
        let mut kernel = match self.scale {
            Some(scale) => Kernel::new(wgsl, 3, &scale.sizes(io.inputs), grid),
            None => Kernel::new(wgsl, 1, &[("rows", rows), ("columns", columns)], grid),
        };
        kernel.inputs.resize(3, 0);
        kernel
            .with("kind", self.kind as u32)
            .with("scaled", self.scale.is_some())
            .with("shifted", self.scale.is_some_and(|scale| scale.shifted))
    }
}

impl Op for ActivationGrad {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let dx = inputs[0].clone();
        Ok(match self.0.scale {
            Some(scale) => vec![dx, vec![scale.table_len()]],
            None => vec![dx],
        })
    }

    fn cpu(&self, inputs: &[Tensor], cores: &Cores) -> Result<Vec<Tensor>> {
        let kind = self.0.kind;
        let channels = inputs[0].dim(1)?;
        let mut dx = with_floats(&[&inputs[1]], |x| Ok(kind.map(x[0], true, cores)))?;
        let Some(scale) = self.0.scale else {
            with_floats(&[&inputs[0]], |x| {
                dx.iter_mut().zip(x[0]).for_each(|(dx, dy)| *dx *= dy);
                Ok(())
            })?;
            return Ok(vec![tensor(dx, inputs[0].dims())?]);
        };
        let parameters = inputs[2].dim(1)?;
        let (rows, slots) = slots(&inputs[3], inputs[0].dim(0)?)?;
        let mut dl = vec![0.0; scale.table_len()];
        with_floats(&[&inputs[0], &inputs[1], &inputs[2]], |x| {
            let value = kind.map(x[1], false, cores);
            let each = dx.chunks_exact_mut(channels).zip(x[0].chunks_exact(channels)).zip(value.chunks_exact(channels));
            for (n, ((dx, dy), value)) in each.enumerate() {
                let first = slots[n / rows] * parameters + scale.offset;
                let vector = &x[2][first..first + channels];
                for i in 0..channels {
                    dl[i] += dy[i] * value[i];
                    if scale.shifted {
                        dl[channels + i] += dy[i];
                    }
                    dx[i] *= dy[i] * vector[i];
                }
            }
            Ok(())
        })?;
        Ok(vec![tensor(dx, inputs[0].dims())?, tensor(dl, &[scale.table_len()])?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let (rows, columns) = (io.outputs[0][0], io.outputs[0][1]);
        let kind = self.0.kind as u32;
        let Some(scale) = self.0.scale else {
            let count = rows * columns;
            let wgsl = include_str!("activation_grad.wgsl");
            return Kernel::new(wgsl, 2, &[("count", count)], elementwise(count)).with("kind", kind);
        };
        let (width, height) = io.adapter.column_group();
        let wgsl = include_str!("scaled_activation_grad.wgsl");
        Kernel::new(wgsl, 4, &scale.sizes(&io.inputs[1..]), grid(columns.div_ceil(width)))
            .with("kind", kind)
            .with("shifted", scale.shifted)
            .with_size("dl_offset", io.output_offsets[1])
            .with_size("width", width)
            .with_size("height", height)
    }
}
