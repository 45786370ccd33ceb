//! The layers model files are written with. `project` is the one place where adapters meet a model.

use super::BatchShape;
use super::weight::{Form, Format, Formats, Weight};
use crate::adapter::{Layout, LayoutVector, Place, Site};
use crate::checkpoint::{BlockType, HiddenAct};
use crate::error::Result;
use crate::graph::{Dtype, Graph, Id, Leaf, Shape};
use crate::ops::{
    Activation, ActivationKind, Add, Concat, Embed, Head, LayerNorm, Linear, Pick, RmsNorm, Rope, Rows, Scale,
};

/// A graph in the making, for one batch shape and one arrangement of adapter vectors.
pub struct Builder<'a> {
    /// The graph so far.
    pub graph: Graph,
    /// Rows and tokens of the batch.
    pub shape: BatchShape,
    /// Every layer an adapter could hook into, in model order.
    pub sites: Vec<Site>,
    /// Every weight the graph reads.
    pub weights: Vec<Weight>,
    prefix: &'a str,
    formats: &'a Formats,
    layout: &'a Layout,
    adapters: usize,
    /// Caches of keys and values so far.
    pub(super) caches: usize,
}

/// A matrix of the graph, or some rows of one.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// The whole leaf.
    pub id: Id,
    /// How it is kept.
    pub format: Format,
    /// The rows meant, where not all.
    pub rows: Option<Rows>,
}

impl<'a> Builder<'a> {
    /// `prefix` comes before every module name ("bert." where a task model wraps the encoder); the table has `adapters` rows; matrices are
    /// in the `formats` in which they are kept.
    pub fn new(shape: BatchShape, layout: &'a Layout, adapters: usize, prefix: &'a str, formats: &'a Formats) -> Self {
        let (sites, weights) = (Vec::new(), Vec::new());
        Builder { graph: Graph::default(), shape, sites, weights, prefix, formats, layout, adapters, caches: 0 }
    }

    /// A part of the batch, by its name: see [`BatchShape::part`].
    pub fn batch(&mut self, name: &'static str) -> Id {
        let (shape, dtype) = self.shape.part(name);
        self.graph.leaf(Leaf::Batch(name), shape, dtype)
    }

    /// Queries and keys turned by the angles of their positions.
    pub fn turn(&mut self, op: Rope, x: Id, table: Id) -> Result<Id> {
        // In a row of one text positions are places, which the op knows.
        let placed = self.shape.segmented || self.shape.cache.is_some();
        let positions = placed.then(|| self.batch("positions"));
        let inputs: Vec<Id> = [x, table].into_iter().chain(positions).collect();
        self.graph.one(op, &inputs)
    }

    /// A frozen tensor of the model's file, as floats.
    pub fn weight(&mut self, name: &str, shape: Shape) -> Id {
        self.leaves(vec![(name.into(), shape)], false)[0].id
    }

    /// A frozen matrix, in whatever format it is kept.
    pub fn matrix(&mut self, name: &str, shape: Shape) -> Matrix {
        self.leaves(vec![(name.into(), shape)], true)[0]
    }

    /// A leaf for tensors of the file that are packed, or one for each where their formats differ.
    fn leaves(&mut self, parts: Vec<(String, Shape)>, matrix: bool) -> Vec<Matrix> {
        let weight = Weight { parts, matrix };
        let leaf = |leaf: super::weight::WeightLeaf| {
            let kind = leaf.format.kind;
            let dtype = if kind == BlockType::F32 { Dtype::F32 } else { Dtype::Blocks(kind) };
            let id = self.graph.leaf(Leaf::Weight(leaf.name.clone()), leaf.shape(), dtype);
            Matrix { id, format: leaf.format, rows: None }
        };
        let found = weight.leaves(self.formats).into_iter().map(leaf).collect();
        if !self.weights.contains(&weight) {
            self.weights.push(weight);
        }
        found
    }

