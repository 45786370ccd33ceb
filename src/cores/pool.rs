//! Threads that wait for work.
//!
//! rayon, which would otherwise serve here, lets its threads sleep after a few looks for work. A token of a small language model is
//! some three hundred products of 30 µs, one after the other: waking a thread for each takes longer than what it saves. So helpers go on
//! looking for a while before they sleep, and a caller never waits for one that does not come: it takes the parts itself.

use std::any::Any;
use std::fmt;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a thread looks for news before it sleeps: about the time of an op that is not shared.
const LOOKS: usize = 20_000;
/// How long a caller sleeps before it looks again whether a helper was cut off.
const NAP: Duration = Duration::from_millis(10);

/// Work that is cut into numbered parts.
type Work<'a> = &'a (dyn Fn(usize) + Sync);

/// Where a caller posts work, and helpers find it. One piece of work at a time.
#[derive(Default)]
pub struct Pool {
    board: Mutex<Board>,
    /// Wakes helpers.
    posted: Condvar,
    /// Wakes the caller.
    finished: Condvar,
    /// How much has been posted so far: what a helper looks at while it is awake.
    news: AtomicUsize,
    /// Parts of the work that are not done.
    left: AtomicUsize,
    /// Helpers that were cut off within a part.
    lost: AtomicU32,
}

#[derive(Default)]
struct Board {
    work: Option<Work<'static>>,
    /// The next part that nobody has taken, and how many there are.
    next: usize,
    parts: usize,
    /// Helpers that sleep.
    asleep: usize,
    closed: bool,
    /// The first of this work's panics.
    panic: Option<Box<dyn Any + Send>>,
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("news", &self.news).field("left", &self.left).finish_non_exhaustive()
    }
}

impl Pool {
    /// Calls `work` with every number below `parts`, on the calling thread and on those that help, and returns when all are done. Work must
    /// not post work.
    ///
    /// # Panics
    /// With the panic of `work`; and if a helper was cut off, since the memory that it shared may then hold anything.
    pub fn run(&self, parts: usize, work: Work) {
        assert!(self.left.swap(parts, Ordering::AcqRel) == 0, "work was posted while other work is not done");
        // Work borrows from the caller, which the type of what others find on the board cannot say.
        // SAFETY: this function neither returns nor unwinds before every part is done, except those of helpers that are no longer there,
        // and then nobody takes another.
        #[expect(unsafe_code)]
        let shared = unsafe { std::mem::transmute::<Work<'_>, Work<'static>>(work) };
        self.post(shared, parts);
        while self.do_part() {}
        self.wait();
        let mut board = self.board();
        board.work = None;
        let panic = board.panic.take();
        drop(board);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
        assert!(self.lost.load(Ordering::Acquire) == 0, "a thread that shared the work has stopped");
    }

    /// Does parts of what is posted until the pool is closed.
    pub fn help(&self) {
        let mut seen = 0;
        while self.await_news(&mut seen) {
            while self.do_part() {}
        }
    }

    /// Sends the helpers home; what is posted later, the caller does alone.
    pub fn close(&self) {
        let mut board = self.board();
        board.closed = true;
        self.announce(&board);
    }

    /// Where the host of a helper counts it when it was cut off: a WebAssembly trap ends a thread without unwinding it, and the caller
    /// would wait for its part for ever.
    pub fn lost(&self) -> &AtomicU32 {
        &self.lost
    }

    fn post(&self, work: Work<'static>, parts: usize) {
        let mut board = self.board();
        (board.work, board.next, board.parts) = (Some(work), 0, parts);
        self.announce(&board);
    }

    /// Holding the board, or a helper could look before and sleep after.
    fn announce(&self, board: &MutexGuard<'_, Board>) {
        self.news.fetch_add(1, Ordering::Release);
        if board.asleep > 0 {
            self.posted.notify_all();
        }
    }

