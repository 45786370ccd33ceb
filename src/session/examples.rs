//! What a session is trained and evaluated with: examples as the caller writes them, and as the model reads them.

use super::chat::{Piece, Prompt, conversation};
use super::infer::Text;
use super::template::Template;
use super::tokenized::Examples;
use super::{Session, Task};
use crate::checkpoint::Encoding;
use crate::error::{Error, Result};
use crate::train::{Encoded, Target};
use serde::Deserialize;

/// An example of one of the tasks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Example {
    /// Token classification: words and the label of each.
    Tagged {
        /// The words.
        words: Vec<String>,
        /// As many labels, each one of the session's.
        labels: Vec<String>,
    },
    /// Question answering: a question and its answer in a text.
    Answered {
        /// The question and the text.
        #[serde(flatten)]
        asked: Question,
        /// The answer, a part of the text.
        answer: String,
        /// Where it starts, in UTF-16 code units as JavaScript counts; default: where it first occurs.
        #[serde(default)]
        answer_start: Option<usize>,
    },
    /// Text generation: how a text goes on; the loss is that of the completion.
    Completed {
        /// What is given.
        prompt: String,
        /// What follows.
        completion: String,
    },
    /// Text generation: a conversation as its chat template wrote it; the loss is that of its learned pieces.
    Conversation {
        /// All of it, in order.
        pieces: Vec<Piece>,
    },
    /// Text-to-text generation: what a text becomes.
    Rewritten {
        /// What the encoder reads.
        input: String,
        /// What the decoder writes.
        output: String,
    },
    /// Language models: an input, the choices that might answer it, and the one that does.
    Ranked {
        /// What is given.
        input: Prompt,
        /// What might follow, as a completion does.
        choices: Vec<String>,
        /// One of the choices.
        answer: String,
    },
    /// Language models: a labelled text and the templates that make an input and choices of it; each step takes one of them.
    Prompted {
        /// The text.
        #[serde(flatten)]
        text: Text,
        /// Its label, one of every template's.
        label: String,
        /// The templates.
        templates: Vec<Template>,
    },
    /// Text classification: a text, or pair, and its label.
    Labelled {
        /// The text.
        #[serde(flatten)]
        text: Text,
        /// Its label, one of the session's.
        label: String,
    },
    /// Text generation: a text whose every token is learned.
    Plain {
        /// The text.
        text: String,
    },
}

/// A question about a text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Question {
    /// The question.
    pub question: String,
    /// The text that holds the answer.
    pub context: String,
}

impl Session {
    /// Tokens and targets of examples of the session's task. [`Error::BadExample`] for one of another task or with a label or span that
    /// does not fit its text, [`Error::UnknownLabel`], [`Error::EmptyText`].
    pub(super) fn examples(&self, examples: &[Example], max_length: Option<usize>) -> Result<Examples> {
        let max_length = self.length(max_length)?;
        let mut found = Examples::default();
        for (index, example) in examples.iter().enumerate() {
            let ranked = self.ranked(index, example, max_length)?;
            if index > 0 && ranked.is_none() != found.ranked.is_empty() {
                return Err(bad(index, "has choices and those before it have none, or the reverse: train on either"));
            }
            if let Some(forms) = ranked {
                found.ranked.push(forms);
                continue;
            }
            let (text, target) = match (self.options.task, example) {
                (Task::TextClassification | Task::FeatureExtraction, Example::Labelled { text, label }) => {
                    (self.encode_one(index, text, max_length)?, Target::Class(self.label_number(label)?))
                }
                (Task::TokenClassification, Example::Tagged { words, labels }) => {
                    self.tagged(index, words, labels, max_length)?
                }
                (Task::QuestionAnswering, Example::Answered { asked, answer, answer_start }) => {
                    self.answered(index, asked, answer, *answer_start, max_length)?
                }
                (Task::TextGeneration, Example::Completed { prompt, completion }) => {
                    found.language.push(self.continued(
                        index,
                        &prompt.as_str().into(),
                        completion,
                        true,
                        max_length,
                    )?);
                    continue;
                }
                (Task::TextGeneration, Example::Plain { text }) => {
                    found.language.push(self.continued(index, &"".into(), text, true, max_length)?);
                    continue;
                }
                (Task::TextGeneration, Example::Conversation { pieces }) => {
                    found.language.push(conversation(&self.tokenizer, index, pieces, max_length)?);
                    continue;
                }
                (Task::Text2textGeneration, Example::Rewritten { input, output }) => {
                    found.language.push(self.continued(index, &input.as_str().into(), output, true, max_length)?);
                    continue;
                }
                (task, _) => return Err(bad(index, format!("is not one of the task {}", task.name()))),
            };
            found.texts.push(text);
            found.targets.push(target);
        }
        Ok(found)
    }

    /// The number of a label.
    pub(super) fn label_number(&self, label: &str) -> Result<usize> {
        let known = &self.base.labels;
        let unknown = || Error::UnknownLabel { label: label.into(), known: known.clone() };
        known.iter().position(|found| found == label).ok_or_else(unknown)
    }

