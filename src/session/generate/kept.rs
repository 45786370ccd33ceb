//! What stays on the device from token to token and from one generation to the next: keys and values of the tokens read so far, those of
//! what an encoder read, and the programs that use them.

use crate::backend::{Backend, Data, Inputs, States};
use crate::error::Result;
use crate::models::{BatchShape, MOST_AT_ONCE, Model, Output, Padding};
use crate::session::answering::Answering;
use crate::session::programs::{Key, Programs};
use crate::train::{bucket, forward_plan, padded_texts};

/// Capacities are multiples of this.
const STEP: usize = 128;

/// A cache of keys and values with the programs bound to it.
#[derive(Debug)]
pub struct Kept {
    states: States,
    programs: Programs,
    with: Answering,
    capacity: usize,
    /// Tokens that an encoder reads at most.
    room: usize,
    /// What the encoder read for each row; empty where there is none, or it has read nothing yet.
    encoded: Vec<Vec<u32>>,
    /// Tokens of each row whose keys and values are in the cache.
    cached: Vec<Vec<u32>>,
    /// Where places come round in the shortest of the caches.
    round: usize,
    /// Tokens of each row that were put there since it was begun, those included whose place others have taken or that were given up.
    put: Vec<usize>,
    bytes: u64,
}

impl Kept {
    /// An empty cache for rows of `tokens` tokens at most, and for `texts` of an encoder, or texts of their length.
    pub async fn new(
        model: &Model,
        backend: &mut Backend,
        with: &Answering,
        texts: &[Vec<u32>],
        tokens: usize,
    ) -> Result<Kept> {
        let longest = model.common().longest;
        let room = longest_of(texts).map_or(0, |tokens| bucket(tokens, longest, backend.kind()));
        // A decoder beside an encoder knows no last position.
        let capacity = capacity(tokens, if room > 0 { usize::MAX } else { longest });
        let rows = with.slots.len();
        let mut shape = BatchShape::cached(rows, 1, capacity);
        if room > 0 {
            shape = shape.encoded(0, room);
        }
        let plan = forward_plan(model, shape, &with.layout, with.adapters, Output::Next)?;
        let bytes = plan.states().map(|(_, value)| 4 * value.words() as u64).sum();
        let round = plan.states().map(|(_, value)| value.shape[1]).min().unwrap_or(capacity);
        let states = backend.states(&plan).await?;
        let (programs, with, encoded) = (Programs::default(), with.clone(), Vec::new());
        let (cached, put) = (vec![Vec::new(); rows], vec![0; rows]);
        Ok(Kept { states, programs, with, capacity, room, encoded, cached, round, put, bytes })
    }

    /// Is this of the same rows with the same adapters, and large enough?
    pub fn serves(&self, with: &Answering, texts: &[Vec<u32>], tokens: usize) -> bool {
        self.with.same(with) && self.capacity >= tokens && longest_of(texts).is_none_or(|tokens| self.room >= tokens)
    }

    /// Bytes of the cache and of the programs' working memory, of all of them or of the largest.
    pub fn bytes(&self, all: bool) -> u64 {
        self.bytes + if all { self.programs.bytes() } else { self.programs.largest() }
    }

    /// Programs that are ready.
    pub fn program_count(&self) -> usize {
        self.programs.len()
    }

    /// Logits of what follows each of the rows, None for those that are not asked for. `texts` are what an encoder reads for all of them, where
    /// there is one. Only the tokens run that do not stand in the cache already; `count` is told how many those are.
    pub async fn follow(
        &mut self,
        model: &Model,
        backend: &mut Backend,
        texts: &[Vec<u32>],
        rows: &[Option<&[u32]>],
        count: &mut usize,
    ) -> Result<Vec<Option<Vec<f32>>>> {
        if self.encoded != texts {
            // Keys and values of other texts are of no use: every state has looked at the whole text of its row.
            self.encoded.clear();
            self.cached.iter_mut().for_each(Vec::clear);
        }
        for ((row, cached), put) in rows.iter().zip(&mut self.cached).zip(&mut self.put) {
            let Some(row) = row else { continue };
            let common = row.iter().zip(cached.iter()).take_while(|(a, b)| a == b).count();
            // The last token's state is what tells the next, so it is read again where it is there already.
            let common = common.min(row.len() - 1);
            // Far enough back a window's keys are gone.
            let gone = *put > self.round && *put > common + MOST_AT_ONCE;
            cached.truncate(if gone { 0 } else { common });
            if cached.is_empty() {
                *put = 0;
            }
        }
        let mut found = vec![None; rows.len()];
        loop {
            let rests =
                rows.iter().zip(&self.cached).map(|(row, cached)| row.map_or(0, |row| row.len() - cached.len()));
            let most = rests.max().unwrap_or(0);
            if most == 0 {
                return Ok(found);
            }
            let length = match most.min(MOST_AT_ONCE) {
                1 => 1,
                most => bucket(most, self.capacity, backend.kind()),
            };
            let unread = if self.encoded == texts { &[][..] } else { texts };
            let logits = self.run(model, backend, unread, rows, length).await?;
            self.encoded.extend_from_slice(unread);
            *count += unread.iter().map(Vec::len).sum::<usize>();
            let kept = self.cached.iter_mut().zip(&mut self.put);
            for ((row, (cached, put)), (logits, found)) in rows.iter().zip(kept).zip(logits.into_iter().zip(&mut found))
            {
                let Some(row) = row.filter(|row| row.len() > cached.len()) else { continue };
                let end = row.len().min(cached.len() + length);
                *count += end - cached.len();
                cached.extend(&row[cached.len()..end]);
                *put = end.max(*put);
                *found = Some(logits).filter(|_| end == row.len());
            }
        }
    }

