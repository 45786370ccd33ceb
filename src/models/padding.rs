//! What fills the rows of a batch that are shorter than the longest, and how tokens are numbered.

/// The rule of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// The token that fills short rows.
    pub token: u32,
    /// The position of a row's first token.
    first: Option<u32>,
    /// Whether the model has a padding token at all.
    known: bool,
    /// What the decoder of an encoder-decoder model begins with.
    pub start: Option<u32>,
}

impl Padding {
    /// Positions count from 0, and on through the padding.
    pub fn from_zero(token: u32) -> Padding {
        Padding { token, first: None, known: true, start: None }
    }

    /// As [`Padding::from_zero`] for a model that may have no padding token: then any token fills.
    pub fn optional(token: Option<u32>) -> Padding {
        Padding { known: token.is_some(), ..Padding::from_zero(token.unwrap_or(0)) }
    }

    /// Positions count from the padding token's id plus one, tokens that are padding left out: those have the padding token's id
    /// (fairseq's rule, `create_position_ids_from_input_ids` in transformers).
    pub fn after_pads(token: u32) -> Padding {
        Padding { token, first: Some(token + 1), known: true, start: None }
    }

    /// The same with a decoder that begins with a token of its own.
    pub fn starting(self, start: u32) -> Padding {
        Padding { start: Some(start), ..self }
    }

    /// The last token of a text that is no padding token, by its place: what transformers' decoders classify a text by. 0 where all are.
    pub fn last(&self, text: &[u32]) -> u32 {
        let is_token = |id: &u32| !self.known || *id != self.token;
        text.iter().rposition(is_token).unwrap_or(0) as u32
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
