//! A thousand training steps hold no more memory than the first ones.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unsafe_code)] // A counting allocator cannot be had without.

mod support;

use ia3_web::backend::Backend;
use ia3_web::session::Pooling;
use ia3_web::session::{EndReason, Session};
use ia3_web::train::{Objective, TrainOptions};
use pollster::block_on;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};
use support::session::*;

/// Bytes the process holds.
static HELD: AtomicIsize = AtomicIsize::new(0);

struct Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Layout) -> *mut u8 {
        HELD.fetch_add(block.size() as isize, Ordering::Relaxed);
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, block: Layout) {
        HELD.fetch_sub(block.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes held by the process, and by the buffers of its GPU.
fn held(session: &Session) -> (isize, u64) {
    let buffers = match session.backend() {
        Some(Backend::Gpu(gpu)) => gpu.held_bytes(),
        Some(Backend::Cpu(_)) | None => 0,
    };
    (HELD.load(Ordering::Relaxed), buffers)
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn a_thousand_steps_leave_memory_flat() {
    let contrastive = sessions(Pooling::Mean).map(|session| (session, Objective::Contrastive));
    let cross_entropy = (("cpu", session(Pooling::Mean)), Objective::CrossEntropy);
    for ((device, mut session), objective) in contrastive.chain([cross_entropy]) {
        session.add_adapter("a", Default::default()).unwrap();
        let told = TrainOptions { objective: Some(objective), eval_every: Some(100), ..steps(1100) };
        block_on(session.begin_training("a", &examples(), &examples()[2..5], &told)).unwrap();
        step(&mut session, 100).unwrap();
        let (bytes, buffers) = held(&session);
        for _ in 0..1000 {
            block_on(session.train_step()).unwrap();
        }
        let (more_bytes, more_buffers) = held(&session);
        assert_eq!(more_buffers, buffers, "{device} {objective:?}");
        // The losses are kept, four bytes a step, and drivers have pools.
        let grown = more_bytes - bytes;
        assert!(grown < 64 * 1024, "{device} {objective:?}: {grown} bytes more");
        block_on(session.end_training(EndReason::Failed)).unwrap();
    }
}
