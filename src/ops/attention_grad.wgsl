// The gradient of attention, with P = exp(score - lse) rebuilt: dV = Pᵀ dO, dS = P ⊙ (dO Vᵀ - rowsum(dO ⊙ O)), dQ = scale dS K,
// dK = scale dSᵀ Q. An invocation computes four tokens of one head and up to `part` vec4 of the head's columns: either their dQ, over
// all keys, or their dK and dV, over all queries of all heads that share them. Each role goes through the scores on its own, so that
// nothing is shared and no barrier is needed. Where queries and keys come from different projections, each role is a dispatch.

@group(0) @binding(0) var<storage, read> dcontext: array<vec4<f32>>; // (batch, length, heads, head)
@group(0) @binding(1) var<storage, read> queries: array<vec4<f32>>; // (batch, length, query_row), queries first
@group(0) @binding(2) var<storage, read> keyvalues: array<vec4<f32>>; // (batch, keys, key_row), keys from key_start, values from value_start
@group(0) @binding(3) var<storage, read> mask: array<u32>; // (batch, keys), bits of a float, 1 attends, or if segmented marks; 0 is padding
@group(0) @binding(4) var<storage, read> bias: array<f32>; // (heads, length, keys), read only if biased
@group(0) @binding(5) var<storage, read> context: array<vec4<f32>>; // (batch, length, heads, head)
@group(0) @binding(6) var<storage, read> lse: array<f32>; // (batch, heads, length)
@group(0) @binding(7) var<storage, read_write> gradient: array<vec4<f32>>; // as queries, keyvalues or, being the same, both

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
override query_role: bool = true;
override key_role: bool = true;

const MASKED = -1e30;
// A mark is segment << 20 | position + 1 of a token.
const POSITION_BITS = 20u;
const POSITION = 0xfffffu;

// What does not change within an invocation: head, first query and first key of the text, first vec4 of the head in their rows,
// first lse of the head.
struct Place {
    head: u32,
    query: u32,
    key: u32,
    column: u32,
    key_column: u32,
    lse: u32,
}

