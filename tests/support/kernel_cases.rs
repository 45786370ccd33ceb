//! What each op's kernels are tried on: shapes that are odd, of one row, or larger than one dimension of a grid holds.

use super::*;

/// Rows and columns of elementwise ops: one row, odd sizes, more workgroups than one dimension of a grid holds.
const SIZES: [(usize, usize); 4] = [(1, 1), (3, 67), (64, 40), (70_001, 61)];

fn kinds() -> [ActivationKind; 5] {
    use ActivationKind::*;
    [Gelu, GeluTanh, Relu, Tanh, Silu]
}

/// A scale of all `columns` with a shift or without, and table and slots for it: three adapters, one slot for `batch` groups of rows.
fn scaled(columns: usize, batch: usize, shifted: bool) -> (Scale, [Input; 2]) {
    let scale = Scale { start: 0, len: columns, offset: 5, repeat: 1, shifted };
    (scale, [floats(&[3, 2 * columns + 7]), below(3, &[batch])])
}

pub fn activation() -> Vec<Case> {
    let plain = kinds().map(|kind| Case::new(Activation { kind, scale: None }, vec![floats(&[9, 67])]));
    let sizes = [(1, 1, 3, true), (4, 2, 67, false), (4, 2, 67, true), (70_000, 7, 62, false)];
    let folded = sizes.map(|(rows, batch, columns, shifted)| {
        let (scale, [table, slots]) = scaled(columns, batch, shifted);
        let op = Activation { kind: ActivationKind::Gelu, scale: Some(scale) };
        Case::new(op, vec![floats(&[rows, columns]), table, slots])
    });
    plain.into_iter().chain(folded).collect()
}

pub fn activation_grad() -> Vec<Case> {
    let plain = kinds().map(|kind| {
        let op = ActivationGrad(Activation { kind, scale: None });
        Case::new(op, vec![floats(&[9, 67]), floats(&[9, 67])])
    });
    let folded = kinds().into_iter().flat_map(|kind| {
        let sizes = [(1, 1, 3, false), (36, 4, 67, true), (36, 4, 67, false), (500, 5, 130, true)];
        sizes.map(|(rows, batch, columns, shifted)| {
            let (scale, [table, slots]) = scaled(columns, batch, shifted);
            let op = ActivationGrad(Activation { kind, scale: Some(scale) });
            Case::new(op, vec![floats(&[rows, columns]), floats(&[rows, columns]), table, slots])
        })
    });
    plain.into_iter().chain(folded).collect()
}

pub fn add() -> Vec<Case> {
    SIZES.map(|(n, c)| Case::new(Add, vec![floats(&[n, c]), floats(&[n, c])])).into()
}

/// Batch, length, heads, head size.
const HEADS: [(usize, usize, usize, usize); 7] =
    [(1, 1, 1, 4), (2, 5, 3, 8), (3, 9, 2, 5), (2, 64, 3, 32), (1, 33, 1, 64), (1, 130, 2, 128), (2, 7, 2, 20)];

/// An attention over `length` queries and `keys` keys, and its gradients.
fn attend(op: Attention, batch: usize, length: usize, keys: usize) -> Vec<Case> {
    let (queries, values) = (op.heads * op.head, 2 * op.key_heads * op.head);
    let mut inputs = match op.apart {
        true => vec![floats(&[batch * length, queries]), floats(&[batch * keys, values])],
        false => vec![floats(&[batch * length, queries + values])],
    };
    inputs.push(if op.segmented { marks(batch, keys) } else { mask(batch, keys) });
    inputs.extend(op.biased.then(|| floats(&[op.heads, length, keys])));
    // What the forward pass would have left; its sum of exponentials is about `keys`.
    let lse = vec![(keys as f32).ln(); batch * op.heads * length];
    let lse = (vec![batch, op.heads, length], Contents::Given(lse));
    let (context, dcontext) = (floats(&[batch * length, queries]), floats(&[batch * length, queries]));
    let roles: &[Role] = if op.apart { &[Role::Queries, Role::Keys] } else { &[Role::Packed] };
    let gradient = |role: &Role| {
        let inputs = [vec![dcontext.clone()], inputs.clone(), vec![context.clone(), lse.clone()]].concat();
        Case::new(AttentionGrad { of: op, role: *role }, inputs)
    };
    let mut cases: Vec<Case> = roles.iter().map(gradient).collect();
    cases.insert(0, Case::new(op, inputs));
    cases
}

