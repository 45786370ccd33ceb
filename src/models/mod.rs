//! Model families: each file has one family's configuration and its forward graph, written once for every batch shape and device.

mod attention;
mod bert;
mod distilbert;
mod family;
mod gemma3;
mod gpt2;
mod language;
mod layers;
mod llama;
mod mistral;
mod mpnet;
mod padding;
mod qwen2;
mod qwen3;
mod relative;
mod roberta;
mod rotary;
mod shape;
mod t5;
mod weight;

pub use family::{Common, Family};
pub use language::Language;
pub use layers::Builder;
pub use padding::Padding;
pub use shape::{BatchShape, MOST_AT_ONCE};
pub use weight::{Format, Formats, Weight, WeightLeaf, turned_if};

use crate::adapter::{Base, HeadModule, Layout, Site, TaskType};
use crate::checkpoint::Fields;
use crate::error::{Error, Result};
use crate::graph::{Graph, Id};
use crate::ops::{CrossEntropy, Normalize, PairLoss, PairLossKind, Pool, PoolKind, RankLoss, Similarity, SpanLoss};
use family::{DECODER_TASKS, ENCODER_TASKS};
use std::rc::Rc;

/// Reads the configuration of a family.
type Read = fn(&Fields) -> Result<Rc<dyn Family>>;

/// Values of `model_type` that can be loaded.
const FAMILIES: &[(&str, Read)] = &[
    ("bert", |fields| Ok(Rc::new(bert::Bert::read(fields)?))),
    ("roberta", |fields| Ok(Rc::new(roberta::Roberta::read(fields)?))),
    ("xlm-roberta", |fields| Ok(Rc::new(roberta::Roberta::read(fields)?))),
    ("distilbert", |fields| Ok(Rc::new(distilbert::DistilBert::read(fields)?))),
    ("mpnet", |fields| Ok(Rc::new(mpnet::MpNet::read(fields)?))),
    ("gpt2", |fields| Ok(Rc::new(gpt2::Gpt2::read(fields)?))),
    ("llama", |fields| Ok(Rc::new(llama::Llama::read(fields)?))),
    ("mistral", |fields| Ok(Rc::new(mistral::read(fields)?))),
    ("qwen2", |fields| Ok(Rc::new(qwen2::read(fields)?))),
    ("qwen3", |fields| Ok(Rc::new(qwen3::read(fields)?))),
    ("gemma3_text", |fields| Ok(Rc::new(gemma3::Gemma3::read(fields)?))),
    ("t5", |fields| Ok(Rc::new(t5::T5::read(fields)?))),
    ("mt5", |fields| Ok(Rc::new(t5::T5::read_multilingual(fields)?))),
];

/// Values of `model_type` that can be loaded.
pub fn supported() -> Vec<String> {
    FAMILIES.iter().map(|(name, _)| (*name).to_string()).collect()
}

/// What a graph computes at its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Output {
    /// One vector per text, `(B, H)`.
    Embedding,
    /// Logits: of a text's class `(B, labels)`, or one row a token, `(B S, labels)`.
    Logits,
    /// The task's loss against the labels of the batch, `(1)`.
    CrossEntropy,
    /// Of a language model the loss of each token that is asked for, in parts that make `(N)`, then likewise whether it is the most probable.
    Tokens,
    /// Of a language model the logits of what follows each row's last token, `(B, V)`.
    Next,
    /// T-Few's loss of ranked choices, `(1)`.
    Rank(RankLoss),
    /// A contrastive loss of the embeddings against `labels`, `(1)`.
    Contrastive(PairLossKind),
}

/// A base model's architecture, and what it is used for.
#[derive(Debug, Clone)]
pub struct Model {
    /// The checked `model_type`.
    pub model_type: String,
    /// The family, with the numbers of the checked `config.json`.
    pub family: Rc<dyn Family>,
    /// PEFT's task, which decides the head.
    pub task: TaskType,
    /// The formats in which its matrices are kept, where they are not floats: known once they are loaded.
    pub formats: Formats,
    /// Activations are kept in 16 bits: see [`crate::halve`]. Not what a file says, but what a session runs it with.
    pub half_activations: bool,
}

