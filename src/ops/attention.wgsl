// context = softmax(scale q kᵀ + bias, padding masked) v, head by head, and the log of each softmax's denominator.
// An invocation computes four queries of one head and up to 32 of the head's columns, eight keys at a time,
// with the running softmax of FlashAttention (arXiv 2205.14135); it keeps everything in registers and needs no barrier.
// Several query heads may share a head of keys and values. Where one projection made all three, bindings 0 and 1 are the same.

@group(0) @binding(0) var<storage, read> queries: array<vec4<f32>>; // (batch, length, query_row), queries first
@group(0) @binding(1) var<storage, read> keyvalues: array<vec4<f32>>; // (batch, keys, key_row), keys from key_start, values from value_start
@group(0) @binding(2) var<storage, read> mask: array<u32>; // (batch, keys), bits of a float, 1 attends, or if segmented marks; 0 is padding
@group(0) @binding(3) var<storage, read> bias: array<f32>; // (heads, length, keys), read only if biased
@group(0) @binding(4) var<storage, read_write> context: array<vec4<f32>>; // (batch, length, heads, head)
@group(0) @binding(5) var<storage, read_write> lse: array<f32>; // (batch, heads, length)

override batch: u32 = 1u;
override length: u32 = 4u; // queries a text
override keys: u32 = 4u; // keys a text
override heads: u32 = 1u;
override key_heads: u32 = 1u; // divides heads
override head: u32 = 1u; // head size in vec4
override part: u32 = 1u; // vec4 columns of a head that one invocation computes, at most 8; divides head
override query_row: u32 = 3u; // in vec4, as the three below
override key_row: u32 = 3u;
override key_start: u32 = 1u;
override value_start: u32 = 2u;
override scale: f32 = 1.0;
override biased: bool = false;
override causal: bool = false; // a query sees only keys up to its own place
override window: u32 = 0u; // and, if not 0, only the last so many of them
override segmented: bool = false; // a query sees only keys of its own segment and of segment 0; window and bias go by positions

const MASKED = -1e30;
const EXCLUDED = -3e38;
// A mark is segment << 20 | position + 1 of a token.
const POSITION_BITS = 20u;
const POSITION = 0xfffffu;

// What does not change within an invocation: head, first query and first key of the text, first vec4 of the head in their rows.
struct Place {
    head: u32,
    query: u32,
    key: u32,
    column: u32,
    key_column: u32,
}

// Four queries: column t holds one vec4 of query start + t.
fn four_queries(place: Place, start: u32, i: u32) -> mat4x4<f32> {
    let at = place.query * query_row + place.column + i;
    let last = length - 1u;
    return mat4x4(
        queries[at + min(start, last) * query_row],
        queries[at + min(start + 1u, last) * query_row],
        queries[at + min(start + 2u, last) * query_row],
        queries[at + min(start + 3u, last) * query_row],
    );
}

// The same of keys or values.
fn four_keys(place: Place, which: u32, start: u32, i: u32) -> mat4x4<f32> {
    let at = place.key * key_row + which + place.key_column + i;
    let last = keys - 1u;
    return mat4x4(
        keyvalues[at + min(start, last) * key_row],
        keyvalues[at + min(start + 1u, last) * key_row],
        keyvalues[at + min(start + 2u, last) * key_row],
        keyvalues[at + min(start + 3u, last) * key_row],
    );
}

// What the mask says of four tokens.
fn four_marks(place: Place, token: u32) -> vec4<u32> {
    let at = vec4(place.key) + min(vec4(token) + vec4(0u, 1u, 2u, 3u), vec4(keys - 1u));
    return vec4(mask[at.x], mask[at.y], mask[at.z], mask[at.w]);
}

// Whether the query with one mark sees the keys with others, where they do not come after it.
fn visible(asking: u32, marks: vec4<u32>) -> vec4<bool> {
    let segments = marks >> vec4(POSITION_BITS);
    var seen = (segments == vec4(0u)) | (segments == vec4(asking >> POSITION_BITS));
    if (window > 0u) {
        seen = seen & ((marks & vec4(POSITION)) + vec4(window) > vec4(asking & POSITION));
    }
    return seen;
}