pub fn attention() -> Vec<Case> {
    let plain = HEADS
        .into_iter()
        .flat_map(|(batch, length, heads, head)| attend(Attention::full(heads, heads * head), batch, length, length));
    // Shared heads of keys, causal, windows, biases, queries and keys apart: alone and together, in both kernels.
    let others = [(2, 9, 4, 8), (1, 70, 6, 12), (2, 11, 4, 5)].into_iter().flat_map(|(batch, length, heads, head)| {
        let full = Attention::full(heads, heads * head);
        let shared = Attention { key_heads: 2, causal: true, ..full };
        let window = Attention { window: Some(4), ..shared };
        let one = Attention { key_heads: 1, ..window };
        let biased = Attention { biased: true, ..full };
        let own = [shared, window, one, biased, Attention { causal: true, ..biased }];
        let own = own.into_iter().flat_map(move |op| attend(op, batch, length, length));
        let apart = Attention { apart: true, ..full };
        let segmented = [shared, window, Attention { causal: true, ..biased }, Attention { biased: true, ..window }];
        let segmented = segmented.map(|op| Attention { segmented: true, ..op });
        let longer = attend(segmented[3], 3, 41, 41);
        let segmented = segmented.into_iter().flat_map(move |op| attend(op, batch, length, length)).chain(longer);
        own.chain(segmented).chain(attend(apart, batch, length, length + 6)).chain(attend(
            Attention { key_heads: 2, ..apart },
            batch,
            length,
            3,
        ))
    });
    plain.chain(others).collect()
}

/// Queries, keys and values of `length` tokens behind others, or queries alone, with biases and without, and a cache for `capacity`; the longest
/// sees more keys than one tile holds.
pub fn cached_attention() -> Vec<Case> {
    let each = |(batch, length, capacity, heads, key_heads, head): (usize, usize, usize, usize, usize, usize)| {
        let keys = 2 * key_heads * head;
        let inputs = [
            floats(&[batch * length, heads * head + keys]),
            below(capacity as u32, &[batch, length]),
            floats(&[batch, capacity, keys]),
        ];
        let plain = CachedAttention { heads, key_heads, head, scale: 0.4, window: None, biased: false };
        let windows = [None, Some(1), Some(5), Some(70)].map(|window| CachedAttention { window, ..plain });
        let with_keys = windows.into_iter().map({
            let inputs = inputs.clone();
            move |op| Case::new(op, inputs.to_vec())
        });
        let alone = [floats(&[batch * length, heads * head]), inputs[1].clone(), inputs[2].clone()];
        let bias = [floats(&[7, heads]), below(7, &[capacity])];
        let biased = [None, Some(5)].map(|window| CachedAttention { window, biased: true, ..plain });
        let biased = biased.map(|op| Case::new(op, [inputs.as_slice(), &bias].concat()));
        with_keys.chain(biased).chain([Case::new(plain, alone.to_vec())])
    };
    // Positions past the end of the cache, whose places come round.
    let round = [(1, 1, 100, 4, 2, 8, 100), (3, 40, 90, 2, 1, 5, 70), (2, 3, 7, 4, 4, 12, 5)].map(
        |(batch, length, capacity, heads, key_heads, head, window)| {
            let op = CachedAttention { heads, key_heads, head, scale: 0.4, window: Some(window), biased: false };
            let row = (heads + 2 * key_heads) * head;
            let inputs = [
                floats(&[batch * length, row]),
                below(5 * capacity as u32, &[batch, length]),
                floats(&[batch, capacity, 2 * key_heads * head]),
            ];
            Case::new(op, inputs.to_vec())
        },
    );
    let shapes =
        [(1, 1, 1, 1, 1, 4), (1, 1, 200, 9, 3, 64), (3, 7, 150, 4, 1, 5), (2, 40, 64, 4, 2, 12), (1, 2, 70, 2, 2, 130)];
    shapes.into_iter().flat_map(each).chain(round).collect()
}

