//! What answers a call: the adapters of its rows side by side in one table, and the program of a batch shape.

use super::Session;
use super::infer::{InferOptions, Selection};
use super::programs::Key;
use crate::adapter::{Adapter, Layout, product};
use crate::backend::Inputs;
use crate::error::{Error, Result};
use crate::models::{BatchShape, Output};

/// Rows run together where the caller does not say how many.
const BATCH_SIZE: usize = 16;

/// The adapters of a call, and how many rows run together.
#[derive(Debug, Clone)]
pub(super) struct Answering {
    /// The adapter of each row.
    pub(super) slots: Vec<usize>,
    pub(super) layout: Layout,
    pub(super) table: Vec<f32>,
    pub(super) adapters: usize,
    pub(super) batch_size: usize,
}

impl Answering {
    /// Are all rows answered in the same way, to the bit?
    pub(super) fn same(&self, other: &Answering) -> bool {
        let Answering { slots, layout, table, adapters, batch_size: _ } = self;
        *slots == other.slots && *layout == other.layout && *adapters == other.adapters && *table == other.table
    }
}

impl Session {
    /// What answers `rows` rows, with heads if the answer needs them.
    pub(super) fn answering(
        &self,
        selection: &Selection,
        rows: usize,
        head: bool,
        options: InferOptions,
    ) -> Result<Answering> {
        self.check_loaded()?;
        if options.batch_size == Some(0) {
            return Err(Error::BadOption { option: "batchSize".into(), reason: "is 0: give at least 1".into() });
        }
        let (members, slots) = self.members(selection, rows, head)?;
        let layout = Layout::union(&self.base.sites, &members.iter().collect::<Vec<_>>());
        let table = members.iter().flat_map(|member| layout.pack(member)).collect();
        let batch_size = options.batch_size.unwrap_or(BATCH_SIZE);
        Ok(Answering { slots, layout, table, adapters: members.len(), batch_size })
    }

    /// What a program of the shape computes of a batch, flat.
    pub(super) async fn run_program(
        &mut self,
        with: &Answering,
        shape: BatchShape,
        output: Output,
        inputs: &Inputs,
    ) -> Result<Vec<f32>> {
        let backend = self.backend.as_mut().expect("a loaded session has a device");
        let key = Key { shape, adapters: with.adapters, layout: with.layout.clone(), output };
        let program = self.programs.get(key, &self.model, backend, None).await?;
        Ok(backend.forward(program, inputs, &with.table).await?.concat())
    }

    /// The distinct adapters of a selection, and which of them each row uses.
    fn members(&self, selection: &Selection, rows: usize, head: bool) -> Result<(Vec<Adapter>, Vec<usize>)> {
        match selection {
            Selection::Active(names) => Ok((vec![self.member(names, head)?], vec![0; rows])),
            Selection::Rows(names) if names.len() != rows => {
                let reason = format!("names {} adapters for {rows} texts: give one name or null for each", names.len());
                Err(Error::BadOption { option: "adapter".into(), reason })
            }
            Selection::Rows(names) => {
                let mut distinct: Vec<&Option<String>> = Vec::new();
                let slot = |name| {
                    distinct.iter().position(|found| *found == name).unwrap_or_else(|| {
                        distinct.push(name);
                        distinct.len() - 1
                    })
                };
                let slots = names.iter().map(slot).collect();
                let member = |name: &&Option<String>| self.member(name.as_slice(), head);
                Ok((distinct.iter().map(member).collect::<Result<_>>()?, slots))
            }
        }
    }

    /// The product of some adapters; of none, the base model.
    fn member(&self, names: &[String], head: bool) -> Result<Adapter> {
        let adapters = names.iter().map(|name| self.adapter(name)).collect::<Result<Vec<_>>>()?;
        let mut member = self.with_model_head(product(&adapters, &self.base.sites));
        if adapters.is_empty() {
            member.head = self.base_head.clone();
        }
        if head && member.head.is_none() {
            return Err(Error::NoHead { adapter: (!names.is_empty()).then(|| names.join(", ")) });
        }
        Ok(member)
    }
}
