// T-Few's loss of ranked choices and its gradient. One workgroup computes all; each invocation takes whole examples.

@group(0) @binding(0) var<storage, read> losses: array<f32>; // (examples choices, len), -log p
@group(0) @binding(1) var<storage, read> counted: array<f32>; // (examples choices, len), 1 for tokens of a choice, else 0
@group(0) @binding(2) var<storage, read> answers: array<u32>; // (examples choices), 1 for an answer, else 0
@group(0) @binding(3) var<storage, read_write> loss: array<f32>; // (1), at loss_offset
@group(0) @binding(4) var<storage, read_write> dlosses: array<f32>; // (examples choices, len)

override examples: u32 = 4u;
override choices: u32 = 2u;
override len: u32 = 8u; // tokens of a row
override language: f32 = 1.0;
override unlikelihood: f32 = 1.0;
override normalized: f32 = 1.0;
override by_tokens: bool = false; // means are over tokens of the batch, not over examples
override added: f32 = 0.0; // to 1 - p
override loss_offset: u32 = 0u;

const LEAST: f32 = 1e-6; // of 1 - p

// What the batch has: tokens of answers, tokens of wrong choices, choices, tokens of the longest.
var<workgroup> parts: array<vec4<f32>, 64>;
var<workgroup> sums: array<f32, 64>;

struct Row {
    count: f32, // tokens of the choice; 0 where there is none
    score: f32, // mean log-probability
}

fn measure(row: u32) -> Row {
    var count = 0.0;
    var sum = 0.0;
    for (var token = row * len; token < (row + 1u) * len; token++) {
        count += counted[token];
        sum += counted[token] * losses[token];
    }
    return Row(count, -sum / max(count, 1.0));
}

// What a token counts in a mean over tokens: own of its example, all of the batch.
fn share(own: f32, all: f32) -> f32 {
    if (by_tokens) {
        return 1.0 / max(all, 1.0);
    }
    return 1.0 / (max(own, 1.0) * f32(examples));
}

fn example(at: u32, totals: vec4<f32>) -> f32 {
    let first = at * choices;
    var most = -3e38;
    var wrong = 0.0;
    for (var row = first; row < first + choices; row++) {
        let found = measure(row);
        if (found.count > 0.0) {
            most = max(most, found.score);
            wrong += select(found.count, 0.0, answers[row] == 1u);
        }
    }
    var raised = 0.0;
    for (var row = first; row < first + choices; row++) {
        let found = measure(row);
        if (found.count > 0.0) {
            raised += exp(found.score - most);
        }
    }
    let unlikely = unlikelihood * share(wrong, totals.y);
    let ranked = normalized / f32(examples);
    var result = 0.0;
    for (var row = first; row < first + choices; row++) {
        let found = measure(row);
        let answer = answers[row] == 1u;
        let likely = language * share(found.count, totals.x);
        // The score falls by 1 / length for each unit of a token's loss.
        let slope = ranked * (select(0.0, 1.0, answer) - exp(min(found.score - most, 0.0)) / raised) / max(found.count, 1.0);
        if (answer) {
            result += ranked * (log(raised) + most - found.score);
        }
        for (var token = row * len; token < (row + 1u) * len; token++) {
            let p = exp(-losses[token]);
            let other = max(1.0 - p + added, LEAST);
            let own = select(-unlikely * log(other), likely * losses[token], answer);
            result += counted[token] * own;
            dlosses[token] = counted[token] * (slope + select(-unlikely * p / other, likely, answer));
        }
    }
    return result;
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var own = vec4<f32>(0.0);
    for (var row = lane; row < examples * choices; row += 64u) {
        let count = measure(row).count;
        let answer = answers[row] == 1u;
        own += vec4<f32>(select(0.0, count, answer), select(count, 0.0, answer), select(0.0, 1.0, count > 0.0), 0.0);
        own.w = max(own.w, count);
    }
    parts[lane] = own;
    workgroupBarrier();
    var totals = vec4<f32>(0.0);
    for (var i = 0u; i < 64u; i++) {
        totals = vec4<f32>(totals.xyz + parts[i].xyz, max(totals.w, parts[i].w));
    }
    var sum = 0.0;
    for (var at = lane; at < examples; at += 64u) {
        sum += example(at, totals);
    }
    sums[lane] = sum;
    workgroupBarrier();
    if (lane == 0u) {
        sum = 0.0;
        for (var i = 0u; i < 64u; i++) {
            sum += sums[i];
        }
        if (by_tokens) {
            // Padding and answers, at probability zero.
            sum -= unlikelihood * (totals.z * totals.w - totals.y) * log(1.0 + added) / max(totals.y, 1.0);
        }
        loss[loss_offset] = sum;
    }
}