pub fn columns() -> Vec<Case> {
    [(1, 3, 2, 1), (70_000, 67, 5, 61)]
        .map(|(rows, columns, start, len)| Case::new(Columns { start, len }, vec![floats(&[rows, columns])]))
        .into()
}

pub fn concat() -> Vec<Case> {
    [(1, 3, 2), (70_000, 40, 27)].map(|(n, a, b)| Case::new(Concat, vec![floats(&[n, a]), floats(&[n, b])])).into()
}

pub fn cross_entropy() -> Vec<Case> {
    [(1, 2), (5, 3), (130, 67)]
        .map(|(batch, classes)| {
            let inputs = vec![floats(&[batch, classes]), below(classes as u32, &[batch]), weights(batch, 1.0)];
            Case::new(CrossEntropy, inputs)
        })
        .into()
}

pub fn embed() -> Vec<Case> {
    let each = |(batch, length, hidden): (usize, usize, usize)| {
        let pairs =
            [67, length as u32 + 3, 2].map(|rows| [below(rows, &[batch, length]), matrix(&[rows as usize, hidden])]);
        let op = Embed { scale: 0.5, kind: BlockType::F32 };
        (1..=3).map(move |tables| Case::new(op, pairs[..tables].concat()))
    };
    let in_blocks = |kind: BlockType| {
        let hidden = 2 * kind.elements().max(4);
        let inputs = [below(67, &[3, 9]), blocks(kind, &[67, hidden]), below(5, &[3, 9]), matrix(&[5, hidden])];
        Case::new(Embed { scale: 0.5, kind }, inputs.to_vec())
    };
    let of_floats = [(1, 1, 24), (3, 9, 40), (300, 230, 61)].into_iter().flat_map(each);
    of_floats.chain(block_types().map(in_blocks)).collect()
}

pub fn gate() -> Vec<Case> {
    let each = |(rows, columns): (usize, usize)| {
        kinds().into_iter().flat_map(move |kind| {
            let (x, dy) = (floats(&[rows, 2 * columns]), floats(&[rows, columns]));
            [Case::new(Gate(kind), vec![x.clone()]), Case::new(GateGrad(Gate(kind)), vec![dy, x])]
        })
    };
    [(1, 1), (7, 67), (300, 384)].into_iter().flat_map(each).collect()
}

/// Rows taken in an order that meets some of them several times and some never, with padding behind.
pub fn gather() -> Vec<Case> {
    let each = |(rows, hidden, count): (usize, usize, usize)| {
        let source = |at: usize| (at * at + at / 3) % rows;
        let (real, sources) = (count - count / 5, (0..count).map(|at| source(at) as u32).collect());
        let mut order: Vec<u32> = (0..count as u32).collect();
        order[..real].sort_by_key(|at| source(*at as usize));
        let starts = (0..=rows).map(|row| (0..real).filter(|at| source(*at) < row).count() as u32).collect();
        let by_source = [(vec![count], Contents::Chosen(order)), (vec![rows + 1], Contents::Chosen(starts))];
        let sources = (vec![count], Contents::Chosen(sources));
        let forward = [&[floats(&[rows, hidden]), sources], by_source.as_slice()].concat();
        let backward = [&[floats(&[count, hidden])], by_source.as_slice()].concat();
        [Case::new(Gather, forward), Case::new(GatherGrad, backward)]
    };
    [(1, 1, 1), (7, 67, 12), (200, 24, 130), (400, 5, 900)].into_iter().flat_map(each).collect()
}

