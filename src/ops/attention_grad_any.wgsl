// The gradient of attention for heads whose size is no multiple of four.
// An invocation computes dQ, dK and dV of one token of one head, and sums up in its output.

@group(0) @binding(0) var<storage, read> dcontext: array<f32>; // (batch, length, heads, head)
@group(0) @binding(1) var<storage, read> qkv: array<f32>; // (batch, length, 3, heads, head)
@group(0) @binding(2) var<storage, read> mask: array<f32>; // (batch, length), 1 attends
@group(0) @binding(3) var<storage, read> context: array<f32>; // (batch, length, heads, head)
@group(0) @binding(4) var<storage, read> lse: array<f32>; // (batch, heads, length)
@group(0) @binding(5) var<storage, read_write> dqkv: array<f32>; // (batch, length, 3, heads, head)

override batch: u32 = 1u;
override length: u32 = 4u;
override heads: u32 = 1u;
override head: u32 = 3u; // head size
override scale: f32 = 1.0;

const MASKED = -1e30;

// P and dS of one query and one key of a head, given as tokens.
fn pair(query: u32, key: u32, column: u32, logsum: f32) -> vec2<f32> {
    let hidden = heads * head;
    let q = query * 3u * hidden + column;
    let k = key * 3u * hidden + hidden + column;
    let d = query * hidden + column;
    var score = 0.0;
    var dp = 0.0; // dO · (v - O), which is (dO Vᵀ - rowsum(dO ⊙ O)) of this pair
    for (var i = 0u; i < head; i++) {
        score += qkv[q + i] * qkv[k + i];
        dp += dcontext[d + i] * (qkv[k + hidden + i] - context[d + i]);
    }
    let p = exp(select(MASKED, score * scale, mask[key] > 0.0) - logsum);
    return vec2(p, p * dp * scale);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= batch * heads * length) {
        return;
    }
    let hidden = heads * head;
    let column = at / length % heads * head;
    let text = at / length / heads * length;
    let own = text + at % length;
    let logsums = at / length * length;
    let out = own * 3u * hidden + column;
    for (var i = 0u; i < head; i++) {
        dqkv[out + i] = 0.0;
        dqkv[out + hidden + i] = 0.0;
        dqkv[out + 2u * hidden + i] = 0.0;
    }
    for (var j = 0u; j < length; j++) {
        let other = text + j;
        let asks = pair(own, other, column, lse[at]);
        let asked = pair(other, own, column, lse[logsums + j]);
        for (var i = 0u; i < head; i++) {
            let there = other * 3u * hidden + column + i;
            dqkv[out + i] += asks.y * qkv[there + hidden];
            dqkv[out + hidden + i] += asked.y * qkv[there];
            dqkv[out + 2u * hidden + i] += asked.x * dcontext[other * hidden + column + i];
        }
    }
}
