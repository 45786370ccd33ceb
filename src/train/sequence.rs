//! What a language model reads in one row, and the tokens that it is asked for.

use crate::ops::{MOST_POSITIONS, MOST_SEGMENTS};

/// A token whose probability is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The place in the row whose state tells it.
    pub place: usize,
    /// The token.
    pub id: u32,
}

/// Tokens of one row in segments, and for each of its texts (a continuation, a choice, a packed example) the tokens asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sequence {
    /// Token ids.
    pub ids: Vec<u32>,
    /// The position of each in its text.
    pub positions: Vec<u32>,
    /// The segment of each: 0 is seen by all that follows, any other only by itself.
    pub segments: Vec<u32>,
    /// Text by text, the tokens asked for.
    pub asked: Vec<Vec<Asked>>,
}

/// One row of a language model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LanguageRow {
    /// What an encoder reads, where there is one.
    pub input: Option<Vec<u32>>,
    /// What the decoder reads.
    pub sequence: Sequence,
    /// Did the text that is continued lose tokens?
    pub truncated: bool,
}

/// A text and its continuations in tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Continued {
    /// What an encoder reads, where there is one.
    pub input: Option<Vec<u32>>,
    /// What a decoder reads before every continuation; empty where an encoder reads the text.
    pub given: Vec<u32>,
    /// What follows; of an encoder-decoder model with the token that its decoder starts with before it. None is empty, and every token is
    /// asked for that has one before it.
    pub continuations: Vec<Vec<u32>>,
    /// Did the text lose tokens?
    pub truncated: bool,
}

impl Sequence {
    /// Some continuations behind what they share, each a segment of its own whose positions go on from there. The last token of each is
    /// not read, as it tells none.
    fn new(given: &[u32], continuations: &[Vec<u32>]) -> Sequence {
        let (first, mut row) = (given.len() as u32, Sequence::default());
        row.read(given, 0, 0);
        for (continuation, number) in continuations.iter().zip(1..) {
            let start = row.ids.len();
            let read = &continuation[..continuation.len() - 1];
            let places = given.len().checked_sub(1).into_iter().chain(start..start + read.len());
            let told = if given.is_empty() { &continuation[1..] } else { continuation };
            row.asked.push(places.zip(told).map(|(place, id)| Asked { place, id: *id }).collect());
            row.read(read, first, if continuations.len() > 1 { number } else { 0 });
        }
        row
    }

    /// One text, of which some tokens are asked for.
    pub fn alone(ids: Vec<u32>, asked: Vec<Asked>) -> Sequence {
        let (positions, segments) = ((0..ids.len() as u32).collect(), vec![0; ids.len()]);
        Sequence { ids, positions, segments, asked: vec![asked] }
    }

    fn read(&mut self, ids: &[u32], position: u32, segment: u32) {
        self.ids.extend(ids);
        self.positions.extend(position..position + ids.len() as u32);
        self.segments.resize(self.ids.len(), segment);
    }

    /// Whole texts one behind the other, each a segment of its own whose positions begin at 0.
    pub fn packed(texts: &[&Sequence]) -> Sequence {
        let mut row = Sequence::default();
        for (text, number) in texts.iter().zip(1..) {
            let start = row.ids.len();
            let moved = |asked: &Asked| Asked { place: start + asked.place, ..*asked };
            row.asked.extend(text.asked.iter().map(|asked| asked.iter().map(moved).collect()));
            row.read(&text.ids, 0, if texts.len() > 1 { number } else { 0 });
        }
        row
    }

    /// Is there more than one segment?
    pub fn segmented(&self) -> bool {
        self.segments.iter().any(|segment| *segment > 0)
    }

    /// How many tokens are asked for.
    pub fn asked_for(&self) -> usize {
        self.asked.iter().map(Vec::len).sum()
    }
}

impl Continued {
    /// Rows of up to `longest` tokens that hold all continuations in order. One is the rule; where they do not all fit, each row has the
    /// text again.
    pub fn rows(&self, longest: usize) -> Vec<LanguageRow> {
        let mut rows = Vec::new();
        let mut rest = self.continuations.as_slice();
        while !rest.is_empty() {
            let mut room = longest.min(MOST_POSITIONS).saturating_sub(self.given.len());
            let fits = |continuation: &&Vec<u32>| {
                let left = room.checked_sub(continuation.len() - 1);
                room = left.unwrap_or(0);
                left.is_some()
            };
            let count = rest.iter().take(MOST_SEGMENTS).take_while(fits).count().max(1);
            let (own, others) = rest.split_at(count);
            let sequence = Sequence::new(&self.given, own);
            rows.push(LanguageRow { input: self.input.clone(), sequence, truncated: self.truncated });
            rest = others;
        }
        rows
    }
}

