// y = x wᵀ + bias + addend, flipped y = x w + addend, for sizes of every kind.
// One workgroup computes 32 x 32 elements; an invocation 4 x 4, with every access checked.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, inner)
@group(0) @binding(1) var<storage, read> w: array<f32>; // (columns, inner), flipped (inner, columns)
@group(0) @binding(2) var<storage, read> bias: array<f32>; // (columns), read only if biased
@group(0) @binding(3) var<storage, read> addend: array<f32>; // (rows, columns), read only if added
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // (rows, columns)

override flipped: bool = false;
override biased: bool = false;
override added: bool = false;
override rows: u32 = 32u;
override inner: u32 = 16u;
override columns: u32 = 32u;
override first: u32 = 0u; // the row of w that is read first

fn x_at(row: u32, k: u32) -> f32 {
    if (row < rows && k < inner) {
        return x[row * inner + k];
    }
    return 0.0;
}

fn w_at(column: u32, k: u32) -> f32 {
    if (column < columns && k < inner) {
        return w[select((first + column) * inner + k, (first + k) * columns + column, flipped)];
    }
    return 0.0;
}

fn x_row(row: u32, k: u32) -> vec4<f32> {
    return vec4(x_at(row, k), x_at(row, k + 1u), x_at(row, k + 2u), x_at(row, k + 3u));
}

fn w_columns(column: u32, k: u32) -> vec4<f32> {
    return vec4(w_at(column, k), w_at(column + 1u, k), w_at(column + 2u, k), w_at(column + 3u, k));
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * 4u;
    let column = id.x * 4u;
    var tile = mat4x4<f32>(); // four columns of four rows: tile[row][column]
    for (var k = 0u; k < inner; k += 4u) {
        let xs = mat4x4(x_row(row, k), x_row(row + 1u, k), x_row(row + 2u, k), x_row(row + 3u, k));
        let ws = mat4x4(w_columns(column, k), w_columns(column, k + 1u), w_columns(column, k + 2u), w_columns(column, k + 3u));
        tile += ws * xs;
    }
    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            if (row + i < rows && column + j < columns) {
                let at = (row + i) * columns + column + j;
                var value = tile[i][j];
                if (biased) {
                    value += bias[column + j];
                }
                if (added) {
                    value += addend[at];
                }
                y[at] = value;
            }
        }
    }
}
