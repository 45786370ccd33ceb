//! T-Few's loss of ranked choices (arXiv 2205.05638, section 3.2): the answer's tokens become probable, those of wrong choices improbable,
//! and the answer more probable than the others for its length.

use super::host::{integers, tensor, with_floats};
use crate::cores::Cores;
use crate::error::{Error, Result};
use crate::graph::{Io, Op, Shape};
use crate::kernel::Kernel;
use candle_core::Tensor;

/// Where the paper's formulas and r-three/t-few's code differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankVariant {
    /// Means over examples of what the paper says of one.
    Paper,
    /// Language-model and unlikelihood loss are means over the tokens of the batch; 0.01 is added in the logarithm of the latter, and
    /// padding up to the longest choice and answers add its value at probability zero.
    Code,
}

/// Inputs `losses (N)` of tokens (-log p), `starts (C + 1)`, where the tokens of each choice begin, and `answers (C)` (1 for the answer of
/// its example, else 0). `choices` successive choices are an example; one without tokens is none. Tokens from `starts[C]` on are padding.
/// Outputs `loss (1)` and `dlosses (N)`, its gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankLoss {
    /// Examples of a batch.
    pub examples: usize,
    /// Choices of an example.
    pub choices: usize,
    /// What the language-model loss counts.
    pub language: f32,
    /// What the unlikelihood loss counts.
    pub unlikelihood: f32,
    /// What the length-normalised loss counts.
    pub normalized: f32,
    /// Whose formulas.
    pub variant: RankVariant,
}

/// 1 - p is no less than this: a logarithm has to be taken of it.
const LEAST: f32 = 1e-6;

/// What the whole batch has.
#[derive(Debug, Default)]
struct Totals {
    /// Tokens of answers.
    right: f32,
    /// Tokens of wrong choices.
    wrong: f32,
    /// Choices, and tokens of the longest.
    choices: f32,
    longest: f32,
}

impl RankLoss {
    /// What the code adds to 1 - p.
    fn added(&self) -> f32 {
        match self.variant {
            RankVariant::Paper => 0.0,
            RankVariant::Code => 1e-2,
        }
    }

    /// What a token counts in a mean over `own` tokens of one example, or over `all` of the batch.
    fn share(&self, own: f32, all: f32) -> f32 {
        match self.variant {
            RankVariant::Paper => 1.0 / (own.max(1.0) * self.examples as f32),
            RankVariant::Code => 1.0 / all.max(1.0),
        }
    }

    /// Loss and, in `d`, gradient of one example, whose choices begin at `starts`; `d` holds the token losses at first.
    fn example(&self, d: &mut [f32], starts: &[u32], answers: &[u32], totals: &Totals) -> f32 {
        let tokens = |at: usize| starts[at] as usize..starts[at + 1] as usize;
        let lengths: Vec<f32> = (0..self.choices).map(|at| tokens(at).len() as f32).collect();
        let score = |at: usize| -d[tokens(at)].iter().sum::<f32>() / lengths[at].max(1.0);
        let scores: Vec<f32> = (0..self.choices).map(score).collect();
        let present = |at: &usize| lengths[*at] > 0.0;
        let most = (0..self.choices).filter(present).map(|at| scores[at]).fold(f32::NEG_INFINITY, f32::max);
        let raised: f32 = (0..self.choices).filter(present).map(|at| (scores[at] - most).exp()).sum();
        let wrong: f32 = (0..self.choices).filter(|at| answers[*at] == 0).map(|at| lengths[at]).sum();
        let unlikely = self.unlikelihood * self.share(wrong, totals.wrong);
        let mut loss = 0.0;
        for at in (0..self.choices).filter(present) {
            let answer = answers[at] == 1;
            let likely = self.language * self.share(lengths[at], totals.right);
            let normalized = self.normalized / self.examples as f32;
            let probability = (scores[at] - most).exp() / raised;
            // The score falls by 1 / length for each unit of a token's loss.
            let ranked = normalized * (f32::from(answer) - probability) / lengths[at];
            if answer {
                loss += normalized * (raised.ln() + most - scores[at]);
            }
            for d in &mut d[tokens(at)] {
                let p = (-*d).exp();
                let other = (1.0 - p + self.added()).max(LEAST);
                let (own, slope) =
                    if answer { (likely * *d, likely) } else { (-unlikely * other.ln(), -unlikely * p / other) };
                loss += own;
                *d = slope + ranked;
            }
        }
        loss
    }
}

impl Op for RankLoss {
    fn shapes(&self, inputs: &[&Shape]) -> Result<Vec<Shape>> {
        let choices = self.examples * self.choices;
        if inputs[1][0] != choices + 1 || inputs[2][0] != choices {
            let reason = format!("starts {:?} and answers {:?}", inputs[1], inputs[2]);
            return Err(Error::Shape { op: format!("{self:?}"), reason });
        }
        Ok(vec![vec![1], inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[Tensor], _: &Cores) -> Result<Vec<Tensor>> {
        let (starts, answers) = (integers(&inputs[1])?, integers(&inputs[2])?);
        let totals = Totals::of(&starts, &answers);
        let mut loss = 0.0;
        let dlosses = with_floats(&[&inputs[0]], |x| {
            let mut d = x[0].to_vec();
            d[starts[answers.len()] as usize..].fill(0.0);
            for (at, answers) in answers.chunks_exact(self.choices).enumerate() {
                loss += self.example(&mut d, &starts[at * self.choices..][..=self.choices], answers, &totals);
            }
            if self.variant == RankVariant::Code {
                let others = totals.choices * totals.longest - totals.wrong;
                loss -= self.unlikelihood * others * 1.01_f32.ln() / totals.wrong.max(1.0);
            }
            Ok(d)
        })?;
        Ok(vec![tensor(vec![loss], &[1])?, tensor(dlosses, inputs[0].dims())?])
    }

    fn kernel(&self, io: &Io) -> Kernel {
        let sizes = [("examples", self.examples), ("choices", self.choices), ("count", io.inputs[0][0])];
        Kernel::new(include_str!("rank_loss.wgsl"), 3, &sizes, [1; 3])
            .with("language", self.language)
            .with("unlikelihood", self.unlikelihood)
            .with("normalized", self.normalized)
            .with("by_tokens", self.variant == RankVariant::Code)
            .with("added", self.added())
            .with_size("loss_offset", io.output_offsets[0])
    }
}

impl Totals {
    fn of(starts: &[u32], answers: &[u32]) -> Totals {
        let mut totals = Totals::default();
        for (range, answer) in starts.windows(2).zip(answers) {
            let length = (range[1] - range[0]) as f32;
            totals.choices += f32::from(length > 0.0);
            totals.longest = totals.longest.max(length);
            *(if *answer == 1 { &mut totals.right } else { &mut totals.wrong }) += length;
        }
        totals
    }
}
