// context = softmax(scale q kᵀ, padding masked) v, head by head, and the log of each softmax's denominator.
// An invocation computes four queries of one head and up to 32 of the head's columns, eight keys at a time,
// with the running softmax of FlashAttention (arXiv 2205.14135); it keeps everything in registers and needs no barrier.

@group(0) @binding(0) var<storage, read> qkv: array<vec4<f32>>; // (batch, length, 3, heads, head)
@group(0) @binding(1) var<storage, read> mask: array<f32>; // (batch, length), 1 attends
@group(0) @binding(2) var<storage, read_write> context: array<vec4<f32>>; // (batch, length, heads, head)
@group(0) @binding(3) var<storage, read_write> lse: array<f32>; // (batch, heads, length)

override batch: u32 = 1u;
override length: u32 = 4u;
override heads: u32 = 1u;
override head: u32 = 1u; // head size in vec4
override part: u32 = 1u; // vec4 columns of a head that one invocation computes, at most 8; divides head
override scale: f32 = 1.0;

const MASKED = -1e30;

// What does not change within an invocation: first token of the text, first vec4 of the head in a row.
struct Place {
    text: u32,
    token: u32,
    column: u32,
}

// Four tokens of queries (0), keys (1) or values (2): column t holds one vec4 of token start + t.
fn tokens(place: Place, which: u32, start: u32, i: u32) -> mat4x4<f32> {
    let row = 3u * heads * head;
    let at = place.token * row + which * heads * head + place.column + i;
    let last = length - 1u;
    return mat4x4(
        qkv[at + min(start, last) * row],
        qkv[at + min(start + 1u, last) * row],
        qkv[at + min(start + 2u, last) * row],
        qkv[at + min(start + 3u, last) * row],
    );
}

// 1 for keys that attend, 0 for padding, -1 behind the end.
fn key_mask(place: Place, key: u32) -> vec4<f32> {
    let keys = vec4(key) + vec4(0u, 1u, 2u, 3u);
    let at = vec4(place.token) + min(keys, vec4(length - 1u));
    return select(vec4(-1.0), vec4(mask[at.x], mask[at.y], mask[at.z], mask[at.w]), keys < vec4(length));
}

fn masked(score: vec4<f32>, live: vec4<f32>) -> vec4<f32> {
    return select(select(vec4(-3e38), vec4(MASKED), live == vec4(0.0)), score * scale, live > vec4(0.0));
}

fn masked_scores(scores: mat4x4<f32>, live: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(masked(scores[0], live), masked(scores[1], live), masked(scores[2], live), masked(scores[3], live));
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
            context[(place.token + query + t) * heads * head + place.column + i] = values[t];
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
    let place = Place(text_head / heads, text_head / heads * length, text_head % heads * head);

    var o0 = mat4x4<f32>();
    var o1 = mat4x4<f32>();
    var o2 = mat4x4<f32>();
    var o3 = mat4x4<f32>();
    var o4 = mat4x4<f32>();
    var o5 = mat4x4<f32>();
    var o6 = mat4x4<f32>();
    var o7 = mat4x4<f32>();
    var top = vec4(-3e38);
    var denominator = vec4(0.0);
    for (var key = 0u; key < length; key += 8u) {
        var near = mat4x4<f32>();
        var far = mat4x4<f32>();
        for (var i = 0u; i < head; i++) {
            let queries = tokens(place, 0u, query, i);
            near += transpose(tokens(place, 1u, key, i)) * queries;
            far += transpose(tokens(place, 1u, key + 4u, i)) * queries;
        }
        near = masked_scores(near, key_mask(place, key));
        far = masked_scores(far, key_mask(place, key + 4u));
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
        o0 += tokens(place, 2u, key, first) * near + tokens(place, 2u, key + 4u, first) * far;
        if (part > 1u) { o1 += tokens(place, 2u, key, first + 1u) * near + tokens(place, 2u, key + 4u, first + 1u) * far; }
        if (part > 2u) { o2 += tokens(place, 2u, key, first + 2u) * near + tokens(place, 2u, key + 4u, first + 2u) * far; }
        if (part > 3u) { o3 += tokens(place, 2u, key, first + 3u) * near + tokens(place, 2u, key + 4u, first + 3u) * far; }
        if (part > 4u) { o4 += tokens(place, 2u, key, first + 4u) * near + tokens(place, 2u, key + 4u, first + 4u) * far; }
        if (part > 5u) { o5 += tokens(place, 2u, key, first + 5u) * near + tokens(place, 2u, key + 4u, first + 5u) * far; }
        if (part > 6u) { o6 += tokens(place, 2u, key, first + 6u) * near + tokens(place, 2u, key + 4u, first + 6u) * far; }
        if (part > 7u) { o7 += tokens(place, 2u, key, first + 7u) * near + tokens(place, 2u, key + 4u, first + 7u) * far; }
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