    /// Runs an encoder over `texts`, if there are any, and the next `length` tokens of each row.
    async fn run(
        &mut self,
        model: &Model,
        backend: &mut Backend,
        texts: &[Vec<u32>],
        rows: &[Option<&[u32]>],
        length: usize,
    ) -> Result<Vec<Vec<f32>>> {
        let mut shape = BatchShape::cached(rows.len(), length, self.capacity);
        let padding = model.common().padding;
        let mut inputs = self.inputs(rows, length, padding.token);
        if self.room > 0 {
            let read = longest_of(texts).map_or(0, |tokens| bucket(tokens, self.room, backend.kind()));
            shape = shape.encoded(read, self.room);
            let encoded = if texts.is_empty() { &self.encoded } else { texts };
            inputs.extend(encoder_inputs(encoded, shape, padding));
        }
        let Answering { layout, adapters, table, .. } = &self.with;
        let key = Key { shape, adapters: *adapters, layout: layout.clone(), output: Output::Next };
        let program = self.programs.get(key, model, backend, Some(&self.states)).await?;
        let logits = backend.forward(program, &inputs, table).await?.concat();
        Ok(logits.chunks_exact(logits.len() / rows.len()).map(<[f32]>::to_vec).collect())
    }

    /// Tokens with their positions, and their places in the cache. Padding is at position 0, which sees one key alone, and has no place.
    fn inputs(&self, rows: &[Option<&[u32]>], length: usize, padding: u32) -> Inputs {
        let (mut ids, mut last) = (vec![padding; rows.len() * length], vec![0; rows.len()]);
        let (mut positions, mut places) = (vec![0; ids.len()], vec![self.capacity as u32; ids.len()]);
        for (at, (row, cached)) in rows.iter().zip(&self.cached).enumerate() {
            let rest = row.map_or(&[][..], |row| &row[cached.len()..]);
            let rest = &rest[..rest.len().min(length)];
            for (token, id) in rest.iter().enumerate() {
                let position = (cached.len() + token) as u32;
                (ids[at * length + token], positions[at * length + token]) = (*id, position);
                places[at * length + token] = position;
            }
            last[at] = rest.len().saturating_sub(1) as u32;
        }
        let slots = self.with.slots.iter().map(|slot| *slot as u32).collect();
        let name = if self.room > 0 { "decoder_ids" } else { "ids" };
        let parts = [(name, ids), ("positions", positions), ("places", places), ("last", last), ("slots", slots)];
        parts.into_iter().map(|(name, data)| (name, Data::U32(data))).collect()
    }
}

/// What an encoder reads, where it reads, and for each token of its decoder the place of the text's last token: there is no padding before it.
fn encoder_inputs(texts: &[Vec<u32>], shape: BatchShape, padding: Padding) -> Inputs {
    let BatchShape { batch, length, written, .. } = shape;
    let end = |text: &Vec<u32>| std::iter::repeat_n(text.len() as u32 - 1, written);
    let mut inputs = vec![("encoded_ends", Data::U32(texts.iter().flat_map(end).collect()))];
    if length > 0 {
        let [ids, mask] = padded_texts(texts.iter().map(Vec::as_slice), batch, length, padding);
        let places = (0..batch).flat_map(|_| 0..length as u32).collect();
        inputs.extend([("ids", ids), ("mask", mask), ("encoded_places", Data::U32(places))]);
    }
    inputs
}

fn longest_of(texts: &[Vec<u32>]) -> Option<usize> {
    texts.iter().map(Vec::len).max()
}

/// Room for some tokens and, so that a chat that goes on keeps its cache for a while, up to a quarter more.
fn capacity(tokens: usize, longest: usize) -> usize {
    let step = STEP.max(tokens.next_power_of_two() / 4);
    tokens.next_multiple_of(step).min(longest)
}

#[cfg(test)]
mod tests {
    use super::capacity;

    #[test]
    fn capacities_are_few_and_never_more_than_the_model_takes() {
        assert_eq!([1, 128, 129, 500, 600, 1100].map(|tokens| capacity(tokens, 2048)), [128, 128, 256, 512, 768, 1536]);
        assert_eq!([1, 60, 64].map(|tokens| capacity(tokens, 64)), [64, 64, 64]);
    }
}
