//! Weights that there is no room for: the error says how much they need, and a model loads with what it advises.
#![cfg(not(target_arch = "wasm32"))]
#![allow(unsafe_code)] // An allocator that refuses cannot be had without.

mod support;

use ia3_web::backend::Backend;
use ia3_web::checkpoint::gguf;
use ia3_web::checkpoint::safetensors::{read_all, write};
use ia3_web::session::{
    ActivationDtype, DeviceOption, Dtype, EstimateOptions, Pooling, Session, SessionOptions, Task, estimate,
};
use ia3_web::shortage::Shortage;
use ia3_web::{Error, Result};
use pollster::block_on;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;
use support::session::{load_file, load_files, options};
use support::{bytes, devices, drawn};

thread_local! {
    /// Bytes that this thread holds.
    static HELD: Cell<isize> = const { Cell::new(0) };
    /// How many it may, and blocks of which size are never refused: what is not weights has to be had.
    static LIMIT: Cell<(isize, usize)> = const { Cell::new((isize::MAX, usize::MAX)) };
}

struct Limited;

impl Limited {
    fn count(bytes: isize) {
        // Threads that are ending have no counter left, and nothing to limit.
        let _ = HELD.try_with(|held| held.set(held.get() + bytes));
    }

    fn refuses(block: Layout) -> bool {
        let limit = LIMIT.try_with(Cell::get).unwrap_or((isize::MAX, usize::MAX));
        let held = HELD.try_with(Cell::get).unwrap_or(0);
        block.size() > limit.1 && held + block.size() as isize > limit.0
    }
}

unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, block: Layout) -> *mut u8 {
        if Limited::refuses(block) {
            return null_mut();
        }
        Limited::count(block.size() as isize);
        unsafe { System.alloc(block) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, block: Layout) {
        Limited::count(-(block.size() as isize));
        unsafe { System.dealloc(pointer, block) }
    }
}

#[global_allocator]
static ALLOCATOR: Limited = Limited;

/// Runs `action` with so many bytes more than are held now, for blocks larger than `free`.
fn within<T>(bytes: isize, free: usize, action: impl FnOnce() -> T) -> T {
    LIMIT.set((HELD.get() + bytes, free));
    let found = action();
    LIMIT.set((isize::MAX, usize::MAX));
    found
}

const TASK: Task = Task::FeatureExtraction;
const DTYPES: [(&str, Dtype); 4] = [("f32", Dtype::F32), ("f16", Dtype::F16), ("q8", Dtype::Q8), ("q4", Dtype::Q4)];

fn told(task: Task, dtype: Option<Dtype>) -> SessionOptions {
    SessionOptions { task, labels: Vec::new(), dtype, ..options(Pooling::Mean) }
}

fn session(backend: Backend, config: &[u8], dtype: Option<Dtype>) -> Session {
    let mut session = Session::new(config, &bytes("tiny-bert/tokenizer.json"), told(TASK, dtype)).unwrap();
    session.set_backend(backend);
    session
}

/// Bytes of the weights by an estimate.
fn estimated(config: &[u8], file: &[u8], task: Task, dtype: Option<Dtype>) -> u64 {
    let asked = EstimateOptions {
        task,
        labels: Vec::new(),
        pooling: Pooling::Mean,
        batch_size: 1,
        max_length: 8,
        activation_checkpointing: false,
        dtype,
        activation_dtype: ActivationDtype::F32,
        device: DeviceOption::Wasm,
    };
    estimate(config, &[file], &asked).unwrap().weight_bytes
}

fn shortage(found: Result<()>) -> Shortage {
    match found.unwrap_err() {
        Error::WeightsTooLarge(shortage) => *shortage,
        other => panic!("{other}"),
    }
}

/// Fails unless a shortage has the estimate's sizes of all formats that are smaller.
fn agrees(shortage: &Shortage, config: &[u8], file: &[u8], task: Task, dtype: Option<Dtype>) {
    let estimated = |dtype| estimated(config, file, task, dtype);
    assert_eq!(shortage.needed, estimated(dtype), "{shortage}");
    let all = DTYPES.map(|(name, dtype)| (name, estimated(Some(dtype))));
    let smaller: Vec<_> = all.into_iter().filter(|(_, bytes)| *bytes < shortage.needed).collect();
    assert_eq!(shortage.smaller, smaller, "{shortage}");
}

