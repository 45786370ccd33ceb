// loss = Σ weight CE over the starts and ends of all rows, softmax over the tokens of a row, and its gradient. One workgroup computes all.

@group(0) @binding(0) var<storage, read> logits: array<f32>; // (batch, length, 2), start and end
@group(0) @binding(1) var<storage, read> spans: array<u32>; // (batch, 2)
@group(0) @binding(2) var<storage, read> weights: array<f32>; // (batch, 2)
@group(0) @binding(3) var<storage, read_write> loss: array<f32>; // (1), at loss_offset
@group(0) @binding(4) var<storage, read_write> dlogits: array<f32>; // (batch, length, 2)

override batch: u32 = 4u;
override length: u32 = 4u;
override loss_offset: u32 = 0u;

var<workgroup> losses: array<f32, 64>;

// The loss of one end of one row; writes its gradient.
fn end_loss(at: u32) -> f32 {
    let first = at / 2u * length * 2u + at % 2u;
    let weight = weights[at];
    let goal = spans[at];
    var largest = logits[first];
    for (var i = 1u; i < length; i++) {
        largest = max(largest, logits[first + 2u * i]);
    }
    var sum = 0.0;
    for (var i = 0u; i < length; i++) {
        sum += exp(logits[first + 2u * i] - largest);
    }
    for (var i = 0u; i < length; i++) {
        let probability = exp(logits[first + 2u * i] - largest) / sum;
        dlogits[first + 2u * i] = weight * (probability - select(0.0, 1.0, i == goal));
    }
    return weight * (log(sum) + largest - logits[first + 2u * goal]);
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    var own = 0.0;
    for (var at = lane; at < 2u * batch; at += 64u) {
        own += end_loss(at);
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
