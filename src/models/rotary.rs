//! The angles of rotary position embeddings, with the ways to stretch them that configurations ask for (transformers'
//! `modeling_rope_utils.py`). Computed here in transformers' f32 and handed to the graph as a constant, since GPUs' sines are coarse.

use super::layers::Builder;
use crate::checkpoint::Fields;
use crate::checkpoint::fields::bad;
use crate::error::Result;
use crate::graph::{Dtype, Id, Leaf};

/// What turns the queries and keys of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    theta: f64,
    /// Columns of a head that are turned.
    columns: usize,
    /// Tokens the model was trained on.
    longest: usize,
    scaling: Scaling,
}

#[derive(Debug, Clone, PartialEq)]
enum Scaling {
    None,
    Linear {
        factor: f64,
    },
    Dynamic {
        factor: f64,
    },
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
    Yarn {
        factor: f64,
        attention: f64,
        low: f64,
        high: f64,
    },
    /// A number for each pair of columns, which divides its frequency.
    Factors(Vec<f32>),
}

impl Rotary {
    /// Of heads of `head` columns in a model for `longest` tokens: `rope_parameters` as transformers 5 writes them, or `rope_theta` and
    /// `rope_scaling` as before.
    pub fn read(fields: &Fields, head: usize, longest: usize, theta: f64) -> Result<Rotary> {
        let parameters = match fields.object("rope_parameters")? {
            Some(parameters) => Some(parameters),
            None => fields.object("rope_scaling")?,
        };
        let theta = fields.number("rope_theta", 1.0, 1e12, Some(theta))?;
        Rotary::from_parameters(parameters.as_ref(), head, longest, theta)
    }

    /// From an object of one layer type.
    pub fn from_parameters(parameters: Option<&Fields>, head: usize, longest: usize, theta: f64) -> Result<Rotary> {
        let plain = Rotary { theta, columns: head, longest, scaling: Scaling::None };
        let Some(fields) = parameters else { return plain.checked() };
        let kind = fields.text("rope_type", Some(&fields.text("type", Some("default"))?))?;
        let theta = fields.number("rope_theta", 1.0, 1e12, Some(theta))?;
        let columns = (head as f64 * fields.number("partial_rotary_factor", 0.0, 1.0, Some(1.0))?) as usize;
        let factor = || fields.number("factor", 1.0, 1e6, None);
        let original = || fields.number("original_max_position_embeddings", 1.0, 1e9, Some(longest as f64));
        let scaling = match kind.as_str() {
            "default" => Scaling::None,
            "linear" => Scaling::Linear { factor: factor()? },
            "dynamic" => Scaling::Dynamic { factor: factor()? },
            "llama3" => Scaling::Llama3 {
                factor: factor()?,
                low: fields.number("low_freq_factor", 1e-3, 1e6, None)?,
                high: fields.number("high_freq_factor", 1e-3, 1e6, None)?,
                original: original()?,
            },
            "yarn" => yarn(fields, factor()?, theta, columns, original()?)?,
            other => {
                return Err(bad("rope_type", format!("is '{other}', not default, linear, dynamic, llama3 or yarn")));
            }
        };
        Rotary { theta, columns, longest, scaling }.checked()
    }

    /// The same with each pair's frequency divided by its factor instead, as a GGUF's `rope_freqs.weight` says of LLaMA 3.
    /// [`crate::Error::BadConfig`] unless there is a positive number for each pair.
    pub fn with_factors(&self, factors: &[f32]) -> Result<Rotary> {
        let pairs = self.columns / 2;
        if factors.len() != pairs || !factors.iter().all(|factor| *factor > 0.0 && factor.is_finite()) {
            let reason = format!("holds {} numbers, not {pairs} that are above 0", factors.len());
            return Err(bad("rope_freqs.weight", reason));
        }
        Ok(Rotary { scaling: Scaling::Factors(factors.to_vec()), ..self.clone() })
    }

