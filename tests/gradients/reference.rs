//! BERT with IA3 vectors, written in candle's differentiable ops from the papers and PEFT's formulas, in f64.

use crate::losses::{layer_norm, normalize, softmax};
use crate::tiny;
use candle_core::{Result, Tensor, Var};
use ia3_web::adapter::Place;
use ia3_web::session::Pooling;
use std::collections::BTreeMap;

/// Weights by their names in the model's file, and what is trained.
pub struct Bert {
    pub weights: BTreeMap<String, Tensor>,
    /// By module, without the task model's prefix, and side. One with fewer elements than channels has one for each attention head.
    pub vectors: BTreeMap<(String, Place), Var>,
    /// The shifts, likewise.
    pub shifts: BTreeMap<(String, Place), Var>,
    /// Weight and bias.
    pub head: [Var; 2],
}

/// Token ids and types `(B, S)`, mask `(B, S)`.
pub struct Texts {
    pub ids: Tensor,
    pub types: Tensor,
    pub mask: Tensor,
}

impl Bert {
    fn weight(&self, name: &str) -> &Tensor {
        &self.weights[name]
    }

    /// `y = (W (x ⊙ l_in + s_in) + b) ⊙ l_out + s_out`, each vector and shift where there is one.
    fn linear(&self, x: &Tensor, module: &str) -> Result<Tensor> {
        let scale = |mut x: Tensor, place| {
            let (key, channels) = ((module.to_string(), place), x.dim(1)?);
            let each = |vector: &Var| {
                let repeat = channels / vector.dim(0)?;
                vector.unsqueeze(1)?.repeat((1, repeat))?.flatten_all()
            };
            if let Some(vector) = self.vectors.get(&key) {
                x = x.broadcast_mul(&each(vector)?)?;
            }
            match self.shifts.get(&key) {
                Some(shift) => x.broadcast_add(&each(shift)?),
                None => Ok(x),
            }
        };
        let weight = self.weight(&format!("{module}.weight")).t()?;
        let y = scale(x.clone(), Place::Input)?.matmul(&weight)?;
        scale(y.broadcast_add(self.weight(&format!("{module}.bias")))?, Place::Output)
    }

    fn norm(&self, x: &Tensor, module: &str) -> Result<Tensor> {
        let (weight, bias) = (self.weight(&format!("{module}.weight")), self.weight(&format!("{module}.bias")));
        layer_norm(x, weight, bias, f64::from(tiny::EPS))
    }

    fn embeddings(&self, texts: &Texts) -> Result<Tensor> {
        let (batch, length) = texts.ids.dims2()?;
        let table = |name: &str| self.weight(&format!("embeddings.{name}_embeddings.weight"));
        let words = table("word").index_select(&texts.ids.flatten_all()?, 0)?;
        let types = table("token_type").index_select(&texts.types.flatten_all()?, 0)?;
        let positions = table("position").narrow(0, 0, length)?.repeat((batch, 1))?;
        self.norm(&((words + types)? + positions)?, "embeddings.LayerNorm")
    }

    fn attention(&self, x: &Tensor, texts: &Texts, name: &str) -> Result<Tensor> {
        let (batch, length) = texts.mask.dims2()?;
        let (hidden, heads) = (tiny::HIDDEN, tiny::HEADS);
        let split = |part: &str| {
            let y = self.linear(x, &format!("{name}.self.{part}"))?;
            y.reshape((batch, length, heads, hidden / heads))?.transpose(1, 2)?.contiguous()
        };
        let scores = (split("query")?.matmul(&split("key")?.t()?)? / ((hidden / heads) as f64).sqrt())?;
        let hide = ((&texts.mask - 1.0)? * 1e9)?.reshape((batch, 1, 1, length))?;
        let context = softmax(&scores.broadcast_add(&hide)?)?.matmul(&split("value")?)?;
        let context = context.transpose(1, 2)?.contiguous()?.reshape((batch * length, hidden))?;
        self.linear(&context, &format!("{name}.output.dense"))
    }

    fn layer(&self, x: &Tensor, texts: &Texts, name: &str) -> Result<Tensor> {
        let attended = self.attention(x, texts, &format!("{name}.attention"))?;
        let x = self.norm(&(x + attended)?, &format!("{name}.attention.output.LayerNorm"))?;
        let wide = self.linear(&x, &format!("{name}.intermediate.dense"))?;
        let wide = ((&wide * 0.5)? * ((&wide / 2f64.sqrt())?.erf()? + 1.0)?)?;
        let narrow = self.linear(&wide, &format!("{name}.output.dense"))?;
        self.norm(&(x + narrow)?, &format!("{name}.output.LayerNorm"))
    }

    /// One vector a text.
    pub fn embed(&self, texts: &Texts, pooling: Pooling) -> Result<Tensor> {
        let (batch, length) = texts.mask.dims2()?;
        let mut x = self.embeddings(texts)?;
        for layer in 0..tiny::LAYERS {
            x = self.layer(&x, texts, &format!("encoder.layer.{layer}"))?;
        }
        let x = x.reshape((batch, length, tiny::HIDDEN))?;
        match pooling {
            Pooling::Mean => {
                let sum = x.broadcast_mul(&texts.mask.unsqueeze(2)?)?.sum(1)?;
                normalize(&sum.broadcast_div(&texts.mask.sum_keepdim(1)?)?)
            }
            Pooling::Pooler => self.linear(&x.narrow(1, 0, 1)?.squeeze(1)?.contiguous()?, "pooler.dense")?.tanh(),
        }
    }

    /// The head's logits.
    pub fn logits(&self, embeddings: &Tensor) -> Result<Tensor> {
        let [weight, bias] = &self.head;
        embeddings.matmul(&weight.t()?)?.broadcast_add(bias)
    }
}