/// Packs rows of one text each into rows of up to `longest` tokens, the longest first, each into the first row that has room for it
/// (first-fit decreasing). Rows that read nothing but their own text alone can be packed.
pub fn pack(rows: &[LanguageRow], longest: usize) -> Vec<LanguageRow> {
    let longest = longest.min(MOST_POSITIONS);
    let mut order: Vec<&LanguageRow> = rows.iter().collect();
    order.sort_by_key(|row| std::cmp::Reverse(row.sequence.ids.len()));
    let mut bins: Vec<(usize, Vec<&LanguageRow>)> = Vec::new();
    for row in order {
        let tokens = row.sequence.ids.len();
        match bins.iter_mut().find(|(used, held)| used + tokens <= longest && held.len() < MOST_SEGMENTS) {
            Some((used, held)) => {
                *used += tokens;
                held.push(row);
            }
            None => bins.push((tokens, vec![row])),
        }
    }
    let packed = |(_, held): (usize, Vec<&LanguageRow>)| LanguageRow {
        input: None,
        sequence: Sequence::packed(&held.iter().map(|row| &row.sequence).collect::<Vec<_>>()),
        truncated: held.iter().any(|row| row.truncated),
    };
    bins.into_iter().map(packed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(given: &[u32], continuations: &[&[u32]]) -> Continued {
        let continuations = continuations.iter().map(|ids| ids.to_vec()).collect();
        Continued { given: given.to_vec(), continuations, ..Continued::default() }
    }

    fn asked(row: &LanguageRow) -> Vec<Vec<(usize, u32)>> {
        let each = |text: &Vec<Asked>| text.iter().map(|asked| (asked.place, asked.id)).collect();
        row.sequence.asked.iter().map(each).collect()
    }

    #[test]
    fn continuations_share_what_is_given() {
        let rows = prompt(&[7, 8], &[&[1, 2, 3], &[4], &[5, 6]]).rows(100);
        assert_eq!(rows.len(), 1);
        let Sequence { ids, positions, segments, .. } = &rows[0].sequence;
        assert_eq!((ids.as_slice(), positions.as_slice()), (&[7, 8, 1, 2, 5][..], &[0, 1, 2, 3, 2][..]));
        assert_eq!(segments.as_slice(), [0, 0, 1, 1, 3]);
        assert_eq!(asked(&rows[0]), [vec![(1, 1), (2, 2), (3, 3)], vec![(1, 4)], vec![(1, 5), (4, 6)]]);
    }

    #[test]
    fn a_token_with_nothing_before_it_is_not_asked_for() {
        let rows = prompt(&[], &[&[1, 2], &[3, 4, 5]]).rows(100);
        assert_eq!(rows[0].sequence.positions, [0, 0, 1]);
        assert_eq!(asked(&rows[0]), [vec![(0, 2)], vec![(1, 4), (2, 5)]]);
        assert!(!prompt(&[7], &[&[1, 2]]).rows(100)[0].sequence.segmented());
    }

    #[test]
    fn what_does_not_fit_goes_into_another_row_with_the_text_again() {
        let rows = prompt(&[7, 8], &[&[1, 2, 3], &[4, 5], &[6, 7, 8]]).rows(5);
        assert_eq!(rows.iter().map(|row| row.sequence.asked.len()).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(rows[1].sequence.ids, [7, 8, 6, 7]);
        assert!(!rows[1].sequence.segmented());
    }

    #[test]
    fn the_longest_text_goes_first_into_the_first_row_with_room() {
        let row = |tokens: u32| prompt(&[9], &[&(0..tokens).collect::<Vec<_>>()]).rows(100).remove(0);
        let rows: Vec<LanguageRow> = [2, 6, 3, 1].map(row).into();
        let packed = pack(&rows, 8);
        assert_eq!(packed.iter().map(|row| row.sequence.ids.len()).collect::<Vec<_>>(), [8, 4]);
        assert_eq!(packed[0].sequence.segments, [1, 1, 1, 1, 1, 1, 2, 2]);
        assert_eq!(packed[0].sequence.positions, [0, 1, 2, 3, 4, 5, 0, 1]);
        assert_eq!(asked(&packed[1]), [vec![(0, 0), (1, 1), (2, 2)], vec![(3, 0)]]);
        assert_eq!(packed.iter().map(|row| row.sequence.asked_for()).sum::<usize>(), 12);
    }
}
