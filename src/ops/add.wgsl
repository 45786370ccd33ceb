// y = a + b. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> a: array<f32>; // (count)
@group(0) @binding(1) var<storage, read> b: array<f32>; // (count)
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (count), from y_offset on

override count: u32 = 64u;
override y_offset: u32 = 0u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < count) {
        y[y_offset + at] = a[at] + b[at];
    }
}
