//! Examples whose choices are ranked, and batches of them: a row for each choice.

use super::batch::{Batch, Encoded, Target};

/// What the model reads of each choice of an example, and the choice's tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// A row for each choice. Input and choice follow each other in it; an encoder-decoder model reads the input and writes the choice.
    pub rows: Vec<(Encoded, Target)>,
    /// Which of them is right.
    pub answer: usize,
}

/// Stands where an example has fewer choices than the widest.
static ABSENT: (Encoded, Target) =
    (Encoded { ids: Vec::new(), types: Vec::new(), truncated: false }, Target::Tokens(Vec::new()));

impl Ranked {
    /// A batch of some examples, with `choices` successive rows for each. Each token of a choice weighs one.
    pub fn batch<'a>(examples: &[&'a Ranked], choices: usize) -> Batch<'a> {
        let mut batch = Batch::default();
        for example in examples {
            for choice in 0..choices {
                let (text, target) = example.rows.get(choice).unwrap_or(&ABSENT);
                batch.rows.push(text);
                batch.targets.push(target);
                batch.answers.push(choice == example.answer);
            }
        }
        let compared: usize = batch.targets.iter().map(|target| target.compared()).sum();
        batch.weight = compared as f32 / batch.rows.len() as f32;
        batch
    }

    /// Tokens of the longest row.
    pub fn longest(&self) -> usize {
        Ranked::batch(&[self], self.rows.len()).longest()
    }
}
