// Token, position and token-type rows, summed. One workgroup computes 64 elements.

@group(0) @binding(0) var<storage, read> ids: array<u32>; // (batch, length)
@group(0) @binding(1) var<storage, read> types: array<u32>; // (batch, length)
@group(0) @binding(2) var<storage, read> words: array<f32>; // (vocabulary, hidden)
@group(0) @binding(3) var<storage, read> positions: array<f32>; // (positions, hidden)
@group(0) @binding(4) var<storage, read> kinds: array<f32>; // (token types, hidden)
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // (tokens, hidden)

override tokens: u32 = 8u; // batch * length
override length: u32 = 4u;
override hidden: u32 = 16u;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = (group.x + group.y * groups.x) * 64u + lane;
    if (at >= tokens * hidden) {
        return;
    }
    let token = at / hidden;
    let i = at % hidden;
    y[at] = words[ids[token] * hidden + i] + positions[token % length * hidden + i] + kinds[types[token] * hidden + i];
}
