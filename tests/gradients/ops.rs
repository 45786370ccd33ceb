//! Each op's rule, for all of its inputs that can be trained.

use crate::case::Case;
use crate::losses;
use candle_core::{D, Result, Tensor};
use ia3_web::autodiff::gradients;
use ia3_web::checkpoint::BlockType;
use ia3_web::ops::*;

const GELU_TANH: f64 = 0.797_884_560_802_865_4;

fn activate(kind: ActivationKind, x: &Tensor) -> Result<Tensor> {
    match kind {
        ActivationKind::Gelu => (x * 0.5)? * ((x / 2f64.sqrt())?.erf()? + 1.0)?,
        ActivationKind::GeluTanh => {
            let inner = ((x + (x.powf(3.0)? * 0.044_715)?)? * GELU_TANH)?;
            (x * 0.5)? * (inner.tanh()? + 1.0)?
        }
        ActivationKind::Relu => x.relu(),
        ActivationKind::Tanh => x.tanh(),
        ActivationKind::Silu => x / (x.neg()?.exp()? + 1.0)?,
    }
}

const KINDS: [ActivationKind; 5] =
    [ActivationKind::Gelu, ActivationKind::GeluTanh, ActivationKind::Relu, ActivationKind::Tanh, ActivationKind::Silu];

#[test]
fn activation() {
    for kind in KINDS {
        let mut case = Case::new(&[&[6, 5]]);
        let y = case.one(Activation { kind, scale: None }, &[case.x[0]]);
        let reference = activate(kind, &case.vars[0]);
        case.check(y, reference);
    }
}

#[test]
fn activation_with_a_scale() {
    for kind in KINDS {
        let mut case = Case::new(&[&[6, 5], &[5]]);
        let slots = case.integers("slots", &[0, 0, 0]).0;
        let scale = Scale { start: 0, len: 5, offset: case.offsets[1], repeat: 1, shifted: false };
        let y = case.one(Activation { kind, scale: Some(scale) }, &[case.x[0], case.table, slots]);
        let reference = activate(kind, &case.vars[0]).and_then(|y| y.broadcast_mul(&case.vars[1]));
        case.check(y, reference);
    }
}

#[test]
fn activation_with_a_scale_and_a_shift() {
    for kind in KINDS {
        let mut case = Case::new(&[&[6, 5], &[5], &[5]]);
        let slots = case.integers("slots", &[0, 0, 0]).0;
        let scale = Scale { start: 0, len: 5, offset: case.offsets[1], repeat: 1, shifted: true };
        let y = case.one(Activation { kind, scale: Some(scale) }, &[case.x[0], case.table, slots]);
        let scaled = activate(kind, &case.vars[0]).and_then(|y| y.broadcast_mul(&case.vars[1]));
        let reference = scaled.and_then(|y| y.broadcast_add(&case.vars[2]));
        case.check(y, reference);
    }
}

#[test]
fn add() {
    let mut case = Case::new(&[&[4, 3], &[4, 3]]);
    let y = case.one(Add, &[case.x[0], case.x[1]]);
    let reference = case.vars[0].as_tensor() + case.vars[1].as_tensor();
    case.check(y, reference);
}

fn attend(qkv: &Tensor, mask: &Tensor, heads: usize, scale: f64) -> Result<Tensor> {
    let (batch, length) = mask.dims2()?;
    let hidden = qkv.dim(1)? / 3;
    let part = |at: usize| {
        let part = qkv.narrow(1, at * hidden, hidden)?.reshape((batch, length, heads, hidden / heads))?;
        part.transpose(1, 2)?.contiguous()
    };
    let scores = (part(0)?.matmul(&part(1)?.t()?)? * scale)?;
    let hide = ((mask - 1.0)? * 1e9)?.reshape((batch, 1, 1, length))?;
    let context = losses::softmax(&scores.broadcast_add(&hide)?)?.matmul(&part(2)?)?;
    context.transpose(1, 2)?.contiguous()?.reshape((batch * length, hidden))
}

