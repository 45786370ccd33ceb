//! Blocks multiplied by a number through their scales alone: no element is quantised again.

use super::BlockType;
use half::f16;

/// Where a format's blocks hold what all of their elements are multiplied by: every scale, and every minimum beside it.
fn scales(kind: BlockType) -> &'static [usize] {
    use BlockType::*;
    match kind {
        F32 | F16 | BF16 => panic!("{kind:?} has no scales"),
        Q4_0 | Q5_0 | Q8_0 => &[0],
        Q4_1 | Q5_1 | Q4_K | Q5_K => &[0, 2],
        Q6_K => &[208],
    }
}

impl BlockType {
    /// Whether elements share scales, which [`BlockType::rescale`] can change.
    pub fn has_scales(self) -> bool {
        self.elements() > 1
    }

    /// Multiplies all elements of whole blocks by `factor`, of any sign, exactly up to the rounding of the scales to 16 bits: a scale or
    /// minimum x becomes `x factor` with an error of at most `max(2^-11 |x factor|, 2^-25)`. Whether all of them are finite then.
    ///
    /// # Panics
    /// For formats without scales.
    pub fn rescale(self, blocks: &mut [u8], factor: f32) -> bool {
        let mut finite = true;
        for block in blocks.chunks_exact_mut(self.block_bytes()) {
            for at in scales(self) {
                let scale = f16::from_le_bytes([block[*at], block[at + 1]]).to_f32();
                let scaled = f16::from_f32(scale * factor);
                finite &= scaled.is_finite();
                block[*at..at + 2].copy_from_slice(&scaled.to_le_bytes());
            }
        }
        finite
    }
}
