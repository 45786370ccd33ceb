//! Choices ranked by how probable they are for their length: T-Few's examples and its prediction (arXiv 2205.05638, section 3.2).

use super::chat::Prompt;
use super::examples::{Example, bad};
use super::infer::{InferOptions, Selection, Text};
use super::template::Template;
use super::{Session, Task, mismatch};
use crate::error::Result;
use crate::train::{Asked, LanguageRow, Metrics, Ranked, argmax, softmax};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An input and the choices that might answer it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Ranking {
    /// A text in a template: its labels are chosen from.
    Filled {
        /// The template.
        template: Template,
        /// The text.
        #[serde(flatten)]
        text: Text,
    },
    /// An input as it stands.
    Given {
        /// What a decoder goes on from, or an encoder reads.
        input: Prompt,
        /// What might follow. Tokenised by itself: where a space belongs before it, it begins with it.
        choices: Vec<String>,
    },
}

/// How to rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChooseOptions {
    /// Inputs run together, each with all of its choices.
    pub batch_size: Option<usize>,
    /// Tokens after which an input is cut.
    pub max_length: Option<usize>,
    /// Power of its length that a choice's log-probability is divided by: 1, the default, is the mean of its tokens', 0 the sum.
    pub length_norm: Option<f32>,
}

/// The most probable of some choices.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The choice, or with a template its label.
    pub choice: String,
    /// Log-probability of each choice, in nats, over the power of its length.
    pub scores: BTreeMap<String, f32>,
    /// Did the input lose tokens?
    pub truncated: bool,
}

/// The choices of an input in their rows, and the name of each.
struct Rows {
    names: Vec<String>,
    rows: Vec<LanguageRow>,
}

impl Session {
    /// The most probable choice for each input.
    pub async fn choose(
        &mut self,
        rankings: &[Ranking],
        selection: &Selection,
        options: ChooseOptions,
    ) -> Result<Vec<Choice>> {
        if !self.options.task.is_language() {
            return Err(mismatch(self.options.task, Task::TextGeneration));
        }
        let ChooseOptions { batch_size, max_length, length_norm } = options;
        let length = self.length(max_length)?;
        let rows = |(index, ranking): (usize, &Ranking)| match ranking {
            Ranking::Filled { template, text } => self.filled(index, template, text, length),
            Ranking::Given { input, choices } => self.choices(index, input, choices, choices, length),
        };
        let found = rankings.iter().enumerate().map(rows).collect::<Result<Vec<_>>>()?;
        let each: Vec<_> = found.iter().map(|found| found.rows.as_slice()).collect();
        let infer = InferOptions { batch_size, max_length };
        let scores = self.rank(&each, selection, infer, length_norm.unwrap_or(1.0)).await?;
        let choice = |(Rows { names, rows }, scores): (Rows, Vec<f32>)| Choice {
            choice: names[argmax(&scores)].clone(),
            scores: names.into_iter().zip(scores).collect(),
            truncated: rows.iter().any(|row| row.truncated),
        };
        Ok(found.into_iter().zip(scores).map(choice).collect())
    }

    /// How often the answer is ranked first, and the mean cross-entropy of the scores. Of several templates the first is taken.
    pub(super) async fn rank_metrics(
        &mut self,
        examples: &[Vec<Ranked>],
        selection: &Selection,
        options: InferOptions,
    ) -> Result<Metrics> {
        let each: Vec<_> = examples.iter().map(|variants| variants[0].rows.as_slice()).collect();
        let scores = self.rank(&each, selection, options, 1.0).await?;
        let (mut right, mut loss) = (0, 0.0);
        for (scores, variants) in scores.iter().zip(examples) {
            let answer = variants[0].answer;
            right += usize::from(argmax(scores) == answer);
            loss -= f64::from(softmax(scores)[answer].max(f32::MIN_POSITIVE)).ln();
        }
        let count = examples.len() as f64;
        Ok(Metrics { accuracy: right as f64 / count, macro_f1: 0.0, loss: loss / count, confusion: Vec::new() })
    }