pub fn head() -> Vec<Case> {
    let each = |(batch, rows, hidden, labels, bias): (usize, usize, usize, usize, bool)| {
        let op = Head { offset: 3, labels, bias };
        let table = floats(&[2, labels * (hidden + 1) + 5]);
        let (x, dy, slots) = (floats(&[rows, hidden]), floats(&[rows, labels]), below(2, &[batch]));
        let forward = Case::new(op, vec![x.clone(), table.clone(), slots.clone()]);
        [forward, Case::new(HeadGrad { head: op, hidden }, vec![dy, x, table, slots])]
    };
    let shapes = [
        (1, 1, 3, 2, true),
        (5, 5, 24, 3, false),
        (4, 36, 24, 3, true),
        (33, 33, 384, 7, true),
        (2, 130, 67, 67, true),
    ];
    shapes.into_iter().flat_map(each).collect()
}

pub fn layer_norm() -> Vec<Case> {
    let each = |(rows, columns): (usize, usize)| {
        let op = LayerNorm { eps: 1e-5 };
        let (x, dy) = (floats(&[rows, columns]), floats(&[rows, columns]));
        let (weight, bias) = (floats(&[columns]), floats(&[columns]));
        let forward = Case::new(op, vec![x.clone(), weight.clone(), bias]);
        [forward, Case::new(LayerNormGrad(op), vec![dy, x, weight])]
    };
    [(1, 24), (7, 67), (130, 384), (70_001, 5)].into_iter().flat_map(each).collect()
}

/// Rows, inner and columns: one row, odd sizes, every tile with rows that do not fill it, many rows.
const MATRICES: [(usize, usize, usize); 10] = [
    (1, 1, 1),
    (1, 24, 40),
    (5, 24, 67),
    (7, 13, 5),
    (3, 384, 384),
    (16, 40, 24),
    (24, 64, 72),
    (50, 16, 96),
    (130, 36, 64),
    (70_000, 4, 12),
];

pub fn linear() -> Vec<Case> {
    let each = |(rows, inner, columns): (usize, usize, usize)| {
        let case = move |flipped: bool, bias: bool, addend: bool| {
            let weight = if flipped { [inner, columns] } else { [columns, inner] };
            let mut inputs = vec![floats(&[rows, inner]), matrix(&weight)];
            inputs.extend(bias.then(|| floats(&[columns])));
            inputs.extend(addend.then(|| floats(&[rows, columns])));
            Case::new(Linear { flipped, bias, addend, ..Linear::default() }, inputs)
        };
        // The last is a layer whose weight is stored (in, out).
        [
            case(false, true, false),
            case(false, true, true),
            case(true, false, false),
            case(true, false, true),
            case(true, true, false),
        ]
    };
    MATRICES.into_iter().flat_map(each).chain(linear_of_some_rows()).chain(linear_in_blocks()).collect()
}

/// Every format that matrices are kept in, beside floats.
fn block_types() -> [BlockType; 10] {
    use BlockType::*;
    [F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K]
}

/// One layer of several that are packed in a matrix of floats: of sizes that are multiples of four, and others; few rows of input, and many.
fn linear_of_some_rows() -> Vec<Case> {
    let each = |(rows, inner, first, len): (usize, usize, usize, usize)| {
        [false, true].map(|flipped| {
            let op = Linear { flipped, rows: Some(Rows { start: first, len }), ..Linear::default() };
            let x = floats(&[rows, if flipped { len } else { inner }]);
            Case::new(op, vec![x, matrix(&[first + len + 3, inner])])
        })
    };
    [(2, 32, 4, 12), (9, 32, 5, 8), (9, 7, 5, 6)].into_iter().flat_map(each).collect()
}

/// Matrices in blocks: one row, few, as many as make the largest tile, and odd numbers of rows of both.
fn linear_in_blocks() -> Vec<Case> {
    let each = |kind: BlockType| {
        let unit = kind.elements().max(4);
        let case = move |flipped: bool, (rows, inner, out): (usize, usize, usize), start: usize, added: bool| {
            let op = Linear {
                flipped,
                kind,
                rows: (start > 0).then_some(Rows { start, len: out }),
                bias: added,
                addend: added,
            };
            let (x, y) = if flipped { (out, inner * unit) } else { (inner * unit, out) };
            let mut inputs = vec![floats(&[rows, x]), blocks(kind, &[start + out, inner * unit])];
            if added {
                inputs.extend([floats(&[y]), floats(&[rows, y])]);
            }
            Case::new(op, inputs)
        };
        [
            case(false, (1, 3, 5), 0, false),
            case(false, (3, 1, 67), 2, true),
            case(false, (64, 2, 36), 0, false),
            case(false, (9, 2, 7), 3, true),
            case(true, (1, 1, 5), 0, true),
            case(true, (32, 2, 40), 0, false),
            case(true, (6, 2, 9), 3, false),
        ]
    };
    block_types().into_iter().flat_map(each).collect()
}

