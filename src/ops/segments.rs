//! Segments of a row: several texts in one, or one text with several continuations, none of which sees another.

/// Bits of a mark that hold the position.
const POSITION_BITS: u32 = 20;
const POSITION: u32 = (1 << POSITION_BITS) - 1;

/// Segments of a row at most, and positions below which those of its tokens must stay: what a mark has room for.
pub const MOST_SEGMENTS: usize = (1 << (32 - POSITION_BITS)) - 1;
/// See [`MOST_SEGMENTS`].
pub const MOST_POSITIONS: usize = POSITION as usize;

/// A token's segment and position as one number, `segment << 20 | position + 1`; padding is 0. Segment 0 is seen by all segments that
/// follow, any other only by itself.
pub fn mark(segment: u32, position: u32) -> u32 {
    segment << POSITION_BITS | (position + 1)
}

/// The position of a marked token; of padding 0.
pub(super) fn position(mark: u32) -> usize {
    (mark & POSITION).saturating_sub(1) as usize
}

/// Whether the query with the one mark sees the key with the other, where that does not come after it.
pub(super) fn visible(query: u32, key: u32, window: Option<usize>) -> bool {
    let segment = |mark: u32| mark >> POSITION_BITS;
    let near = window.is_none_or(|window| (key & POSITION) as usize + window > (query & POSITION) as usize);
    near && (segment(key) == 0 || segment(key) == segment(query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_sees_itself_and_what_all_share() {
        let [shared, own, other, padding] = [mark(0, 2), mark(1, 3), mark(4095, MOST_POSITIONS as u32 - 1), 0];
        assert_eq!([shared, own, padding].map(|key| visible(own, key, None)), [true, true, true]);
        assert_eq!([own, other].map(|query| visible(query, other, None)), [false, true]);
        assert!(!visible(shared, own, None) && visible(other, shared, None));
        assert!(!visible(own, shared, Some(1)) && visible(own, shared, Some(2)) && visible(padding, padding, Some(1)));
        assert_eq!([shared, own, other, padding].map(position), [2, 3, MOST_POSITIONS - 1, 0]);
    }
}
