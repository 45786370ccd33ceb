//! The forward programs that are ready to run.

use crate::adapter::Layout;
use crate::backend::{Backend, Program, States};
use crate::error::Result;
use crate::models::{BatchShape, Model, Output};
use crate::train::forward_plan;

/// More than the shapes a page meets in a minute; each holds working memory on a GPU.
const MOST: usize = 6;

/// What a forward program is made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Rows and tokens.
    pub shape: BatchShape,
    /// Rows of the table.
    pub adapters: usize,
    /// Where each adapter vector stands in the table.
    pub layout: Layout,
    /// What comes out.
    pub output: Output,
}

/// The programs, the one used last at the end.
#[derive(Debug, Default)]
pub struct Programs(Vec<(Key, Program)>);

impl Programs {
    /// The program for `key`, made if it is not there; the one that was not used longest goes when there are too many. All programs that
    /// change `states` are given the same.
    pub async fn get(
        &mut self,
        key: Key,
        model: &Model,
        backend: &mut Backend,
        states: Option<&States>,
    ) -> Result<&mut Program> {
        let ready = match self.0.iter().position(|(found, _)| *found == key) {
            Some(at) => self.0.remove(at),
            None => {
                let plan = forward_plan(model, key.shape, &key.layout, key.adapters, key.output)?;
                let program = match states {
                    Some(states) => backend.compile_with(plan, states).await?,
                    None => backend.compile(plan).await?,
                };
                (key, program)
            }
        };
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(ready);
        Ok(&mut self.0.last_mut().expect("one was just added").1)
    }

    /// Drops all programs.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of working memory, all together.
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|(_, program)| program.plan().bytes()).sum()
    }

    /// Bytes of working memory of the largest.
    pub fn largest(&self) -> u64 {
        self.0.iter().map(|(_, program)| program.plan().bytes()).max().unwrap_or(0)
    }
}
