// Keys and values put into a cache. One workgroup moves 64 elements.

@group(0) @binding(0) var<storage, read> qkv: array<f32>; // (tokens, row), keys and values last
@group(0) @binding(1) var<storage, read> places: array<u32>; // (tokens); those from end on are left out
@group(0) @binding(2) var<storage, read_write> cache: array<f32>; // (tokens / length, capacity, columns)

override tokens: u32 = 4u;
override length: u32 = 2u;
override end: u32 = 8u;
override capacity: u32 = 8u;
override row: u32 = 48u;
override columns: u32 = 32u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= tokens * columns) {
        return;
    }
    let token = at / columns;
    let place = places[token];
    if (place < end) {
        let to = (token / length * capacity + place % capacity) * columns + at % columns;
        cache[to] = qkv[(token + 1u) * row - columns + at % columns];
    }
}
