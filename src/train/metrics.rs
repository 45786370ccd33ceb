//! How well predictions fit their labels.

use serde::Serialize;

/// Quality of a classifier on a set of examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metrics {
    /// Share of right answers.
    pub accuracy: f64,
    /// Mean over the labels of the F1 score; a label that is neither given nor predicted counts 0, as in scikit-learn.
    pub macro_f1: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// `confusion[true][predicted]`, counts.
    pub confusion: Vec<Vec<usize>>,
}

impl Metrics {
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
    fn metrics_count_what_scikit_learn_counts() {
        let logits = [vec![2.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![3.0, 0.0, 0.0], vec![0.0, 0.0, 1.0]];
        let metrics = Metrics::new(&logits, &[0, 1, 1, 2], 3);
        assert_eq!(metrics.accuracy, 0.75);
        assert!((metrics.macro_f1 - (2.0 / 3.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-12);
        assert_eq!(metrics.confusion, [[1, 0, 0], [1, 1, 0], [0, 0, 1]]);
    }
}