fn place_of(text: u32, own: u32) -> Place {
    return Place(own, text * length, text * keys, own * head, own / (heads / key_heads) * head, (text * heads + own) * length);
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

// The same of dcontext.
fn upstream(place: Place, start: u32, i: u32) -> mat4x4<f32> {
    let row = heads * head;
    let at = place.query * row + place.column + i;
    let last = length - 1u;
    return mat4x4(
        dcontext[at + min(start, last) * row],
        dcontext[at + min(start + 1u, last) * row],
        dcontext[at + min(start + 2u, last) * row],
        dcontext[at + min(start + 3u, last) * row],
    );
}

// rowsum(dO ⊙ O) of four queries.
fn weighted(place: Place, start: u32, dO: mat4x4<f32>, i: u32) -> vec4<f32> {
    let row = heads * head;
    let at = place.query * row + place.column + i;
    let last = length - 1u;
    return vec4(
        dot(dO[0], context[at + min(start, last) * row]),
        dot(dO[1], context[at + min(start + 1u, last) * row]),
        dot(dO[2], context[at + min(start + 2u, last) * row]),
        dot(dO[3], context[at + min(start + 3u, last) * row]),
    );
}

// Four tokens in a row.
fn four(start: u32) -> vec4<u32> {
    return vec4(start) + vec4(0u, 1u, 2u, 3u);
}

fn four_lse(place: Place, start: u32) -> vec4<f32> {
    let at = vec4(place.lse) + min(four(start), vec4(length - 1u));
    return vec4(lse[at.x], lse[at.y], lse[at.z], lse[at.w]);
}

// What the mask says of four tokens.
fn four_marks(place: Place, start: u32) -> vec4<u32> {
    let at = vec4(place.key) + min(four(start), vec4(keys - 1u));
    return vec4(mask[at.x], mask[at.y], mask[at.z], mask[at.w]);
}

// Whether the queries with some marks see the keys with others, pair by pair, where those do not come after them.
fn visible(asking: vec4<u32>, marks: vec4<u32>) -> vec4<bool> {
    let segments = marks >> vec4(POSITION_BITS);
    var seen = (segments == vec4(0u)) | (segments == (asking >> vec4(POSITION_BITS)));
    if (window > 0u) {
        seen = seen & ((marks & vec4(POSITION)) + vec4(window) > (asking & vec4(POSITION)));
    }
    return seen;
}

// Whether any of four queries sees any of four keys.
fn any_visible(asking: vec4<u32>, marks: vec4<u32>) -> bool {
    let near = visible(asking, marks) | visible(asking.yzwx, marks);
    return any(near | visible(asking.zwxy, marks) | visible(asking.wxyz, marks));
}

// The positions of marked tokens.
fn positions(marks: vec4<u32>) -> vec4<u32> {
    return max(marks & vec4(POSITION), vec4(1u)) - vec4(1u);
}

// Four pairs: the places of queries and keys in their texts, and what the mask says of them.
struct Pairs {
    query: vec4<u32>,
    key: vec4<u32>,
    asking: vec4<u32>,
    marks: vec4<u32>,
}

// Scores of four pairs before any mask.
fn scored(place: Place, product: vec4<f32>, pairs: Pairs) -> vec4<f32> {
    var score = product * scale;
    if (biased) {
        let query = select(pairs.query, positions(pairs.asking), vec4(segmented));
        let key = select(pairs.key, positions(pairs.marks), vec4(segmented));
        let at = (vec4(place.head * length) + min(query, vec4(length - 1u))) * keys + min(key, vec4(keys - 1u));
        score += vec4(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
    }
    return score;
}

fn probability(score: vec4<f32>, pairs: Pairs, logsum: vec4<f32>) -> vec4<f32> {
    var p = exp(select(vec4(MASKED), score, pairs.marks != vec4(0u)) - logsum);
    p = select(vec4(0.0), p, pairs.query < vec4(length));
    p = select(vec4(0.0), p, pairs.key < vec4(keys));
    if (causal) {
        p = select(p, vec4(0.0), pairs.key > pairs.query);
        if (window > 0u && !segmented) {
            p = select(p, vec4(0.0), pairs.key + vec4(window) <= pairs.query);
        }
    }
    if (segmented) {
        p = select(vec4(0.0), p, visible(pairs.asking, pairs.marks));
    }
    return p;
}

fn store(start: u32, row: u32, column: u32, count: u32, token: u32, values: mat4x4<f32>) {
    for (var t = 0u; t < 4u; t++) {
        if (token + t < count) {
            gradient[(start + token + t) * row + column] = values[t];
        }
    }
}

fn store_query(place: Place, query: u32, i: u32, values: mat4x4<f32>) {
    store(place.query, query_row, place.column + i, length, query, values);
}

fn store_key(place: Place, which: u32, key: u32, i: u32, values: mat4x4<f32>) {
    store(place.key, key_row, which + place.key_column + i, keys, key, values);
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
    var key = 0u;
    var end = keys;
    if (causal) {
        end = min(keys, query + 4u);
        if (window > 0u && query >= window && !segmented) {
            key = (query + 1u - window) / 4u * 4u;
        }
    }
    var asking = vec4(0u);
    if (segmented) {
        asking = four_marks(place, query);
    }
    for (; key < end; key += 4u) {
        let marks = four_marks(place, key);
        if (segmented && !any_visible(asking, marks)) {
            continue;
        }
        var s = mat4x4<f32>(); // s[query][key]
        var dp = mat4x4<f32>();
        for (var i = 0u; i < head; i++) {
            s += transpose(four_keys(place, key_start, key, i)) * four_queries(place, query, i);
            dp += transpose(four_keys(place, value_start, key, i)) * upstream(place, query, i);
        }
        let first_pairs = Pairs(vec4(query + 0u), four(key), asking.xxxx, marks);
        let second_pairs = Pairs(vec4(query + 1u), four(key), asking.yyyy, marks);
        let third_pairs = Pairs(vec4(query + 2u), four(key), asking.zzzz, marks);
        let fourth_pairs = Pairs(vec4(query + 3u), four(key), asking.wwww, marks);
        let p = mat4x4(
            probability(scored(place, s[0], first_pairs), first_pairs, vec4(logsums.x)),
            probability(scored(place, s[1], second_pairs), second_pairs, vec4(logsums.y)),
            probability(scored(place, s[2], third_pairs), third_pairs, vec4(logsums.z)),
            probability(scored(place, s[3], fourth_pairs), fourth_pairs, vec4(logsums.w)),
        );
        let ds = mat4x4(
            p[0] * (dp[0] - sums.x) * scale,
            p[1] * (dp[1] - sums.y) * scale,
            p[2] * (dp[2] - sums.z) * scale,
            p[3] * (dp[3] - sums.w) * scale,
        );
        d0 += four_keys(place, key_start, key, first) * ds;
        if (part > 1u) { d1 += four_keys(place, key_start, key, first + 1u) * ds; }
        if (part > 2u) { d2 += four_keys(place, key_start, key, first + 2u) * ds; }
        if (part > 3u) { d3 += four_keys(place, key_start, key, first + 3u) * ds; }
        if (part > 4u) { d4 += four_keys(place, key_start, key, first + 4u) * ds; }
        if (part > 5u) { d5 += four_keys(place, key_start, key, first + 5u) * ds; }
        if (part > 6u) { d6 += four_keys(place, key_start, key, first + 6u) * ds; }
        if (part > 7u) { d7 += four_keys(place, key_start, key, first + 7u) * ds; }
    }
    store_query(place, query, first, d0);
    if (part > 1u) { store_query(place, query, first + 1u, d1); }
    if (part > 2u) { store_query(place, query, first + 2u, d2); }
    if (part > 3u) { store_query(place, query, first + 3u, d3); }
    if (part > 4u) { store_query(place, query, first + 4u, d4); }
    if (part > 5u) { store_query(place, query, first + 5u, d5); }
    if (part > 6u) { store_query(place, query, first + 6u, d6); }
    if (part > 7u) { store_query(place, query, first + 7u, d7); }
}

fn key_and_value_gradient(text: u32, key_head: u32, key: u32, first: u32) {
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
    let shared_by = heads / key_heads;
    let marks = four_marks(place_of(text, key_head * shared_by), key);
    var start = 0u;
    var end = length;
    if (causal) {
        start = key;
        if (window > 0u && !segmented) {
            end = min(length, key + 3u + window);
        }
    }
    for (var own = key_head * shared_by; own < (key_head + 1u) * shared_by; own++) {
        let place = place_of(text, own);
        for (var query = start; query < end; query += 4u) {
            var asking = vec4(0u);
            if (segmented) {
                asking = four_marks(place, query);
                if (!any_visible(asking, marks)) {
                    continue;
                }
            }
            var s = mat4x4<f32>(); // s[key][query]
            var dp = mat4x4<f32>();
            var sums = vec4(0.0);
            for (var i = 0u; i < head; i++) {
                let dO = upstream(place, query, i);
                s += transpose(four_queries(place, query, i)) * four_keys(place, key_start, key, i);
                dp += transpose(dO) * four_keys(place, value_start, key, i);
                sums += weighted(place, query, dO, i);
            }
            let logsums = four_lse(place, query);
            let first_pairs = Pairs(four(query), vec4(key + 0u), asking, marks.xxxx);
            let second_pairs = Pairs(four(query), vec4(key + 1u), asking, marks.yyyy);
            let third_pairs = Pairs(four(query), vec4(key + 2u), asking, marks.zzzz);
            let fourth_pairs = Pairs(four(query), vec4(key + 3u), asking, marks.wwww);
            let p = mat4x4(
                probability(scored(place, s[0], first_pairs), first_pairs, logsums),
                probability(scored(place, s[1], second_pairs), second_pairs, logsums),
                probability(scored(place, s[2], third_pairs), third_pairs, logsums),
                probability(scored(place, s[3], fourth_pairs), fourth_pairs, logsums),
            );
            let ds = mat4x4(
                p[0] * (dp[0] - sums) * scale,
                p[1] * (dp[1] - sums) * scale,
                p[2] * (dp[2] - sums) * scale,
                p[3] * (dp[3] - sums) * scale,
            );
            k0 += four_queries(place, query, first) * ds;
            v0 += upstream(place, query, first) * p;
            if (part > 1u) { k1 += four_queries(place, query, first + 1u) * ds; v1 += upstream(place, query, first + 1u) * p; }
            if (part > 2u) { k2 += four_queries(place, query, first + 2u) * ds; v2 += upstream(place, query, first + 2u) * p; }
            if (part > 3u) { k3 += four_queries(place, query, first + 3u) * ds; v3 += upstream(place, query, first + 3u) * p; }
            if (part > 4u) { k4 += four_queries(place, query, first + 4u) * ds; v4 += upstream(place, query, first + 4u) * p; }
            if (part > 5u) { k5 += four_queries(place, query, first + 5u) * ds; v5 += upstream(place, query, first + 5u) * p; }
            if (part > 6u) { k6 += four_queries(place, query, first + 6u) * ds; v6 += upstream(place, query, first + 6u) * p; }
            if (part > 7u) { k7 += four_queries(place, query, first + 7u) * ds; v7 += upstream(place, query, first + 7u) * p; }
        }
    }
    let place = place_of(text, key_head * shared_by);
    store_key(place, key_start, key, first, k0);
    store_key(place, value_start, key, first, v0);
    if (part > 1u) { store_key(place, key_start, key, first + 1u, k1); store_key(place, value_start, key, first + 1u, v1); }
    if (part > 2u) { store_key(place, key_start, key, first + 2u, k2); store_key(place, value_start, key, first + 2u, v2); }
    if (part > 3u) { store_key(place, key_start, key, first + 3u, k3); store_key(place, value_start, key, first + 3u, v3); }
    if (part > 4u) { store_key(place, key_start, key, first + 4u, k4); store_key(place, value_start, key, first + 4u, v4); }
    if (part > 5u) { store_key(place, key_start, key, first + 5u, k5); store_key(place, value_start, key, first + 5u, v5); }
    if (part > 6u) { store_key(place, key_start, key, first + 6u, k6); store_key(place, value_start, key, first + 6u, v6); }
    if (part > 7u) { store_key(place, key_start, key, first + 7u, k7); store_key(place, value_start, key, first + 7u, v7); }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let parts = head / part;
    let query_blocks = (length + 3u) / 4u;
    let key_blocks = (keys + 3u) / 4u;
    let query_count = select(0u, batch * heads * parts * query_blocks, query_role);
    let key_count = select(0u, batch * key_heads * parts * key_blocks, key_role);
    // The two roles lie behind one another, so that nearly every workgroup has only one of them.
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < query_count) {
        let text_head = at / query_blocks / parts;
        query_gradient(place_of(text_head / heads, text_head % heads), at % query_blocks * 4u, at / query_blocks % parts * part);
    } else if (at - query_count < key_count) {
        let index = at - query_count;
        let text_head = index / key_blocks / parts;
        let first = index / key_blocks % parts * part;
        key_and_value_gradient(text_head / key_heads, text_head % key_heads, index % key_blocks * 4u, first);
    }
}