    /// The sum of one row of each table, chosen by its part of the batch: `(B S, columns)`. A table is a module's name and rows.
    pub fn embed(&mut self, tables: &[(&'static str, &str, usize)], columns: usize) -> Result<Id> {
        self.scaled_embed(tables, columns, 1.0)
    }

    /// The same, times a scale.
    pub fn scaled_embed(&mut self, tables: &[(&'static str, &str, usize)], columns: usize, scale: f32) -> Result<Id> {
        let mut inputs = Vec::with_capacity(2 * tables.len());
        let mut kind = BlockType::F32;
        for (at, (ids, module, rows)) in tables.iter().enumerate() {
            inputs.push(self.batch(ids));
            let (name, shape) = (format!("{module}.weight"), vec![*rows, columns]);
            // The first table, of the words, is by far the largest.
            inputs.push(if at == 0 {
                let words = self.matrix(&name, shape);
                kind = words.format.kind;
                words.id
            } else {
                self.weight(&name, shape)
            });
        }
        self.graph.one(Embed { scale, kind }, &inputs)
    }

    /// `x wᵀ + b` of the module's `weight (out, in)` and `bias (out)`, with the adapter's scales.
    pub fn linear(&mut self, x: Id, module: &str, out_features: usize) -> Result<Id> {
        self.project(x, &[(module, out_features)], Form::Biased)
    }

    /// Linear layers of one input, side by side: one packed matmul wherever no adapter scales the input of a part. Layers of
    /// [`Form::Conv1d`] come alone.
    pub fn project(&mut self, x: Id, modules: &[(&str, usize)], form: Form) -> Result<Id> {
        self.projected(x, modules, form, None)
    }

    /// The same of layers that make queries, keys or values for attention with heads of `head_size` channels.
    pub fn project_heads(&mut self, x: Id, modules: &[(&str, usize)], form: Form, head_size: usize) -> Result<Id> {
        self.projected(x, modules, form, Some(head_size))
    }

    fn projected(&mut self, x: Id, modules: &[(&str, usize)], form: Form, head_size: Option<usize>) -> Result<Id> {
        let (conv1d, bias) = (form == Form::Conv1d, form != Form::Unbiased);
        assert!(!conv1d || modules.len() == 1, "weights stored (in, out) cannot be packed along their first dimension");
        let in_features = self.graph.shape(x)[1];
        let parts = |kind: &str, shape: &dyn Fn(usize) -> Shape| {
            modules.iter().map(|(module, out)| (format!("{module}.{kind}"), shape(*out))).collect::<Vec<_>>()
        };
        let shape = |out: usize| if conv1d { vec![in_features, out] } else { vec![out, in_features] };
        let matrices = self.leaves(parts("weight", &shape), true);
        let biases = if bias { self.leaves(parts("bias", &|out| vec![out]), false) } else { Vec::new() };
        for (module, out_features) in modules {
            let module = format!("{}{module}", self.prefix);
            let turned = matrices[0].format.turned;
            self.sites.push(Site { module, in_features, out_features: *out_features, conv1d, turned, bias, head_size });
        }
        let linear = |Matrix { format, rows, .. }: &Matrix| {
            let flipped = conv1d && !format.turned;
            Linear { flipped, bias, kind: format.kind, rows: *rows, addend: false }
        };
        let unscaled = modules.iter().all(|(module, _)| self.vector(module, Place::Input).is_none());
        if let [matrix] = matrices.as_slice()
            && unscaled
        {
            let inputs: Vec<Id> = [x, matrix.id].into_iter().chain(biases.first().map(|bias| bias.id)).collect();
            let y = self.graph.one(linear(matrix), &inputs)?;
            return self.scale_outputs(y, modules);
        }
        let mut whole = None;
        let mut start = 0;
        for (at, part @ (module, out_features)) in modules.iter().enumerate() {
            let input = match self.vector(module, Place::Input).map(|vector| scale_of(vector, 0)) {
                Some(scale) => self.scale(x, scale)?,
                None => x,
            };
            let rows = Rows { start, len: *out_features };
            let matrix = match matrices.as_slice() {
                [packed] if modules.len() > 1 => Matrix { rows: Some(rows), ..*packed },
                apart => apart[at],
            };
            let mut inputs = vec![input, matrix.id];
            for bias in &biases {
                inputs.push(if modules.len() == 1 { bias.id } else { self.graph.one(rows, &[bias.id])? });
            }
            let y = self.graph.one(linear(&matrix), &inputs)?;
            start += out_features;
            let y = self.scale_outputs(y, &[*part])?;
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

    /// Root-mean-square normalisation by the module's `weight`.
    pub fn rms_norm(&mut self, x: Id, module: &str, op: RmsNorm, size: usize) -> Result<Id> {
        let weight = self.weight(&format!("{module}.weight"), vec![size]);
        self.graph.one(op, &[x, weight])
    }

    /// The state of each text's last token, `(B, H)`.
    pub fn last_state(&mut self, states: Id) -> Result<Id> {
        let last = self.batch("last");
        self.graph.one(Pick, &[states, last])
    }

    /// Says that a block begins with `x`: where activations are checkpointed, it is kept for the backward pass and what the block makes of
    /// it is not.
    pub fn checkpoint(&mut self, x: Id) {
        self.graph.checkpoints.push(x);
    }

    /// `a + b`.
    pub fn add(&mut self, a: Id, b: Id) -> Result<Id> {
        self.graph.one(Add, &[a, b])
    }

    /// `f(x)`.
    pub fn activation(&mut self, x: Id, kind: ActivationKind) -> Result<Id> {
        self.graph.one(Activation { kind, scale: None }, &[x])
    }

    /// One layer of the adapters' heads, one adapter a batch row.
    pub fn head(&mut self, x: Id, module: &str) -> Result<Id> {
        let found = self.layout.head.iter().find(|layer| layer.module == module);
        let layer = found.expect("logits are asked for only with a head in the layout");
        let op = Head { offset: layer.weight_offset, labels: layer.out_features, bias: layer.bias };
        let (table, slots) = (self.table(), self.batch("slots"));
        self.graph.one(op, &[x, table, slots])
    }

    /// Scales each module's columns; vectors that follow one another in the table share one op.
    fn scale_outputs(&mut self, mut y: Id, modules: &[(&str, usize)]) -> Result<Id> {
        let mut pending: Option<Scale> = None;
        let mut start = 0;
        for (module, out_features) in modules {
            let first = start;
            start += out_features;
            let Some(scale) = self.vector(module, Place::Output).map(|vector| scale_of(vector, first)) else {
                continue;
            };
            match &mut pending {
                Some(before) if follows(before, &scale) => before.len += scale.len,
                _ => {
                    if let Some(before) = pending.replace(scale) {
                        y = self.scale(y, before)?;
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

    fn vector(&self, module: &str, place: Place) -> Option<&LayoutVector> {
        let full = format!("{}{module}", self.prefix);
        self.layout.vectors.iter().find(|vector| vector.module == full && vector.place == place)
    }
}

/// What a vector does to the channels from `start` on.
fn scale_of(vector: &LayoutVector, start: usize) -> Scale {
    let LayoutVector { offset, len, repeat, shifted, .. } = *vector;
    Scale { start, len: len * repeat, offset, repeat, shifted }
}

/// Whether one op can do both. The shift of the first would lie between the two vectors.
fn follows(before: &Scale, next: &Scale) -> bool {
    let plain = !before.shifted && !next.shifted && before.repeat == next.repeat;
    plain && before.start + before.len == next.start && before.offset + before.len / before.repeat == next.offset
}

impl From<HiddenAct> for ActivationKind {
    fn from(name: HiddenAct) -> Self {
        match name {
            HiddenAct::Gelu => ActivationKind::Gelu,
            HiddenAct::GeluTanh => ActivationKind::GeluTanh,
            HiddenAct::Relu => ActivationKind::Relu,
            HiddenAct::Silu => ActivationKind::Silu,
        }
    }
}