#[test]
fn attention() {
    let (heads, scale) = (2, 0.4);
    let mut case = Case::new(&[&[3 * 5, 3 * 8]]);
    let padding = [1., 1., 1., 1., 1., 1., 0., 0., 0., 0., 1., 1., 1., 0., 0.];
    let (mask, in_candle) = case.floats("mask", &[3, 5], &padding);
    let y = case.one(Attention { scale: scale as f32, ..Attention::full(heads, 8) }, &[case.x[0], mask]);
    let reference = attend(&case.vars[0], &in_candle, heads, scale);
    case.check(y, reference);
}

#[test]
fn concat() {
    let mut case = Case::new(&[&[4, 3], &[4, 2]]);
    let y = case.one(Concat, &[case.x[0], case.x[1]]);
    let reference = Tensor::cat(&[case.vars[0].as_tensor(), case.vars[1].as_tensor()], 1);
    case.check(y, reference);
}

#[test]
fn cross_entropy() {
    let mut case = Case::new(&[&[5, 3]]);
    let (labels, l) = case.integers("labels", &[2, 0, 1, 1, 0]);
    let (weights, w) = case.floats("weights", &[5], &[0.25, 0.25, 0.1, 0.4, 0.0]);
    let loss = case.one(CrossEntropy, &[case.x[0], labels, weights]);
    let reference = losses::cross_entropy(&case.vars[0], &l, &w);
    case.check_loss(loss, reference);
}

#[test]
fn head() {
    let mut case = Case::new(&[&[4, 5], &[3, 5], &[3]]);
    let slots = case.integers("slots", &[0; 4]).0;
    let y = case.one(Head { offset: case.offsets[1], labels: 3, bias: true }, &[case.x[0], case.table, slots]);
    let reference = case.vars[0].matmul(&case.vars[1].t().unwrap()).and_then(|y| y.broadcast_add(&case.vars[2]));
    case.check(y, reference);
}

#[test]
fn layer_norm() {
    let mut case = Case::new(&[&[4, 7]]);
    let ((weight, w), (bias, b)) = (case.frozen(&[7]), case.frozen(&[7]));
    let y = case.one(LayerNorm { eps: 1e-3 }, &[case.x[0], weight, bias]);
    let reference = losses::layer_norm(&case.vars[0], &w, &b, f64::from(1e-3f32));
    case.check(y, reference);
}

#[test]
fn linear() {
    let mut case = Case::new(&[&[4, 3], &[4, 5]]);
    let ((weight, w), (bias, b)) = (case.frozen(&[5, 3]), case.frozen(&[5]));
    let op = Linear { bias: true, addend: true, ..Linear::default() };
    let y = case.one(op, &[case.x[0], weight, bias, case.x[1]]);
    let reference = case.vars[0].matmul(&w.t().unwrap()).and_then(|y| y.broadcast_add(&b)? + case.vars[1].as_tensor());
    case.check(y, reference);
}

#[test]
fn linear_flipped() {
    let mut case = Case::new(&[&[4, 5], &[4, 3]]);
    let (weight, w) = case.frozen(&[5, 3]);
    let y = case.one(Linear { flipped: true, addend: true, ..Linear::default() }, &[case.x[0], weight, case.x[1]]);
    let reference = case.vars[0].matmul(&w).and_then(|y| y + case.vars[1].as_tensor());
    case.check(y, reference);
}

#[test]
fn linear_in_blocks() {
    for (number, inner) in [(3, 32), (8, 32), (12, 256), (14, 256)] {
        let kind = BlockType::from_number(number).unwrap();
        let mut case = Case::new(&[&[4, inner]]);
        let (weight, w) = case.frozen_in(kind, &[7, inner]);
        let op = Linear { kind, rows: Some(Rows { start: 2, len: 5 }), ..Linear::default() };
        let y = case.one(op, &[case.x[0], weight]);
        let reference = case.vars[0].matmul(&w.narrow(0, 2, 5).unwrap().t().unwrap());
        case.check(y, reference);
    }
}

#[test]
fn normalize() {
    let mut case = Case::new(&[&[4, 6]]);
    let y = case.one(Normalize, &[case.x[0]]);
    let reference = losses::normalize(&case.vars[0]);
    case.check(y, reference);
}