impl Model {
    /// Reads `config.json`. [`Error::UnsupportedModel`] for an unknown architecture, [`Error::BadConfig`] naming the field
    /// that is missing, out of range or asks for what is not supported, [`Error::BadOption`] for a task the family has not.
    pub fn from_json(config: &[u8], task: TaskType) -> Result<Model> {
        let fields = Fields::from_json(config)?;
        let model_type = fields.text("model_type", None)?;
        let Some((_, read)) = FAMILIES.iter().find(|(name, _)| *name == model_type) else {
            return Err(Error::UnsupportedModel { model_type, supported: supported() });
        };
        let family = read(&fields)?;
        if family.tasks().contains(&task) {
            return Ok(Model { family, model_type, task, formats: Formats::new(), half_activations: false });
        }
        let reason = format!("asks for {task:?}, which a model of the type '{model_type}' is not made for");
        Err(Error::BadOption { option: "task".into(), reason })
    }

    /// What every family says of itself.
    pub fn common(&self) -> &Common {
        self.family.common()
    }

    /// What comes before module names: transformers wraps the bare model where it adds a head.
    pub fn prefix(&self) -> &'static str {
        match self.task {
            TaskType::FeatureExtraction => "",
            TaskType::QuestionAns => self.common().reader_prefix,
            TaskType::SeqCls | TaskType::TokenCls | TaskType::CausalLm | TaskType::Seq2SeqLm => self.common().prefix,
        }
    }

    /// A tensor's name in the task model's file.
    pub fn full(&self, bare: &str) -> String {
        if bare.starts_with("lm_head.") { bare.into() } else { format!("{}{bare}", self.prefix()) }
    }

    /// A tensor's name without what task models put before it.
    pub fn bare<'a>(&self, tensor: &'a str) -> &'a str {
        let Common { prefix, reader_prefix, .. } = self.common();
        tensor.strip_prefix(prefix).or_else(|| tensor.strip_prefix(reader_prefix)).unwrap_or(tensor)
    }

    /// The head's layers, in the order of the data flow.
    pub fn head(&self) -> Vec<HeadModule> {
        let hidden = self.common().hidden_size;
        match self.task {
            TaskType::FeatureExtraction => vec![HeadModule::last("head", hidden)],
            TaskType::SeqCls => self.family.head(),
            TaskType::TokenCls => vec![HeadModule::last(self.common().token_head, hidden)],
            TaskType::QuestionAns => vec![HeadModule::last("qa_outputs", hidden)],
            TaskType::CausalLm | TaskType::Seq2SeqLm => Vec::new(),
        }
    }

    /// What adapters see of this model in a session with these classes.
    pub fn base(&self, labels: Vec<String>) -> Result<Base> {
        Ok(Base {
            model_type: self.model_type.clone(),
            prefix: if self.prefix().is_empty() { self.common().prefix } else { self.prefix() },
            sites: self.sites()?,
            task: self.task,
            head: self.head(),
            labels,
        })
    }

    /// The graph for one batch shape, with a table of `adapters` rows laid out as `layout`; and its output, perhaps in parts.
    pub fn graph(
        &self,
        shape: BatchShape,
        layout: &Layout,
        adapters: usize,
        output: Output,
    ) -> Result<(Graph, Vec<Id>)> {
        let mut b = Builder::new(shape, layout, adapters, self.prefix(), &self.formats);
        let states = match output {
            Output::Next => self.family.cached(&mut b)?,
            _ => self.family.states(&mut b)?,
        };
        let end = match output {
            Output::Embedding => self.embedding(&mut b, states)?,
            Output::Logits => self.logits(&mut b, states)?,
            Output::CrossEntropy => match self.language() {
                Some(language) => {
                    let states = self.family.decoded(&mut b, states)?;
                    language.loss(&mut b, states)?
                }
                None => {
                    let logits = self.logits(&mut b, states)?;
                    self.loss(&mut b, logits)?
                }
            },
            Output::Tokens => {
                let language = self.language().expect("only a language model has losses of tokens");
                let states = self.family.decoded(&mut b, states)?;
                let tokens = language.tokens(&mut b, states)?;
                return Ok((b.graph, tokens));
            }
            Output::Next => {
                let language = self.language().expect("only a language model says what comes next");
                let last = b.last_state(states)?;
                language.logits(&mut b, last)?
            }
            Output::Rank(op) => {
                let language = self.language().expect("only a language model ranks choices");
                let states = self.family.decoded(&mut b, states)?;
                language.rank_loss(&mut b, states, op)?
            }
            Output::Contrastive(kind) => {
                let embedding = self.embedding(&mut b, states)?;
                let unit = match self.task {
                    TaskType::SeqCls => b.graph.one(Normalize, &[embedding])?,
                    _ => embedding,
                };
                let similarity = b.graph.one(Similarity, &[unit])?;
                let (labels, weights) = (b.batch("labels"), b.batch("weights"));
                b.graph.one(PairLoss(kind), &[similarity, labels, weights])?
            }
        };
        Ok((b.graph, vec![end]))
    }

    /// The language model's head, where that is the task.
    fn language(&self) -> Option<Language> {
        self.family.language().filter(|_| matches!(self.task, TaskType::CausalLm | TaskType::Seq2SeqLm))
    }

    /// Every layer an adapter could hook into, in model order, under its name in the task model.
    pub fn sites(&self) -> Result<Vec<Site>> {
        Ok(self.skeleton(true)?.0)
    }

    /// Every frozen tensor the graphs read.
    pub fn weights(&self) -> Result<Vec<Weight>> {
        Ok(self.skeleton(false)?.1)
    }

    /// Sites and weights, those of a pooler that nothing here runs among them if `whole`.
    fn skeleton(&self, whole: bool) -> Result<(Vec<Site>, Vec<Weight>)> {
        let layout = Layout::new(&[], &[], &[]);
        let mut b = Builder::new(BatchShape::new(1, 1), &layout, 1, self.prefix(), &self.formats);
        let states = self.family.states(&mut b)?;
        match self.task {
            TaskType::SeqCls => drop(self.family.pooled(&mut b, states)?),
            TaskType::FeatureExtraction if whole => drop(self.family.pooler(&mut b, states)?),
            TaskType::CausalLm | TaskType::Seq2SeqLm => drop(self.logits(&mut b, states)?),
            _ => {}
        }
        Ok((b.sites, b.weights))
    }

    /// One vector per text: what the head reads, or where it reads tokens the normalised mean of their states.
    fn embedding(&self, b: &mut Builder, states: Id) -> Result<Id> {
        if self.task == TaskType::SeqCls {
            return self.family.pooled(b, states);
        }
        let mask = b.batch("mask");
        let mean = b.graph.one(Pool(PoolKind::Mean), &[states, mask])?;
        b.graph.one(Normalize, &[mean])
    }

    fn logits(&self, b: &mut Builder, states: Id) -> Result<Id> {
        match self.task {
            TaskType::FeatureExtraction => {
                let embedding = self.embedding(b, states)?;
                b.head(embedding, "head")
            }
            TaskType::SeqCls => {
                let pooled = self.family.pooled(b, states)?;
                self.family.logits(b, pooled)
            }
            TaskType::TokenCls => b.head(states, self.common().token_head),
            TaskType::QuestionAns => b.head(states, "qa_outputs"),
            TaskType::CausalLm | TaskType::Seq2SeqLm => {
                let language = self.language().expect("a language model has a vocabulary");
                let states = self.family.decoded(b, states)?;
                language.logits(b, states)
            }
        }
    }

    fn loss(&self, b: &mut Builder, logits: Id) -> Result<Id> {
        match self.task {
            TaskType::TokenCls => {
                let (labels, weights) = (b.batch("token_labels"), b.batch("token_weights"));
                b.graph.one(CrossEntropy, &[logits, labels, weights])
            }
            TaskType::QuestionAns => {
                let (spans, weights) = (b.batch("spans"), b.batch("span_weights"));
                b.graph.one(SpanLoss, &[logits, spans, weights])
            }
            _ => {
                let (labels, weights) = (b.batch("labels"), b.batch("weights"));
                b.graph.one(CrossEntropy, &[logits, labels, weights])
            }
        }
    }
}
