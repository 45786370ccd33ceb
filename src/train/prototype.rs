//! Heads made without gradient steps on the encoder: class means, and logistic regression on fixed embeddings.

/// How much a unit of cosine counts in a prototype head's logits. Large enough that the softmax commits itself,
/// small enough that its gradient has not died; chosen on the tasks of the README.
pub const PROTOTYPE_SCALE: f32 = 10.0;

/// A nearest-prototype classifier: weight `(labels, hidden)` of unit class means times [`PROTOTYPE_SCALE`], bias zero.
/// A label without examples gets zeros.
pub fn prototypes(embeddings: &[Vec<f32>], labels: &[usize], classes: usize) -> (Vec<f32>, Vec<f32>) {
    let hidden = embeddings[0].len();
    let mut weight = vec![0.0; classes * hidden];
    for (row, label) in embeddings.iter().zip(labels) {
        let sum = &mut weight[label * hidden..(label + 1) * hidden];
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x / length);
    }
    for row in weight.chunks_exact_mut(hidden) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|x| *x *= PROTOTYPE_SCALE / length);
        }
    }
    (weight, vec![0.0; classes])
}

/// Logistic regression by full-batch gradient descent with momentum from the prototypes on, drawn back to them by `ridge`:
/// with few examples the prototypes are the better prior than zero.
pub fn logistic_regression(
    embeddings: &[Vec<f32>],
    labels: &[usize],
    classes: usize,
    ridge: f32,
) -> (Vec<f32>, Vec<f32>) {
    let (start, _) = prototypes(embeddings, labels, classes);
    let hidden = embeddings[0].len();
    let (mut weight, mut bias) = (start.clone(), vec![0.0; classes]);
    let (mut weight_speed, mut bias_speed) = (vec![0.0; weight.len()], vec![0.0; classes]);
    const STEPS: usize = 300;
    const RATE: f32 = 1.0;
    const MOMENTUM: f32 = 0.9;
    for _ in 0..STEPS {
        let mut dw: Vec<f32> = weight.iter().zip(&start).map(|(w, s)| ridge * (w - s)).collect();
        let mut db = vec![0.0; classes];
        for (row, label) in embeddings.iter().zip(labels) {
            let logit =
                |c: usize| weight[c * hidden..][..hidden].iter().zip(row).map(|(w, x)| w * x).sum::<f32>() + bias[c];
            let probabilities = super::metrics::softmax(&(0..classes).map(logit).collect::<Vec<_>>());
            for (c, p) in probabilities.iter().enumerate() {
                let d = (p - f32::from(c == *label)) / labels.len() as f32;
                dw[c * hidden..][..hidden].iter_mut().zip(row).for_each(|(dw, x)| *dw += d * x);
                db[c] += d;
            }
        }
        descend(&mut weight, &mut weight_speed, &dw, RATE, MOMENTUM);
        descend(&mut bias, &mut bias_speed, &db, RATE, MOMENTUM);
    }
    (weight, bias)
}

fn descend(x: &mut [f32], speed: &mut [f32], gradient: &[f32], rate: f32, momentum: f32) {
    for ((x, v), g) in x.iter_mut().zip(speed).zip(gradient) {
        *v = momentum * *v - rate * g;
        *x += *v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::argmax;

    fn predict(row: &[f32], weight: &[f32], bias: &[f32]) -> usize {
        let hidden = row.len();
        let logits: Vec<f32> = (bias.iter().enumerate())
            .map(|(c, b)| weight[c * hidden..][..hidden].iter().zip(row).map(|(w, x)| w * x).sum::<f32>() + b)
            .collect();
        argmax(&logits)
    }

    #[test]
    fn regression_separates_what_prototypes_confuse() {
        // Class 0 is spread along an axis that class 1 barely touches: its mean lies nearer to class 1's outliers.
        let rows = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [-0.6, 0.8]].map(|row| row.to_vec());
        let labels = [0, 0, 1, 1];
        let (weight, bias) = logistic_regression(&rows, &labels, 2, 1e-4);
        rows.iter().zip(labels).for_each(|(row, label)| assert_eq!(predict(row, &weight, &bias), label));
    }

    #[test]
    fn a_label_without_examples_gets_no_prototype() {
        let (weight, _) = prototypes(&[vec![0.0, 2.0]], &[0], 2);
        assert_eq!(weight, [0.0, PROTOTYPE_SCALE, 0.0, 0.0]);
    }
}