/// The losses read one half of a symmetric matrix, so they are tested behind the op that makes it.
#[test]
fn similarity_and_pair_losses() {
    let contrastive = PairLossKind::SupervisedContrastive { temperature: 0.5 };
    for (kind, share) in [PairLossKind::Cosine, contrastive].into_iter().flat_map(|kind| [(kind, 1.0), (kind, 0.25)]) {
        let mut case = Case::new(&[&[7, 4]]);
        // The last row is padding; label 2 has no partner.
        let (labels, l) = case.integers("labels", &[0, 1, 0, 2, 1, 0, 0]);
        let each = share / 6.0;
        let (weights, w) = case.floats("weights", &[7], &[each, each, each, each, each, each, 0.0]);
        let similarity = case.one(Similarity, &[case.x[0]]);
        let loss = case.one(PairLoss(kind), &[similarity, labels, weights]);
        let s = case.vars[0].matmul(&case.vars[0].t().unwrap()).unwrap();
        let reference = match kind {
            PairLossKind::Cosine => losses::cosine(&s, &l, &w),
            PairLossKind::SupervisedContrastive { .. } => losses::supervised_contrastive(&s, &l, &w, 0.5),
        };
        case.check_loss(loss, reference);
    }
}

#[test]
fn similarity() {
    let mut case = Case::new(&[&[5, 4]]);
    let y = case.one(Similarity, &[case.x[0]]);
    let reference = case.vars[0].matmul(&case.vars[0].t().unwrap());
    case.check(y, reference);
}

#[test]
fn pool() {
    let padding = [1., 1., 1., 1., 1., 0., 0., 0., 1., 1., 0., 0.];
    for kind in [PoolKind::Mean, PoolKind::First] {
        let mut case = Case::new(&[&[3 * 4, 5]]);
        let (mask, m) = case.floats("mask", &[3, 4], &padding);
        let y = case.one(Pool(kind), &[case.x[0], mask]);
        let x = case.vars[0].reshape((3, 4, 5)).unwrap();
        let mean = || x.broadcast_mul(&m.unsqueeze(2)?)?.sum(1)?.broadcast_div(&m.sum_keepdim(D::Minus1)?);
        let reference = match kind {
            PoolKind::Mean => mean(),
            PoolKind::First => x.narrow(1, 0, 1).and_then(|x| x.squeeze(1)),
        };
        case.check(y, reference);
    }
}

/// Some channels scaled, and shifted where there is a second vector, the others passed; `repeat` channels have one element.
fn scaled(x: &Tensor, vectors: &[candle_core::Var], start: usize, repeat: usize) -> Result<Tensor> {
    let each = |vector: &Tensor| vector.unsqueeze(1)?.repeat((1, repeat))?.flatten_all();
    let (len, channels) = (repeat * vectors[0].dim(0)?, x.dim(1)?);
    let rest = channels - start - len;
    let mut middle = x.narrow(1, start, len)?.broadcast_mul(&each(&vectors[0])?)?;
    if let Some(shift) = vectors.get(1) {
        middle = middle.broadcast_add(&each(shift)?)?;
    }
    Tensor::cat(&[x.narrow(1, 0, start)?, middle, x.narrow(1, start + len, rest)?], 1)
}

#[test]
fn scale() {
    for (start, len, repeat) in [(2, 3, 1), (2, 4, 2), (0, 8, 4)] {
        for shifted in [false, true] {
            let vector = [len / repeat];
            let mut case = Case::new(&[&[&[6, 8][..]], &vec![&vector[..]; 1 + usize::from(shifted)][..]].concat());
            let slots = case.integers("slots", &[0, 0]).0;
            let op = Scale { start, len, offset: case.offsets[1], repeat, shifted };
            let y = case.one(op, &[case.x[0], case.table, slots]);
            let reference = scaled(&case.vars[0], &case.vars[1..], start, repeat);
            case.check(y, reference);
        }
    }
}

#[test]
fn values_and_vectors_used_twice_get_both_gradients() {
    let mut case = Case::new(&[&[6, 4], &[4]]);
    let slots = case.integers("slots", &[0, 0]).0;
    let op = Scale { start: 0, len: 4, offset: case.offsets[1], repeat: 1, shifted: false };
    let once = case.one(op, &[case.x[0], case.table, slots]);
    let twice = case.one(op, &[once, case.table, slots]);
    let y = case.one(Add, &[twice, case.x[0]]);
    let (x, l) = (&case.vars[0], &case.vars[1]);
    let reference = x.broadcast_mul(l).and_then(|y| y.broadcast_mul(l)? + x.as_tensor());
    case.check(y, reference);
}

