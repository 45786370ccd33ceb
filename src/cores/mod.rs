//! The threads that share the work of a CPU twin.
//!
//! A twin divides its result into parts that nobody else writes, and each part is computed as it would be alone: however many threads
//! there are, the numbers are the same to the bit.

mod pool;

pub use pool::Pool;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Steps below which work is not worth handing over: 10 µs or so, where a hand-over takes one or two.
const WORTH_SHARING: usize = 16_384;

/// The calling thread, and perhaps helpers that wait in a [`Pool`].
#[derive(Debug, Clone, Default)]
pub struct Cores {
    helpers: Option<(Arc<Pool>, usize)>,
}

/// One part of the work: what is to be done, then what came of it.
enum Part<P, R> {
    Open(P),
    Taken,
    Done(R),
}

impl Cores {
    /// The calling thread alone.
    pub fn one() -> Cores {
        Cores::default()
    }

    /// The calling thread and so many others that are, or will be, in [`Pool::help`].
    pub fn with_helpers(pool: Arc<Pool>, helpers: usize) -> Cores {
        Cores { helpers: (helpers > 0).then_some((pool, helpers)) }
    }

    /// Calls `f` with the calling thread and `count - 1` others, which end with it. Not in WebAssembly, where the host starts threads.
    pub fn with_threads<T>(count: usize, f: impl FnOnce(Cores) -> T) -> T {
        struct Closing<'a>(&'a Pool);
        impl Drop for Closing<'_> {
            fn drop(&mut self) {
                self.0.close();
            }
        }
        let pool = Arc::<Pool>::default();
        std::thread::scope(|scope| {
            // Also where `f` panics: the scope waits for its threads.
            let _closing = Closing(&pool);
            (1..count).for_each(|_| _ = scope.spawn(|| pool.help()));
            f(Cores::with_helpers(pool.clone(), count - 1))
        })
    }

    /// Threads, the calling one included.
    pub fn count(&self) -> usize {
        self.helpers.as_ref().map_or(1, |(_, helpers)| helpers + 1)
    }

    /// `0..count` cut into at most one run a thread, equal up to one; no run is empty.
    pub fn split(&self, count: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let parts = self.count().min(count);
        (0..parts).map(move |part| part * count / parts..(part + 1) * count / parts)
    }

    /// Calls `work` with every part, each on one thread or another, and returns what came of them in their order.
    ///
    /// # Panics
    /// If a helper has stopped: the memory that it shared may hold anything.
    pub fn map<P: Send, R: Send>(&self, parts: Vec<P>, work: impl Fn(P) -> R + Sync) -> Vec<R> {
        let Some((pool, _)) = self.helpers.as_ref().filter(|_| parts.len() > 1) else {
            return parts.into_iter().map(work).collect();
        };
        let parts: Vec<Mutex<Part<P, R>>> = parts.into_iter().map(|part| Mutex::new(Part::Open(part))).collect();
        // A lock is held only for moving a part: no thread waits for one, and no panic leaves one broken.
        let swap = |at: usize, with: Part<P, R>| {
            std::mem::replace(&mut *parts[at].lock().unwrap_or_else(PoisonError::into_inner), with)
        };
        pool.run(parts.len(), &|at| {
            let Part::Open(part) = swap(at, Part::Taken) else { unreachable!("a part is handed out once") };
            swap(at, Part::Done(work(part)));
        });
        let done = |part: Mutex<Part<P, R>>| match part.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Part::Done(result) => result,
            Part::Open(_) | Part::Taken => unreachable!("every part was done"),
        };
        parts.into_iter().map(done).collect()
    }

    /// These threads if so many steps of a simple loop, about a nanosecond each, are worth sharing; otherwise the calling one alone.
    pub fn worth(&self, steps: usize) -> Cores {
        if steps < WORTH_SHARING { Cores::one() } else { self.clone() }
    }

    /// Calls `work` with some neighbouring rows of `y (rows, columns)` and the number of the first, until all rows have been given.
    pub fn share<T: Send>(&self, y: &mut [T], columns: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        if self.count() == 1 {
            return work(0, y);
        }
        let rows = y.len() / columns;
        self.map(parts_of(y, columns, self.split(rows)), |(first, part)| work(first, part));
    }

    /// The same where an element is a step: too few of them are not shared.
    pub fn rows<T: Send>(&self, y: &mut [T], columns: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        self.worth(y.len()).share(y, columns, work);
    }
}

/// The rows of `y` that each range names, with the number of the first; the ranges follow each other from row 0 on.
pub fn parts_of<T>(
    mut y: &mut [T],
    columns: usize,
    ranges: impl Iterator<Item = Range<usize>>,
) -> Vec<(usize, &mut [T])> {
    let mut parts = Vec::new();
    for range in ranges {
        let (part, rest) = y.split_at_mut(range.len() * columns);
        parts.push((range.start, part));
        y = rest;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_given_once() {
        let (rows, columns) = (4099, 5);
        let mut y = vec![0; rows * columns];
        Cores::with_threads(3, |cores| {
            for _ in 0..200 {
                cores.rows(&mut y, columns, |first, part| {
                    part.chunks_exact_mut(columns)
                        .zip(first..)
                        .for_each(|(row, at)| row.iter_mut().for_each(|y| *y += at));
                });
            }
        });
        assert!(y.into_iter().eq((0..rows).flat_map(|at| [200 * at; 5])));
    }

    #[test]
    fn results_keep_the_order_of_their_parts() {
        let found = Cores::with_threads(2, |cores| cores.map((0..100).collect(), |at| at * at));
        assert!(found.into_iter().eq((0..100).map(|at| at * at)));
    }

    #[test]
    fn runs_cover_everything_and_none_is_empty() {
        let cores = Cores::with_helpers(Arc::new(Pool::default()), 3);
        for count in [0, 1, 3, 4, 5, 18, 1000] {
            let runs: Vec<Range<usize>> = cores.split(count).collect();
            assert!(runs.len() <= 4 && runs.iter().all(|run| !run.is_empty()), "{runs:?}");
            assert!(runs.into_iter().flatten().eq(0..count));
        }
    }
}
