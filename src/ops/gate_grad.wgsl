// dx = (dy ⊙ value ⊙ f'(gate), dy ⊙ f(gate)). One workgroup computes 64 elements of each.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (rows, 2, columns), gate and value
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // (rows, 2, columns)

override kind: u32 = 4u; // 0 gelu, 1 gelu by tanh, 2 relu, 3 tanh, 4 silu
override rows: u32 = 4u;
override columns: u32 = 16u;

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

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= rows * columns) {
        return;
    }
    let first = at / columns * 2u * columns + at % columns;
    let found = value_and_slope(x[first]);
    dx[first] = dy[at] * x[first + columns] * found.y;
    dx[first + columns] = dy[at] * found.x;
}
