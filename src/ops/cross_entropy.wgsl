// loss = -Σ_rows weight log softmax(logits)[label], and its gradient. One workgroup computes all.

@group(0) @binding(0) var<storage, read> logits: array<f32>; // (batch, classes)
@group(0) @binding(1) var<storage, read> labels: array<u32>; // (batch)
@group(0) @binding(2) var<storage, read> weights: array<f32>; // (batch)
@group(0) @binding(3) var<storage, read_write> loss: array<f32>; // (1), at loss_offset
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>; // (batch, classes)

override batch: u32 = 4u;
override classes: u32 = 2u;
override loss_offset: u32 = 0u;

var<workgroup> losses: array<f32, 64>;

// The loss of one row; writes its gradient.
fn row_loss(row: u32) -> f32 {
    let first = row * classes;
    var largest = logits[first];
    for (var i = 1u; i < classes; i++) {
        largest = max(largest, logits[first + i]);
    }
    var sum = 0.0;
    for (var i = 0u; i < classes; i++) {
        sum += exp(logits[first + i] - largest);
    }
    let label = labels[row];
    for (var i = 0u; i < classes; i++) {
        let probability = exp(logits[first + i] - largest) / sum;
        dlogits[first + i] = weights[row] * (probability - select(0.0, 1.0, i == label));
    }
    return weights[row] * (log(sum) + largest - logits[first + label]);
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var own = 0.0;
    for (var row = lane; row < batch; row += 64u) {
        own += row_loss(row);
    }
    losses[lane] = own;
    workgroupBarrier();
    if (lane == 0u) {
        var sum = 0.0;
        for (var i = 0u; i < 64u; i++) {
            sum += losses[i];
        }
        loss[loss_offset] = sum;
    }
}
