//! How long each dispatch of a program takes on a GPU by itself.

use super::Gpu;
use super::program::Program;
use crate::backend::{Clock, Inputs};
use crate::error::{Error, Result};
use futures_channel::oneshot;

impl Gpu {
    /// Runs each dispatch of a program `times` times in one submit of its own. Returns the milliseconds of one run of each,
    /// a share of the submit's round trip included. An adapter's vectors are what was last written for the program.
    pub async fn profile(
        &self,
        program: &Program,
        inputs: &Inputs,
        times: usize,
        clock: &dyn Clock,
    ) -> Result<Vec<f64>> {
        self.faults.check()?;
        program.write(self.queue(), inputs)?;
        self.finish_all().await?;
        let mut found = Vec::with_capacity(program.dispatches());
        for at in 0..program.dispatches() {
            let start = clock.milliseconds();
            let mut encoder = self.device().create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                (0..times).for_each(|_| program.encode_one(at, &mut pass));
            }
            self.submit(encoder, times);
            self.finish_all().await?;
            found.push((clock.milliseconds() - start) / times as f64);
        }
        Ok(found)
    }

    /// Waits until the GPU has done everything that was submitted.
    async fn finish_all(&self) -> Result<()> {
        let (sender, receiver) = oneshot::channel();
        self.queue().on_submitted_work_done(move || {
            // Nobody listens any more once the profile was dropped.
            let _ = sender.send(());
        });
        // Natively nothing is reported unless the device is asked; in a browser this does nothing.
        let _ = self.device().poll(wgpu::PollType::wait_indefinitely());
        let done = receiver.await;
        self.faults.check()?;
        done.map_err(|_| Error::Backend { reason: "the device never reported that its work was done".into() })
    }
}
