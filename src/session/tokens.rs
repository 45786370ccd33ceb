//! Answers about the tokens of texts: a label for each word, or the part of a text that answers a question.

use super::Session;
use super::examples::Question;
use super::infer::{InferOptions, Selection};
use super::{Task, mismatch};
use crate::checkpoint::Source;
use crate::error::Result;
use crate::train::{argmax, best_span, softmax};
use serde::Serialize;

/// The labels of one text's words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tagging {
    /// One for each word, as far as the text was not cut.
    pub labels: Vec<String>,
    /// Probability of each.
    pub scores: Vec<f32>,
    /// Was the text cut?
    pub truncated: bool,
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpanAnswer {
    /// A part of the text.
    pub answer: String,
    /// Where it starts, in UTF-16 code units as JavaScript counts.
    pub start: usize,
    /// The unit after its last.
    pub end: usize,
    /// Probability of its first token times that of its last, among the tokens of the text.
    pub score: f32,
    /// Was the text cut?
    pub truncated: bool,
}

impl Session {
    /// A label for each word of each text.
    pub async fn tag(
        &mut self,
        texts: &[Vec<String>],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Vec<Tagging>> {
        self.check_task(Task::TokenClassification)?;
        let length = self.length(options.max_length)?;
        let rows = texts.iter().enumerate().map(|(index, words)| self.words(index, words, length));
        let (texts, starts): (Vec<_>, Vec<_>) = rows.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let logits = self.logits(&texts, selection, options).await?;
        let labels = &self.base.labels;
        let tagging = |((row, text), starts): ((&Vec<f32>, &crate::train::Encoded), &Vec<Option<usize>>)| {
            let judged = row.chunks_exact(labels.len()).zip(starts).filter(|(_, word)| word.is_some());
            let judged = judged.map(|(logits, _)| {
                let scores = softmax(logits);
                let best = argmax(&scores);
                (labels[best].clone(), scores[best])
            });
            let (labels, scores) = judged.unzip();
            Tagging { labels, scores, truncated: text.truncated }
        };
        Ok(logits.iter().zip(&texts).zip(&starts).map(tagging).collect())
    }

    /// The part of each text that answers the question about it.
    pub async fn answer(
        &mut self,
        questions: &[Question],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Vec<SpanAnswer>> {
        self.check_task(Task::QuestionAnswering)?;
        let length = self.length(options.max_length)?;
        let rows = questions.iter().enumerate().map(|(index, asked)| self.question(index, asked, length));
        let (texts, found): (Vec<_>, Vec<_>) = rows.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let logits = self.logits(&texts, selection, options).await?;
        let answer = |((row, asked), found): ((&Vec<f32>, &Question), &crate::checkpoint::Encoding)| {
            let of_context = |source: &Option<Source>| source.filter(|source| source.text == 1);
            let places: Vec<Option<Source>> = found.sources.iter().map(of_context).collect();
            let span = best_span(row, |token| places.get(token).is_some_and(Option::is_some));
            let (range, score) = match span {
                Some((first, last, score)) => {
                    let place = |token: usize| places[token].expect("a span is of tokens of the text");
                    (place(first).start..place(last).end, score)
                }
                // The question left no room for the text.
                None => (0..0, 0.0),
            };
            let whole = &asked.context[range.clone()];
            let start = range.start + whole.len() - whole.trim_start().len();
            let answer = whole.trim().to_string();
            let units = |byte: usize| asked.context[..byte].encode_utf16().count();
            let (start, end) = (units(start), units(start + answer.len()));
            SpanAnswer { answer, start, end, score, truncated: found.truncated }
        };
        Ok(logits.iter().zip(questions).zip(&found).map(answer).collect())
    }

    /// [`crate::error::Error::BadOption`] unless the session was loaded for `task`.
    pub(super) fn check_task(&self, task: Task) -> Result<()> {
        if self.options.task == task { Ok(()) } else { Err(mismatch(self.options.task, task)) }
    }
}
