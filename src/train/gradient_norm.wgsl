// The squared norm of a gradient in parts: each workgroup sums its share of the squares, the optimiser's kernel the parts.

@group(0) @binding(0) var<storage, read> gradient: array<f32>; // (count), then the loss
@group(0) @binding(1) var<storage, read_write> result: array<f32>; // (2 + parts), behind loss and norm the parts

override count: u32 = 256u;
override parts: u32 = 1u;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    var own = 0.0;
    for (var i = group.x * 64u + lane; i < count; i += parts * 64u) {
        own += gradient[i] * gradient[i];
    }
    sums[lane] = own;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    if (lane == 0u) {
        result[2u + group.x] = sums[0];
    }
}
