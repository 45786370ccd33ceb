// With x̂ the normalised row and g = dy ⊙ weight: dx = (g - mean(g) - x̂ mean(g ⊙ x̂)) / sqrt(var + eps).
// One workgroup computes `height` rows: `width` invocations a row, which add up in workgroup memory.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(2) var<storage, read> weight: array<f32>; // (columns)
@group(0) @binding(3) var<storage, read_write> dx: array<f32>; // (rows, columns)

override rows: u32 = 4u;
override columns: u32 = 16u;
override eps: f32 = 1e-5;
override width: u32 = 4u; // a power of two
override height: u32 = 4u;

var<workgroup> sums: array<vec2<f32>, width * height>;

// The sums over the invocations of a row.
fn total(own: vec2<f32>, lane: vec2<u32>) -> vec2<f32> {
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
    let count = f32(columns);
    var sum = vec2(0.0);
    for (var i = lane.x; i < columns; i += width) {
        sum += vec2(x[first + i], dy[first + i] * weight[i]);
    }
    let means = total(sum, lane.xy) / count;
    var products = vec2(0.0);
    for (var i = lane.x; i < columns; i += width) {
        let centred = x[first + i] - means.x;
        products += vec2(centred * centred, centred * dy[first + i] * weight[i]);
    }
    let moments = total(products, lane.xy) / count;
    let scale = 1.0 / sqrt(moments.x + eps);
    let along = moments.y * scale * scale;
    if (row < rows) {
        for (var i = lane.x; i < columns; i += width) {
            let centred = x[first + i] - means.x;
            dx[first + i] = (dy[first + i] * weight[i] - means.y - centred * along) * scale;
        }
    }
}
