// y = x Wᵀ + b, with W and b from the table row of each batch row. One workgroup computes one element.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, hidden)
@group(0) @binding(1) var<storage, read> table: array<f32>; // (adapters, parameters)
@group(0) @binding(2) var<storage, read> slots: array<u32>; // (rows / rows_a_slot)
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (rows, labels)

override rows: u32 = 4u;
override hidden: u32 = 16u;
override labels: u32 = 2u;
override rows_a_slot: u32 = 1u;
override parameters: u32 = 64u;
override offset: u32 = 0u; // W (labels, hidden), then b (labels)
override biased: bool = true;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = group.x + group.y * groups.x;
    let row = min(at / labels, rows - 1u);
    let label = at % labels;
    let head = slots[row / rows_a_slot] * parameters + offset;
    var sum = 0.0;
    for (var i = lane; i < hidden; i += 64u) {
        sum += table[head + label * hidden + i] * x[row * hidden + i];
    }
    sums[lane] = sum;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    if (lane == 0u && at < rows * labels) {
        var total = sums[0];
        if (biased) {
            total += table[head + labels * hidden + label];
        }
        y[at] = total;
    }
}
