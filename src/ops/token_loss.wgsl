// losses = -weight log softmax(logits)[label], row by row, and the gradient of their sum. One workgroup computes one row.

@group(0) @binding(0) var<storage, read> logits: array<f32>; // (rows, classes)
@group(0) @binding(1) var<storage, read> labels: array<u32>; // of all tokens; those of the rows from start on
@group(0) @binding(2) var<storage, read> weights: array<f32>; // likewise
@group(0) @binding(3) var<storage, read_write> losses: array<f32>; // (rows)
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>; // (rows, classes)

override rows: u32 = 4u;
override classes: u32 = 64u;
override start: u32 = 0u;

var<workgroup> shared_values: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = group.x + group.y * groups.x;
    let row = min(number, rows - 1u);
    let first = row * classes;
    var own = -3e38;
    for (var i = lane; i < classes; i += 64u) {
        own = max(own, logits[first + i]);
    }
    shared_values[lane] = own;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (lane < half) {
            shared_values[lane] = max(shared_values[lane], shared_values[lane + half]);
        }
        workgroupBarrier();
    }
    let largest = shared_values[0];
    workgroupBarrier();
    own = 0.0;
    for (var i = lane; i < classes; i += 64u) {
        own += exp(logits[first + i] - largest);
    }
    shared_values[lane] = own;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (lane < half) {
            shared_values[lane] += shared_values[lane + half];
        }
        workgroupBarrier();
    }
    let sum = shared_values[0];
    if (number >= rows) {
        return;
    }
    let label = labels[start + row];
    let weight = weights[start + row];
    for (var i = lane; i < classes; i += 64u) {
        dlogits[first + i] = weight * (exp(logits[first + i] - largest) / sum - select(0.0, 1.0, i == label));
    }
    if (lane == 0u) {
        losses[row] = weight * (log(sum) + largest - logits[first + label]);
    }
}
