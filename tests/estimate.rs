//! What an estimate tells before loading against what is held while training: by the process on the CPU, in buffers on a GPU.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unsafe_code)] // A counting allocator cannot be had without.

mod support;

use ia3_web::backend::Backend;
use ia3_web::session::{
    ActivationDtype, DeviceOption, Dtype, EstimateOptions, Example, Pooling, Session, SessionOptions, Task, estimate,
};
use ia3_web::train::TrainOptions;
use pollster::block_on;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};
use support::drawn;
use support::session::*;
use support::{bytes, devices};

/// Bytes the process holds, and the most it held since the last reset.
static HELD: AtomicIsize = AtomicIsize::new(0);
static MOST: AtomicIsize = AtomicIsize::new(0);

struct Counting;

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, block: Layout) -> *mut u8 {
        let now = HELD.fetch_add(block.size() as isize, Ordering::Relaxed) + block.size() as isize;
        MOST.fetch_max(now, Ordering::Relaxed);
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, block: Layout) {
        HELD.fetch_sub(block.size() as isize, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH: usize = 8;
const LENGTH: usize = 32;

/// Forgets what was held before; what is held now.
fn reset() -> isize {
    let now = HELD.load(Ordering::Relaxed);
    MOST.store(now, Ordering::Relaxed);
    now
}

fn examples_of(task: Task) -> Vec<Example> {
    let words = "the cat ".repeat(14);
    let example = |at: usize| match task {
        Task::TextGeneration => Example::Plain { text: words.clone() },
        Task::Text2textGeneration => Example::Rewritten { input: words.clone(), output: words.clone() },
        _ => example(LABELS[at % 3], &words),
    };
    (0..8).map(example).collect()
}

/// What was told and what was held, both without the files. What a GPU holds is its buffers and what was in memory at most while they were
/// filled: its driver's own memory, which is that of the process here, is the browser's there.
fn told_and_held(
    backend: Backend,
    model_type: &str,
    task: Task,
    (dtype, activation_dtype): (Option<Dtype>, ActivationDtype),
    checkpointing: bool,
) -> (u64, u64) {
    let labels = if task == Task::TextClassification { LABELS.map(String::from).to_vec() } else { Vec::new() };
    let (config, tokenizer) = (drawn::config(model_type, 400), bytes("tiny-bert/tokenizer.json"));
    let file = drawn::file(&config, task);
    let on_cpu = matches!(backend, Backend::Cpu(_));
    let asked = EstimateOptions {
        task,
        labels: labels.clone(),
        pooling: Pooling::Mean,
        batch_size: BATCH,
        max_length: LENGTH,
        activation_checkpointing: checkpointing,
        dtype,
        activation_dtype,
        device: if on_cpu { DeviceOption::Wasm } else { DeviceOption::Webgpu },
    };
    let told = estimate(&config, &[&file], &asked).unwrap().memory_bytes;
    let examples = examples_of(task);
    let before = reset();
    let made = SessionOptions { task, labels, dtype, activation_dtype, ..options(Pooling::Mean) };
    let mut session = Session::new(&config, &tokenizer, made).unwrap();
    session.set_backend(backend);
    let opened = reset();
    load_file(&mut session, &file, 1 << 16).unwrap();
    let loading = MOST.load(Ordering::Relaxed) - opened;
    session.add_adapter("a", Default::default()).unwrap();
    let options = TrainOptions {
        batch_size: Some(BATCH),
        activation_checkpointing: checkpointing,
        max_length: Some(LENGTH),
        ..steps(5)
    };
    block_on(session.begin_training("a", &examples, &[], &options)).unwrap();
    step(&mut session, 2).unwrap();
    let held = match session.backend() {
        Some(Backend::Gpu(gpu)) => gpu.held_bytes() + loading as u64,
        Some(Backend::Cpu(_)) | None => (MOST.load(Ordering::Relaxed) - before) as u64,
    };
    (told, held)
}

/// One test, so that nothing else allocates meanwhile.
#[test]
fn an_estimate_is_within_a_tenth_of_what_is_held() {
    use ActivationDtype::{F16, F32};
    // The matrix products of the processor keep buffers of their own for each thread, as large as its caches are.
    told_and_held(Backend::cpu(), "bert", Task::TextClassification, (None, F32), false);
    for (model_type, task, dtypes) in [
        ("bert", Task::TextClassification, (None, F32)),
        ("bert", Task::TextClassification, (None, F16)),
        ("llama", Task::TextClassification, (None, F32)),
        ("llama", Task::TextGeneration, (None, F32)),
        ("llama", Task::TextGeneration, (Some(Dtype::Q8), F32)),
        ("llama", Task::TextGeneration, (Some(Dtype::Q8), F16)),
        ("t5", Task::Text2textGeneration, (None, F32)),
    ] {
        for checkpointing in [false, true] {
            for (device, backend) in devices() {
                let (told, held) = told_and_held(backend, model_type, task, dtypes, checkpointing);
                let ratio = told as f64 / held as f64;
                println!(
                    "{device} {model_type} {task:?} {dtypes:?} checkpointing {checkpointing}: {told} told, {held} held, {ratio:.3}"
                );
                assert!(
                    (ratio - 1.0).abs() <= 0.1,
                    "{device} {model_type} {task:?} {dtypes:?} {checkpointing}: {told} told, {held} held"
                );
            }
        }
    }
}
