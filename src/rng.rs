//! Named random streams.
//!
//! Every random decision of the model comes from a stream named by (seed, world, inner year,
//! purpose), so that a change in supply leaves the demand draws alone (common random numbers) and
//! no result depends on which thread ran what. The generator is ChaCha8, whose values are the same
//! on every platform.

use rand::SeedableRng;
use rand::distr::{Distribution, OpenClosed01};
use rand::rngs::ChaCha8Rng;

/// The place in a run that a stream belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamKey {
    /// Seed of the run.
    pub seed: u64,
    /// World number.
    pub world: u64,
    /// Inner year (sample) number within the world; `u64::MAX` for draws of the world itself.
    pub inner: u64,
}

impl StreamKey {
    /// Key of the draws made once per world.
    #[must_use]
    pub fn world(seed: u64, world: u64) -> Self {
        Self { seed, world, inner: u64::MAX }
    }

    /// Key of one inner sample of a world.
    #[must_use]
    pub fn inner(seed: u64, world: u64, inner: u64) -> Self {
        Self { seed, world, inner }
    }

    /// The stream of one purpose at this place.
    #[must_use]
    pub fn stream(self, purpose: &str) -> ChaCha8Rng {
        let mut hash = blake3::Hasher::new();
        hash.update(&self.seed.to_le_bytes());
        hash.update(&self.world.to_le_bytes());
        hash.update(&self.inner.to_le_bytes());
        hash.update(purpose.as_bytes());
        ChaCha8Rng::from_seed(*hash.finalize().as_bytes())
    }

    /// One uniform number in the open interval (0, 1) for a named quantity.
    #[must_use]
    pub fn uniform(self, name: &str) -> f64 {
        uniform(&mut self.stream(name))
    }
}

/// A uniform number in the open interval (0, 1).
pub fn uniform(stream: &mut ChaCha8Rng) -> f64 {
    let value: f64 = OpenClosed01.sample(stream);
    if value < 1.0 { value } else { 1.0 - f64::EPSILON }
}

/// An exponential number with mean 1, by inversion through the portable logarithm.
pub fn exponential(stream: &mut ChaCha8Rng) -> f64 {
    -libm::log(uniform(stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_are_named_and_repeatable() {
        let key = StreamKey::inner(42, 3, 1);
        let first: Vec<u64> = (0..4).map(|_| key.stream("failures").next_u64()).collect();
        assert!(first.iter().all(|value| *value == first[0]));
        assert_ne!(key.stream("failures").next_u64(), key.stream("surges").next_u64());
        assert_ne!(
            key.stream("failures").next_u64(),
            StreamKey::world(42, 3).stream("failures").next_u64()
        );
    }

    #[test]
    fn uniform_and_exponential_have_their_moments() {
        let mut stream = StreamKey::world(1, 0).stream("test");
        let count = 200_000;
        let mean_u = (0..count).map(|_| uniform(&mut stream)).sum::<f64>() / f64::from(count);
        let mean_e = (0..count).map(|_| exponential(&mut stream)).sum::<f64>() / f64::from(count);
        // Standard errors: sqrt(1/12/n) and sqrt(1/n).
        assert!((mean_u - 0.5).abs() < 3.0 * (1.0 / 12.0 / f64::from(count)).sqrt());
        assert!((mean_e - 1.0).abs() < 3.0 * (1.0 / f64::from(count)).sqrt());
    }
}