#[test]
fn no_backward_pass_is_built_along_frozen_paths() {
    let mut case = Case::new(&[&[2, 3]]);
    let ((x, _), (weight, _), (bias, _)) = (case.frozen(&[2, 3]), case.frozen(&[3]), case.frozen(&[3]));
    let frozen = case.one(LayerNorm { eps: 1e-3 }, &[x, weight, bias]);
    let sum = case.one(Add, &[frozen, case.x[0]]);
    let s = case.one(Similarity, &[sum]);
    let (labels, weights) = (case.integers("labels", &[0, 1]).0, case.floats("weights", &[2], &[0.5, 0.5]).0);
    let loss = case.one(PairLoss(PairLossKind::Cosine), &[s, labels, weights]);
    gradients(&mut case.graph, loss).unwrap();
    let backward = case.graph.nodes.iter().filter(|node| format!("{:?}", node.op).starts_with("LayerNormGrad"));
    assert_eq!(backward.count(), 0);
}

/// One head of queries a head of keys, for every query and key a bias, and keys that a query may not see.
fn attend_shared(op: Attention, q: &Tensor, kv: &Tensor, bias: Option<&Tensor>, batch: usize) -> Result<Tensor> {
    let (length, count) = (q.dim(0)? / batch, kv.dim(0)? / batch);
    let q = q.reshape((batch, length, op.heads, op.head))?.transpose(1, 2)?.contiguous()?;
    let part = |at: usize| {
        let width = op.key_heads * op.head;
        let part = kv.narrow(1, at * width, width)?.reshape((batch, count, op.key_heads, 1, op.head))?;
        let part = part.broadcast_as((batch, count, op.key_heads, op.heads / op.key_heads, op.head))?;
        part.reshape((batch, count, op.heads, op.head))?.transpose(1, 2)?.contiguous()
    };
    let mut scores = (q.matmul(&part(0)?.t()?)? * f64::from(op.scale))?;
    if let Some(bias) = bias {
        scores = scores.broadcast_add(&bias.unsqueeze(0)?)?;
    }
    let hidden = |at: usize| {
        let (query, key) = (at / count, at % count);
        let seen = !op.causal || (key <= query && op.window.is_none_or(|window| query < key + window));
        if seen { 0.0 } else { -1e9 }
    };
    let hide: Vec<f64> = (0..length * count).map(hidden).collect();
    let hide = Tensor::from_vec(hide, (1, 1, length, count), &candle_core::Device::Cpu)?;
    let context = losses::softmax(&scores.broadcast_add(&hide)?)?.matmul(&part(1)?)?;
    context.transpose(1, 2)?.contiguous()?.reshape((batch * length, op.heads * op.head))
}

#[test]
fn attention_of_every_form() {
    let full = Attention { scale: 0.4, ..Attention::full(4, 12) };
    let shared = Attention { key_heads: 2, ..full };
    let causal = Attention { causal: true, ..shared };
    let window = Attention { window: Some(2), ..causal };
    for op in [shared, causal, window, Attention { biased: true, ..causal }] {
        let (batch, length, queries) = (2, 5, 12);
        let mut case = Case::new(&[&[batch * length, queries + 12]]);
        let (mask, _) = case.floats("mask", &[batch, length], &[1.0; 10]);
        let (bias, in_candle) = case.frozen(&[4, length, length]);
        let inputs = [case.x[0], mask, bias];
        let y = case.one(op, &inputs[..if op.biased { 3 } else { 2 }]);
        let (q, kv) = (case.vars[0].narrow(1, 0, queries).unwrap(), case.vars[0].narrow(1, queries, 12).unwrap());
        let reference = attend_shared(op, &q, &kv, op.biased.then_some(&in_candle), batch);
        case.check(y, reference);
    }
}

