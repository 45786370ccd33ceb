//! GPU buffers that are destroyed when they go, and the count of bytes they hold.

use super::faults::{Faults, describe};
use crate::error::{Error, Result};
use std::cell::Cell;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use wgpu::BufferUsages;

/// What a device will say of something that it was asked for: what went wrong, if anything did.
pub type Answer = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// Makes buffers on one device.
#[derive(Debug, Clone)]
pub struct Memory {
    device: wgpu::Device,
    faults: Faults,
    held: Rc<Cell<u64>>,
}

/// A buffer. In a browser a buffer lives until the garbage collector finds it, which takes no notice of GPU memory:
/// so it is destroyed when this goes.
#[derive(Debug)]
pub struct Buffer {
    inner: wgpu::Buffer,
    held: Rc<Cell<u64>>,
}

impl Memory {
    /// Memory of `device`.
    pub fn new(device: &wgpu::Device, faults: &Faults) -> Self {
        Memory { device: device.clone(), faults: faults.clone(), held: Rc::default() }
    }

    /// A zeroed buffer of so many units of four bytes for kernels; `what` names it in errors.
    pub fn storage(&self, what: &str, words: usize) -> Result<Buffer> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        self.buffer(what, words, usage)
    }

    /// A buffer of so many units of four bytes that the CPU can read after a copy.
    pub fn staging(&self, what: &str, words: usize) -> Result<Buffer> {
        self.buffer(what, words, BufferUsages::MAP_READ | BufferUsages::COPY_DST)
    }

    /// Bytes of all buffers that live.
    pub fn held_bytes(&self) -> u64 {
        self.held.get()
    }

    /// Runs `make` and waits for the device to say whether it had the memory for it; `what` and `bytes` name it in errors.
    pub async fn reserve<T>(&self, what: &str, bytes: u64, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        if let Some(error) = scope.pop().await {
            return Err(describe(error, what, bytes));
        }
        self.faults.check()?;
        made
    }

    /// Runs `make`, and gives what the device will say of it. What `make` does with a buffer that the device has no memory for is a fault as well.
    pub fn watched<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<(T, Answer)> {
        let faulty = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let full = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        let (full, faulty) = (full.pop(), faulty.pop());
        let answer = async {
            match full.await {
                Some(error) => Some(error),
                None => faulty.await,
            }
        };
        Ok((made?, Box::pin(answer)))
    }

    /// Sizes are rounded up to a vec4, so that kernels may read in vec4.
    fn buffer(&self, what: &str, words: usize, usage: BufferUsages) -> Result<Buffer> {
        let size = (words as u64).div_ceil(4).max(1).saturating_mul(16);
        let limits = self.device.limits();
        if size > limits.max_buffer_size || size > limits.max_storage_buffer_binding_size {
            return Err(Error::OutOfMemory { what: what.into(), bytes: size });
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size, usage, mapped_at_creation: false };
        self.held.set(self.held.get() + size);
        Ok(Buffer { inner: self.device.create_buffer(&descriptor), held: self.held.clone() })
    }
}

impl Deref for Buffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.inner
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.held.set(self.held.get() - self.inner.size());
        self.inner.destroy();
    }
}
