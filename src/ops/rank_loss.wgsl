// T-Few's loss of ranked choices and its gradient. One workgroup computes all; each invocation takes whole examples.

@group(0) @binding(0) var<storage, read> losses: array<f32>; // (count), -log p
@group(0) @binding(1) var<storage, read> starts: array<u32>; // (examples choices + 1), where the tokens of each choice begin
@group(0) @binding(2) var<storage, read> answers: array<u32>; // (examples choices), 1 for an answer, else 0
@group(0) @binding(3) var<storage, read_write> loss: array<f32>; // (1), at loss_offset
@group(0) @binding(4) var<storage, read_write> dlosses: array<f32>; // (count), 0 behind the last choice

override examples: u32 = 4u;
override choices: u32 = 2u;
override count: u32 = 8u; // tokens, padding included
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

struct Choice {
    tokens: f32, // 0 where there is no choice
    score: f32, // mean log-probability
}

fn measure(at: u32) -> Choice {
    let tokens = f32(starts[at + 1u] - starts[at]);
    var sum = 0.0;
    for (var token = starts[at]; token < starts[at + 1u]; token++) {
        sum += losses[token];
    }
    return Choice(tokens, -sum / max(tokens, 1.0));
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
    for (var choice = first; choice < first + choices; choice++) {
        let found = measure(choice);
        if (found.tokens > 0.0) {
            most = max(most, found.score);
            wrong += select(found.tokens, 0.0, answers[choice] == 1u);
        }
    }
    var raised = 0.0;
    for (var choice = first; choice < first + choices; choice++) {
        let found = measure(choice);
        if (found.tokens > 0.0) {
            raised += exp(found.score - most);
        }
    }
    let unlikely = unlikelihood * share(wrong, totals.y);
    let ranked = normalized / f32(examples);
    var result = 0.0;
    for (var choice = first; choice < first + choices; choice++) {
        let found = measure(choice);
        let answer = answers[choice] == 1u;
        let likely = language * share(found.tokens, totals.x);
        // The score falls by 1 / length for each unit of a token's loss.
        let slope = ranked * (select(0.0, 1.0, answer) - exp(min(found.score - most, 0.0)) / raised) / max(found.tokens, 1.0);
        if (answer) {
            result += ranked * (log(raised) + most - found.score);
        }
        for (var token = starts[choice]; token < starts[choice + 1u]; token++) {
            let p = exp(-losses[token]);
            let other = max(1.0 - p + added, LEAST);
            let own = select(-unlikely * log(other), likely * losses[token], answer);
            result += own;
            dlosses[token] = slope + select(-unlikely * p / other, likely, answer);
        }
    }
    return result;
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var own = vec4<f32>(0.0);
    for (var choice = lane; choice < examples * choices; choice += 64u) {
        let tokens = measure(choice).tokens;
        let answer = answers[choice] == 1u;
        own += vec4<f32>(select(0.0, tokens, answer), select(tokens, 0.0, answer), select(0.0, 1.0, tokens > 0.0), 0.0);
        own.w = max(own.w, tokens);
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
    for (var token = starts[examples * choices] + lane; token < count; token += 64u) {
        dlosses[token] = 0.0;
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
