// A contrastive loss over the similarities of a labelled batch, and its gradient. One workgroup computes all.

@group(0) @binding(0) var<storage, read> s: array<f32>; // (batch, batch)
@group(0) @binding(1) var<storage, read> labels: array<u32>; // (batch)
@group(0) @binding(2) var<storage, read> weights: array<f32>; // (batch); rows of weight 0 take no part, the sum scales the loss
@group(0) @binding(3) var<storage, read_write> loss: array<f32>; // (1), at loss_offset
@group(0) @binding(4) var<storage, read_write> ds: array<f32>; // (batch, batch)

override supervised: bool = false; // supervised contrastive loss instead of squared errors of cosines
override temperature: f32 = 0.1;
override batch: u32 = 4u;
override loss_offset: u32 = 0u;

var<workgroup> losses: array<f32, 64>;

fn counts(row: u32) -> bool {
    return weights[row] > 0.0;
}

fn same(a: u32, b: u32) -> bool {
    return labels[a] == labels[b];
}

// Rows of the same label that count, the row itself apart.
fn positives(row: u32) -> f32 {
    var sum = 0.0;
    for (var j = 0u; j < batch; j++) {
        sum += select(0.0, 1.0, counts(j) && j != row && same(row, j));
    }
    return sum;
}

// (s_ij - [same label])² over the pairs this row comes first in.
fn cosine_row(row: u32) -> f32 {
    var rows = 0.0;
    for (var j = 0u; j < batch; j++) {
        rows += select(0.0, 1.0, counts(j));
    }
    let pairs = max(rows * (rows - 1.0) / 2.0, 1.0);
    var sum = 0.0;
    for (var j = 0u; j < batch; j++) {
        if (counts(row) && counts(j) && j != row) {
            let error = s[min(row, j) * batch + max(row, j)] - select(0.0, 1.0, same(row, j));
            sum += select(0.0, error * error / pairs, j > row);
            // Half to each of the two places that hold this pair.
            ds[row * batch + j] = error / pairs;
        }
    }
    return sum;
}

// -1/|P| Σ_P log(exp(s_ip / t) / Σ_(a ≠ i) exp(s_ia / t)) with this row as the anchor.
fn supervised_row(row: u32) -> f32 {
    let count = positives(row);
    if (!counts(row) || count == 0.0) {
        return 0.0;
    }
    var anchors = 0.0;
    for (var j = 0u; j < batch; j++) {
        if (counts(j) && positives(j) > 0.0) {
            anchors += 1.0;
        }
    }
    var largest = -3.4e38;
    for (var j = 0u; j < batch; j++) {
        if (counts(j) && j != row) {
            largest = max(largest, s[row * batch + j]);
        }
    }
    var sum = 0.0;
    for (var j = 0u; j < batch; j++) {
        if (counts(j) && j != row) {
            sum += exp((s[row * batch + j] - largest) / temperature);
        }
    }
    var result = 0.0;
    for (var j = 0u; j < batch; j++) {
        if (counts(j) && j != row) {
            let log_p = (s[row * batch + j] - largest) / temperature - log(sum);
            let share = select(0.0, 1.0 / count, same(row, j));
            result -= share * log_p / anchors;
            ds[row * batch + j] = (exp(log_p) - share) / (temperature * anchors);
        }
    }
    return result;
}

// One for a batch, less for a micro-batch.
fn total_weight() -> f32 {
    var sum = 0.0;
    for (var row = 0u; row < batch; row++) {
        sum += weights[row];
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    let factor = total_weight();
    var own = 0.0;
    for (var row = lane; row < batch; row += 64u) {
        for (var j = 0u; j < batch; j++) {
            ds[row * batch + j] = 0.0;
        }
        if (supervised) {
            own += supervised_row(row) * factor;
        } else {
            own += cosine_row(row) * factor;
        }
        for (var j = 0u; j < batch; j++) {
            ds[row * batch + j] *= factor;
        }
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
