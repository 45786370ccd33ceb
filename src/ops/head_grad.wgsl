// dx = dy W; dW = dyᵀ x; db = Σ_rows dy. One workgroup computes 64 elements of dx, dW and db, laid end to end.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows, labels)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (rows, hidden)
@group(0) @binding(2) var<storage, read> table: array<f32>; // (adapters, parameters)
@group(0) @binding(3) var<storage, read> slots: array<u32>; // (rows / rows_a_slot)
@group(0) @binding(4) var<storage, read_write> dx: array<f32>; // (rows, hidden)
@group(0) @binding(5) var<storage, read_write> dhead: array<f32>; // dW (labels, hidden), then db (labels), from dhead_offset on

override rows: u32 = 4u;
override hidden: u32 = 16u;
override labels: u32 = 2u;
override rows_a_slot: u32 = 1u;
override parameters: u32 = 64u;
override offset: u32 = 0u; // W (labels, hidden), then b (labels)
override biased: bool = true;
override dhead_offset: u32 = 0u;

fn input_gradient(at: u32) {
    let row = at / hidden;
    let weight = slots[row / rows_a_slot] * parameters + offset + at % hidden;
    var sum = 0.0;
    for (var label = 0u; label < labels; label++) {
        sum += dy[row * labels + label] * table[weight + label * hidden];
    }
    dx[at] = sum;
}

fn head_gradient(at: u32) {
    let is_bias = at >= labels * hidden;
    let label = select(at / hidden, at - labels * hidden, is_bias);
    var sum = 0.0;
    for (var row = 0u; row < rows; row++) {
        let factor = select(x[row * hidden + at % hidden], 1.0, is_bias);
        sum += dy[row * labels + label] * factor;
    }
    dhead[dhead_offset + at] = sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < rows * hidden) {
        input_gradient(at);
    } else if (at - rows * hidden < labels * (hidden + select(0u, 1u, biased))) {
        head_gradient(at - rows * hidden);
    }
}
