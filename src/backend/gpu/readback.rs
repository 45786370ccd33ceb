//! A copy of GPU memory on its way to the CPU.

use super::faults::Faults;
use super::memory::{Buffer, Memory};
use crate::error::{Error, Result};
use futures_channel::oneshot::{self, Receiver};

/// A staging buffer and, once a copy into it was submitted, news of its arrival.
#[derive(Debug)]
pub struct Readback {
    buffer: Buffer,
    arrival: Arrival,
}

#[derive(Debug)]
enum Arrival {
    Idle,
    Underway(Receiver<std::result::Result<(), wgpu::BufferAsyncError>>),
    Here(bool),
}

impl Readback {
    /// Room for `elements` floats.
    pub fn new(memory: &Memory, elements: usize) -> Result<Self> {
        Ok(Readback { buffer: memory.staging("a read-back", elements)?, arrival: Arrival::Idle })
    }

    /// Copies `elements` of `source` from `from` on to element `to`. Goes into the encoder whose submit [`Readback::request`] follows.
    pub fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        source: &wgpu::Buffer,
        from: usize,
        to: usize,
        elements: usize,
    ) {
        let bytes = |elements: usize| elements as u64 * 4;
        encoder.copy_buffer_to_buffer(source, bytes(from), &self.buffer, bytes(to), bytes(elements));
    }

    /// Asks for what the last submit copied.
    pub fn request(&mut self) {
        let (sender, receiver) = oneshot::channel();
        self.buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            // Nobody listens any more once the run was dropped.
            let _ = sender.send(result);
        });
        self.arrival = Arrival::Underway(receiver);
    }

    /// Makes the buffer usable again after a run whose result nobody fetched.
    pub fn reset(&mut self) {
        if !matches!(self.arrival, Arrival::Idle) {
            self.buffer.unmap();
            self.arrival = Arrival::Idle;
        }
    }

    /// Whether [`Readback::read`] would not have to wait.
    pub fn arrived(&mut self, device: &wgpu::Device) -> bool {
        // Natively nothing arrives unless the device is asked; in a browser this does nothing.
        let _ = device.poll(wgpu::PollType::Poll);
        if let Arrival::Underway(receiver) = &mut self.arrival
            && let Some(result) = receiver.try_recv().unwrap_or(Some(Err(wgpu::BufferAsyncError)))
        {
            self.arrival = Arrival::Here(result.is_ok());
        }
        matches!(self.arrival, Arrival::Here(_))
    }

    /// The data, once it is there.
    pub async fn read(&mut self, device: &wgpu::Device, faults: &Faults) -> Result<Vec<f32>> {
        let whole = match std::mem::replace(&mut self.arrival, Arrival::Idle) {
            Arrival::Idle => false,
            Arrival::Here(whole) => whole,
            Arrival::Underway(receiver) => {
                let _ = device.poll(wgpu::PollType::wait_indefinitely());
                matches!(receiver.await, Ok(Ok(())))
            }
        };
        let view = if whole { self.buffer.get_mapped_range(..).ok() } else { None };
        let Some(view) = view else {
            // A browser may report the failed read before the loss of the device that caused it.
            faults.lose("a read-back failed");
            return Err(faults.check().err().unwrap_or(Error::DeviceLost { reason: "a read-back failed".into() }));
        };
        let data = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        self.buffer.unmap();
        faults.check()?;
        Ok(data)
    }
}
