// Attention for heads whose size is no multiple of four. An invocation computes one query of one head, and sums up in its output.

@group(0) @binding(0) var<storage, read> queries: array<f32>; // (batch, length, query_row), queries first
@group(0) @binding(1) var<storage, read> keyvalues: array<f32>; // (batch, keys, key_row), keys from key_start, values from value_start
@group(0) @binding(2) var<storage, read> mask: array<u32>; // (batch, keys), bits of a float, 1 attends, or if segmented marks; 0 is padding
@group(0) @binding(3) var<storage, read> bias: array<f32>; // (heads, length, keys), read only if biased
@group(0) @binding(4) var<storage, read_write> context: array<f32>; // (batch, length, heads, head)
@group(0) @binding(5) var<storage, read_write> lse: array<f32>; // (batch, heads, length)

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

// The place of the bias of a query and a key, by their places in the row or, if segmented, by the positions in their marks.
fn pair(own_head: u32, query: u32, key: u32, asking: u32, mark: u32) -> u32 {
    if (segmented) {
        return (own_head * length + position(asking)) * keys + position(mark);
    }
    return (own_head * length + query) * keys + key;
}

// Score of query and key that start at these elements; `pair` is the place of their bias.
fn score(query: u32, key: u32, pair: u32, attends: bool) -> f32 {
    var sum = 0.0;
    for (var i = 0u; i < head; i++) {
        sum += queries[query + i] * keyvalues[key + i];
    }
    sum *= scale;
    if (biased) {
        sum += bias[pair];
    }
    return select(MASKED, sum, attends);
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
    let own = at % length;
    let own_head = at / length % heads;
    let text = at / length / heads;
    let query = (text * length + own) * query_row + own_head * head;
    let column = own_head / (heads / key_heads) * head;
    var first = 0u;
    var end = keys;
    if (causal) {
        end = min(keys, own + 1u);
        if (window > 0u && own >= window && !segmented) {
            first = own + 1u - window;
        }
    }

    var asking = 0u;
    if (segmented) {
        asking = mask[text * keys + own];
    }
    var top = -3e38;
    for (var j = first; j < end; j++) {
        let token = text * keys + j;
        let mark = mask[token];
        if (segmented && !visible(asking, mark)) {
            continue;
        }
        top = max(top, score(query, token * key_row + key_start + column, pair(own_head, own, j, asking, mark), mark != 0u));
    }
    let out = (text * length + own) * heads * head + own_head * head;
    for (var i = 0u; i < head; i++) {
        context[out + i] = 0.0;
    }
    var denominator = 0.0;
    for (var j = first; j < end; j++) {
        let token = text * keys + j;
        let mark = mask[token];
        if (segmented && !visible(asking, mark)) {
            continue;
        }
        let row = token * key_row + column;
        let p = exp(score(query, row + key_start, pair(own_head, own, j, asking, mark), mark != 0u) - top);
        denominator += p;
        for (var i = 0u; i < head; i++) {
            context[out + i] += p * keyvalues[row + value_start + i];
        }
    }
    for (var i = 0u; i < head; i++) {
        context[out + i] /= denominator;
    }
    lse[at] = top + log(denominator);
}
