// y = f(gate) ⊙ value. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, 2, columns), gate and value
@group(0) @binding(1) var<storage, read_write> y: array<f32>; // (rows, columns)

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

fn value(v: f32) -> f32 {
    switch (kind) {
        case 0u: { return 0.5 * v * (1.0 + erf(v * 0.70710677)); }
        case 1u: { return 0.5 * v * (1.0 + tanh_of(0.7978846 * (v + 0.044715 * v * v * v))); }
        case 2u: { return max(v, 0.0); }
        case 3u: { return tanh_of(v); }
        default: { return v / (1.0 + exp(min(-v, 80.0))); }
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
    y[at] = value(x[first]) * x[first + columns];
}
