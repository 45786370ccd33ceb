//! The learning rate over the steps of a run.

use super::options::Schedule;
use super::settings::Settings;

impl Settings {
    /// The factor of the peak learning rates at `step` (from 0): a linear rise over the warm-up, then the schedule.
    /// As transformers' `get_linear_schedule_with_warmup` and `get_cosine_schedule_with_warmup`.
    pub fn rate(&self, step: usize) -> f32 {
        if step < self.warmup_steps {
            return step as f32 / self.warmup_steps as f32;
        }
        let rest = (self.steps - self.warmup_steps).max(1) as f32;
        let progress = (step - self.warmup_steps) as f32 / rest;
        match self.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 - progress,
            Schedule::Cosine => 0.5 * (1.0 + (std::f32::consts::PI * progress).cos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::train::{Schedule, TrainOptions};

    fn rates(schedule: Schedule) -> Vec<f32> {
        let options =
            TrainOptions { steps: Some(10), warmup_ratio: Some(0.2), schedule: Some(schedule), ..Default::default() };
        let settings = options.resolve(8, 2, 64, 1).unwrap();
        [0, 1, 2, 6, 9].map(|step| settings.rate(step)).to_vec()
    }

    #[test]
    fn schedules_follow_transformers() {
        // Values of transformers 5.23's LambdaLR schedules with 2 warm-up and 10 training steps.
        assert_eq!(rates(Schedule::Constant), [0.0, 0.5, 1.0, 1.0, 1.0]);
        assert_eq!(rates(Schedule::Linear), [0.0, 0.5, 1.0, 0.5, 0.125]);
        let cosine = rates(Schedule::Cosine);
        [0.0, 0.5, 1.0, 0.5, 0.038_060_233].iter().zip(&cosine).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
    }
}
