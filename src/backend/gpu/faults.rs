//! What went wrong on a device behind our back: WebGPU reports a lost device and failed allocations through callbacks.

use crate::error::{Error, Result};
use std::sync::{Arc, Mutex, MutexGuard};

/// Shared with the device's callbacks, which wgpu wants to be able to call from other threads.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lost: Option<String>,
    fault: Option<Error>,
}

impl Faults {
    /// Faults of `device` from now on.
    pub fn watch(device: &wgpu::Device) -> Faults {
        let faults = Faults::default();
        let lost = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            let message = if message.is_empty() { format!("{reason:?}").to_lowercase() } else { message };
            lost.lose(message);
        });
        let other = faults.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            // The first one is the cause; those after it follow from it.
            other.state().fault.get_or_insert_with(|| describe(error, "a buffer", 0));
        }));
        faults
    }

    /// Fails if the device is gone or a fault was reported since the last call.
    pub fn check(&self) -> Result<()> {
        let mut state = self.state();
        if let Some(reason) = &state.lost {
            return Err(Error::DeviceLost { reason: reason.clone() });
        }
        state.fault.take().map_or(Ok(()), Err)
    }

    /// Notes that the device is gone.
    pub fn lose(&self, reason: impl Into<String>) {
        self.state().lost.get_or_insert_with(|| reason.into());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

/// An error of wgpu in our terms; `what` and `bytes` tell what was being allocated.
pub fn describe(error: wgpu::Error, what: &str, bytes: u64) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory { what: what.into(), bytes },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            Error::Backend { reason: description }
        }
    }
}