#[test]
fn weights_without_room_say_what_they_need_and_load_with_what_is_advised() {
    let config = drawn::config("bert", 400);
    let file = drawn::file(&config, TASK);
    let room = estimated(&config, &file, TASK, Some(Dtype::Q8)) as isize + 700_000;
    // A length that is not known leaves buffers to grow with what comes.
    for length in [Some(file.len() as u64), None] {
        let load = |session: &mut Session| {
            session.begin_weights()?;
            session.begin_file("model.safetensors", length, None)?;
            file.chunks(9973).try_for_each(|chunk| session.feed_weights(chunk))?;
            block_on(session.finish_weights())
        };
        let mut floats = session(Backend::cpu(), &config, None);
        let error = within(room, 1 << 15, || load(&mut floats)).unwrap_err();
        assert_eq!(error.code(), "out-of-memory");
        let shortage = shortage(Err(error));
        assert!(shortage.what.starts_with("tensor 'encoder.layer."), "{shortage}");
        assert_eq!((shortage.dtype, shortage.advised()), (Some("f32"), Some("q8")), "{shortage}");
        assert!(shortage.held > 0 && shortage.held < room as u64, "{shortage}");
        agrees(&shortage, &config, &file, TASK, None);
        drop(floats);
        let mut advised = session(Backend::cpu(), &config, Some(Dtype::Q8));
        within(room, 1 << 15, || load(&mut advised)).unwrap();
        assert_eq!(advised.weight_bytes() as u64, estimated(&config, &file, TASK, Some(Dtype::Q8)));
    }
}

#[test]
fn the_smallest_format_has_no_smaller_one() {
    let config = drawn::config("llama", 400);
    let file = drawn::file(&config, TASK);
    let mut session = session(Backend::cpu(), &config, Some(Dtype::Q4));
    let shortage = shortage(within(500_000, 1 << 15, || load_file(&mut session, &file, 9973)));
    assert_eq!((shortage.dtype, shortage.advised()), (Some("q4"), None));
    agrees(&shortage, &config, &file, TASK, Some(Dtype::Q4));
    assert!(shortage.to_string().ends_with("load a smaller model, or close other tabs"), "{shortage}");
}

#[test]
fn a_gguf_is_in_the_formats_of_its_own() {
    let file = bytes("gguf/mixed.gguf");
    let files = gguf::files("m.gguf", &file).unwrap().unwrap();
    let task = Task::TextGeneration;
    let mut session = Session::new(&files["config.json"], &files["tokenizer.json"], told(task, None)).unwrap();
    session.set_backend(Backend::cpu());
    let shortage = shortage(within(0, 1 << 15, || load_file(&mut session, &file, 512)));
    assert_eq!(shortage.dtype, None);
    agrees(&shortage, &files["config.json"], &file, task, None);
    assert!(shortage.to_string().contains("in the formats of the file"), "{shortage}");
}

#[test]
fn shards_are_counted_before_they_come() {
    let config = drawn::config("llama", 400);
    let whole = drawn::file(&config, TASK);
    let mut first = read_all(&whole).unwrap();
    let others = first.split_off("layers.1.");
    assert!(first.len() > 9 && others.len() > 20);
    let mut session = session(Backend::cpu(), &config, None);
    let shard = write(&first);
    let found =
        within(500_000, 1 << 15, || load_files(&mut session, &[("model-00001-of-00002.safetensors", &shard)], 9973));
    agrees(&shortage(found), &config, &whole, TASK, None);
}

/// The word embeddings have one row more than a buffer of the device can hold as floats.
#[test]
fn a_tensor_larger_than_the_devices_buffers_says_what_would_do() {
    let (_, gpu) = devices().pop().unwrap();
    let Backend::Gpu(device) = &gpu else { panic!("the last device is a GPU") };
    let most = device.info().limits["maxStorageBufferBindingSize"].min(device.info().limits["maxBufferSize"]);
    let config = drawn::config("bert", most as usize / (4 * 192) + 1);
    let header = drawn::header(&config, TASK);
    let mut session = session(gpu, &config, None);
    session.begin_weights().unwrap();
    session.begin_file("model.safetensors", None, None).unwrap();
    session.feed_weights(&header).unwrap();
    let zeros = vec![0; 1 << 20];
    let error = std::iter::repeat(&zeros).find_map(|zeros| session.feed_weights(zeros).err()).unwrap();
    let shortage = shortage(Err(error));
    assert!(shortage.what.contains("word_embeddings") && shortage.bytes > most as u64, "{shortage}");
    agrees(&shortage, &config, &header, TASK, None);
}
