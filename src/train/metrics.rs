//! How well predictions fit their labels.

use super::batch::Target;
use serde::Serialize;

/// Quality of a classifier on a set of examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Share of right answers; of spans that are exactly right; of texts that greedy decoding writes.
    pub accuracy: f64,
    /// Mean over the labels of the F1 score; a label that is neither given nor predicted counts 0, as in scikit-learn.
    /// Of spans, the mean of the F1 score of their tokens.
    pub macro_f1: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// `confusion[true][predicted]`, counts; empty for spans.
    pub confusion: Vec<Vec<usize>>,
}

impl Metrics {
    /// From the logits of each text, one row of `classes` a text or a token, and what they are compared with.
    pub fn of(logits: &[Vec<f32>], targets: &[Target], classes: usize) -> Metrics {
        let (mut rows, mut labels, mut spans) = (Vec::new(), Vec::new(), Vec::new());
        for (row, target) in logits.iter().zip(targets) {
            match target {
                Target::Class(class) => {
                    rows.push(row.clone());
                    labels.push(*class);
                }
                Target::Tokens(tokens) => {
                    for (row, class) in row.chunks_exact(classes).zip(tokens) {
                        if let Some(class) = class {
                            rows.push(row.to_vec());
                            labels.push(*class);
                        }
                    }
                }
                Target::Span(span) => spans.push((row, *span)),
            }
        }
        if spans.is_empty() { Metrics::new(&rows, &labels, classes) } else { Metrics::spans(&spans) }
    }

    fn spans(rows: &[(&Vec<f32>, [Option<usize>; 2])]) -> Metrics {
        let mut metrics = Metrics { accuracy: 0.0, macro_f1: 0.0, loss: 0.0, confusion: Vec::new() };
        let count = rows.len() as f64;
        for (row, span) in rows {
            for (side, goal) in span.iter().enumerate() {
                let side: Vec<f32> = row.iter().skip(side).step_by(2).copied().collect();
                if let Some(goal) = goal {
                    metrics.loss -= 0.5 * f64::from(softmax(&side)[*goal].max(f32::MIN_POSITIVE)).ln() / count;
                }
            }
            if let ([Some(first), Some(last)], Some((start, end, _))) = (span, best_span(row, |_| true)) {
                let common = (end.min(*last) + 1).saturating_sub(start.max(*first));
                metrics.accuracy += f64::from(u8::from((start, end) == (*first, *last))) / count;
                metrics.macro_f1 += 2.0 * common as f64 / (end + 1 - start + last + 1 - first) as f64 / count;
            }
        }
        metrics
    }

    /// From one row of logits per example and the true labels.
    pub fn new(logits: &[Vec<f32>], labels: &[usize], classes: usize) -> Metrics {
        let mut confusion = vec![vec![0; classes]; classes];
        let mut loss = 0.0;
        for (row, label) in logits.iter().zip(labels) {
            confusion[*label][argmax(row)] += 1;
            loss -= f64::from(softmax(row)[*label].max(f32::MIN_POSITIVE)).ln();
        }
        let right: usize = (0..classes).map(|class| confusion[class][class]).sum();
        let count = labels.len().max(1) as f64;
        let f1 = (0..classes).map(|class| f1(&confusion, class)).sum::<f64>() / classes as f64;
        Metrics { accuracy: right as f64 / count, macro_f1: f1, loss: loss / count, confusion }
    }
}

fn f1(confusion: &[Vec<usize>], class: usize) -> f64 {
    let given: usize = confusion[class].iter().sum();
    let predicted: usize = confusion.iter().map(|row| row[class]).sum();
    if given + predicted == 0 { 0.0 } else { 2.0 * confusion[class][class] as f64 / (given + predicted) as f64 }
}

/// Tokens of an answer at most, as in transformers' own script.
const LONGEST_SPAN: usize = 30;

/// First and last token and probability of the most probable span among the tokens that count; None where none does.
/// `logits` are start and end of each token, side by side.
pub fn best_span(logits: &[f32], counts: impl Fn(usize) -> bool) -> Option<(usize, usize, f32)> {
    let side = |side: usize| -> Vec<f32> {
        let tokens = logits.iter().skip(side).step_by(2).enumerate();
        softmax(&tokens.map(|(at, logit)| if counts(at) { *logit } else { f32::NEG_INFINITY }).collect::<Vec<_>>())
    };
    let (starts, ends) = (side(0), side(1));
    let mut best: Option<(usize, usize, f32)> = None;
    for first in (0..starts.len()).filter(|token| counts(*token)) {
        for last in (first..ends.len().min(first + LONGEST_SPAN)).filter(|token| counts(*token)) {
            let score = starts[first] * ends[last];
            if best.is_none_or(|(.., most)| score > most) {
                best = Some((first, last, score));
            }
        }
    }
    best
}

/// The place of the largest element, the first of several.
pub fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}

/// Probabilities of a row of logits.
pub fn softmax(row: &[f32]) -> Vec<f32> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let raised: Vec<f32> = row.iter().map(|x| (x - max).exp()).collect();
    let sum: f32 = raised.iter().sum();
    raised.into_iter().map(|x| x / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_judged_by_their_tokens() {
        // Start at token 1, end at token 2; then a text that would rather end before it starts.
        let rows = [vec![0.0, 0.0, 5.0, 0.0, 0.0, 5.0], vec![0.0, 9.0, 5.0, 0.0, 0.0, 4.0]];
        assert_eq!(best_span(&rows[1], |_| true).map(|(first, last, _)| (first, last)), Some((0, 0)));
        assert_eq!(best_span(&rows[1], |token| token > 0).map(|(first, last, _)| (first, last)), Some((1, 2)));
        assert_eq!(best_span(&rows[0], |_| false), None);
        let targets = [Target::Span([Some(1), Some(2)]), Target::Span([Some(0), Some(1)])];
        let metrics = Metrics::of(&rows, &targets, 2);
        assert_eq!((metrics.accuracy, metrics.confusion.len()), (0.5, 0));
        assert!((metrics.macro_f1 - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn tokens_without_a_label_are_not_judged() {
        let rows = [vec![2.0, 0.0, 0.0, 2.0, 9.0, 0.0]];
        let metrics = Metrics::of(&rows, &[Target::Tokens(vec![Some(0), Some(1), None])], 2);
        assert_eq!((metrics.accuracy, metrics.confusion), (1.0, vec![vec![1, 0], vec![0, 1]]));
    }

    #[test]
    fn metrics_count_what_scikit_learn_counts() {
        let logits = [vec![2.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![3.0, 0.0, 0.0], vec![0.0, 0.0, 1.0]];
        let metrics = Metrics::new(&logits, &[0, 1, 1, 2], 3);
        assert_eq!(metrics.accuracy, 0.75);
        assert!((metrics.macro_f1 - (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-12);
        assert_eq!(metrics.confusion, [[1, 0, 0], [1, 1, 0], [0, 0, 1]]);
    }
}
