// Some rows of a whole. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, ...)
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // (len, ...)

override count: u32 = 64u; // elements of y
override first: u32 = 0u; // element of x that y starts with

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < count) {
        y[at] = x[first + at];
    }
}