/// Packed texts and continuations of a shared text: what each query sees, and which bias each pair has, told pair by pair.
#[test]
fn attention_in_segments() {
    let causal = Attention { scale: 0.4, key_heads: 2, causal: true, segmented: true, ..Attention::full(4, 12) };
    let window = Attention { window: Some(2), ..causal };
    let (batch, length) = (2, 6);
    let tokens = [[(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 0)], [(0, 0), (0, 1), (1, 2), (1, 3), (2, 2), (2, 3)]];
    for op in [causal, window, Attention { biased: true, ..causal }, Attention { biased: true, ..window }] {
        let mut case = Case::new(&[&[batch * length, 24]]);
        let marks: Vec<u32> = tokens.as_flattened().iter().map(|(segment, at)| mark(*segment, *at)).collect();
        let marks = case.integers_in("segments", &[batch, length], &marks);
        let (bias, in_candle) = case.frozen(&[4, length, length]);
        let inputs = [case.x[0], marks, bias];
        let y = case.one(op, &inputs[..if op.biased { 3 } else { 2 }]);
        let row = |text: usize| {
            let pair = |at: usize| {
                let ((own, query), (other, key)) = (tokens[text][at / length], tokens[text][at % length]);
                let seen = at % length <= at / length && (other == 0 || other == own);
                let near = op.window.is_none_or(|window| query < key + window as u32);
                (if seen && near { 0.0 } else { -1e9 }, query * length as u32 + key)
            };
            let (hide, places): (Vec<f64>, Vec<u32>) = (0..length * length).map(pair).unzip();
            let (device, shape) = (candle_core::Device::Cpu, (1, length, length));
            let hide = Tensor::from_vec(hide, shape, &device)?;
            let places = Tensor::from_vec(places, length * length, &device)?;
            let bias =
                in_candle.reshape((4, length * length))?.index_select(&places, 1)?.reshape((4, length, length))?;
            let bias = if op.biased {
                bias.broadcast_add(&hide)?
            } else {
                hide.broadcast_as((4, length, length))?.contiguous()?
            };
            let part = |start: usize| case.vars[0].narrow(0, text * length, length)?.narrow(1, start, 12);
            let alone = Attention { causal: false, window: None, ..op };
            attend_shared(alone, &part(0)?, &part(12)?, Some(&bias), 1)
        };
        let reference = row(0).and_then(|first| Tensor::cat(&[first, row(1)?], 0));
        case.check(y, reference);
    }
}

#[test]
fn attention_to_another_text() {
    let op = Attention { scale: 0.4, key_heads: 2, apart: true, ..Attention::full(4, 12) };
    let mut case = Case::new(&[&[2 * 5, 12], &[2 * 3, 12]]);
    let (mask, _) = case.floats("mask", &[2, 3], &[1.0; 6]);
    let y = case.one(op, &[case.x[0], case.x[1], mask]);
    let reference = attend_shared(op, &case.vars[0], &case.vars[1], None, 2);
    case.check(y, reference);
}

#[test]
fn head_without_bias_over_tokens() {
    let mut case = Case::new(&[&[6, 5], &[3, 5]]);
    let slots = case.integers("slots", &[0, 0]).0;
    let y = case.one(Head { offset: case.offsets[1], labels: 3, bias: false }, &[case.x[0], case.table, slots]);
    let reference = case.vars[0].matmul(&case.vars[1].t().unwrap());
    case.check(y, reference);
}

#[test]
fn span_loss() {
    let mut case = Case::new(&[&[2 * 4, 2]]);
    let spans = case.integers_in("spans", &[2, 2], &[1, 3, 0, 0]);
    let (weights, w) = case.floats("span_weights", &[2, 2], &[0.5, 0.25, 0.0, 0.25]);
    let loss = case.one(SpanLoss, &[case.x[0], spans, weights]);
    let ends = case.vars[0].reshape((2, 4, 2)).and_then(|x| x.transpose(1, 2)?.contiguous()?.reshape((4, 4))).unwrap();
    let goals = Tensor::new(&[1u32, 3, 0, 0], &candle_core::Device::Cpu).unwrap();
    let reference = losses::cross_entropy(&ends, &goals, &w.flatten_all().unwrap());
    case.check_loss(loss, reference);
}

#[test]
fn gate() {
    for kind in KINDS {
        let mut case = Case::new(&[&[6, 10]]);
        let y = case.one(Gate(kind), &[case.x[0]]);
        let x = &case.vars[0];
        let reference = activate(kind, &x.narrow(1, 0, 5).unwrap()).and_then(|gate| gate * x.narrow(1, 5, 5)?);
        case.check(y, reference);
    }
}

