// Rows of a whole in any order. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, hidden)
@group(0) @binding(1) var<storage, read> sources: array<u32>; // (count), below rows
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (count, hidden)

override count: u32 = 8u;
override hidden: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < count * hidden) {
        y[at] = x[sources[at / hidden] * hidden + at % hidden];
    }
}