pub fn normalize() -> Vec<Case> {
    let each = |(rows, columns): (usize, usize)| {
        let (x, dy) = (floats(&[rows, columns]), floats(&[rows, columns]));
        [Case::new(Normalize, vec![x.clone()]), Case::new(NormalizeGrad, vec![dy, x])]
    };
    [(1, 3), (5, 67), (70_000, 24)].into_iter().flat_map(each).collect()
}

pub fn pair_loss() -> Vec<Case> {
    let kinds = [PairLossKind::Cosine, PairLossKind::SupervisedContrastive { temperature: 0.1 }];
    // A batch, or one of four micro-batches.
    let each = |(batch, total): (usize, f32)| {
        let inputs = [floats(&[batch, batch]), below(3, &[batch]), weights(batch, total)];
        kinds.map(|kind| Case::new(PairLoss(kind), inputs.to_vec()))
    };
    [(1, 1.0), (2, 1.0), (9, 0.25), (70, 1.0)].into_iter().flat_map(each).collect()
}

pub fn pick() -> Vec<Case> {
    let each = |(batch, length, hidden): (usize, usize, usize)| {
        let tokens = below(length as u32, &[batch]);
        let forward = Case::new(Pick, vec![floats(&[batch * length, hidden]), tokens.clone()]);
        [forward, Case::new(PickGrad { length }, vec![floats(&[batch, hidden]), tokens])]
    };
    [(1, 1, 3), (5, 7, 67), (300, 64, 24)].into_iter().flat_map(each).collect()
}

pub fn pool() -> Vec<Case> {
    let each = |(batch, length, hidden): (usize, usize, usize)| {
        [PoolKind::Mean, PoolKind::First].into_iter().flat_map(move |kind| {
            let forward = Case::new(Pool(kind), vec![floats(&[batch * length, hidden]), mask(batch, length)]);
            [forward, Case::new(PoolGrad(kind), vec![floats(&[batch, hidden]), mask(batch, length)])]
        })
    };
    [(1, 1, 3), (3, 7, 67), (9, 64, 384), (70_000, 2, 5)].into_iter().flat_map(each).collect()
}

/// Choices of one to `length` tokens, the last of the last example absent where it is not alone, then padding; answers in turn.
pub fn rank_loss() -> Vec<Case> {
    let each = |(examples, choices, length): (usize, usize, usize)| {
        let all = examples * choices;
        let tokens = |choice: usize| if choice + 1 == all && choices > 2 { 0 } else { 1 + choice * 3 % length };
        let mut starts = vec![0];
        (0..all).for_each(|choice| starts.push(starts[choice] + tokens(choice) as u32));
        let count = starts[all] as usize + 5;
        let losses = (0..count).map(|at| 0.2 + (at * 7 % 11) as f32 * 0.3).collect();
        let answers = (0..all).map(|at| u32::from(at % choices == at / choices % choices.min(2))).collect();
        let inputs = vec![
            (vec![count], Contents::Given(losses)),
            (vec![all + 1], Contents::Chosen(starts)),
            (vec![all], Contents::Chosen(answers)),
        ];
        let (language, unlikelihood, normalized, variant) = (1.0, 0.7, 0.4, RankVariant::Paper);
        let op = RankLoss { examples, choices, language, unlikelihood, normalized, variant };
        [op, RankLoss { variant: RankVariant::Code, ..op }].map(|op| Case::new(op, inputs.clone()))
    };
    [(1, 1, 1), (3, 4, 5), (70, 2, 9)].into_iter().flat_map(each).collect()
}

