//! Named random streams.
//!
//! Every random decision of the model comes from a stream named by (seed, world, inner year,
//! purpose), so that a change in supply leaves the demand draws alone (common random numbers) and
//! no result depends on which thread ran what. The generator is ChaCha8, whose values are the same
//! on every platform.

use rand::SeedableRng;
use rand::distr::{Distribution, OpenClosed01};
use rand::rngs::ChaCha8Rng;
use rand_distr::Binomial;

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

/// Mean of a binomial number up to which it is found by inversion.
const INVERTED: f64 = 12.0;

/// A probability, prepared for drawing how many of many units it befalls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    probability: f64,
    /// The smaller of it and of its complement, and the logarithm of one less that.
    smaller: f64,
    rest: f64,
}

impl Chance {
    /// A chance of `probability`, held between 0 and 1.
    #[must_use]
    pub fn new(probability: f64) -> Self {
        let probability = probability.clamp(0.0, 1.0);
        let smaller = probability.min(1.0 - probability);
        Self { probability, smaller, rest: libm::log1p(-smaller) }
    }

    /// The probability.
    #[must_use]
    pub fn probability(&self) -> f64 {
        self.probability
    }

    /// How many of `count` independent units it befalls: a binomial number, by inversion where
    /// few are expected and by the library's rejection where many are.
    pub fn count(&self, count: u32, stream: &mut ChaCha8Rng) -> u32 {
        let rare = if self.smaller <= 0.0 || count == 0 {
            0
        } else if f64::from(count) * self.smaller < INVERTED {
            self.inverted(count, stream)
        } else {
            let law = Binomial::new(u64::from(count), self.smaller);
            law.map_or(0, |law| law.sample(stream) as u32)
        };
        if self.smaller < self.probability { count - rare } else { rare }
    }

    fn inverted(&self, count: u32, stream: &mut ChaCha8Rng) -> u32 {
        // No count beyond this has a probability that a number of 53 bits could hit.
        const LAST: u32 = 110;
        let odds = self.smaller / (1.0 - self.smaller);
        let mut left = uniform(stream);
        let mut mass = libm::exp(f64::from(count) * self.rest);
        let mut drawn = 0;
        while left > mass && drawn < count.min(LAST) {
            left -= mass;
            mass *= odds * f64::from(count - drawn) / f64::from(drawn + 1);
            drawn += 1;
        }
        drawn
    }
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
    #[test]
    fn counts_of_a_chance_have_the_mean_and_variance_of_a_binomial_number() {
        let mut stream = StreamKey::world(1, 0).stream("test");
        let draws = 40_000;
        for (count, p) in
            [(20, 0.1), (20, 0.9), (1_000, 0.004), (13_889, 0.4), (1_000_000, 0.999_9), (3, 0.5)]
        {
            let chance = Chance::new(p);
            let values: Vec<f64> =
                (0..draws).map(|_| f64::from(chance.count(count, &mut stream))).collect();
            let mean = values.iter().sum::<f64>() / f64::from(draws);
            let square = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>();
            let variance = square / f64::from(draws);
            let (expected, spread) = (f64::from(count) * p, f64::from(count) * p * (1.0 - p));
            let error = (spread / f64::from(draws)).sqrt();
            assert!((mean - expected).abs() < 3.0 * error, "{count} {p}: {mean}");
            // Kurtosis 3 + (1 - 6pq)/npq: standard error of a variance.
            let excess = (1.0 - 6.0 * p * (1.0 - p)) / spread;
            let error = spread * ((2.0 + excess) / f64::from(draws)).sqrt();
            assert!((variance - spread).abs() < 3.5 * error, "{count} {p}: {variance}");
        }
        for (p, certain) in [(0.0, 0), (1.0, 77)] {
            assert_eq!(Chance::new(p).count(77, &mut stream), certain);
        }
    }
}
