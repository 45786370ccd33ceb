// One row of each of one to three tables, summed and scaled. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> ids: array<u32>; // (batch, length)
@group(0) @binding(1) var<storage, read> blocks: array<u32>; // (rows, hidden)
@group(0) @binding(2) var<storage, read> second_ids: array<u32>; // (batch, length), read only with two tables
@group(0) @binding(3) var<storage, read> second: array<f32>; // (second rows, hidden), likewise
@group(0) @binding(4) var<storage, read> third_ids: array<u32>; // (batch, length), read only with three tables
@group(0) @binding(5) var<storage, read> third: array<f32>; // (third rows, hidden), likewise
@group(0) @binding(6) var<storage, read_write> y: array<f32>; // (tokens, hidden)

override tokens: u32 = 8u; // batch * length
override hidden: u32 = 32u;
override tables: u32 = 3u;
override scale: f32 = 1.0;

// Element i of a row of the first table.
fn word(row: u32, i: u32) -> f32 {
    if (kind == F32) {
        return bitcast<f32>(blocks[row * hidden + i]);
    }
    return quad(row, i / 4u, affine(row, i / 4u))[i % 4u];
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= tokens * hidden) {
        return;
    }
    let token = at / hidden;
    let i = at % hidden;
    var sum = word(ids[token], i);
    if (tables > 1u) {
        sum += second[second_ids[token] * hidden + i];
    }
    if (tables > 2u) {
        sum += third[third_ids[token] * hidden + i];
    }
    y[at] = scale * sum;
}
