// Copies rows of a matrix. One workgroup copies 64 elements.

override elements: u32 = 64u;
override first: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<f32>;        // (R, ...)
@group(0) @binding(1) var<storage, read_write> y: array<f32>;  // (len, ...)

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if at < elements {
        y[at] = x[first + at];
    }
}