    /// Whether the pool is still open, once something has been posted since `seen`.
    fn await_news(&self, seen: &mut usize) -> bool {
        let fresh = |seen: usize| self.news.load(Ordering::Acquire) != seen;
        for _ in 0..LOOKS {
            if fresh(*seen) {
                break;
            }
            spin_loop();
        }
        let mut board = self.board();
        board.asleep += 1;
        while !fresh(*seen) {
            board = self.posted.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
        board.asleep -= 1;
        *seen = self.news.load(Ordering::Acquire);
        !board.closed
    }

    /// Takes a part and does it; whether there was one.
    fn do_part(&self) -> bool {
        let Some((work, part)) = self.take() else { return false };
        let result = catch_unwind(AssertUnwindSafe(|| work(part)));
        if let Err(panic) = result {
            self.board().panic.get_or_insert(panic);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Holding the board, or the caller could look before and sleep after.
            let _board = self.board();
            self.finished.notify_one();
        }
        true
    }

    fn take(&self) -> Option<(Work<'static>, usize)> {
        let mut board = self.board();
        let part = board.next;
        let work = board.work.filter(|_| part < board.parts)?;
        board.next += 1;
        Some((work, part))
    }

    /// Until all parts are done but those of helpers that were cut off.
    fn wait(&self) {
        let over = || self.left.load(Ordering::Acquire) <= self.lost.load(Ordering::Acquire) as usize;
        for _ in 0..LOOKS {
            if over() {
                return;
            }
            spin_loop();
        }
        let mut board = self.board();
        while !over() {
            board = self.finished.wait_timeout(board, NAP).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The board is held for a few instructions that cannot panic.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_caller_without_helpers_does_all_parts() {
        let done = [const { AtomicU32::new(0) }; 7];
        Pool::default().run(7, &|part| _ = done[part].fetch_add(1, Ordering::Relaxed));
        assert!(done.iter().all(|times| times.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn helpers_that_sleep_wake_for_work() {
        let pool = Pool::default();
        std::thread::scope(|scope| {
            scope.spawn(|| pool.help());
            for _ in 0..3 {
                while pool.board().asleep == 0 {
                    std::thread::yield_now();
                }
                let met = std::sync::Barrier::new(2); // both parts run at once, or neither ends
                pool.run(2, &|_| _ = met.wait());
            }
            pool.close();
        });
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_next_work_is_done() {
        let pool = Pool::default();
        std::thread::scope(|scope| {
            scope.spawn(|| pool.help());
            let panicking = || pool.run(64, &|part| assert!(part != 40, "part {part}"));
            let panic = catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>().unwrap(), "part 40");
            let sum = AtomicUsize::new(0);
            pool.run(64, &|part| _ = sum.fetch_add(part, Ordering::Relaxed));
            assert_eq!(sum.into_inner(), 63 * 64 / 2);
            pool.close();
        });
    }

    #[test]
    fn a_caller_does_not_wait_for_a_helper_that_was_cut_off() {
        let pool = Arc::new(Pool::default());
        let caller = std::thread::current().id();
        let helping = Arc::new(AtomicBool::new(false));
        // The helper stays in its part, with nothing that it borrows, until the process ends.
        let (of_helper, of_host) = (pool.clone(), pool.clone());
        std::thread::spawn(move || of_helper.help());
        let begun = helping.clone();
        std::thread::spawn(move || {
            while !begun.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            of_host.lost().fetch_add(1, Ordering::Release);
        });
        let work = move |_| {
            if std::thread::current().id() == caller {
                while !helping.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
            } else {
                helping.store(true, Ordering::Release);
                loop {
                    std::thread::park();
                }
            }
        };
        let work: &'static (dyn Fn(usize) + Sync) = Box::leak(Box::new(work));
        let panic = catch_unwind(AssertUnwindSafe(|| pool.run(2, work))).unwrap_err();
        assert_eq!(*panic.downcast_ref::<&str>().unwrap(), "a thread that shared the work has stopped");
    }
}
