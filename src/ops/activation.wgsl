// y = f(x) ⊙ l + b: an activation with the IA3 scale and shift of its result folded in. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> table: array<f32>; // (adapters, parameters), read only if scaled
@group(0) @binding(2) var<storage, read> slots: array<u32>; // (rows / rows_a_slot), read only if scaled
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (rows, columns)

override kind: u32 = 0u; // 0 gelu, 1 gelu by tanh, 2 relu, 3 tanh, 4 silu
override scaled: bool = false;
override rows: u32 = 4u;
override columns: u32 = 16u;
override rows_a_slot: u32 = 1u;
override parameters: u32 = 16u;
override offset: u32 = 0u; // of l; b follows it
override shifted: bool = false;

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
    var result = value(x[at]);
    if (scaled) {
        let l = slots[at / columns / rows_a_slot] * parameters + offset + at % columns;
        result *= table[l];
        if (shifted) {
            result += table[l + columns];
        }
    }
    y[at] = result;
}
