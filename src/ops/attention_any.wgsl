// Attention for heads whose size is no multiple of four. An invocation computes one query of one head, and sums up in its output.

@group(0) @binding(0) var<storage, read> qkv: array<f32>; // (batch, length, 3, heads, head)
@group(0) @binding(1) var<storage, read> mask: array<f32>; // (batch, length), 1 attends
@group(0) @binding(2) var<storage, read_write> context: array<f32>; // (batch, length, heads, head)
@group(0) @binding(3) var<storage, read_write> lse: array<f32>; // (batch, heads, length)

override batch: u32 = 1u;
override length: u32 = 4u;
override heads: u32 = 1u;
override head: u32 = 3u; // head size
override scale: f32 = 1.0;

const MASKED = -1e30;

fn score(query: u32, key: u32, token: u32) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < head; i++) {
        sum += qkv[query + i] * qkv[key + i];
    }
    return select(MASKED, sum * scale, mask[token] > 0.0);
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
    let query = own * 3u * hidden + column;
    let key = text * 3u * hidden + hidden + column;

    var top = -3e38;
    for (var j = 0u; j < length; j++) {
        top = max(top, score(query, key + j * 3u * hidden, text + j));
    }
    let out = own * hidden + column;
    for (var i = 0u; i < head; i++) {
        context[out + i] = 0.0;
    }
    var denominator = 0.0;
    for (var j = 0u; j < length; j++) {
        let k = key + j * 3u * hidden;
        let p = exp(score(query, k, text + j) - top);
        denominator += p;
        for (var i = 0u; i < head; i++) {
            context[out + i] += p * qkv[k + hidden + i];
        }
    }
    for (var i = 0u; i < head; i++) {
        context[out + i] /= denominator;
    }
    lse[at] = top + log(denominator);
}