pub fn relative_bias() -> Vec<Case> {
    [(1, 1), (3, 7), (12, 130)]
        .map(|(heads, length)| Case::new(RelativeBias, vec![floats(&[32, heads]), below(32, &[2 * length - 1])]))
        .into()
}

pub fn rms_norm() -> Vec<Case> {
    let each = |(rows, columns, start, groups, size): (usize, usize, usize, usize, usize)| {
        let op = RmsNorm { eps: 1e-5, plus: 0.5, times: 0.7, start, groups };
        let (x, dy, weight) = (floats(&[rows, columns]), floats(&[rows, columns]), floats(&[size]));
        [Case::new(op, vec![x.clone(), weight.clone()]), Case::new(RmsNormGrad(op), vec![dy, x, weight])]
    };
    // Whole rows; heads of queries; heads of keys amid a row.
    let shapes = [
        (1, 24, 0, 1, 24),
        (130, 384, 0, 1, 384),
        (7, 67, 0, 1, 67),
        (9, 60, 0, 4, 6),
        (70, 130, 48, 2, 24),
        (70_001, 5, 1, 1, 3),
    ];
    shapes.into_iter().flat_map(each).collect()
}

pub fn rope() -> Vec<Case> {
    let each = |(batch, length, columns, heads, head, half): (usize, usize, usize, usize, usize, usize)| {
        let inputs =
            [floats(&[batch * length, columns]), floats(&[length, 2, half]), below(length as u32, &[batch, length])];
        let forms = [(false, 2), (true, 2), (false, 3), (true, 3)];
        forms.map(|(back, given)| Case::new(Rope { heads, head, back }, inputs[..given].to_vec()))
    };
    [(1, 1, 4, 1, 4, 2), (3, 7, 67, 5, 12, 6), (9, 64, 384, 8, 32, 12)].into_iter().flat_map(each).collect()
}

pub fn rows() -> Vec<Case> {
    let mut cases = forward_rows();
    cases.extend([(5, 5, 1, 1), (130, 67, 3, 70)].map(|(rows, columns, start, len): (usize, usize, usize, usize)| {
        Case::new(RowsGrad { start, rows }, vec![floats(&[len, columns])])
    }));
    cases
}

fn forward_rows() -> Vec<Case> {
    [(3, 5, 1, 1), (90_000, 67, 3, 70_000)]
        .map(|(rows, columns, start, len)| Case::new(Rows { start, len }, vec![floats(&[rows, columns])]))
        .into()
}

pub fn scale() -> Vec<Case> {
    let told = |(rows, batch, columns, start, len): (usize, usize, usize, usize, usize), repeat, shifted| {
        let op = Scale { start, len, offset: 2, repeat, shifted };
        let (x, dy) = (floats(&[rows, columns]), floats(&[rows, columns]));
        let (table, slots) = (floats(&[3, 2 * len + 3]), below(3, &[batch]));
        let forward = Case::new(op, vec![x.clone(), table.clone(), slots.clone()]);
        [forward, Case::new(ScaleGrad(op), vec![dy, x, table, slots])]
    };
    let each = |sizes| told(sizes, 1, false);
    // Mesa's software Vulkan ends every loop after 65,535 turns, so sums down a column stay below that.
    let mut cases: Vec<Case> = [(1, 1, 3, 0, 3), (36, 4, 67, 5, 61), (500, 5, 130, 64, 66), (65_000, 5, 62, 1, 60)]
        .into_iter()
        .flat_map(each)
        .collect();
    cases.extend(each((70_000, 7, 62, 1, 60)).into_iter().take(1));
    cases.extend([(1, 1, 3, 0, 3), (500, 5, 130, 64, 66)].into_iter().flat_map(|sizes| told(sizes, 1, true)));
    // Heads of attention: all columns, those of the keys among queries, keys and values, one head.
    let heads = [((36, 4, 24, 0, 24), 6), ((500, 5, 3 * 96, 96, 96), 32), ((3, 3, 5, 0, 5), 5)];
    cases.extend(
        heads.into_iter().flat_map(|(sizes, repeat)| {
            [false, true].into_iter().flat_map(move |shifted| told(sizes, repeat, shifted))
        }),
    );
    cases
}

