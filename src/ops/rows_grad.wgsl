// Some rows of a whole that is zero elsewhere. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (len, ...)
@group(0) @binding(1) var<storage, read_write> dx: array<f32>; // (rows, ...)

override count: u32 = 64u; // elements of dx
override first: u32 = 0u; // element of dx that dy starts at
override given: u32 = 64u; // elements of dy

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < count) {
        // Before the first this wraps to a number far beyond given.
        dx[at] = select(0.0, dy[min(at - first, given - 1u)], at - first < given);
    }
}
