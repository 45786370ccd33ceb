// The gradient of a text's vector, handed back to its tokens. One workgroup computes 64 elements of dy, each for all tokens of a text.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (batch, hidden)
@group(0) @binding(1) var<storage, read> mask: array<f32>; // (batch, length)
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // (batch, length, hidden)

override first: bool = false; // the first token instead of the mean
override batch: u32 = 2u;
override length: u32 = 4u;
override hidden: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= batch * hidden) {
        return;
    }
    let token = at / hidden * length;
    let i = at % hidden;
    var count = 0.0;
    for (var s = 0u; s < length; s++) {
        count += mask[token + s];
    }
    let each = dy[at] / max(count, 1e-9);
    for (var s = 0u; s < length; s++) {
        var value = mask[token + s] * each;
        if (first) {
            value = select(0.0, dy[at], s == 0u);
        }
        dx[(token + s) * hidden + i] = value;
    }
}
