// y = x w + bias + addend for a matrix in blocks, without workgroup memory.
// An invocation computes up to 16 rows of four columns: `tall` blocks of 4 x 4 in registers.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, inner)
@group(0) @binding(1) var<storage, read> blocks: array<u32>; // (first + inner or more, columns)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>; // (columns), read only if biased
@group(0) @binding(3) var<storage, read> addend: array<vec4<f32>>; // (rows, columns), read only if added
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // (rows, columns)

override biased: bool = false;
override added: bool = false;
override rows: u32 = 4u;
override inner: u32 = 4u;
override columns: u32 = 8u; // in vec4
override first: u32 = 0u; // the row of the matrix that inner element 0 is multiplied with
override tall: u32 = 1u; // blocks of four rows, at most 4
override group_x: u32 = 8u;
override group_y: u32 = 1u;

fn x_row(row: u32, k: u32) -> vec4<f32> {
    let at = min(row, rows - 1u) * inner + k;
    let left = inner - k;
    return vec4(
        x[at],
        select(0.0, x[min(at + 1u, rows * inner - 1u)], left > 1u),
        select(0.0, x[min(at + 2u, rows * inner - 1u)], left > 2u),
        select(0.0, x[min(at + 3u, rows * inner - 1u)], left > 3u),
    );
}

// Four rows of x at four inner elements: column t holds row start + t, zeros behind its end.
fn x_block(start: u32, k: u32) -> mat4x4<f32> {
    return mat4x4(x_row(start, k), x_row(start + 1u, k), x_row(start + 2u, k), x_row(start + 3u, k));
}

// Four columns of the matrix in the row of inner element k, or of the last one.
fn w_row(k: u32, column: u32) -> vec4<f32> {
    let row = first + min(k, inner - 1u);
    return quad(row, column, affine(row, column));
}

fn store(start: u32, column: u32, tile: mat4x4<f32>) {
    for (var t = 0u; t < 4u; t++) {
        if (start + t < rows) {
            let at = (start + t) * columns + column;
            var value = tile[t];
            if (biased) {
                value += bias[column];
            }
            if (added) {
                value += addend[at];
            }
            y[at] = value;
        }
    }
}

@compute @workgroup_size(group_x, group_y)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * tall * 4u;
    let column = id.x;
    if (row >= rows || column >= columns) {
        return;
    }
    var t0 = mat4x4<f32>();
    var t1 = mat4x4<f32>();
    var t2 = mat4x4<f32>();
    var t3 = mat4x4<f32>();
    for (var k = 0u; k < inner; k += 4u) {
        let w = mat4x4(w_row(k, column), w_row(k + 1u, column), w_row(k + 2u, column), w_row(k + 3u, column));
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
