//! What every model family says of itself and writes: the seam between one family's file and all that is common to them.

use super::{Builder, Language, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::error::Result;
use crate::graph::Id;
use std::fmt::Debug;
use std::rc::Rc;

/// What every family says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Common {
    /// Length of a token's state.
    pub hidden_size: usize,
    /// Token ids are below this.
    pub vocab_size: usize,
    /// Token type ids are below this; None where the model reads no types.
    pub type_vocab_size: Option<usize>,
    /// Longest input in tokens.
    pub longest: usize,
    /// What fills short rows, and how positions are counted.
    pub padding: Padding,
    /// Tokens that end a text, where the file names some; the first is the one that is learned.
    pub ends: Vec<u32>,
    /// Names of the classes in order, where the file has them.
    pub labels: Option<Vec<String>>,
    /// What task models put before the module names of the bare model: Hugging Face's `base_model_prefix` and a dot.
    pub prefix: &'static str,
    /// The same of models that answer questions, some of which have another.
    pub reader_prefix: &'static str,
    /// The head that labels tokens.
    pub token_head: &'static str,
}

/// What encoders are used for.
pub(super) const ENCODER_TASKS: [TaskType; 4] =
    [TaskType::FeatureExtraction, TaskType::SeqCls, TaskType::TokenCls, TaskType::QuestionAns];
/// What decoders are used for.
pub(super) const DECODER_TASKS: [TaskType; 5] =
    [TaskType::FeatureExtraction, TaskType::SeqCls, TaskType::TokenCls, TaskType::QuestionAns, TaskType::CausalLm];

/// A model family with the numbers of one model.
pub trait Family: Debug {
    /// What every family says of itself.
    fn common(&self) -> &Common;

    /// What models of this family are used for.
    fn tasks(&self) -> &'static [TaskType];

    /// Token states of the last layer, `(B S, H)`; of an encoder-decoder model those of the encoder.
    fn states(&self, b: &mut Builder) -> Result<Id>;

    /// The bare model's own pooler, `(B, H)`, where it has one: its layer may be targeted although only some heads read it.
    fn pooler(&self, b: &mut Builder, states: Id) -> Result<Option<Id>>;

    /// The vector that the head of SEQ_CLS reads, `(B, H)`.
    fn pooled(&self, b: &mut Builder, states: Id) -> Result<Id>;

    /// The layers of the head of SEQ_CLS, in the order of the data flow.
    fn head(&self) -> Vec<HeadModule>;

    /// The logits of that head, `(B, labels)`.
    fn logits(&self, b: &mut Builder, pooled: Id) -> Result<Id>;

    /// The states from which tokens are told: of an encoder-decoder model the decoder's, `(B S, H)`.
    fn decoded(&self, _b: &mut Builder, states: Id) -> Result<Id> {
        Ok(states)
    }

    /// The same of tokens that follow on those in the batch's cache, `(B W, H)`. An encoder runs if the batch has tokens for it.
    fn cached(&self, b: &mut Builder) -> Result<Id> {
        self.states(b)
    }

    /// The same family with these factors of its rotary embeddings (see [`super::rotary::Rotary::with_factors`]); None where it takes none.
    fn with_rope_factors(&self, _factors: &[f32]) -> Result<Option<Rc<dyn Family>>> {
        Ok(None)
    }

    /// How states become logits of the vocabulary; None for encoders, which have other heads for tokens instead.
    fn language(&self) -> Option<Language> {
        None
    }
}
