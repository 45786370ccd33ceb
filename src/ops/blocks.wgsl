// What is put before a kernel that reads a matrix in blocks: its elements, four at a time. The kernel binds the matrix as `blocks`.
// Layouts are those of ggml's ggml-common.h; a 16-bit scale that stands alone is followed by two bytes of padding, so that
// all blocks are whole words (see src/ops/blocks.rs).

override kind: u32 = 2u; // ggml's number of the format
override row_words: u32 = 5u; // words in a row
override block_quads: u32 = 8u; // four elements each
override block_words: u32 = 5u;

const F32 = 0u;
const F16 = 1u;
const Q4_0 = 2u;
const Q4_1 = 3u;
const Q5_0 = 6u;
const Q5_1 = 7u;
const Q8_0 = 8u;
const Q4_K = 12u;
const Q5_K = 13u;
const Q6_K = 14u;
const BF16 = 30u;

const BYTES = vec4(0u, 8u, 16u, 24u);

// The word where the block with four elements begins: numbers 4 k to 4 k + 3 of a row.
fn block_at(row: u32, k: u32) -> u32 {
    return row * row_words + k / block_quads * block_words;
}

fn byte_at(word: u32, byte: u32) -> u32 {
    return (blocks[word + byte / 4u] >> (8u * (byte % 4u))) & 255u;
}

// Scale and offset of four elements; the same for every sixteen from a multiple of sixteen on.
fn affine(row: u32, k: u32) -> vec2<f32> {
    let at = block_at(row, k);
    if (kind == Q4_0 || kind == Q5_0 || kind == Q8_0) {
        return vec2(unpack2x16float(blocks[at]).x, 0.0);
    }
    if (kind == Q4_1 || kind == Q5_1) {
        return unpack2x16float(blocks[at]);
    }
    if (kind == Q4_K || kind == Q5_K) {
        // Eight scales and minima of six bits in twelve bytes.
        let group = k % 64u / 8u;
        let d = unpack2x16float(blocks[at]);
        var scale = byte_at(at + 1u, group % 4u);
        var least = byte_at(at + 1u, 4u + group % 4u);
        if (group < 4u) {
            scale &= 63u;
            least &= 63u;
        } else {
            let low = byte_at(at + 1u, 4u + group);
            scale = (low & 15u) | ((scale >> 6u) << 4u);
            least = (low >> 4u) | ((least >> 6u) << 4u);
        }
        return vec2(d.x * f32(scale), -(d.y * f32(least)));
    }
    if (kind == Q6_K) {
        let scale = extractBits(i32(blocks[at + 48u + k % 64u / 16u]), 8u * (k % 16u / 4u), 8u);
        return vec2(unpack2x16float(blocks[at + 52u]).x * f32(scale), 0.0);
    }
    return vec2(1.0, 0.0);
}

// Four elements before scale and offset.
fn numbers(row: u32, k: u32) -> vec4<f32> {
    let at = block_at(row, k);
    let q = k % block_quads;
    if (kind == F32) {
        return bitcast<vec4<f32>>(vec4(blocks[at], blocks[at + 1u], blocks[at + 2u], blocks[at + 3u]));
    }
    if (kind == F16) {
        return vec4(unpack2x16float(blocks[at]), unpack2x16float(blocks[at + 1u]));
    }
    if (kind == BF16) {
        let words = vec4(blocks[at], blocks[at], blocks[at + 1u], blocks[at + 1u]);
        return bitcast<vec4<f32>>((words << vec4(16u, 0u, 16u, 0u)) & vec4(0xffff0000u));
    }
    if (kind == Q8_0) {
        let word = i32(blocks[at + 1u + q]);
        return vec4<f32>((vec4(word) << (vec4(24u) - BYTES)) >> vec4(24u));
    }
    if (kind == Q4_0 || kind == Q4_1) {
        let word = blocks[at + 1u + q % 4u] >> (q / 4u * 4u);
        return vec4<f32>(vec4<i32>((vec4(word) >> BYTES) & vec4(15u)) - select(0, 8, kind == Q4_0));
    }
    if (kind == Q5_0 || kind == Q5_1) {
        let word = blocks[at + 2u + q % 4u] >> (q / 4u * 4u);
        let high = (vec4(blocks[at + 1u] >> (4u * q)) >> vec4(0u, 1u, 2u, 3u)) & vec4(1u);
        return vec4<f32>(vec4<i32>(((vec4(word) >> BYTES) & vec4(15u)) | (high << vec4(4u))) - select(0, 16, kind == Q5_0));
    }
    if (kind == Q4_K) {
        let word = blocks[at + 4u + q / 16u * 8u + q % 8u] >> (q / 8u % 2u * 4u);
        return vec4<f32>((vec4(word) >> BYTES) & vec4(15u));
    }
    if (kind == Q5_K) {
        let word = blocks[at + 12u + q / 16u * 8u + q % 8u] >> (q / 8u % 2u * 4u);
        let high = (vec4(blocks[at + 4u + q % 8u] >> (q / 8u)) >> BYTES) & vec4(1u);
        return vec4<f32>(((vec4(word) >> BYTES) & vec4(15u)) | (high << vec4(4u)));
    }
    // Q6_K: two halves of 128 elements, each four runs of 32: two of them in low nibbles, two in high ones.
    let half = q / 32u;
    let run = q / 8u % 4u;
    let word = blocks[at + 16u * half + 8u * (run % 2u) + q % 8u] >> (4u * (run / 2u));
    let high = (vec4(blocks[at + 32u + 8u * half + q % 8u] >> (2u * run)) >> BYTES) & vec4(3u);
    return vec4<f32>(vec4<i32>(((vec4(word) >> BYTES) & vec4(15u)) | (high << vec4(4u))) - 32);
}

fn quad(row: u32, k: u32, scale: vec2<f32>) -> vec4<f32> {
    return numbers(row, k) * scale.x + scale.y;
}
