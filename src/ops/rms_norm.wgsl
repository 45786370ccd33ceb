// y = x / sqrt(mean(x²) + eps) * (weight + plus) times on groups of columns, x on the others.
// One workgroup computes `height` groups: `width` invocations a group, which add up in workgroup memory.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> weight: array<f32>; // (size)
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (rows, columns)

override rows: u32 = 4u;
override columns: u32 = 16u;
override start: u32 = 0u; // first normalised column
override groups: u32 = 1u;
override size: u32 = 16u; // columns of a group
override eps: f32 = 1e-5;
override plus: f32 = 0.0;
override times: f32 = 1.0;
override width: u32 = 4u; // a power of two
override height: u32 = 4u;

var<workgroup> sums: array<f32, width * height>;

// The sums over the invocations of a group.
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
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_id) lane: vec3<u32>,
) {
    let number = (group.x + group.y * grid.x) * height + lane.y;
    let own = min(number, rows * groups - 1u);
    let row = own / groups * columns;
    let first = row + start + own % groups * size;
    var sum = 0.0;
    for (var i = lane.x; i < size; i += width) {
        sum += x[first + i] * x[first + i];
    }
    let scale = 1.0 / sqrt(total(sum, lane.xy) / f32(size) + eps);
    if (number >= rows * groups) {
        return;
    }
    for (var i = lane.x; i < size; i += width) {
        y[first + i] = x[first + i] * scale * (weight[i] + plus) * times;
    }
    if (own % groups == 0u) {
        for (var i = lane.x; i < columns - groups * size; i += width) {
            let at = row + select(i + groups * size, i, i < start);
            y[at] = x[at];
        }
    }
}
