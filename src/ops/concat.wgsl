// Columns side by side. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> a: array<f32>; // (rows, left)
@group(0) @binding(1) var<storage, read> b: array<f32>; // (rows, right)
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // (rows, left + right)

override rows: u32 = 4u;
override left: u32 = 8u;
override right: u32 = 8u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    let columns = left + right;
    if (at >= rows * columns) {
        return;
    }
    let row = at / columns;
    let column = at % columns;
    if (column < left) {
        y[at] = a[row * left + column];
    } else {
        y[at] = b[row * right + column - left];
    }
}
