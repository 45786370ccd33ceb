// dqkv of attention, with P = exp(scale q kᵀ - lse) rebuilt: dV = Pᵀ dO, dS = P ⊙ (dO Vᵀ - rowsum(dO ⊙ O)), dQ = scale dS K, dK = scale dSᵀ Q.
// An invocation computes four tokens of one head and up to `part` vec4 of the head's columns: either their dQ, over all keys,
// or their dK and dV, over all queries. Each role goes through the scores on its own, so that nothing is shared and no barrier is needed.

@group(0) @binding(0) var<storage, read> dcontext: array<vec4<f32>>; // (batch, length, heads, head)
@group(0) @binding(1) var<storage, read> qkv: array<vec4<f32>>; // (batch, length, 3, heads, head)
@group(0) @binding(2) var<storage, read> mask: array<f32>; // (batch, length), 1 attends
@group(0) @binding(3) var<storage, read> context: array<vec4<f32>>; // (batch, length, heads, head)
@group(0) @binding(4) var<storage, read> lse: array<f32>; // (batch, heads, length)
@group(0) @binding(5) var<storage, read_write> dqkv: array<vec4<f32>>; // (batch, length, 3, heads, head)

override batch: u32 = 1u;
override length: u32 = 4u;
override heads: u32 = 1u;
override head: u32 = 1u; // head size in vec4
override part: u32 = 1u; // vec4 columns of a head that one invocation computes, at most 8; divides head
override scale: f32 = 1.0;

const MASKED = -1e30;

