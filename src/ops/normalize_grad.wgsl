// dx = (dy - y (y · dy)) / |x| with y = x / |x|. One workgroup computes one row.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // (rows, columns)

override rows: u32 = 4u;
override columns: u32 = 16u;

var<workgroup> sums: array<vec2<f32>, 64>;

// The sums over the workgroup.
fn total(own: vec2<f32>, lane: u32) -> vec2<f32> {
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
    var sum = vec2(0.0);
    for (var i = lane; i < columns; i += 64u) {
        sum += x[first + i] * vec2(x[first + i], dy[first + i]);
    }
    let found = total(sum, lane);
    let length = max(sqrt(found.x), 1e-12);
    let along = found.y / (length * length);
    if (row < rows) {
        for (var i = lane; i < columns; i += 64u) {
            dx[first + i] = (dy[first + i] - x[first + i] * along) / length;
        }
    }
}
