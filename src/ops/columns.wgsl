// Some columns of a whole. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // (rows, len)

override rows: u32 = 4u;
override columns: u32 = 16u;
override start: u32 = 0u;
override len: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < rows * len) {
        y[at] = x[at / len * columns + start + at % len];
    }
}