    /// Tokens of words, and which word each starts.
    pub(super) fn words(
        &self,
        index: usize,
        words: &[String],
        max_length: usize,
    ) -> Result<(Encoded, Vec<Option<usize>>)> {
        if words.is_empty() || words.iter().any(|word| word.trim().is_empty()) {
            return Err(Error::EmptyText { index });
        }
        let found = self.tokenizer.encode_words(words, max_length)?;
        let mut next = 0;
        // A word is judged by its first token, as transformers' examples do.
        let first = |source: &Option<crate::checkpoint::Source>| {
            let word = source.map(|source| source.text).filter(|word| *word >= next)?;
            next = word + 1;
            Some(word)
        };
        let starts = found.sources.iter().map(first).collect();
        Ok((encoded(found), starts))
    }

    /// A question and a text as a pair. PEFT hands no token types on for this task, so adapters are trained without them.
    pub(super) fn question(&self, index: usize, asked: &Question, max_length: usize) -> Result<(Encoded, Encoding)> {
        if asked.question.trim().is_empty() || asked.context.trim().is_empty() {
            return Err(Error::EmptyText { index });
        }
        let found = self.tokenizer.encode(&asked.question, Some(&asked.context), max_length)?;
        let text = Encoded { types: vec![0; found.ids.len()], ..encoded(found.clone()) };
        Ok((text, found))
    }

    fn tagged(
        &self,
        index: usize,
        words: &[String],
        labels: &[String],
        max_length: usize,
    ) -> Result<(Encoded, Target)> {
        if words.len() != labels.len() {
            return Err(bad(
                index,
                format!("has {} labels for {} words: give one for each", labels.len(), words.len()),
            ));
        }
        let numbers = labels.iter().map(|label| self.label_number(label)).collect::<Result<Vec<_>>>()?;
        let (text, starts) = self.words(index, words, max_length)?;
        Ok((text, Target::Tokens(starts.into_iter().map(|word| word.map(|word| numbers[word])).collect())))
    }

    fn answered(
        &self,
        index: usize,
        asked: &Question,
        answer: &str,
        start: Option<usize>,
        max_length: usize,
    ) -> Result<(Encoded, Target)> {
        let span = span(&asked.context, answer, start).map_err(|reason| bad(index, reason))?;
        let (text, row) = self.question(index, asked, max_length)?;
        let inside = |(_, source): &(usize, &Option<crate::checkpoint::Source>)| {
            source.is_some_and(|source| source.text == 1 && source.end > span.0 && source.start < span.1)
        };
        let tokens: Vec<usize> = row.sources.iter().enumerate().filter(inside).map(|(token, _)| token).collect();
        let last = tokens.last().and_then(|last| row.sources[*last]);
        match (tokens.first(), last) {
            (Some(first), Some(source)) if source.end >= span.1 => {
                Ok((text, Target::Span([Some(*first), tokens.last().copied()])))
            }
            _ => Err(bad(
                index,
                format!("has its answer beyond the {max_length} tokens kept: raise maxLength or shorten it"),
            )),
        }
    }
}

/// First byte of an answer in its text and the byte after its last; what is wrong where it is not there.
fn span(context: &str, answer: &str, start: Option<usize>) -> std::result::Result<(usize, usize), String> {
    if answer.trim().is_empty() {
        return Err("has an empty answer".into());
    }
    let from = match start {
        None => context.find(answer).ok_or("has an answer that is not in its context")?,
        Some(units) => byte_of(context, units).ok_or("has an answerStart outside its context")?,
    };
    if !context[from..].starts_with(answer) {
        return Err("has an answer that does not stand at its answerStart".into());
    }
    Ok((from, from + answer.len()))
}

/// The byte at which the character of a UTF-16 index starts.
fn byte_of(text: &str, units: usize) -> Option<usize> {
    let mut seen = 0;
    text.char_indices().find_map(|(byte, c)| {
        let here = (seen == units).then_some(byte);
        seen += c.len_utf16();
        here
    })
}

/// A row of the tokenizer as the model reads it.
pub(super) fn encoded(found: Encoding) -> Encoded {
    Encoded { ids: found.ids, types: found.type_ids, truncated: found.truncated }
}

pub(super) fn bad(index: usize, reason: impl Into<String>) -> Error {
    Error::BadExample { index, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_counted_as_javascript_counts() {
        assert_eq!(span("a 😀 bc bc", "bc", None), Ok((7, 9)));
        assert_eq!(span("a 😀 bc bc", "bc", Some(8)), Ok((10, 12)));
        for (answer, start) in [("x", None), ("bc", Some(4)), ("bc", Some(99)), (" ", None), ("b", Some(3))] {
            assert!(span("a 😀 bc bc", answer, start).is_err(), "{answer} {start:?}");
        }
    }
}
