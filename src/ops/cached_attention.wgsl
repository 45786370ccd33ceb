// Attention over a cache of keys and values. One workgroup computes one head of one token: its invocations share 64 keys at a time, then the
// columns of the head, and rescale what they have when a larger score turns up (online softmax, arXiv 1805.02867).

@group(0) @binding(0) var<storage, read> qkv: array<f32>; // (tokens, row), queries first
@group(0) @binding(1) var<storage, read> positions: array<u32>; // (tokens)
@group(0) @binding(2) var<storage, read> cache: array<f32>; // (tokens / length, capacity, 2 key_heads head), keys first
@group(0) @binding(3) var<storage, read> weight: array<f32>; // (buckets, heads), if biased
@group(0) @binding(4) var<storage, read> buckets: array<u32>; // (capacity), of each distance from a query back to a key, if biased
@group(0) @binding(5) var<storage, read_write> context: array<f32>; // (tokens, heads head)

override tokens: u32 = 4u;
override length: u32 = 2u;
override capacity: u32 = 8u;
override heads: u32 = 2u;
override key_heads: u32 = 1u;
override head: u32 = 16u;
override row: u32 = 64u;
override window: u32 = 0u; // 0 is none
override scale: f32 = 1.0;
override biased: bool = false;
override lanes: u32 = 64u;

const TILE = 64u;

var<workgroup> scores: array<f32, 64>;

// Where a key lies: after the last place comes the first.
fn place(at: u32) -> u32 {
    return select(at, at - capacity, at >= capacity);
}

@compute @workgroup_size(lanes)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group.x + group.y * groups.x;
    if (at >= tokens * heads) {
        return;
    }
    let token = at / heads;
    let columns = 2u * key_heads * head;
    let query = token * row + at % heads * head;
    let text = token / length * capacity * columns;
    let key = text + at % heads / (heads / key_heads) * head;
    let value = key + key_heads * head;
    let end = positions[token] + 1u;
    let first = select(0u, end - window, window > 0u && end > window);
    for (var column = lane; column < head; column += lanes) {
        context[at * head + column] = 0.0;
    }
    var most = -3e38;
    var sum = 0.0;
    for (var tile = first; tile < end; tile += TILE) {
        let count = min(TILE, end - tile);
        let start = tile % capacity;
        for (var i = lane; i < count; i += lanes) {
            let other = key + place(start + i) * columns;
            var score = 0.0;
            for (var column = 0u; column < head; column++) {
                score += qkv[query + column] * cache[other + column];
            }
            score *= scale;
            if (biased) {
                score += weight[buckets[end - 1u - tile - i] * heads + at % heads];
            }
            scores[i] = score;
        }
        workgroupBarrier();
        let before = most;
        for (var i = 0u; i < count; i++) {
            most = max(most, scores[i]);
        }
        workgroupBarrier();
        for (var i = lane; i < count; i += lanes) {
            scores[i] = exp(scores[i] - most);
        }
        workgroupBarrier();
        let fade = exp(before - most);
        sum *= fade;
        for (var i = 0u; i < count; i++) {
            sum += scores[i];
        }
        for (var column = lane; column < head; column += lanes) {
            var total = context[at * head + column] * fade;
            for (var i = 0u; i < count; i++) {
                total += scores[i] * cache[value + place(start + i) * columns + column];
            }
            context[at * head + column] = total;
        }
        workgroupBarrier();
    }
    for (var column = lane; column < head; column += lanes) {
        context[at * head + column] /= sum;
    }
}