fn any_visible(asking: vec4<u32>, marks: vec4<u32>) -> bool {
    return any(visible(asking.x, marks) | visible(asking.y, marks) | visible(asking.z, marks) | visible(asking.w, marks));
}

fn four_biases(place: Place, query: u32, key: vec4<u32>) -> vec4<f32> {
    let at = vec4((place.head * length + min(query, length - 1u)) * keys) + min(key, vec4(keys - 1u));
    return vec4(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
}

// Scores of one query and four keys, with their marks.
fn masked(place: Place, product: vec4<f32>, asking: u32, marks: vec4<u32>, query: u32, key: u32) -> vec4<f32> {
    let own = vec4(key) + vec4(0u, 1u, 2u, 3u);
    var score = product * scale;
    if (biased) {
        if (segmented) {
            score += four_biases(place, max(asking & POSITION, 1u) - 1u, max(marks & vec4(POSITION), vec4(1u)) - vec4(1u));
        } else {
            score += four_biases(place, query, own);
        }
    }
    score = select(vec4(MASKED), score, marks != vec4(0u));
    score = select(vec4(EXCLUDED), score, own < vec4(keys));
    if (causal) {
        score = select(score, vec4(EXCLUDED), own > vec4(query));
        if (window > 0u && !segmented) {
            score = select(score, vec4(EXCLUDED), own + vec4(window) <= vec4(query));
        }
    }
    if (segmented) {
        score = select(vec4(EXCLUDED), score, visible(asking, marks));
    }
    return score;
}

fn masked_scores(place: Place, scores: mat4x4<f32>, asking: vec4<u32>, marks: vec4<u32>, query: u32, key: u32) -> mat4x4<f32> {
    return mat4x4(
        masked(place, scores[0], asking.x, marks, query, key),
        masked(place, scores[1], asking.y, marks, query + 1u, key),
        masked(place, scores[2], asking.z, marks, query + 2u, key),
        masked(place, scores[3], asking.w, marks, query + 3u, key),
    );
}

fn largest(v: vec4<f32>) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}

fn sum(v: vec4<f32>) -> f32 {
    return v.x + v.y + v.z + v.w;
}

fn exponentials(scores: mat4x4<f32>, top: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(exp(scores[0] - top.x), exp(scores[1] - top.y), exp(scores[2] - top.z), exp(scores[3] - top.w));
}

fn scaled(m: mat4x4<f32>, by: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(m[0] * by.x, m[1] * by.y, m[2] * by.z, m[3] * by.w);
}