    fn checked(self) -> Result<Rotary> {
        if self.columns < 4 || !self.columns.is_multiple_of(2) {
            let columns = self.columns;
            return Err(bad("head_dim", format!("leaves {columns} columns to turn, not an even number from 4 on")));
        }
        Ok(self)
    }

    /// Cosines and sines of all positions in the batch's texts, `(S, 2, columns / 2)`.
    pub fn table(&self, b: &mut Builder) -> Id {
        let length = b.shape.positions();
        let (frequencies, scale) = self.frequencies(length);
        let mut bits = Vec::with_capacity(length * self.columns);
        for token in 0..length {
            let angles = || frequencies.iter().map(|frequency| token as f32 * frequency);
            bits.extend(angles().map(|angle| (angle.cos() * scale).to_bits()));
            bits.extend(angles().map(|angle| (angle.sin() * scale).to_bits()));
        }
        b.graph.leaf(Leaf::Constant(bits.into()), vec![length, 2, self.columns / 2], Dtype::F32)
    }

    /// Radians a token of each pair of columns, and what cosines and sines are multiplied with.
    fn frequencies(&self, length: usize) -> (Vec<f32>, f32) {
        let plain = |theta: f64| -> Vec<f64> {
            (0..self.columns).step_by(2).map(|i| theta.powf(-(i as f64) / self.columns as f64)).collect()
        };
        let (frequencies, scale) = match &self.scaling {
            Scaling::None => (plain(self.theta), 1.0),
            Scaling::Linear { factor } => (plain(self.theta).iter().map(|f| f / factor).collect(), 1.0),
            Scaling::Factors(factors) => {
                (plain(self.theta).iter().zip(factors).map(|(f, factor)| f / f64::from(*factor)).collect(), 1.0)
            }
            Scaling::Dynamic { factor } => {
                let times = length.max(self.longest) as f64 / self.longest as f64;
                let power = self.columns as f64 / (self.columns - 2) as f64;
                (plain(self.theta * (factor * times - (factor - 1.0)).powf(power)), 1.0)
            }
            Scaling::Llama3 { factor, low, high, original } => {
                let stretch = |f: &f64| {
                    let turns = original * f / std::f64::consts::TAU;
                    let smooth = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    (1.0 - smooth) * f / factor + smooth * f
                };
                (plain(self.theta).iter().map(stretch).collect(), 1.0)
            }
            Scaling::Yarn { factor, attention, low, high } => {
                let stretch = |(i, f): (usize, &f64)| {
                    let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    f / factor * ramp + f * (1.0 - ramp)
                };
                (plain(self.theta).iter().enumerate().map(stretch).collect(), *attention)
            }
        };
        (frequencies.into_iter().map(|f| f as f32).collect(), scale as f32)
    }
}

/// YaRN (arXiv 2309.00071): slow turns are stretched, fast ones stay, those between `low` and `high` are mixed.
fn yarn(fields: &Fields, factor: f64, theta: f64, columns: usize, original: f64) -> Result<Scaling> {
    let scale = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
    let attention =
        match (fields.positive("attention_factor")?, fields.positive("mscale")?, fields.positive("mscale_all_dim")?) {
            (Some(attention), ..) => attention,
            (None, Some(own), Some(all)) => scale(own) / scale(all),
            (None, ..) => scale(1.0),
        };
    let column = |turns: f64| columns as f64 * (original / (turns * std::f64::consts::TAU)).ln() / (2.0 * theta.ln());
    let fast = column(fields.number("beta_fast", 1e-3, 1e6, Some(32.0))?);
    let slow = column(fields.number("beta_slow", 1e-3, 1e6, Some(1.0))?);
    let (low, high) = if fields.flag("truncate", true)? { (fast.floor(), slow.ceil()) } else { (fast, slow) };
    let (low, mut high) = (low.max(0.0), high.min(columns as f64 - 1.0));
    if low == high {
        high += 0.001;
    }
    Ok(Scaling::Yarn { factor, attention, low, high })
}
