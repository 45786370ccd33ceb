//! RoBERTa (Liu et al. 2019) and XLM-RoBERTa (Conneau et al. 2019): BERT with positions that skip padding and a head of two layers,
//! as Hugging Face's `modeling_roberta.py` computes them.

use super::bert::Bert;
use super::layers::Builder;
use super::{Common, ENCODER_TASKS, Family, Padding};
use crate::adapter::{HeadModule, TaskType};
use crate::checkpoint::Fields;
use crate::checkpoint::fields::bad;
use crate::error::Result;
use crate::graph::Id;
use crate::ops::{ActivationKind, Pool, PoolKind};

/// A RoBERTa's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Roberta(Bert);

impl Roberta {
    /// As BERT's; the padding token defaults to 1, and the positions up to it are never those of a token.
    pub fn read(fields: &Fields) -> Result<Roberta> {
        let mut bert = Bert::read(fields)?;
        let pad = fields.token_id("pad_token_id", bert.common.vocab_size, 1)?;
        let longest = bert.max_position_embeddings.saturating_sub(pad as usize + 1);
        if longest == 0 {
            let most = bert.max_position_embeddings;
            return Err(bad("max_position_embeddings", format!("is {most}, no more than the padding token {pad}")));
        }
        bert.common.prefix = "roberta.";
        bert.common.reader_prefix = "roberta.";
        bert.common.longest = longest;
        bert.common.padding = Padding::after_pads(pad);
        Ok(Roberta(bert))
    }
}

impl Family for Roberta {
    fn common(&self) -> &Common {
        &self.0.common
    }

    fn tasks(&self) -> &'static [TaskType] {
        &ENCODER_TASKS
    }

    fn states(&self, b: &mut Builder) -> Result<Id> {
        self.0.states(b)
    }

    fn pooler(&self, b: &mut Builder, states: Id) -> Result<Option<Id>> {
        self.0.pooler(b, states)
    }

    /// The state of the first token, `<s>`.
    fn pooled(&self, b: &mut Builder, states: Id) -> Result<Id> {
        first_state(b, states)
    }

    fn head(&self) -> Vec<HeadModule> {
        two_layers(self.0.common.hidden_size)
    }

    fn logits(&self, b: &mut Builder, pooled: Id) -> Result<Id> {
        two_layer_logits(b, pooled)
    }
}

/// The state of each text's first token, `(B, H)`.
pub fn first_state(b: &mut Builder, states: Id) -> Result<Id> {
    let mask = b.batch("mask");
    b.graph.one(Pool(PoolKind::First), &[states, mask])
}

/// `RobertaClassificationHead`, which MPNet has too.
pub fn two_layers(hidden: usize) -> Vec<HeadModule> {
    vec![HeadModule::inner("classifier.dense", hidden), HeadModule::last("classifier.out_proj", hidden)]
}

/// `out_proj(tanh(dense(x)))`.
pub fn two_layer_logits(b: &mut Builder, x: Id) -> Result<Id> {
    let y = b.head(x, "classifier.dense")?;
    let y = b.activation(y, ActivationKind::Tanh)?;
    b.head(y, "classifier.out_proj")
}
