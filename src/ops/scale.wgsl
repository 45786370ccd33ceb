// y = x ⊙ l + b on some channels, x on the others; l and b by batch row, b only if shifted. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> table: array<f32>; // (adapters, parameters)
@group(0) @binding(2) var<storage, read> slots: array<u32>; // (rows / rows_a_slot)
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // (rows, columns)

override rows: u32 = 4u;
override columns: u32 = 16u;
override rows_a_slot: u32 = 1u;
override parameters: u32 = 16u;
override start: u32 = 0u;
override len: u32 = 16u;
override offset: u32 = 0u; // of l; b follows it
override repeat: u32 = 1u; // channels that share an element of l
override shifted: bool = false;

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
    // Below the first scaled channel this wraps to a number far beyond len.
    let channel = at % columns - start;
    var value = x[at];
    if (channel < len) {
        let l = slots[at / columns / rows_a_slot] * parameters + offset + channel / repeat;
        value *= table[l];
        if (shifted) {
            value += table[l + len / repeat];
        }
    }
    y[at] = value;
}
