//! What fills the rows of a batch that are shorter than the longest, and how tokens are numbered.

/// The rule of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// The token that fills short rows.
    pub token: u32,
    /// The position of a row's first token.
    first: Option<u32>,
}

impl Padding {
    /// Positions count from 0, and on through the padding.
    pub fn from_zero(token: u32) -> Padding {
        Padding { token, first: None }
    }

    /// Positions count from the padding token's id plus one, tokens that are padding left out: those have the padding token's id
    /// (fairseq's rule, `create_position_ids_from_input_ids` in transformers).
    pub fn after_pads(token: u32) -> Padding {
        Padding { token, first: Some(token + 1) }
    }

    /// The position of each token of a padded row.
    pub fn positions(&self, row: &[u32]) -> Vec<u32> {
        let Some(first) = self.first else { return (0..row.len() as u32).collect() };
        let mut next = first;
        let mut position = |id: &u32| {
            if *id == self.token {
                return self.token;
            }
            next += 1;
            next - 1
        };
        row.iter().map(&mut position).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Padding;

    #[test]
    fn positions_count_on_through_padding_or_skip_it() {
        let row = [5, 6, 1, 1];
        assert_eq!(Padding::from_zero(1).positions(&row), [0, 1, 2, 3]);
        assert_eq!(Padding::after_pads(1).positions(&row), [2, 3, 1, 1]);
    }
}
