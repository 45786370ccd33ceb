//! The layers model files are written with. `linear` is the one place where adapters meet a model.

use crate::adapter::{Layout, Place, Site};
use crate::error::Result;
use crate::graph::{Dtype, Graph, Id, Leaf, Shape};
use crate::ops::{Add, Concat, Head, LayerNorm, Linear, Rows, Scale};

/// Size of a batch: every text is padded to `length` tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BatchShape {
    /// Texts (rows).
    pub batch: usize,
    /// Tokens a text.
    pub length: usize,
}

/// A graph in the making, for one batch shape and one arrangement of adapter vectors.
pub struct Builder<'a> {
    /// The graph so far.
    pub graph: Graph,
    /// Rows and tokens of the batch.
    pub shape: BatchShape,
    /// Every layer an adapter could hook into, in model order.
    pub sites: Vec<Site>,
    prefix: &'a str,
    layout: &'a Layout,
    adapters: usize,
}

impl<'a> Builder<'a> {
    /// `prefix` comes before every module name ("bert." where a task model wraps the encoder); the table has `adapters` rows.
    pub fn new(shape: BatchShape, layout: &'a Layout, adapters: usize, prefix: &'a str) -> Self {
        Builder { graph: Graph::default(), shape, sites: Vec::new(), prefix, layout, adapters }
    }

    /// A part of the batch: `u32 (B, S)`, `f32 (B, S)` or, for `slots`, `labels` and `weights`, one element a row.
    pub fn batch(&mut self, name: &'static str) -> Id {
        let BatchShape { batch, length } = self.shape;
        let (shape, dtype) = match name {
            "ids" | "types" => (vec![batch, length], Dtype::U32),
            "mask" => (vec![batch, length], Dtype::F32),
            "weights" => (vec![batch], Dtype::F32),
            "slots" | "labels" => (vec![batch], Dtype::U32),
            other => panic!("a batch has no part '{other}'"),
        };
        self.graph.leaf(Leaf::Batch(name), shape, dtype)
    }

    /// A frozen tensor. A name may join several with `+`: they are packed along the first dimension.
    pub fn weight(&mut self, name: &str, shape: Shape) -> Id {
        self.graph.leaf(Leaf::Weight(name.into()), shape, Dtype::F32)
    }

    /// `x wᵀ + b` of the module's `weight (out, in)` and `bias (out)`, with the adapter's scales.
    pub fn linear(&mut self, x: Id, module: &str, out_features: usize) -> Result<Id> {
        self.linears(x, &[module], out_features)
    }

    /// Several linears of one input, side by side: one packed matmul wherever no adapter scales the input of a part.
    pub fn linears(&mut self, x: Id, modules: &[&str], out_features: usize) -> Result<Id> {
        let in_features = self.graph.shape(x)[1];
        for module in modules {
            self.sites.push(Site { module: format!("{}{module}", self.prefix), in_features, out_features });
        }
        let linear = Linear { flipped: false, bias: true, addend: false };
        let join = |kind: &str| modules.iter().map(|module| format!("{module}.{kind}")).collect::<Vec<_>>().join("+");
        let weight = self.weight(&join("weight"), vec![modules.len() * out_features, in_features]);
        let bias = self.weight(&join("bias"), vec![modules.len() * out_features]);
        if modules.iter().all(|module| self.offset(module, Place::Input).is_none()) {
            let y = self.graph.one(linear, &[x, weight, bias])?;
            return self.scale_outputs(y, modules, out_features);
        }
        let mut whole = None;
        for (at, module) in modules.iter().enumerate() {
            let input = match self.offset(module, Place::Input) {
                Some(offset) => self.scale(x, Scale { start: 0, len: in_features, offset })?,
                None => x,
            };
            let y = if modules.len() == 1 {
                self.graph.one(linear, &[input, weight, bias])?
            } else {
                let rows = Rows { start: at * out_features, len: out_features };
                let (weight, bias) = (self.graph.one(rows, &[weight])?, self.graph.one(rows, &[bias])?);
                self.graph.one(linear, &[input, weight, bias])?
            };
            let y = self.scale_outputs(y, &[module], out_features)?;
            whole = Some(match whole {
                Some(left) => self.graph.one(Concat, &[left, y])?,
                None => y,
            });
        }
        Ok(whole.expect("a packed linear has at least one part"))
    }

    /// Layer normalisation of the module's `weight` and `bias`.
    pub fn layer_norm(&mut self, x: Id, module: &str, eps: f64) -> Result<Id> {
        let channels = self.graph.shape(x)[1];
        let weight = self.weight(&format!("{module}.weight"), vec![channels]);
        let bias = self.weight(&format!("{module}.bias"), vec![channels]);
        self.graph.one(LayerNorm { eps: eps as f32 }, &[x, weight, bias])
    }

    /// `a + b`.
    pub fn add(&mut self, a: Id, b: Id) -> Result<Id> {
        self.graph.one(Add, &[a, b])
    }

    /// The logits of the adapters' heads, one adapter a row.
    pub fn head(&mut self, x: Id) -> Result<Id> {
        let head = self.layout.head.as_ref().expect("logits are asked for only with a head in the layout");
        let op = Head { offset: head.weight_offset, labels: head.labels };
        let (table, slots) = (self.table(), self.batch("slots"));
        self.graph.one(op, &[x, table, slots])
    }

    /// Scales each module's columns; vectors that follow one another in the table share one op.
    fn scale_outputs(&mut self, mut y: Id, modules: &[&str], out_features: usize) -> Result<Id> {
        let mut pending: Option<Scale> = None;
        for (at, module) in modules.iter().enumerate() {
            let Some(offset) = self.offset(module, Place::Output) else { continue };
            let start = at * out_features;
            match &mut pending {
                Some(scale) if scale.start + scale.len == start && scale.offset + scale.len == offset => {
                    scale.len += out_features;
                }
                _ => {
                    if let Some(scale) = pending.replace(Scale { start, len: out_features, offset }) {
                        y = self.scale(y, scale)?;
                    }
                }
            }
        }
        match pending {
            Some(scale) => self.scale(y, scale),
            None => Ok(y),
        }
    }

    fn scale(&mut self, x: Id, scale: Scale) -> Result<Id> {
        let (table, slots) = (self.table(), self.batch("slots"));
        self.graph.one(scale, &[x, table, slots])
    }

    fn table(&mut self) -> Id {
        self.graph.leaf(Leaf::Table, vec![self.adapters, self.layout.len], Dtype::F32)
    }

    fn offset(&self, module: &str, place: Place) -> Option<usize> {
        let full = format!("{}{module}", self.prefix);
        self.layout
            .vectors
            .iter()
            .find(|vector| vector.module == full && vector.place == place)
            .map(|vector| vector.offset)
    }
}
