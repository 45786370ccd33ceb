// The gradient of attention for heads whose size is no multiple of four.
// An invocation computes dQ of one query and head, or dK and dV of one key and head of keys, and sums up in its output.

@group(0) @binding(0) var<storage, read> dcontext: array<f32>; // (batch, length, heads, head)
@group(0) @binding(1) var<storage, read> queries: array<f32>; // (batch, length, query_row), queries first
@group(0) @binding(2) var<storage, read> keyvalues: array<f32>; // (batch, keys, key_row), keys from key_start, values from value_start
@group(0) @binding(3) var<storage, read> mask: array<u32>; // (batch, keys), bits of a float, 1 attends, or if segmented marks; 0 is padding
@group(0) @binding(4) var<storage, read> bias: array<f32>; // (heads, length, keys), read only if biased
@group(0) @binding(5) var<storage, read> context: array<f32>; // (batch, length, heads, head)
@group(0) @binding(6) var<storage, read> lse: array<f32>; // (batch, heads, length)
@group(0) @binding(7) var<storage, read_write> gradient: array<f32>; // as queries, keyvalues or, being the same, both

override batch: u32 = 1u;
override length: u32 = 4u; // queries a text
override keys: u32 = 4u; // keys a text
override heads: u32 = 1u;
override key_heads: u32 = 1u; // divides heads
override head: u32 = 3u; // head size
override query_row: u32 = 9u;
override key_row: u32 = 9u;
override key_start: u32 = 3u;
override value_start: u32 = 6u;
override scale: f32 = 1.0;
override biased: bool = false;
override causal: bool = false; // a query sees only keys up to its own place
override window: u32 = 0u; // and, if not 0, only the last so many of them
override segmented: bool = false; // a query sees only keys of its own segment and of segment 0; window and bias go by positions
override query_role: bool = true;
override key_role: bool = true;

const MASKED = -1e30;
// A mark is segment << 20 | position + 1 of a token.
const POSITION_BITS = 20u;
const POSITION = 0xfffffu;

// Whether the query with one mark sees the key with the other, where that does not come after it.
fn visible(asking: u32, mark: u32) -> bool {
    let segment = mark >> POSITION_BITS;
    let near = window == 0u || (mark & POSITION) + window > (asking & POSITION);
    return near && (segment == 0u || segment == asking >> POSITION_BITS);
}

// The position of a marked token.
fn position(mark: u32) -> u32 {
    return max(mark & POSITION, 1u) - 1u;
}

// P and dS of one query and one key of a head.
fn pair(text: u32, own: u32, query: u32, key: u32) -> vec2<f32> {
    if (causal && (key > query || (window > 0u && key + window <= query && !segmented))) {
        return vec2(0.0);
    }
    let mark = mask[text * keys + key];
    var asking = 0u;
    if (segmented) {
        asking = mask[text * keys + query];
        if (!visible(asking, mark)) {
            return vec2(0.0);
        }
    }
    let q = (text * length + query) * query_row + own * head;
    let k = (text * keys + key) * key_row + own / (heads / key_heads) * head;
    let d = ((text * length + query) * heads + own) * head;
    var score = 0.0;
    var dp = 0.0; // dO · (v - O), which is (dO Vᵀ - rowsum(dO ⊙ O)) of this pair
    for (var i = 0u; i < head; i++) {
        score += queries[q + i] * keyvalues[k + key_start + i];
        dp += dcontext[d + i] * (keyvalues[k + value_start + i] - context[d + i]);
    }
    score *= scale;
    if (biased) {
        score += bias[(own * length + select(query, position(asking), segmented)) * keys + select(key, position(mark), segmented)];
    }
    let logsum = lse[(text * heads + own) * length + query];
    let p = exp(select(MASKED, score, mark != 0u) - logsum);
    return vec2(p, p * dp * scale);
}

fn query_gradient(text: u32, own: u32, query: u32) {
    let out = (text * length + query) * query_row + own * head;
    for (var i = 0u; i < head; i++) {
        gradient[out + i] = 0.0;
    }
    for (var key = 0u; key < keys; key++) {
        let ds = pair(text, own, query, key).y;
        let k = (text * keys + key) * key_row + key_start + own / (heads / key_heads) * head;
        for (var i = 0u; i < head; i++) {
            gradient[out + i] += ds * keyvalues[k + i];
        }
    }
}

fn key_and_value_gradient(text: u32, key_head: u32, key: u32) {
    let out = (text * keys + key) * key_row + key_head * head;
    for (var i = 0u; i < head; i++) {
        gradient[out + key_start + i] = 0.0;
        gradient[out + value_start + i] = 0.0;
    }
    let shared_by = heads / key_heads;
    for (var own = key_head * shared_by; own < (key_head + 1u) * shared_by; own++) {
        for (var query = 0u; query < length; query++) {
            let found = pair(text, own, query, key);
            let token = text * length + query;
            for (var i = 0u; i < head; i++) {
                gradient[out + key_start + i] += found.y * queries[token * query_row + own * head + i];
                gradient[out + value_start + i] += found.x * dcontext[(token * heads + own) * head + i];
            }
        }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let query_count = select(0u, batch * heads * length, query_role);
    let key_count = select(0u, batch * key_heads * keys, key_role);
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < query_count) {
        query_gradient(at / length / heads, at / length % heads, at % length);
    } else if (at - query_count < key_count) {
        let index = at - query_count;
        key_and_value_gradient(index / keys / key_heads, index / keys % key_heads, index % keys);
    }
}
