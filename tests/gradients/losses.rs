//! Functions and losses in candle's plain, differentiable ops, straight from their definitions.

use candle_core::{D, DType, Result, Tensor};

/// Along the last dimension; scores are small, so nothing is taken away before the exponential.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    let raised = x.exp()?;
    raised.broadcast_div(&raised.sum_keepdim(D::Minus1)?)
}

/// Normalised over the last dimension.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)?.broadcast_mul(weight)?.broadcast_add(bias)
}

/// Rows of length one.
pub fn normalize(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
}

/// `Σ_b weights[b] · -log softmax(logits[b])[labels[b]]`.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let chosen = logits.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?;
    let total = logits.exp()?.sum(1)?.log()?;
    ((total - chosen)? * weights)?.sum_all()
}

/// 1 where row and column are different rows that count, of the same label or of any.
fn pairs(labels: &Tensor, weights: &Tensor, same: bool) -> Result<Tensor> {
    let (labels, weights) = (labels.to_vec1::<u32>()?, weights.to_vec1::<f64>()?);
    let batch = labels.len();
    let pair = |at: usize| {
        let (i, j) = (at / batch, at % batch);
        let counts = i != j && weights[i] > 0.0 && weights[j] > 0.0;
        f64::from(u8::from(counts && (!same || labels[i] == labels[j])))
    };
    Tensor::from_vec((0..batch * batch).map(pair).collect::<Vec<_>>(), (batch, batch), &candle_core::Device::Cpu)
}

/// Mean over unordered pairs of `(s - [same label])²`, times the sum of the weights.
pub fn cosine(s: &Tensor, labels: &Tensor, weights: &Tensor) -> Result<Tensor> {
    let (same, all) = (pairs(labels, weights, true)?, pairs(labels, weights, false)?);
    let squares = ((s - same)?.sqr()? * &all)?.sum_all()?;
    (squares / all.sum_all()?)? * weights.sum_all()?
}

/// Khosla et al. 2020, equation 2 (L_out): mean over anchors with a positive, times the sum of the weights.
pub fn supervised_contrastive(s: &Tensor, labels: &Tensor, weights: &Tensor, temperature: f64) -> Result<Tensor> {
    let (positives, others) = (pairs(labels, weights, true)?, pairs(labels, weights, false)?);
    let scores = (s / temperature)?;
    // A row that does not count has no others: its denominator is made 1 so that its logarithm is a number.
    let empty = others.sum_keepdim(1)?.eq(0.0)?.to_dtype(DType::F64)?;
    let denominator = ((scores.exp()? * &others)?.sum_keepdim(1)? + empty)?;
    let log_p = scores.broadcast_sub(&denominator.log()?)?;
    let counts = positives.sum(1)?;
    let anchors = counts.gt(0.0)?.to_dtype(DType::F64)?.sum_all()?;
    let each = ((log_p * &positives)?.sum(1)? / counts.maximum(1.0)?)?;
    (each.sum_all()?.neg()? / anchors)? * weights.sum_all()?
}

/// T-Few's loss by the paper's formulas, of token losses `(examples, choices, length)`; every choice is there.
pub fn rank(losses: &Tensor, counted: &Tensor, answers: &[usize], weights: [f64; 3]) -> Result<Tensor> {
    let lengths = counted.sum(2)?;
    let scores = ((losses * counted)?.sum(2)? / &lengths)?.neg()?;
    let chosen: Vec<f64> = (0..scores.elem_count())
        .map(|at| f64::from(u8::from(answers[at / scores.dims()[1]] == at % scores.dims()[1])))
        .collect();
    let chosen = Tensor::from_vec(chosen, scores.dims(), &candle_core::Device::Cpu)?;
    let right = (&scores * &chosen)?.sum(1)?;
    let wrong = counted.broadcast_mul(&(1.0 - &chosen)?.unsqueeze(2)?)?;
    let improbable = ((1.0 - losses.neg()?.exp()?)?.log()? * &wrong)?.sum((1, 2))?;
    let unlikelihood = (improbable.neg()? / wrong.sum((1, 2))?)?;
    let normalized = (scores.exp()?.sum(1)?.log()? - &right)?;
    let [language, unlike, normal] = weights;
    ((right.neg()? * language)? + (unlikelihood * unlike)? + (normalized * normal)?)?.mean_all()
}
