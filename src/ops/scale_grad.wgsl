// dx = dy ⊙ l on the scaled channels, dy on the others; dl = Σ_rows dy ⊙ x.
// One workgroup owns `width` channels over all rows: `height` invocations a channel, which add up in workgroup memory.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(2) var<storage, read> table: array<f32>; // (adapters, parameters)
@group(0) @binding(3) var<storage, read> slots: array<u32>; // (rows / rows_a_slot)
@group(0) @binding(4) var<storage, read_write> dx: array<f32>; // (rows, columns)
@group(0) @binding(5) var<storage, read_write> dl: array<f32>; // (len), from dl_offset on

override rows: u32 = 4u;
override columns: u32 = 16u;
override rows_a_slot: u32 = 1u;
override parameters: u32 = 16u;
override start: u32 = 0u;
override len: u32 = 16u;
override offset: u32 = 0u;
override dl_offset: u32 = 0u;
override width: u32 = 16u;
override height: u32 = 4u;

var<workgroup> sums: array<f32, width * height>;

@compute @workgroup_size(width, height)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let column = group.x * width + lane.x;
    // Below the first scaled channel this wraps to a number far beyond len.
    let channel = column - start;
    var sum = 0.0;
    if (column < columns) {
        for (var row = lane.y; row < rows; row += height) {
            let at = row * columns + column;
            var value = dy[at];
            if (channel < len) {
                sum += value * x[at];
                value *= table[slots[row / rows_a_slot] * parameters + offset + channel];
            }
            dx[at] = value;
        }
    }
    if (height > 1u) {
        sums[lane.y * width + lane.x] = sum;
        workgroupBarrier();
        if (lane.y == 0u) {
            for (var i = 1u; i < height; i++) {
                sum += sums[i * width + lane.x];
            }
        }
    }
    if (lane.y == 0u && column < columns && channel < len) {
        dl[dl_offset + channel] = sum;
    }
}
