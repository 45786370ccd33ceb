//! How much memory a test's thread holds.

#![allow(unsafe_code)] // A counting allocator cannot be had without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes this thread holds, and the most it held since the last reset.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

struct Counting;

impl Counting {
    fn count(bytes: isize) {
        // Threads that are ending have no counter left, and nothing to measure.
        let _ = HELD.try_with(|held| {
            let now = held.get().0 + bytes;
            held.set((now, held.get().1.max(now)));
        });
    }
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Layout) -> *mut u8 {
        Counting::count(block.size() as isize);
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, block: Layout) {
        Counting::count(-(block.size() as isize));
        unsafe { System.dealloc(pointer, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `action` gives, and how many bytes it held at most.
pub fn most_held<T>(action: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.with(|held| {
        held.set((held.get().0, held.get().0));
        held.get().0
    });
    let value = action();
    (value, (HELD.with(Cell::get).1 - before) as usize)
}
