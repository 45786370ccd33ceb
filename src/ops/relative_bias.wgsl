// The bias of attention by the distance of key and query. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> weight: array<f32>; // (buckets, heads)
@group(0) @binding(1) var<storage, read> buckets: array<u32>; // (2 length - 1), from distance 1 - length on
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (heads, length, length)

override heads: u32 = 2u;
override length: u32 = 4u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= heads * length * length) {
        return;
    }
    let head = at / length / length;
    let query = at / length % length;
    let key = at % length;
    y[at] = weight[buckets[key + length - 1u - query] * heads + head];
}
