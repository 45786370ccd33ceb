//! From logits to a token: transformers' logits processors and warpers, in its order, and a draw.

use crate::error::{Error, Result};
use crate::train::{argmax, softmax};
use rand::Rng;
use rand::rngs::SmallRng;

/// How tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// What logits are divided by; 0 takes the most probable token, and then the options below the penalty have no effect.
    pub temperature: f32,
    /// Only this many of the most probable tokens.
    pub top_k: Option<usize>,
    /// Only the most probable tokens that together have this probability.
    pub top_p: Option<f32>,
    /// Only tokens with at least this part of the probability of the most probable.
    pub min_p: Option<f32>,
    /// What the logits of tokens that are there already are divided by, or multiplied with where they are negative (arXiv 1909.05858).
    pub repetition_penalty: f32,
}

impl Sampling {
    /// [`Error::BadOption`] for numbers that make no sense.
    pub fn check(&self) -> Result<()> {
        let bad = |option: &str, reason: String| Err(Error::BadOption { option: option.into(), reason });
        let Sampling { temperature, top_k, top_p, min_p, repetition_penalty } = *self;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return bad("temperature", format!("is {temperature}: give 0 or more"));
        }
        if top_k == Some(0) {
            return bad("topK", "is 0: give at least 1, or leave it out".into());
        }
        if let Some(p) = top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return bad("topP", format!("is {p}: give more than 0, up to 1"));
        }
        if let Some(p) = min_p.filter(|p| !(0.0..=1.0).contains(p)) {
            return bad("minP", format!("is {p}: give 0 to 1"));
        }
        if !(repetition_penalty > 0.0 && repetition_penalty.is_finite()) {
            return bad("repetitionPenalty", format!("is {repetition_penalty}: give more than 0"));
        }
        Ok(())
    }

    /// The token that follows `ids`, from its logits `(V)`.
    pub fn choose(&self, logits: &mut [f32], ids: &[u32], random: &mut SmallRng) -> u32 {
        penalise(logits, ids, self.repetition_penalty);
        if self.temperature == 0.0 {
            return argmax(logits) as u32;
        }
        logits.iter_mut().for_each(|logit| *logit /= self.temperature);
        if let Some(count) = self.top_k {
            keep_top_k(logits, count);
        }
        if let Some(mass) = self.top_p {
            keep_top_p(logits, mass);
        }
        if let Some(part) = self.min_p {
            keep_min_p(logits, part);
        }
        draw(&softmax(logits), random.random()) as u32
    }
}

/// Makes tokens that are there already less probable by `penalty`, each once: transformers' `RepetitionPenaltyLogitsProcessor`.
pub fn penalise(logits: &mut [f32], ids: &[u32], penalty: f32) {
    if penalty == 1.0 {
        return;
    }
    let mut seen = ids.to_vec();
    seen.sort_unstable();
    seen.dedup();
    for id in seen {
        let logit = &mut logits[id as usize];
        *logit = if *logit < 0.0 { *logit * penalty } else { *logit / penalty };
    }
}

/// Rules out all but the `count` largest, and those equal to the smallest of them: transformers' `TopKLogitsWarper`.
pub fn keep_top_k(logits: &mut [f32], count: usize) {
    if count >= logits.len() {
        return;
    }
    let mut sorted = logits.to_vec();
    let (_, least, _) = sorted.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    let least = *least;
    logits.iter_mut().filter(|logit| **logit < least).for_each(|logit| *logit = f32::NEG_INFINITY);
}

/// Rules out the least probable tokens that together have no more than `1 - mass`, but never all: transformers' `TopPLogitsWarper`.
pub fn keep_top_p(logits: &mut [f32], mass: f32) {
    let probabilities = softmax(logits);
    let mut order: Vec<usize> = (0..logits.len()).filter(|at| logits[*at] > f32::NEG_INFINITY).collect();
    order.sort_by(|a, b| logits[*a].total_cmp(&logits[*b]));
    order.pop();
    let mut sum = 0.0;
    for at in order {
        sum += probabilities[at];
        if sum > 1.0 - mass {
            break;
        }
        logits[at] = f32::NEG_INFINITY;
    }
}

/// Rules out tokens with less than `part` of the highest probability: transformers' `MinPLogitsWarper`.
pub fn keep_min_p(logits: &mut [f32], part: f32) {
    let probabilities = softmax(logits);
    let least = part * probabilities.iter().copied().fold(0.0, f32::max);
    let improbable = logits.iter_mut().zip(probabilities).filter(|(_, probability)| *probability < least);
    improbable.for_each(|(logit, _)| *logit = f32::NEG_INFINITY);
}

/// The first of some outcomes at which the sum of probabilities exceeds `at`, which is in [0, 1).
pub fn draw(probabilities: &[f32], at: f64) -> usize {
    let mut sum = 0.0;
    let reached = |probability: &f32| {
        sum += f64::from(*probability);
        sum > at
    };
    // Rounding may leave the sum below 1.
    probabilities.iter().position(reached).unwrap_or_else(|| argmax(probabilities))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const GREEDY: Sampling =
        Sampling { temperature: 0.0, top_k: None, top_p: None, min_p: None, repetition_penalty: 1.0 };

    #[test]
    fn outcomes_are_drawn_as_often_as_their_probabilities_say() {
        let told = Sampling { temperature: 1.0, ..GREEDY };
        let mut random = SmallRng::seed_from_u64(1);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            let mut logits = [0.5_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln()];
            counts[told.choose(&mut logits, &[], &mut random) as usize] += 1;
        }
        for (count, expected) in counts.into_iter().zip([5000, 3000, 2000]) {
            assert!((i32::abs_diff(count, expected)) < 200, "{counts:?}");
        }
    }

    #[test]
    fn draws_at_the_edges_are_outcomes_that_can_be() {
        assert_eq!(
            [0.0, 0.49, 0.5, 0.999_999_999].map(|at| draw(&[0.0, 0.5, 0.0, 0.499_999_8, 0.0], at)),
            [1, 1, 3, 1]
        );
    }

    #[test]
    fn without_temperature_the_most_probable_token_is_taken() {
        let mut random = SmallRng::seed_from_u64(1);
        assert_eq!(GREEDY.choose(&mut [1.0, 3.0, 3.0, 2.0], &[1], &mut random), 1);
        let penalised = Sampling { repetition_penalty: 1.5, ..GREEDY };
        assert_eq!(penalised.choose(&mut [1.0, 3.0, 2.5, 2.0], &[1, 1], &mut random), 2);
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused_by_name() {
        let refused = |told: Sampling| match told.check() {
            Err(Error::BadOption { option, .. }) => option,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(Sampling { temperature: -1.0, ..GREEDY }), "temperature");
        assert_eq!(refused(Sampling { temperature: f32::NAN, ..GREEDY }), "temperature");
        assert_eq!(refused(Sampling { top_k: Some(0), ..GREEDY }), "topK");
        assert_eq!(refused(Sampling { top_p: Some(0.0), ..GREEDY }), "topP");
        assert_eq!(refused(Sampling { min_p: Some(1.5), ..GREEDY }), "minP");
        assert_eq!(refused(Sampling { repetition_penalty: 0.0, ..GREEDY }), "repetitionPenalty");
        assert_eq!(GREEDY.check(), Ok(()));
    }
}
