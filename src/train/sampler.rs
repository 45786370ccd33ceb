//! Which examples make up the next batch.

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

/// Goes through the examples in random order, each once an epoch. Each class is dealt out evenly over the epoch, so that a
/// small batch rarely lacks one: cross-entropy gets steadier gradients, and a contrastive loss gets its positives.
#[derive(Debug)]
pub struct Sampler {
    classes: Vec<Vec<usize>>,
    queue: Vec<usize>,
    rng: SmallRng,
}

impl Sampler {
    /// For examples with these labels, in an order that `seed` decides.
    pub fn new(labels: &[usize], classes: usize, seed: u64) -> Self {
        let members =
            |class| labels.iter().enumerate().filter(|(_, label)| **label == class).map(|(at, _)| at).collect();
        Sampler { classes: (0..classes).map(members).collect(), queue: Vec::new(), rng: SmallRng::seed_from_u64(seed) }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes.len()
    }

    /// The next `count` examples; an epoch's end may fall inside.
    pub fn batch(&mut self, count: usize) -> Vec<usize> {
        while self.queue.len() < count {
            let epoch = self.epoch();
            self.queue.extend(epoch);
        }
        self.queue.drain(..count).collect()
    }

    fn epoch(&mut self) -> Vec<usize> {
        let mut order: Vec<(f64, usize)> = Vec::new();
        self.classes.shuffle(&mut self.rng);
        for class in &mut self.classes {
            class.shuffle(&mut self.rng);
            let size = class.len() as f64;
            order.extend(class.iter().enumerate().map(|(at, example)| ((at as f64 + 0.5) / size, *example)));
        }
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        order.into_iter().map(|(_, example)| example).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_every_example_once_and_every_class_in_each_batch() {
        let labels: Vec<usize> = (0..24).map(|at| at % 3).collect();
        let mut sampler = Sampler::new(&labels, 3, 7);
        let batches: Vec<Vec<usize>> = (0..4).map(|_| sampler.batch(6)).collect();
        for batch in &batches {
            (0..3).for_each(|class| assert_eq!(batch.iter().filter(|at| labels[**at] == class).count(), 2));
        }
        let mut all: Vec<usize> = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..24).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides_the_order() {
        let order = |seed| Sampler::new(&[0, 1, 0, 1, 0, 1], 2, seed).batch(6);
        assert_eq!(order(1), order(1));
        assert!((2..20).any(|seed| order(seed) != order(1)));
    }
}
