// One token of each text. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (batch, length, hidden)
@group(0) @binding(1) var<storage, read> tokens: array<u32>; // (batch)
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (batch, hidden)

override batch: u32 = 2u;
override length: u32 = 4u;
override hidden: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < batch * hidden) {
        let text = at / hidden;
        y[at] = x[(text * length + tokens[text]) * hidden + at % hidden];
    }
}
