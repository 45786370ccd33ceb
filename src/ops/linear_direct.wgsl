// y = x wᵀ + bias + addend, flipped y = x w + addend, without workgroup memory.
// An invocation computes a tile of up to 16 x 16 elements in registers: `tall` times `wide` blocks of 4 x 4.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>; // (rows, inner)
@group(0) @binding(1) var<storage, read> w: array<vec4<f32>>; // (columns, inner), flipped (inner, columns)
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>; // (columns), read only if biased
@group(0) @binding(3) var<storage, read> addend: array<vec4<f32>>; // (rows, columns), read only if added
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>; // (rows, columns)

override flipped: bool = false;
override biased: bool = false;
override added: bool = false;
override rows: u32 = 4u;
override inner: u32 = 4u; // in vec4
override columns: u32 = 1u; // in vec4
override first: u32 = 0u; // the row of w that is read first
override tall: u32 = 1u; // blocks of four rows, at most 4
override wide: u32 = 1u; // blocks of four columns, at most 4
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

// Four columns by four inner elements: column t holds inner element 4 k + t.
fn w_block(column: u32, k: u32) -> mat4x4<f32> {
    let c = min(column, columns - 1u);
    if (flipped) {
        let at = (first + 4u * k) * columns + c;
        return mat4x4(w[at], w[at + columns], w[at + 2u * columns], w[at + 3u * columns]);
    }
    let at = (first + 4u * c) * inner + k;
    return transpose(mat4x4(w[at], w[at + inner], w[at + 2u * inner], w[at + 3u * inner]));
}

fn store(start: u32, column: u32, tile: mat4x4<f32>) {
    for (var t = 0u; t < 4u; t++) {
        if (start + t < rows && column < columns) {
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
    let column = id.x * wide;
    if (row >= rows || column >= columns) {
        return;
    }
    var t00 = mat4x4<f32>();
    var t01 = mat4x4<f32>();
    var t02 = mat4x4<f32>();
    var t03 = mat4x4<f32>();
    var t10 = mat4x4<f32>();
    var t11 = mat4x4<f32>();
    var t12 = mat4x4<f32>();
    var t13 = mat4x4<f32>();
    var t20 = mat4x4<f32>();
    var t21 = mat4x4<f32>();
    var t22 = mat4x4<f32>();
    var t23 = mat4x4<f32>();
    var t30 = mat4x4<f32>();
    var t31 = mat4x4<f32>();
    var t32 = mat4x4<f32>();
    var t33 = mat4x4<f32>();
    for (var k = 0u; k < inner; k++) {
        let x0 = x_block(row, k);
        var x1 = mat4x4<f32>();
        var x2 = mat4x4<f32>();
        var x3 = mat4x4<f32>();
        if (tall > 1u) { x1 = x_block(row + 4u, k); }
        if (tall > 2u) { x2 = x_block(row + 8u, k); }
        if (tall > 3u) { x3 = x_block(row + 12u, k); }
        let w0 = w_block(column, k);
        t00 += w0 * x0;
        if (tall > 1u) { t10 += w0 * x1; }
        if (tall > 2u) { t20 += w0 * x2; }
        if (tall > 3u) { t30 += w0 * x3; }
        if (wide > 1u) {
            let w1 = w_block(column + 1u, k);
            t01 += w1 * x0;
            if (tall > 1u) { t11 += w1 * x1; }
            if (tall > 2u) { t21 += w1 * x2; }
            if (tall > 3u) { t31 += w1 * x3; }
        }
        if (wide > 2u) {
            let w2 = w_block(column + 2u, k);
            t02 += w2 * x0;
            if (tall > 1u) { t12 += w2 * x1; }
            if (tall > 2u) { t22 += w2 * x2; }
            if (tall > 3u) { t32 += w2 * x3; }
        }
        if (wide > 3u) {
            let w3 = w_block(column + 3u, k);
            t03 += w3 * x0;
            if (tall > 1u) { t13 += w3 * x1; }
            if (tall > 2u) { t23 += w3 * x2; }
            if (tall > 3u) { t33 += w3 * x3; }
        }
    }
    store(row, column, t00);
    if (wide > 1u) { store(row, column + 1u, t01); }
    if (wide > 2u) { store(row, column + 2u, t02); }
    if (wide > 3u) { store(row, column + 3u, t03); }
    if (tall > 1u) {
        store(row + 4u, column, t10);
        if (wide > 1u) { store(row + 4u, column + 1u, t11); }
        if (wide > 2u) { store(row + 4u, column + 2u, t12); }
        if (wide > 3u) { store(row + 4u, column + 3u, t13); }
    }
    if (tall > 2u) {
        store(row + 8u, column, t20);
        if (wide > 1u) { store(row + 8u, column + 1u, t21); }
        if (wide > 2u) { store(row + 8u, column + 2u, t22); }
        if (wide > 3u) { store(row + 8u, column + 3u, t23); }
    }
    if (tall > 3u) {
        store(row + 12u, column, t30);
        if (wide > 1u) { store(row + 12u, column + 1u, t31); }
        if (wide > 2u) { store(row + 12u, column + 2u, t32); }
        if (wide > 3u) { store(row + 12u, column + 3u, t33); }
    }
}
