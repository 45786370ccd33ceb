// Rows brought to unit length. One workgroup computes one row.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // (rows, columns)

override rows: u32 = 4u;
override columns: u32 = 16u;

var<workgroup> sums: array<f32, 64>;

// The sum over the workgroup.
fn total(own: f32, lane: u32) -> f32 {
    sums[lane] = own;
    workgroupBarrier();
    for (var half = 32u; half > 0u; half /= 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    return sums[0];
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.x + group.y * groups.x;
    let first = min(row, rows - 1u) * columns;
    var sum = 0.0;
    for (var i = lane; i < columns; i += 64u) {
        sum += x[first + i] * x[first + i];
    }
    let length = max(sqrt(total(sum, lane)), 1e-12);
    if (row < rows) {
        for (var i = lane; i < columns; i += 64u) {
            y[first + i] = x[first + i] / length;
        }
    }
}