fn store(place: Place, query: u32, i: u32, values: mat4x4<f32>) {
    for (var t = 0u; t < 4u; t++) {
        if (query + t < length) {
            context[(place.query + query + t) * heads * head + place.column + i] = values[t];
        }
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let blocks = (length + 3u) / 4u;
    let parts = head / part;
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= batch * heads * parts * blocks) {
        return;
    }
    let query = at % blocks * 4u;
    let first = at / blocks % parts * part;
    let text_head = at / blocks / parts;
    let own_head = text_head % heads;
    let text = text_head / heads;
    let place = Place(own_head, text * length, text * keys, own_head * head, own_head / (heads / key_heads) * head);

    var o0 = mat4x4<f32>();
    var o1 = mat4x4<f32>();
    var o2 = mat4x4<f32>();
    var o3 = mat4x4<f32>();
    var o4 = mat4x4<f32>();
    var o5 = mat4x4<f32>();
    var o6 = mat4x4<f32>();
    var o7 = mat4x4<f32>();
    var top = vec4(EXCLUDED);
    var denominator = vec4(0.0);
    var key = 0u;
    var end = keys;
    if (causal) {
        end = min(keys, query + 4u);
        if (window > 0u && query >= window && !segmented) {
            key = (query + 1u - window) / 8u * 8u;
        }
    }
    var asking = vec4(0u);
    if (segmented) {
        asking = four_marks(place, query);
    }
    for (; key < end; key += 8u) {
        let near_marks = four_marks(place, key);
        let far_marks = four_marks(place, key + 4u);
        if (segmented && !any_visible(asking, near_marks) && !any_visible(asking, far_marks)) {
            continue;
        }
        var near = mat4x4<f32>();
        var far = mat4x4<f32>();
        for (var i = 0u; i < head; i++) {
            let asked = four_queries(place, query, i);
            near += transpose(four_keys(place, key_start, key, i)) * asked;
            far += transpose(four_keys(place, key_start, key + 4u, i)) * asked;
        }
        near = masked_scores(place, near, asking, near_marks, query, key);
        far = masked_scores(place, far, asking, far_marks, query, key + 4u);
        let tops = vec4(
            largest(max(near[0], far[0])),
            largest(max(near[1], far[1])),
            largest(max(near[2], far[2])),
            largest(max(near[3], far[3])),
        );
        if (any(tops > top)) {
            let shrink = exp(top - max(top, tops));
            top = max(top, tops);
            denominator *= shrink;
            o0 = scaled(o0, shrink);
            if (part > 1u) { o1 = scaled(o1, shrink); }
            if (part > 2u) { o2 = scaled(o2, shrink); }
            if (part > 3u) { o3 = scaled(o3, shrink); }
            if (part > 4u) { o4 = scaled(o4, shrink); }
            if (part > 5u) { o5 = scaled(o5, shrink); }
            if (part > 6u) { o6 = scaled(o6, shrink); }
            if (part > 7u) { o7 = scaled(o7, shrink); }
        }
        near = exponentials(near, top);
        far = exponentials(far, top);
        denominator += vec4(sum(near[0] + far[0]), sum(near[1] + far[1]), sum(near[2] + far[2]), sum(near[3] + far[3]));
        o0 += four_keys(place, value_start, key, first) * near + four_keys(place, value_start, key + 4u, first) * far;
        if (part > 1u) { o1 += four_keys(place, value_start, key, first + 1u) * near + four_keys(place, value_start, key + 4u, first + 1u) * far; }
        if (part > 2u) { o2 += four_keys(place, value_start, key, first + 2u) * near + four_keys(place, value_start, key + 4u, first + 2u) * far; }
        if (part > 3u) { o3 += four_keys(place, value_start, key, first + 3u) * near + four_keys(place, value_start, key + 4u, first + 3u) * far; }
        if (part > 4u) { o4 += four_keys(place, value_start, key, first + 4u) * near + four_keys(place, value_start, key + 4u, first + 4u) * far; }
        if (part > 5u) { o5 += four_keys(place, value_start, key, first + 5u) * near + four_keys(place, value_start, key + 4u, first + 5u) * far; }
        if (part > 6u) { o6 += four_keys(place, value_start, key, first + 6u) * near + four_keys(place, value_start, key + 4u, first + 6u) * far; }
        if (part > 7u) { o7 += four_keys(place, value_start, key, first + 7u) * near + four_keys(place, value_start, key + 4u, first + 7u) * far; }
    }
    let share = 1.0 / denominator;
    store(place, query, first, scaled(o0, share));
    if (part > 1u) { store(place, query, first + 1u, scaled(o1, share)); }
    if (part > 2u) { store(place, query, first + 2u, scaled(o2, share)); }
    if (part > 3u) { store(place, query, first + 3u, scaled(o3, share)); }
    if (part > 4u) { store(place, query, first + 4u, scaled(o4, share)); }
    if (part > 5u) { store(place, query, first + 5u, scaled(o5, share)); }
    if (part > 6u) { store(place, query, first + 6u, scaled(o6, share)); }
    if (part > 7u) { store(place, query, first + 7u, scaled(o7, share)); }
    if (first == 0u) {
        for (var t = 0u; t < 4u; t++) {
            if (query + t < length) {
                lse[text_head * length + query + t] = top[t] + log(denominator[t]);
            }
        }
    }
}
