// y = x wᵀ + bias + addend for few rows of x: every row by itself. `lanes` invocations share the sums of four columns.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // (rows, inner)
@group(0) @binding(1) var<storage, read> blocks: array<u32>; // (first + columns or more, inner)
@group(0) @binding(2) var<storage, read> bias: array<f32>; // (columns), read only if biased
@group(0) @binding(3) var<storage, read> addend: array<f32>; // (rows, columns), read only if added
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // (rows, columns)

override biased: bool = false;
override added: bool = false;
override inner: u32 = 8u; // in vec4
override columns: u32 = 4u;
override first: u32 = 0u; // the row of the matrix that makes column 0
override lanes: u32 = 1u;
override group: u32 = 16u; // four columns each; lanes * group is 64 at most

var<workgroup> sums: array<vec4<f32>, 64>;

@compute @workgroup_size(lanes, group)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let row = id.y;
    let column = 4u * (id.x * group + local.y);
    let lines = first + min(vec4(column) + vec4(0u, 1u, 2u, 3u), vec4(columns - 1u));
    var sum = vec4<f32>();
    // Sixteen elements at a time share scale and offset.
    for (var start = 4u * local.x; start < inner; start += 4u * lanes) {
        let s0 = affine(lines.x, start);
        let s1 = affine(lines.y, start);
        let s2 = affine(lines.z, start);
        let s3 = affine(lines.w, start);
        for (var k = start; k < min(start + 4u, inner); k++) {
            let at = x[row * inner + k];
            sum += vec4(
                dot(at, quad(lines.x, k, s0)),
                dot(at, quad(lines.y, k, s1)),
                dot(at, quad(lines.z, k, s2)),
                dot(at, quad(lines.w, k, s3)),
            );
        }
    }
    let own = local.y * lanes + local.x;
    sums[own] = sum;
    for (var half = lanes / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local.x < half) {
            sums[own] += sums[own + half];
        }
    }
    if (local.x > 0u) {
        return;
    }
    for (var c = 0u; c < 4u; c++) {
        if (column + c < columns) {
            let at = row * columns + column + c;
            var value = sums[own][c];
            if (biased) {
                value += bias[column + c];
            }
            if (added) {
                value += addend[at];
            }
            y[at] = value;
        }
    }
}