    /// What each choice scores, example by example.
    async fn rank(
        &mut self,
        examples: &[&[LanguageRow]],
        selection: &Selection,
        options: InferOptions,
        length_norm: f32,
    ) -> Result<Vec<Vec<f32>>> {
        let selection = match selection {
            Selection::Rows(names) if names.len() == examples.len() => {
                let each = |(name, rows): (&Option<String>, &&[_])| std::iter::repeat_n(name.clone(), rows.len());
                Selection::Rows(names.iter().zip(examples).flat_map(each).collect())
            }
            Selection::Rows(_) | Selection::Active(_) => selection.clone(),
        };
        let rows: Vec<&LanguageRow> = examples.iter().copied().flatten().collect();
        let mut told = self.tokens(&rows, &selection, options).await?.into_iter();
        let mut scores = |row: &LanguageRow| {
            let mut tokens = told.next().expect("every row has its tokens").into_iter();
            let score = |choice: &Vec<Asked>| {
                let sum = tokens.by_ref().take(choice.len()).map(|token| token.loss).sum::<f32>();
                -sum / (choice.len() as f32).powf(length_norm)
            };
            row.sequence.asked.iter().map(score).collect::<Vec<_>>()
        };
        Ok(examples.iter().map(|rows| rows.iter().flat_map(&mut scores).collect()).collect())
    }

    /// The forms of an example whose choices are ranked, one for each of its templates; None for any other example.
    pub(super) fn ranked(&self, index: usize, example: &Example, max_length: usize) -> Result<Option<Vec<Ranked>>> {
        let answered = |Rows { names, rows }: Rows, answer: &str| {
            let list = names.join("', '");
            let missing = || bad(index, format!("has the answer '{answer}', which is not among its choices '{list}'"));
            Ok(Ranked { answer: names.iter().position(|name| name == answer).ok_or_else(missing)?, rows })
        };
        match example {
            _ if !self.options.task.is_language() => Ok(None),
            Example::Ranked { input, choices, answer } => {
                Ok(Some(vec![answered(self.choices(index, input, choices, choices, max_length)?, answer)?]))
            }
            Example::Prompted { templates, .. } if templates.is_empty() => {
                Err(bad(index, "has an empty list of templates: give it one at least"))
            }
            Example::Prompted { text, label, templates } => {
                let form = |template| answered(self.filled(index, template, text, max_length)?, label);
                templates.iter().map(form).collect::<Result<_>>().map(Some)
            }
            _ => Ok(None),
        }
    }

    fn filled(&self, index: usize, template: &Template, text: &Text, max_length: usize) -> Result<Rows> {
        let (labels, choices): (Vec<_>, Vec<_>) = template.choices.clone().into_iter().unzip();
        self.choices(index, &Prompt::Text(template.fill(text)?), &choices, &labels, max_length)
    }

    /// Rows in which the choices share the input, each with the token that ends a text. Choices that could not be told apart are refused.
    fn choices(
        &self,
        index: usize,
        input: &Prompt,
        choices: &[String],
        names: &[String],
        max_length: usize,
    ) -> Result<Rows> {
        if choices.len() < 2 {
            return Err(bad(index, format!("has {} choices: give it two at least", choices.len())));
        }
        for choice in choices {
            if self.tokenizer.plain(choice)?.is_empty() {
                let reason = format!("has the choice '{choice}', which makes no tokens: give it some words");
                return Err(bad(index, reason));
            }
        }
        let texts: Vec<&str> = choices.iter().map(String::as_str).collect();
        let prompt = self.prompt(index, input, &texts, true, max_length)?;
        for (at, tokens) in prompt.continuations.iter().enumerate() {
            if let Some(same) = prompt.continuations[..at].iter().position(|found| found == tokens) {
                let (same, choice) = (&choices[same], &choices[at]);
                let reason =
                    format!("has the choices '{same}' and '{choice}', which are the same tokens: leave one out");
                return Err(bad(index, reason));
            }
        }
        Ok(Rows { names: names.to_vec(), rows: prompt.rows(self.model.common().longest) })
    }
}
