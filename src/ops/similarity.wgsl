// S = x xᵀ. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (batch, hidden)
@group(0) @binding(1) var<storage, read_write> s: array<f32>; // (batch, batch)

override batch: u32 = 4u;
override hidden: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= batch * batch) {
        return;
    }
    let a = at / batch * hidden;
    let b = at % batch * hidden;
    var sum = 0.0;
    for (var i = 0u; i < hidden; i++) {
        sum += x[a + i] * x[b + i];
    }
    s[at] = sum;
}
