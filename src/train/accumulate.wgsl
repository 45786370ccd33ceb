// sum += gradient: the gradients of several micro-batches. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> gradient: array<f32>; // (count)
@group(0) @binding(1) var<storage, read_write> sum: array<f32>; // (count)

override count: u32 = 64u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < count) {
        sum[at] += gradient[at];
    }
}
