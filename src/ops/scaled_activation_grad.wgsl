// dx = dy ⊙ l ⊙ f'(x), dl = Σ_rows dy ⊙ f(x) and db = Σ_rows dy, for y = f(x) ⊙ l + b.
// One workgroup owns `width` channels over all rows: `height` invocations a channel, which add up in workgroup memory.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(2) var<storage, read> table: array<f32>; // (adapters, parameters)
@group(0) @binding(3) var<storage, read> slots: array<u32>; // (rows / rows_a_slot)
@group(0) @binding(4) var<storage, read_write> dx: array<f32>; // (rows, columns)
@group(0) @binding(5) var<storage, read_write> dl: array<f32>; // (columns), once or twice, from dl_offset on

override kind: u32 = 0u; // 0 gelu, 1 gelu by tanh, 2 relu, 3 tanh, 4 silu
override rows: u32 = 4u;
override columns: u32 = 16u;
override rows_a_slot: u32 = 1u;
override parameters: u32 = 16u;
override offset: u32 = 0u;
override shifted: bool = false; // db follows dl
override dl_offset: u32 = 0u;
override width: u32 = 16u;
override height: u32 = 4u;

// Of dl and db.
var<workgroup> sums: array<vec2<f32>, width * height>;

// Absolute error below 3e-7: Abramowitz and Stegun 7.1.26.
fn erf(v: f32) -> f32 {
    let a = abs(v);
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let p = (((1.0614054 * t - 1.4531521) * t + 1.4214138) * t - 0.28449672) * t + 0.2548296;
    return sign(v) * (1.0 - p * t * exp(-a * a));
}

// The built-in tanh may overflow.
fn tanh_of(v: f32) -> f32 {
    let e = exp(-2.0 * abs(v));
    return sign(v) * (1.0 - e) / (1.0 + e);
}

// f(v) and f'(v).
fn value_and_slope(v: f32) -> vec2<f32> {
    switch (kind) {
        case 0u: {
            let half = 0.5 * (1.0 + erf(v * 0.70710677));
            return vec2(v * half, half + v * 0.3989423 * exp(-0.5 * v * v));
        }
        case 1u: {
            let t = tanh_of(0.7978846 * (v + 0.044715 * v * v * v));
            let slope = 0.5 * (1.0 + t) + 0.5 * v * (1.0 - t * t) * 0.7978846 * (1.0 + 0.134145 * v * v);
            return vec2(0.5 * v * (1.0 + t), slope);
        }
        case 2u: { return vec2(max(v, 0.0), select(0.0, 1.0, v > 0.0)); }
        case 3u: {
            let t = tanh_of(v);
            return vec2(t, 1.0 - t * t);
        }
        default: {
            let share = 1.0 / (1.0 + exp(min(-v, 80.0)));
            return vec2(v * share, share * (1.0 + v * (1.0 - share)));
        }
    }
}

@compute @workgroup_size(width, height)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let column = group.x * width + lane.x;
    var sum = vec2(0.0, 0.0);
    if (column < columns) {
        for (var row = lane.y; row < rows; row += height) {
            let at = row * columns + column;
            let found = value_and_slope(x[at]);
            sum += vec2(dy[at] * found.x, dy[at]);
            dx[at] = dy[at] * found.y * table[slots[row / rows_a_slot] * parameters + offset + column];
        }
    }
    if (height > 1u) {
        sums[lane.y * width + lane.x] = sum;
        workgroupBarrier();
        if (lane.y == 0u) {
            for (var i = 1u; i < height; i++) {
                sum += sums[i * width + lane.x];
            }
        }
    }
    if (lane.y == 0u && column < columns) {
        dl[dl_offset + column] = sum.x;
        if (shifted) {
            dl[dl_offset + columns + column] = sum.y;
        }
    }
}
