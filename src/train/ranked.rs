//! Examples whose choices are ranked, and batches of them.

use super::language::LanguageBatch;
use super::sequence::LanguageRow;

/// An example whose choices are ranked.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Rows whose texts are the choices, in order: as a rule one, in which they share the input.
    pub rows: Vec<LanguageRow>,
    /// Which of them is right.
    pub answer: usize,
}

impl Ranked {
    /// Tokens asked for of each choice.
    pub fn choices(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().flat_map(|row| &row.sequence.asked).map(Vec::len)
    }

    /// A batch of some examples of up to `choices` choices. Each token of a choice weighs one.
    pub fn batch<'a>(examples: &[&'a Ranked], choices: usize) -> LanguageBatch<'a> {
        let mut batch = LanguageBatch { weight: 1.0, ..LanguageBatch::default() };
        for example in examples {
            batch.rows.extend(&example.rows);
            // An example with fewer choices than the widest lacks the last ones.
            let tokens = example.choices().chain(std::iter::repeat(0)).take(choices);
            batch.choices.extend(tokens.enumerate().map(|(choice, tokens)| (tokens, choice == example.answer)));
        }
        batch
    }
}