#[test]
fn pick() {
    let mut case = Case::new(&[&[2 * 4, 3]]);
    let tokens = case.integers("last", &[2, 0]).0;
    let y = case.one(Pick, &[case.x[0], tokens]);
    let reference = case.vars[0].index_select(&Tensor::new(&[2u32, 4], &candle_core::Device::Cpu).unwrap(), 0);
    case.check(y, reference);
}

#[test]
fn rms_norm() {
    let mut case = Case::new(&[&[4, 11]]);
    let (weight, w) = case.frozen(&[4]);
    let y = case.one(RmsNorm { eps: 1e-3, plus: 1.0, times: 0.5, start: 1, groups: 2 }, &[case.x[0], weight]);
    let x = &case.vars[0];
    let normalised = || {
        let groups = x.narrow(1, 1, 8)?.reshape((8, 4))?;
        let size = (groups.sqr()?.mean_keepdim(1)? + f64::from(1e-3f32))?.sqrt()?;
        groups.broadcast_div(&size)?.broadcast_mul(&((&w + 1.0)? * 0.5)?)?.reshape((4, 8))
    };
    let reference = normalised().and_then(|y| Tensor::cat(&[&x.narrow(1, 0, 1)?, &y, &x.narrow(1, 9, 2)?], 1));
    case.check(y, reference);
}

#[test]
fn rope() {
    let mut case = Case::new(&[&[2 * 3, 14]]);
    let (table, t) = case.frozen(&[3, 2, 2]);
    let y = case.one(Rope { heads: 2, head: 6, back: false }, &[case.x[0], table]);
    let x = &case.vars[0];
    // Four of a head's six columns turn.
    let turned = |head: usize| {
        let part = |at: usize, len: usize| x.narrow(1, head * 6 + at, len);
        let angle = |which: usize| t.narrow(1, which, 1)?.reshape((3, 2))?.repeat((2, 1));
        let (a, b, cos, sin) = (part(0, 2)?, part(2, 2)?, angle(0)?, angle(1)?);
        let (low, high) = (((&a * &cos)? - (&b * &sin)?)?, ((&b * &cos)? + (&a * &sin)?)?);
        Tensor::cat(&[low, high, part(4, 2)?], 1)
    };
    let reference = turned(0).and_then(|first| Tensor::cat(&[first, turned(1)?, x.narrow(1, 12, 2)?], 1));
    case.check(y, reference);
}

/// Tokens turned by their positions are those of a table whose rows stand at their places.
#[test]
fn rope_by_positions() {
    let mut case = Case::new(&[&[4, 4]]);
    let (table, t) = case.frozen(&[2, 2, 2]);
    let positions = case.integers_in("positions", &[2, 2], &[1, 0, 0, 0]);
    let y = case.one(Rope { heads: 1, head: 4, back: false }, &[case.x[0], table, positions]);
    let x = &case.vars[0];
    let turned = || {
        let rows = t.index_select(&Tensor::new(&[1u32, 0, 0, 0], &candle_core::Device::Cpu)?, 0)?;
        let angle = |which: usize| rows.narrow(1, which, 1)?.reshape((4, 2));
        let (a, b, cos, sin) = (x.narrow(1, 0, 2)?, x.narrow(1, 2, 2)?, angle(0)?, angle(1)?);
        Tensor::cat(&[((&a * &cos)? - (&b * &sin)?)?, ((&b * &cos)? + (&a * &sin)?)?], 1)
    };
    let reference = turned();
    case.check(y, reference);
}

#[test]
fn soft_cap() {
    let mut case = Case::new(&[&[4, 3]]);
    let y = case.one(SoftCap(0.75), &[case.x[0]]);
    let reference = (case.vars[0].as_tensor() / 0.75).and_then(|x| x.tanh()? * 0.75);
    case.check(y, reference);
}

