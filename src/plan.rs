//! A graph made ready to run: dead nodes dropped, every value given a home, memory shared by liveness.

use crate::autodiff::TableGradient;
use crate::graph::{Dtype, Graph, Id, Leaf, Op, Value};
use std::cmp::Reverse;
use std::fmt;
use std::rc::Rc;

/// Where a value lives while a plan runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Home {
    /// Bound from outside.
    Leaf(Leaf),
    /// A slot of working memory.
    Slot(usize),
    /// The flat gradient buffer, from this element on.
    Gradient(usize),
}

/// One op of a plan.
#[derive(Debug, Clone)]
pub struct Step {
    /// What is computed.
    pub op: Rc<dyn Op>,
    /// What it reads.
    pub inputs: Vec<Id>,
    /// What it writes.
    pub outputs: Vec<Id>,
    /// Values nobody reads after this step.
    pub frees: Vec<Id>,
}

/// The steps from the one that computes a value to the last that reads it.
struct Life {
    id: Id,
    first: usize,
    last: usize,
}

/// What a backend runs. Nothing is left to choose: order, memory and results are fixed.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Every value, by [`Id`].
    pub values: Vec<Value>,
    /// The ops, in order.
    pub steps: Vec<Step>,
    /// Home of each value; None for values that were dropped.
    pub homes: Vec<Option<Home>>,
    /// Units of four bytes of each slot.
    pub slots: Vec<usize>,
    /// Values to hand back after a run; their slots are shared with nothing.
    pub results: Vec<Id>,
    /// Length of the flat gradient buffer: 0 without training, else the parameters and, behind them, the loss.
    pub gradients: usize,
}

impl Plan {
    /// Plans a forward pass that hands back `results`.
    pub fn forward(graph: &Graph, results: &[Id]) -> Plan {
        Plan::new(graph, results, &[], 0)
    }

    /// Plans a training step: gradients go to the flat buffer, the loss to its last element.
    pub fn training(graph: &Graph, loss: Id, gradients: &[TableGradient], parameters: usize) -> Plan {
        let mut targets: Vec<(Id, usize)> = gradients.iter().map(|part| (part.value, part.offset)).collect();
        targets.push((loss, parameters));
        Plan::new(graph, &[], &targets, parameters + 1)
    }

    fn new(graph: &Graph, results: &[Id], targets: &[(Id, usize)], gradients: usize) -> Plan {
        let mut plan = Plan {
            values: graph.values.clone(),
            steps: Vec::new(),
            homes: graph.values.iter().map(|value| value.leaf.clone().map(Home::Leaf)).collect(),
            slots: Vec::new(),
            results: results.to_vec(),
            gradients,
        };
        targets.iter().for_each(|(id, offset)| plan.homes[id.0] = Some(Home::Gradient(*offset)));
        plan.keep_live(graph, targets);
        plan.share_states();
        plan.find_frees();
        plan.place();
        plan
    }

    /// Takes over the nodes that lead to a result or a gradient.
    fn keep_live(&mut self, graph: &Graph, targets: &[(Id, usize)]) {
        let mut live = vec![false; graph.values.len()];
        self.results.iter().chain(targets.iter().map(|(id, _)| id)).for_each(|id| live[id.0] = true);
        for node in graph.nodes.iter().rev() {
            if node.outputs.iter().any(|id| live[id.0]) {
                node.inputs.iter().for_each(|id| live[id.0] = true);
                let (op, inputs, outputs) = (node.op.clone(), node.inputs.clone(), node.outputs.clone());
                self.steps.push(Step { op, inputs, outputs, frees: Vec::new() });
            }
        }
        self.steps.reverse();
    }

    /// What is changed in place stays where it is.
    fn share_states(&mut self) {
        for step in &self.steps {
            if let Some(input) = step.op.in_place() {
                let home = self.homes[step.inputs[input].0].clone();
                assert!(matches!(home, Some(Home::Leaf(Leaf::State(_)))), "{:?} changes what is no state", step.op);
                self.homes[step.outputs[0].0] = home;
            }
        }
    }

    fn find_frees(&mut self) {
        let mut used = vec![false; self.values.len()];
        self.results.iter().for_each(|id| used[id.0] = true);
        for step in self.steps.iter_mut().rev() {
            for id in step.inputs.iter().chain(&step.outputs) {
                let computed = self.values[id.0].leaf.is_none();
                if computed && !std::mem::replace(&mut used[id.0], true) {
                    step.frees.push(*id);
                }
            }
        }
    }