pub fn similarity() -> Vec<Case> {
    let each = |(batch, hidden): (usize, usize)| {
        let x = floats(&[batch, hidden]);
        [Case::new(Similarity, vec![x.clone()]), Case::new(SimilarityGrad, vec![floats(&[batch, batch]), x])]
    };
    [(1, 3), (9, 67), (70, 384)].into_iter().flat_map(each).collect()
}

pub fn soft_cap() -> Vec<Case> {
    let each = |(rows, columns): (usize, usize)| {
        let inputs = [floats(&[rows, columns]), floats(&[rows, columns])];
        [Case::new(SoftCap(0.7), inputs[..1].to_vec()), Case::new(SoftCapGrad(1.5), inputs.to_vec())]
    };
    [(1, 1), (3, 67), (700, 61)].into_iter().flat_map(each).collect()
}

/// Logits are a few whole numbers, so that labels tie with others, before and after them.
pub fn greedy() -> Vec<Case> {
    [(1, 2, 2, 0, 1), (3, 5, 3, 4, 7), (9, 64, 4, 64, 128), (2, 40, 300, 0, 80)]
        .map(|(batch, length, classes, start, rows): (usize, usize, usize, usize, usize)| {
            let logits = (0..rows * classes).map(|at| (at * 31 % 97 % 5) as f32).collect();
            let tokens = below(classes as u32, &[batch, length]);
            Case::new(Greedy { start }, vec![(vec![rows, classes], Contents::Given(logits)), tokens])
        })
        .into()
}

/// Places in any order, past the end of the cache, with gaps, and some tokens left out.
pub fn store() -> Vec<Case> {
    let each = |(batch, length, capacity, queries, keys): (usize, usize, usize, usize, usize)| {
        let end = 3 * capacity;
        // In the second round or the third.
        let round = |at: usize| capacity * (1 + at % 2);
        let place = |at: usize| if at % 5 == 3 { end + at } else { round(at) + (at * 7 + 3) % capacity };
        let places = (0..batch).flat_map(|_| (0..length).map(|at| place(at) as u32)).collect();
        let inputs = vec![
            floats(&[batch * length, queries + keys]),
            (vec![batch, length], Contents::Chosen(places)),
            floats(&[batch, capacity, keys]),
        ];
        Case::new(Store { end }, inputs)
    };
    [(1, 1, 1, 1, 2), (3, 1, 20, 61, 6), (2, 9, 20, 16, 64), (3, 5, 11, 0, 12), (70, 300, 512, 24, 250)]
        .into_iter()
        .map(each)
        .collect()
}

pub fn token_loss() -> Vec<Case> {
    [(1, 1, 2, 0, 1), (3, 5, 67, 4, 7), (9, 64, 300, 64, 128)]
        .map(|(batch, length, classes, start, rows): (usize, usize, usize, usize, usize)| {
            let tokens = [below(classes as u32, &[batch, length]), floats(&[batch, length])];
            Case::new(TokenLoss { start }, [vec![floats(&[rows, classes])], tokens.to_vec()].concat())
        })
        .into()
}

pub fn total_loss() -> Vec<Case> {
    let each = |rows: usize| {
        let inputs = [floats(&[rows]), floats(&[rows, 3]), floats(&[rows, 3]), floats(&[1])];
        [Case::new(TotalLoss, inputs[..3].to_vec()), Case::new(TotalLoss, inputs.to_vec())]
    };
    [1, 130].into_iter().flat_map(each).collect()
}

pub fn span_loss() -> Vec<Case> {
    [(1, 1), (5, 9), (70, 33)]
        .map(|(batch, length)| {
            let inputs = vec![floats(&[batch * length, 2]), below(length as u32, &[batch, 2]), floats(&[batch, 2])];
            Case::new(SpanLoss, inputs)
        })
        .into()
}
