// y = (x - mean) / sqrt(var + eps) * weight + bias, row by row.
// One workgroup computes `height` rows: `width` invocations a row, which add up in workgroup memory.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> weight: array<f32>; // (columns)
@group(0) @binding(2) var<storage, read> bias: array<f32>; // (columns)
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (rows, columns)

override rows: u32 = 4u;
override columns: u32 = 16u;
override eps: f32 = 1e-5;
override width: u32 = 4u; // a power of two
override height: u32 = 4u;

var<workgroup> sums: array<f32, width * height>;

// The sum over the invocations of a row.
fn total(own: f32, lane: vec2<u32>) -> f32 {
    if (width == 1u) {
        return own;
    }
    let at = lane.y * width + lane.x;
    sums[at] = own;
    workgroupBarrier();
    for (var half = width / 2u; half > 0u; half /= 2u) {
        if (lane.x < half) {
            sums[at] += sums[at + half];
        }
        workgroupBarrier();
    }
    let sum = sums[lane.y * width];
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(width, height)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
) {
    let row = (group.x + group.y * groups.x) * height + lane.y;
    let first = min(row, rows - 1u) * columns;
    var sum = 0.0;
    for (var i = lane.x; i < columns; i += width) {
        sum += x[first + i];
    }
    let mean = total(sum, lane.xy) / f32(columns);
    var squares = 0.0;
    for (var i = lane.x; i < columns; i += width) {
        let centred = x[first + i] - mean;
        squares += centred * centred;
    }
    let scale = 1.0 / sqrt(total(squares, lane.xy) / f32(columns) + eps);
    if (row < rows) {
        for (var i = lane.x; i < columns; i += width) {
            y[first + i] = (x[first + i] - mean) * scale * weight[i] + bias[i];
        }
    }
}
