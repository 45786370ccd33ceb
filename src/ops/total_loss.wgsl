// The sum of some losses and of the loss so far. One workgroup computes all.

@group(0) @binding(0) var<storage, read> losses: array<f32>; // (count)
@group(0) @binding(1) var<storage, read> before: array<f32>; // (1), read only if continued
@group(0) @binding(2) var<storage, read_write> loss: array<f32>; // (1), at loss_offset

override count: u32 = 64u;
override continued: bool = false;
override loss_offset: u32 = 0u;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var own = 0.0;
    for (var i = lane; i < count; i += 64u) {
        own += losses[i];
    }
    sums[lane] = own;
    workgroupBarrier();
    if (lane == 0u) {
        var sum = 0.0;
        if (continued) {
            sum = before[0];
        }
        for (var i = 0u; i < 64u; i++) {
            sum += sums[i];
        }
        loss[loss_offset] = sum;
    }
}