    /// Gives every computed value a slot, the largest values first, each in the smallest slot that is free for as long as it lives: greedy
    /// by size (Pisarchyk and Lee 2020, arXiv 2001.03288, section 4.3). An output never shares a slot with an input of its own step:
    /// WebGPU forbids one buffer to be read and written in one dispatch.
    fn place(&mut self) {
        let mut lives = self.lives();
        lives.sort_by_key(|life| (Reverse(self.words(life.id)), life.first));
        let mut taken: Vec<Vec<Life>> = Vec::new();
        for life in lives {
            let free =
                |slot: &usize| taken[*slot].iter().all(|other| other.last < life.first || life.last < other.first);
            // Slots are made in the order of their sizes, so the last one is the smallest.
            let slot = (0..taken.len()).rev().find(free).unwrap_or_else(|| {
                taken.push(Vec::new());
                self.slots.push(self.words(life.id));
                taken.len() - 1
            });
            self.homes[life.id.0] = Some(Home::Slot(slot));
            taken[slot].push(life);
        }
    }

    /// How long each value that wants a slot lives, in the order they are computed.
    fn lives(&self) -> Vec<Life> {
        let mut last = vec![self.steps.len(); self.values.len()];
        for (at, step) in self.steps.iter().enumerate() {
            step.frees.iter().for_each(|id| last[id.0] = at);
        }
        let outputs = self.steps.iter().enumerate().flat_map(|(at, step)| step.outputs.iter().map(move |id| (at, *id)));
        let homeless = outputs.filter(|(_, id)| self.homes[id.0].is_none());
        homeless.map(|(first, id)| Life { id, first, last: last[id.0] }).collect()
    }

    fn words(&self, id: Id) -> usize {
        self.values[id.0].words()
    }

    /// Bytes of working memory a run holds. In u64, since wasm cannot address all that can be asked for.
    pub fn bytes(&self) -> u64 {
        4 * self.slots.iter().chain([&self.gradients]).map(|words| *words as u64).sum::<u64>()
    }

    /// Bytes held at most where values share no slots but go after their last use, as on the CPU, where each takes 32 bits and a twin may hold
    /// what it makes twice; and the gradients'.
    pub fn live_bytes(&self) -> u64 {
        let held = |id: &&Id| !matches!(self.homes[id.0], Some(Home::Leaf(_)));
        let bytes = |ids: &[Id]| 4 * ids.iter().filter(held).map(|id| self.values[id.0].elements() as u64).sum::<u64>();
        let (mut live, mut most) = (0, 0);
        for step in &self.steps {
            live += bytes(&step.outputs);
            most = most.max(live + bytes(&step.outputs));
            live -= bytes(&step.frees);
        }
        most + 4 * self.gradients as u64
    }

    /// Every state by its name.
    pub fn states(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().filter_map(|value| match &value.leaf {
            Some(Leaf::State(name)) => Some((name.as_str(), value)),
            Some(Leaf::Weight(_) | Leaf::Batch(_) | Leaf::Constant(_) | Leaf::Table) | None => None,
        })
    }

    fn name(&self, id: Id) -> String {
        match self.homes[id.0].as_ref() {
            Some(Home::Leaf(Leaf::Weight(name))) => name.clone(),
            Some(Home::Leaf(Leaf::Batch(name))) => (*name).to_string(),
            Some(Home::Leaf(Leaf::Constant(_))) => "constant".into(),
            Some(Home::Leaf(Leaf::Table)) => "table".into(),
            Some(Home::Leaf(Leaf::State(name))) => name.clone(),
            Some(Home::Slot(slot)) => format!("#{slot}"),
            Some(Home::Gradient(offset)) => format!("gradient+{offset}"),
            None => "-".into(),
        }
    }
}

/// One line a step: outputs with their shapes, the op, its inputs; then the slots.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            let show = |id: &Id| {
                let Value { shape, dtype, .. } = &self.values[id.0];
                format!("{}{shape:?}{}", self.name(*id), if *dtype == Dtype::F16 { " f16" } else { "" })
            };
            let outputs: Vec<String> = step.outputs.iter().map(show).collect();
            let inputs: Vec<String> = step.inputs.iter().map(|id| self.name(*id)).collect();
            writeln!(f, "{number:4}  {} = {:?}({})", outputs.join(", "), step.op, inputs.join(", "))?;
        }
        writeln!(f, "{} dispatches, {} slots, {} bytes", self.steps.len(), self.slots.len(), self.bytes())
    }
}
