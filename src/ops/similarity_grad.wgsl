// dx = (dS + dSᵀ) x. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> ds: array<f32>; // (batch, batch)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (batch, hidden)
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // (batch, hidden)

override batch: u32 = 4u;
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
    let row = at / hidden;
    var sum = 0.0;
    for (var j = 0u; j < batch; j++) {
        sum += (ds[row * batch + j] + ds[j * batch + row]) * x[j * hidden + at % hidden];
    }
    dx[at] = sum;
}
