// The gradient of gathering rows: in each row the sum of those that were taken from it. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (count, hidden)
@group(0) @binding(1) var<storage, read> order: array<u32>; // (count), rows of dy by the row they were taken from
@group(0) @binding(2) var<storage, read> starts: array<u32>; // (rows + 1), where those of each row begin in order
@group(0) @binding(3) var<storage, read_write> dx: array<f32>; // (rows, hidden)

override rows: u32 = 8u;
override hidden: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= rows * hidden) {
        return;
    }
    let row = at / hidden;
    var sum = 0.0;
    for (var i = starts[row]; i < starts[row + 1u]; i++) {
        sum += dy[order[i] * hidden + at % hidden];
    }
    dx[at] = sum;
}
