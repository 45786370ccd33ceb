// Rotary position embedding: some columns of each head turned by the angles of its token. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, columns), heads first
@group(0) @binding(1) var<storage, read> table: array<f32>; // (length, 2, half), cosines and sines
@group(0) @binding(2) var<storage, read> positions: array<u32>; // (rows), read only if placed
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (rows, columns)

override rows: u32 = 4u;
override columns: u32 = 16u;
override length: u32 = 4u;
override half: u32 = 4u;
override heads: u32 = 1u;
override head: u32 = 8u;
override back: bool = false; // turn back
override placed: bool = false; // tokens have positions other than their places in the row

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
    let column = at % columns;
    let i = column % head;
    if (column >= heads * head || i >= 2u * half) {
        y[at] = x[at];
        return;
    }
    let low = i < half;
    var position = at / columns % length;
    if (placed) {
        position = positions[at / columns];
    }
    let angle = position * 2u * half + i % half;
    let other = x[select(at - half, at + half, low)];
    y[at] = x[at] * table[angle] + other * table[angle + half] * select(1.0, -1.0, low != back);
}