/// Two parts of the tokens, each with the gradient of its rows made beside the loss.
#[test]
fn token_losses_in_parts() {
    let mut case = Case::new(&[&[4, 3]]);
    let labels = case.integers_in("asked", &[4], &[1, 0, 4, 2]);
    let (weights, w) = case.floats("asked_weights", &[4], &[0.5, 0.0, 0.25, 0.25]);
    let (weight, vocabulary) = case.frozen(&[5, 3]);
    let mut total = None;
    for (start, len) in [(0, 3), (3, 1)] {
        let x = case.one(Rows { start, len }, &[case.x[0]]);
        let logits = case.one(Linear::default(), &[x, weight]);
        let found = case.graph.apply(TokenLoss { start }, &[logits, labels, weights]).unwrap();
        let dx = case.one(Linear { flipped: true, ..Linear::default() }, &[found[1], weight]);
        let inputs: Vec<_> = [found[0], x, dx].into_iter().chain(total).collect();
        total = Some(case.one(TotalLoss, &inputs));
    }
    let labels = Tensor::new(&[1u32, 0, 4, 2], &candle_core::Device::Cpu).unwrap();
    let logits = case.vars[0].matmul(&vocabulary.t().unwrap()).unwrap();
    let reference = losses::cross_entropy(&logits, &labels, &w);
    case.check_loss(total.unwrap(), reference);
}

/// Logits get the gradient of all three terms through the losses of their tokens. Two examples of two choices, then padding.
#[test]
fn ranked_choices() {
    let mut case = Case::new(&[&[8, 5]]);
    let labels = [1, 0, 4, 2, 3, 3, 1, 0];
    let ours = case.integers_in("asked", &[8], &labels);
    let (weights, _) = case.floats("asked_weights", &[8], &[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
    let starts = case.integers("choice_starts", &[0, 2, 3, 4, 7]).0;
    let answers = case.integers("answers", &[0, 1, 1, 0]).0;
    let logits = case.x[0];
    let losses = case.one(TokenLoss { start: 0 }, &[logits, ours, weights]);
    let (language, unlikelihood, normalized, variant) = (0.5, 2.0, 1.5, RankVariant::Paper);
    let op = RankLoss { examples: 2, choices: 2, language, unlikelihood, normalized, variant };
    let ranked = case.graph.apply(op, &[losses, starts, answers]).unwrap();
    let dlogits = case.graph.apply(TokenLoss { start: 0 }, &[logits, ours, ranked[1]]).unwrap()[1];
    let loss = case.one(TotalLoss, &[ranked[0], logits, dlogits]);
    let device = candle_core::Device::Cpu;
    let labels = Tensor::new(&labels, &device).unwrap();
    let logits = case.vars[0].as_tensor();
    let chosen = logits.gather(&labels.unsqueeze(1).unwrap(), 1).unwrap().squeeze(1).unwrap();
    let losses = (logits.exp().and_then(|x| x.sum(1)?.log()).unwrap() - chosen).unwrap();
    // Each choice in a row of its own, as long as the longest.
    let places = Tensor::new(&[0u32, 1, 7, 2, 7, 7, 3, 7, 7, 4, 5, 6], &device).unwrap();
    let losses = losses.index_select(&places, 0).and_then(|x| x.reshape((2, 2, 3))).unwrap();
    let counted = Tensor::new(&[1f64, 1., 0., 1., 0., 0., 1., 0., 0., 1., 1., 1.], &device).unwrap();
    let counted = counted.reshape((2, 2, 3)).unwrap();
    let reference = losses::rank(&losses, &counted, &[1, 0], [0.5, 2.0, 1.5]);
    case.check_loss(loss, reference);
}

/// The third row is taken twice, the first never; the last of those taken is padding.
#[test]
fn gather() {
    let mut case = Case::new(&[&[4, 3]]);
    let sources = case.integers("sources", &[2, 1, 2, 3, 0]).0;
    let order = case.integers("source_order", &[1, 0, 2, 3, 4]).0;
    let starts = case.integers("source_starts", &[0, 0, 1, 3, 4]).0;
    let y = case.one(Gather, &[case.x[0], sources, order, starts]);
    let kept = case.one(Rows { start: 0, len: 4 }, &[y]);
    let reference = case.vars[0].index_select(&Tensor::new(&[2u32, 1, 2, 3], &candle_core::Device::Cpu).unwrap(), 0);
    case.check(kept, reference);
}
