// One Adafactor step with global-norm clipping. One workgroup adds up the parts of the gradient's norm and updates one tensor, because the
// update of each is measured as a whole.

struct Segment {
    offset: u32, // first element
    rows: u32, // 1 for a vector
    columns: u32,
    learning_rate: f32,
}

struct Settings {
    decay: f32, // of the second moment
    eps: f32, // added to squared gradients
    least_scale: f32, // of the learning rate
    clip_threshold: f32, // largest root mean square of an update
    weight_decay: f32,
    max_grad_norm: f32, // 0 clips nothing
    segments: array<Segment>,
}

@group(0) @binding(0) var<storage, read> gradient: array<f32>; // (count), then the loss
@group(0) @binding(1) var<storage, read> settings: Settings;
@group(0) @binding(2) var<storage, read_write> parameters: array<f32>; // (count)
@group(0) @binding(3) var<storage, read_write> first: array<f32>; // (count), of each tensor the moments of its rows
@group(0) @binding(4) var<storage, read_write> second: array<f32>; // (count), of each tensor the moments of its columns
@group(0) @binding(5) var<storage, read_write> result: array<f32>; // (2 + parts): loss, gradient norm, parts of its square

override count: u32 = 256u;
override parts: u32 = 1u; // 256 at most

var<workgroup> sums: array<f32, 256>;

// Compilers may assume that there are no infinities; the bits tell.
fn finite(v: f32) -> bool {
    return (bitcast<u32>(v) & 0x7f800000u) != 0x7f800000u;
}

// The sum of what each lane has. Loaded so that compilers know it for uniform: barriers depend on it.
fn total(lane: u32, own: f32) -> f32 {
    sums[lane] = own;
    workgroupBarrier();
    for (var half = 128u; half > 0u; half /= 2u) {
        if (lane < half) {
            sums[lane] += sums[lane + half];
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&sums[0]);
}

fn square(at: u32, clip: f32) -> f32 {
    let g = gradient[at] * clip;
    return g * g + settings.eps;
}

// Takes the gradient of a tensor into its moments.
fn remember(segment: Segment, clip: f32, lane: u32) {
    for (var row = lane; row < segment.rows && segment.rows > 1u; row += 256u) {
        var sum = 0.0;
        for (var column = 0u; column < segment.columns; column++) {
            sum += square(segment.offset + row * segment.columns + column, clip);
        }
        let at = segment.offset + row;
        first[at] = settings.decay * first[at] + (1.0 - settings.decay) * sum / f32(segment.columns);
    }
    for (var column = lane; column < segment.columns; column += 256u) {
        var sum = 0.0;
        for (var row = 0u; row < segment.rows; row++) {
            sum += square(segment.offset + row * segment.columns + column, clip);
        }
        let at = segment.offset + column;
        second[at] = settings.decay * second[at] + (1.0 - settings.decay) * sum / f32(segment.rows);
    }
}

// An element of the update before learning rate and clipping; mean is that of the moments of rows.
fn direction(segment: Segment, at: u32, clip: f32, mean: f32) -> f32 {
    var g = gradient[segment.offset + at] * clip / sqrt(second[segment.offset + at % segment.columns]);
    if (segment.rows > 1u) {
        g /= sqrt(first[segment.offset + at / segment.columns] / mean);
    }
    return g;
}

fn update(segment: Segment, clip: f32, lane: u32) {
    let len = segment.rows * segment.columns;
    remember(segment, clip, lane);
    storageBarrier();
    var own = 0.0;
    for (var row = lane; row < segment.rows; row += 256u) {
        own += first[segment.offset + row];
    }
    let mean = total(lane, own) / f32(segment.rows);
    var size = 0.0;
    var updated = 0.0;
    for (var i = lane; i < len; i += 256u) {
        let p = parameters[segment.offset + i];
        let u = direction(segment, i, clip, mean);
        size += p * p;
        updated += u * u;
    }
    let rate = segment.learning_rate * max(sqrt(total(lane, size) / f32(len)), settings.least_scale);
    let shrink = max(sqrt(total(lane, updated) / f32(len)) / settings.clip_threshold, 1.0);
    for (var i = lane; i < len; i += 256u) {
        let at = segment.offset + i;
        parameters[at] = parameters[at] * (1.0 - rate * settings.weight_decay) - rate / shrink * direction(segment, i, clip, mean);
    }
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    var own = 0.0;
    if (lane < parts) {
        own = result[2u + lane];
    }
    let norm = sqrt(total(lane, own));
    let loss = gradient[count];
    if (lane == 0u && group.x == 0u) {
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
    update(settings.segments[group.x], clip, lane);
}
