// The gradient of picking one token of each text. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows / length, hidden)
@group(0) @binding(1) var<storage, read> tokens: array<u32>; // (rows / length)
@group(0) @binding(2) var<storage, read_write> dx: array<f32>; // (rows, hidden)

override rows: u32 = 8u;
override length: u32 = 4u;
override hidden: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at < rows * hidden) {
        let row = at / hidden;
        let text = row / length;
        dx[at] = select(0.0, dy[text * hidden + at % hidden], row % length == tokens[text]);
    }
}
