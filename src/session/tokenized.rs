//! Examples as the model reads them.

use crate::models::BatchShape;
use crate::train::{Batch, Encoded, LanguageBatch, LanguageRow, Ranked, Target};

/// What a model is trained on or judged by: texts with what they are compared with, rows of a language model, or choices. Two of the three
/// are empty.
#[derive(Debug, Default)]
pub struct Examples {
    /// The texts.
    pub texts: Vec<Encoded>,
    /// What each is compared with.
    pub targets: Vec<Target>,
    /// Rows of a language model.
    pub language: Vec<LanguageRow>,
    /// Examples whose choices are ranked, each in the form of every template.
    pub ranked: Vec<Vec<Ranked>>,
}

impl Examples {
    /// The class of each example; 0 where it has none.
    pub fn classes(&self) -> Vec<usize> {
        let others = self.language.len() + self.ranked.len();
        self.targets.iter().map(Target::class).chain(std::iter::repeat_n(0, others)).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len() + self.language.len() + self.ranked.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Choices of the example with the most; 1 where none are ranked.
    pub fn choices(&self) -> usize {
        self.ranked.iter().flatten().map(|form| form.choices().count()).max().unwrap_or(1)
    }

    /// The smallest shape that holds any `count` of them that follow each other in a run.
    pub fn shape(&self, count: usize) -> BatchShape {
        if !self.texts.is_empty() {
            let plain = Batch { rows: self.texts.iter().collect(), ..Batch::default() };
            return BatchShape::new(count, plain.longest());
        }
        // Of each example the rows in every form.
        let alone = self.language.iter().map(|row| vec![std::slice::from_ref(row)]);
        let ranked = self.ranked.iter().map(|forms| forms.iter().map(|form| form.rows.as_slice()).collect());
        let examples: Vec<Vec<&[LanguageRow]>> = alone.chain(ranked).collect();
        let forms = || examples.iter().flatten().copied();
        let asked = |rows: &[LanguageRow]| rows.iter().map(|row| row.sequence.asked_for()).sum::<usize>();
        let widest = |forms: &Vec<&[LanguageRow]>| forms.iter().map(|rows| asked(rows)).max().unwrap_or(0);
        // Where an epoch ends within a batch, an example may be in it twice.
        let mut counts: Vec<usize> = examples.iter().flat_map(|forms| [widest(forms); 2]).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let asked = counts.iter().take(count).sum::<usize>().max(1);
        let rows = forms().map(<[LanguageRow]>::len).max().unwrap_or(1);
        let all = LanguageBatch { rows: forms().flatten().collect(), ..LanguageBatch::default() };
        BatchShape { batch: count * rows, asked, ..all.shape() }
    }
}
