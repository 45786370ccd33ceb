// One vector per text out of its token vectors. One workgroup computes 64 elements, each over all tokens of a text.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (batch, length, hidden)
@group(0) @binding(1) var<storage, read> mask: array<f32>; // (batch, length)
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (batch, hidden)

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
    if (first) {
        y[at] = x[token * hidden + i];
        return;
    }
    var sum = 0.0;
    var count = 0.0;
    for (var s = 0u; s < length; s++) {
        let weight = mask[token + s];
        count += weight;
        sum += weight * x[(token + s) * hidden + i];
    }
    y[at] = sum / max(count, 1e-9);
}
