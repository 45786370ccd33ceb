// y = x wᵀ + bias + addend for a matrix in blocks, without workgroup memory.
// An invocation computes up to 16 rows of four columns: `tall` blocks of 4 x 4 in registers.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // (rows, inner)
@group(0) @binding(1) var<storage, read> blocks: array<u32>; // (first + columns or more, inner)
@group(0) @binding(2) var<storage, read> bias: array<f32>; // (columns), read only if biased
@group(0) @binding(3) var<storage, read> addend: array<f32>; // (rows, columns), read only if added
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // (rows, columns)

override biased: bool = false;
override added: bool = false;
override rows: u32 = 4u;
override inner: u32 = 8u; // in vec4
override columns: u32 = 4u;
override first: u32 = 0u; // the row of the matrix that makes column 0
override tall: u32 = 1u; // blocks of four rows, at most 4
override group_x: u32 = 8u;
override group_y: u32 = 1u;

// Four rows of x at one vec4: column t holds row start + t.
fn x_block(start: u32, k: u32) -> mat4x4<f32> {
    let last = rows - 1u;
    return mat4x4(
        x[min(start, last) * inner + k],
        x[min(start + 1u, last) * inner + k],
        x[min(start + 2u, last) * inner + k],
        x[min(start + 3u, last) * inner + k],
    );
}

fn store(start: u32, column: u32, tile: mat4x4<f32>) {
    for (var t = 0u; t < 4u; t++) {
        for (var c = 0u; c < 4u; c++) {
            if (start + t < rows && column + c < columns) {
                let at = (start + t) * columns + column + c;
                var value = tile[t][c];
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
}

@compute @workgroup_size(group_x, group_y)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * tall * 4u;
    let column = id.x * 4u;
    if (row >= rows || column >= columns) {
        return;
    }
    let lines = first + min(vec4(column) + vec4(0u, 1u, 2u, 3u), vec4(columns - 1u));
    var t0 = mat4x4<f32>();
    var t1 = mat4x4<f32>();
    var t2 = mat4x4<f32>();
    var t3 = mat4x4<f32>();
    var s0 = vec2<f32>();
    var s1 = vec2<f32>();
    var s2 = vec2<f32>();
    var s3 = vec2<f32>();
    for (var k = 0u; k < inner; k++) {
        if (k % 4u == 0u) {
            s0 = affine(lines.x, k);
            s1 = affine(lines.y, k);
            s2 = affine(lines.z, k);
            s3 = affine(lines.w, k);
        }
        // Four columns by four inner elements: column t holds inner element 4 k + t.
        let w = transpose(mat4x4(quad(lines.x, k, s0), quad(lines.y, k, s1), quad(lines.z, k, s2), quad(lines.w, k, s3)));
        t0 += w * x_block(row, k);
        if (tall > 1u) { t1 += w * x_block(row + 4u, k); }
        if (tall > 2u) { t2 += w * x_block(row + 8u, k); }
        if (tall > 3u) { t3 += w * x_block(row + 12u, k); }
    }
    store(row, column, t0);
    if (tall > 1u) { store(row + 4u, column, t1); }
    if (tall > 2u) { store(row + 8u, column, t2); }
    if (tall > 3u) { store(row + 12u, column, t3); }
}