// What does not change within an invocation: first token of the text, first vec4 of the head in a row, first lse of the head.
struct Place {
    token: u32,
    column: u32,
    lse: u32,
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

// The same of dcontext.
fn upstream(place: Place, start: u32, i: u32) -> mat4x4<f32> {
    let row = heads * head;
    let at = place.token * row + place.column + i;
    let last = length - 1u;
    return mat4x4(
        dcontext[at + min(start, last) * row],
        dcontext[at + min(start + 1u, last) * row],
        dcontext[at + min(start + 2u, last) * row],
        dcontext[at + min(start + 3u, last) * row],
    );
}

// rowsum(dO ⊙ O) of four tokens.
fn weighted(place: Place, start: u32, dO: mat4x4<f32>, i: u32) -> vec4<f32> {
    let row = heads * head;
    let at = place.token * row + place.column + i;
    let last = length - 1u;
    return vec4(
        dot(dO[0], context[at + min(start, last) * row]),
        dot(dO[1], context[at + min(start + 1u, last) * row]),
        dot(dO[2], context[at + min(start + 2u, last) * row]),
        dot(dO[3], context[at + min(start + 3u, last) * row]),
    );
}

// The values of four tokens of a per-token array.
fn four(start: u32) -> vec4<u32> {
    return min(vec4(start) + vec4(0u, 1u, 2u, 3u), vec4(length - 1u));
}

fn four_lse(place: Place, start: u32) -> vec4<f32> {
    let at = vec4(place.lse) + four(start);
    return vec4(lse[at.x], lse[at.y], lse[at.z], lse[at.w]);
}

fn four_mask(place: Place, start: u32) -> vec4<f32> {
    let at = vec4(place.token) + four(start);
    return vec4(mask[at.x], mask[at.y], mask[at.z], mask[at.w]);
}

// Which of four tokens exist.
fn exist(start: u32) -> vec4<bool> {
    return vec4(start) + vec4(0u, 1u, 2u, 3u) < vec4(length);
}

fn probability(score: vec4<f32>, attends: vec4<bool>, logsum: vec4<f32>, exists: vec4<bool>) -> vec4<f32> {
    return select(vec4(0.0), exp(select(vec4(MASKED), score * scale, attends) - logsum), exists);
}

fn store(place: Place, which: u32, start: u32, i: u32, values: mat4x4<f32>) {
    for (var t = 0u; t < 4u; t++) {
        if (start + t < length) {
            dqkv[((place.token + start + t) * 3u + which) * heads * head + place.column + i] = values[t];
        }
    }
}

fn query_gradient(place: Place, query: u32, first: u32) {
    var d0 = mat4x4<f32>();
    var d1 = mat4x4<f32>();
    var d2 = mat4x4<f32>();
    var d3 = mat4x4<f32>();
    var d4 = mat4x4<f32>();
    var d5 = mat4x4<f32>();
    var d6 = mat4x4<f32>();
    var d7 = mat4x4<f32>();
    var sums = vec4(0.0);
    for (var i = 0u; i < head; i++) {
        sums += weighted(place, query, upstream(place, query, i), i);
    }
    let logsums = four_lse(place, query);
    for (var key = 0u; key < length; key += 4u) {
        var s = mat4x4<f32>(); // s[query][key]
        var dp = mat4x4<f32>();
        for (var i = 0u; i < head; i++) {
            s += transpose(tokens(place, 1u, key, i)) * tokens(place, 0u, query, i);
            dp += transpose(tokens(place, 2u, key, i)) * upstream(place, query, i);
        }
        let attends = four_mask(place, key) > vec4(0.0);
        let exists = exist(key);
        let ds = mat4x4(
            probability(s[0], attends, vec4(logsums.x), exists) * (dp[0] - sums.x) * scale,
            probability(s[1], attends, vec4(logsums.y), exists) * (dp[1] - sums.y) * scale,
            probability(s[2], attends, vec4(logsums.z), exists) * (dp[2] - sums.z) * scale,
            probability(s[3], attends, vec4(logsums.w), exists) * (dp[3] - sums.w) * scale,
        );
        d0 += tokens(place, 1u, key, first) * ds;
        if (part > 1u) { d1 += tokens(place, 1u, key, first + 1u) * ds; }
        if (part > 2u) { d2 += tokens(place, 1u, key, first + 2u) * ds; }
        if (part > 3u) { d3 += tokens(place, 1u, key, first + 3u) * ds; }
        if (part > 4u) { d4 += tokens(place, 1u, key, first + 4u) * ds; }
        if (part > 5u) { d5 += tokens(place, 1u, key, first + 5u) * ds; }
        if (part > 6u) { d6 += tokens(place, 1u, key, first + 6u) * ds; }
        if (part > 7u) { d7 += tokens(place, 1u, key, first + 7u) * ds; }
    }
    store(place, 0u, query, first, d0);
    if (part > 1u) { store(place, 0u, query, first + 1u, d1); }
    if (part > 2u) { store(place, 0u, query, first + 2u, d2); }
    if (part > 3u) { store(place, 0u, query, first + 3u, d3); }
    if (part > 4u) { store(place, 0u, query, first + 4u, d4); }
    if (part > 5u) { store(place, 0u, query, first + 5u, d5); }
    if (part > 6u) { store(place, 0u, query, first + 6u, d6); }
    if (part > 7u) { store(place, 0u, query, first + 7u, d7); }
}

fn key_and_value_gradient(place: Place, key: u32, first: u32) {
    var k0 = mat4x4<f32>();
    var k1 = mat4x4<f32>();
    var k2 = mat4x4<f32>();
    var k3 = mat4x4<f32>();
    var k4 = mat4x4<f32>();
    var k5 = mat4x4<f32>();
    var k6 = mat4x4<f32>();
    var k7 = mat4x4<f32>();
    var v0 = mat4x4<f32>();
    var v1 = mat4x4<f32>();
    var v2 = mat4x4<f32>();
    var v3 = mat4x4<f32>();
    var v4 = mat4x4<f32>();
    var v5 = mat4x4<f32>();
    var v6 = mat4x4<f32>();
    var v7 = mat4x4<f32>();
    let attends = four_mask(place, key) > vec4(0.0);
    for (var query = 0u; query < length; query += 4u) {
        var s = mat4x4<f32>(); // s[key][query]
        var dp = mat4x4<f32>();
        var sums = vec4(0.0);
        for (var i = 0u; i < head; i++) {
            let dO = upstream(place, query, i);
            s += transpose(tokens(place, 0u, query, i)) * tokens(place, 1u, key, i);
            dp += transpose(dO) * tokens(place, 2u, key, i);
            sums += weighted(place, query, dO, i);
        }
        let logsums = four_lse(place, query);
        let exists = exist(query);
        let p = mat4x4(
            probability(s[0], vec4(attends.x), logsums, exists),
            probability(s[1], vec4(attends.y), logsums, exists),
            probability(s[2], vec4(attends.z), logsums, exists),
            probability(s[3], vec4(attends.w), logsums, exists),
        );
        let ds = mat4x4(
            p[0] * (dp[0] - sums) * scale,
            p[1] * (dp[1] - sums) * scale,
            p[2] * (dp[2] - sums) * scale,
            p[3] * (dp[3] - sums) * scale,
        );
        k0 += tokens(place, 0u, query, first) * ds;
        v0 += upstream(place, query, first) * p;
        if (part > 1u) { k1 += tokens(place, 0u, query, first + 1u) * ds; v1 += upstream(place, query, first + 1u) * p; }
        if (part > 2u) { k2 += tokens(place, 0u, query, first + 2u) * ds; v2 += upstream(place, query, first + 2u) * p; }
        if (part > 3u) { k3 += tokens(place, 0u, query, first + 3u) * ds; v3 += upstream(place, query, first + 3u) * p; }
        if (part > 4u) { k4 += tokens(place, 0u, query, first + 4u) * ds; v4 += upstream(place, query, first + 4u) * p; }
        if (part > 5u) { k5 += tokens(place, 0u, query, first + 5u) * ds; v5 += upstream(place, query, first + 5u) * p; }
        if (part > 6u) { k6 += tokens(place, 0u, query, first + 6u) * ds; v6 += upstream(place, query, first + 6u) * p; }
        if (part > 7u) { k7 += tokens(place, 0u, query, first + 7u) * ds; v7 += upstream(place, query, first + 7u) * p; }
    }
    store(place, 1u, key, first, k0);
    store(place, 2u, key, first, v0);
    if (part > 1u) { store(place, 1u, key, first + 1u, k1); store(place, 2u, key, first + 1u, v1); }
    if (part > 2u) { store(place, 1u, key, first + 2u, k2); store(place, 2u, key, first + 2u, v2); }
    if (part > 3u) { store(place, 1u, key, first + 3u, k3); store(place, 2u, key, first + 3u, v3); }
    if (part > 4u) { store(place, 1u, key, first + 4u, k4); store(place, 2u, key, first + 4u, v4); }
    if (part > 5u) { store(place, 1u, key, first + 5u, k5); store(place, 2u, key, first + 5u, v5); }
    if (part > 6u) { store(place, 1u, key, first + 6u, k6); store(place, 2u, key, first + 6u, v6); }
    if (part > 7u) { store(place, 1u, key, first + 7u, k7); store(place, 2u, key, first + 7u, v7); }
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
    let count = batch * heads * parts * blocks;
    if (at >= 2u * count) {
        return;
    }
    // The two roles lie behind one another, so that nearly every workgroup has only one of them.
    let index = at % count;
    let start = index % blocks * 4u;
    let first = index / blocks % parts * part;
    let text_head = index / blocks / parts;
    let place = Place(text_head / heads * length, text_head % heads * head, text_head * length);
    if (at < count) {
        query_gradient(place, start, first);
    } else {
        key_and_value_gradient(place, start, first);
    }
}
