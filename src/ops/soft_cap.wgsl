// y = cap tanh(x / cap), or its gradient dy (1 - (y / cap)²). One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (count); going back, dy
@group(0) @binding(1) var<storage, read> result: array<f32>; // (count), what the op gave; read only going back
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (count)

override count: u32 = 64u;
override cap: f32 = 30.0;
override back: bool = false;

// The built-in tanh may overflow.
fn tanh_of(v: f32) -> f32 {
    let e = exp(-2.0 * abs(v));
    return sign(v) * (1.0 - e) / (1.0 + e);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= count) {
        return;
    }
    if (back) {
        let share = result[at] / cap;
        y[at] = x[at] * (1.0 - share * share);
    } else {
        y[at] = cap * tanh_of(x[at] / cap);
    }
}
