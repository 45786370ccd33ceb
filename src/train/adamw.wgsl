// One AdamW step with global-norm clipping. Every invocation adds up the parts of the gradient's norm for itself and takes its share of the
// parameters, those a whole grid apart.

struct Segment {
    offset: u32, // first element
    rows: u32, // 1 for a vector
    columns: u32,
    learning_rate: f32,
}

struct Settings {
    weight_decay: f32,
    beta1: f32,
    beta2: f32,
    eps: f32,
    max_grad_norm: f32, // 0 clips nothing
    correction1: f32, // 1 - beta1^step
    correction2: f32, // sqrt(1 - beta2^step)
    segments: array<Segment>, // together all parameters
}

@group(0) @binding(0) var<storage, read> gradient: array<f32>; // (count), then the loss
@group(0) @binding(1) var<storage, read> settings: Settings;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>; // (count)
@group(0) @binding(3) var<storage, read_write> first: array<f32>; // (count), first moments
@group(0) @binding(4) var<storage, read_write> second: array<f32>; // (count), second moments
@group(0) @binding(5) var<storage, read_write> result: array<f32>; // (2 + parts): loss, gradient norm, parts of its square

override count: u32 = 256u;
override parts: u32 = 1u;
override segments: u32 = 1u;

// Compilers may assume that there are no infinities; the bits tell.
fn finite(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}

fn update(i: u32, rate: f32, clip: f32) {
    let g = gradient[i] * clip;
    let m = first[i] + (1.0 - settings.beta1) * (g - first[i]);
    let v = settings.beta2 * second[i] + (1.0 - settings.beta2) * g * g;
    first[i] = m;
    second[i] = v;
    let decayed = parameters[i] * (1.0 - rate * settings.weight_decay);
    let denominator = sqrt(v) / settings.correction2 + settings.eps;
    parameters[i] = decayed - rate / settings.correction1 * m / denominator;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) grid: vec3<u32>) {
    var squares = 0.0;
    for (var part = 0u; part < parts; part++) {
        squares += result[2u + part];
    }
    let norm = sqrt(squares);
    let loss = gradient[count];
    if (id.x == 0u) {
        result[0] = loss;
        result[1] = norm;
    }
    if (!finite(norm) || !finite(loss)) {
        return;
    }
    var clip = 1.0;
    if (settings.max_grad_norm > 0.0) {
        clip = min(settings.max_grad_norm / (norm + 1e-6), 1.0);
    }
    for (var s = 0u; s < segments; s++) {
        let segment = settings.segments[s];
        for (var i = id.x; i < segment.rows * segment.columns; i += grid.x * 64u) {
            update(segment.offset + i, segment.learning_rate, clip);
        }
    }
}
