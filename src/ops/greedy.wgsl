// hits = 1 where the label is the first of the largest logits of its row. One workgroup computes one row.

@group(0) @binding(0) var<storage, read> logits: array<f32>; // (rows, classes)
@group(0) @binding(1) var<storage, read> labels: array<u32>; // of all tokens; those of the rows from start on
@group(0) @binding(2) var<storage, read_write> hits: array<f32>; // (rows)

override rows: u32 = 4u;
override classes: u32 = 64u;
override start: u32 = 0u;

var<workgroup> above: atomic<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let number = group.x + group.y * groups.x;
    let row = min(number, rows - 1u);
    let first = row * classes;
    let label = labels[start + row];
    let own = logits[first + label];
    var found = 0u;
    for (var i = lane; i < classes; i += 64u) {
        let x = logits[first + i];
        found += u32(x > own || (x == own && i < label));
    }
    if (found > 0u) {
        atomicAdd(&above, found);
    }
    workgroupBarrier();
    if (lane == 0u && number < rows) {
        hits[row] = select(1.0, 0.0, atomicLoad(&above) > 0u);
    }
}
