// dx = dy ⊙ l on the scaled channels, dy on the others; dl = Σ_rows dy ⊙ x and db = Σ_rows dy, over the channels of an element too.
// One workgroup owns `width` groups of `repeat` channels over all rows: `height` invocations a group, which add up in workgroup memory.

@group(0) @binding(0) var<storage, read> dy: array<f32>; // (rows, columns)
@group(0) @binding(1) var<storage, read> x: array<f32>; // (rows, columns)
@group(0) @binding(2) var<storage, read> table: array<f32>; // (adapters, parameters)
@group(0) @binding(3) var<storage, read> slots: array<u32>; // (rows / rows_a_slot)
@group(0) @binding(4) var<storage, read_write> dx: array<f32>; // (rows, columns)
@group(0) @binding(5) var<storage, read_write> dl: array<f32>; // (len / repeat), once or twice, from dl_offset on

override rows: u32 = 4u;
override columns: u32 = 16u;
override rows_a_slot: u32 = 1u;
override parameters: u32 = 16u;
override start: u32 = 0u;
override len: u32 = 16u;
override offset: u32 = 0u;
override repeat: u32 = 1u; // channels that share an element of l
override shifted: bool = false; // db follows dl
override dl_offset: u32 = 0u;
override width: u32 = 16u;
override height: u32 = 4u;

// Of dl and db.
var<workgroup> sums: array<vec2<f32>, width * height>;

@compute @workgroup_size(width, height)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) lane: vec3<u32>) {
    let column = (group.x * width + lane.x) * repeat;
    // Below the first scaled channel this wraps to a number far beyond len.
    let channel = column - start;
    var sum = vec2(0.0, 0.0);
    if (column < columns) {
        for (var row = lane.y; row < rows; row += height) {
            var l = 1.0;
            if (channel < len) {
                l = table[slots[row / rows_a_slot] * parameters + offset + channel / repeat];
            }
            for (var i = 0u; i < repeat; i++) {
                let at = row * columns + column + i;
                let value = dy[at];
                if (channel < len) {
                    sum += vec2(value * x[at], value);
                }
                dx[at] = value * l;
            }
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
        dl[dl_offset + channel / repeat] = sum.x;
        if (shifted) {
            dl[dl_offset + (len + channel) / repeat] = sum.y;
        }
    }
}
