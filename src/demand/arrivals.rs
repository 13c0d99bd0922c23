//! When requests arrive: the law of the gaps between them, on a clock that may run unevenly.
//!
//! Gaps are drawn by inversion, one uniform number each, so that the same stream gives the same
//! requests at every rate and under every law (common random numbers). What arrives is not here.

use std::fmt;
use std::sync::Arc;

use rand::Rng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::rate_profile::RateProfile;
use crate::time::EngineTime;

/// Legal coefficients of variation of a gap.
const CV: (f64, f64) = (0.05, 20.0);
/// Bits of the place of a knot within its octave of probability.
const PLACE: u32 = 5;
/// Octaves of the probability of a tail: 2^-65 to 1/2.
const OCTAVES: u64 = 64;
/// Knots of half a table: those of the octaves, their end, and one that no gap reaches.
const HALF: usize = ((OCTAVES as usize) << PLACE) + 2;
/// Biased exponent of 0.5, from which a 63-bit number plus a half begins.
const FIRST_EXPONENT: u64 = 1022;
/// Bits of a float below the place of its knot.
const BELOW: u32 = 52 - PLACE;
/// Bits of the float 1.
const ONE: u64 = 1.0_f64.to_bits();

/// The law of the gaps between arrivals: a renewal process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Interarrival {
    /// Exponential gaps: coefficient of variation 1.
    Poisson,
    /// Gamma gaps.
    Gamma {
        /// Coefficient of variation of a gap, 0.05 to 20.
        cv: f64,
    },
    /// Weibull gaps.
    Weibull {
        /// Coefficient of variation of a gap, 0.05 to 20.
        cv: f64,
    },
}

/// A text that names no arrival law.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no arrival law: write `poisson`, `gamma(cv)` or `weibull(cv)`, with the coefficient \
     of variation of the gaps from {low} to {high}, as in `gamma(2.5)`",
    low = CV.0,
    high = CV.1
)]
pub struct InterarrivalError(pub String);

impl Interarrival {
    /// Reads `poisson`, `gamma(2.5)` or `weibull(0.5)`.
    ///
    /// # Errors
    /// What an arrival law looks like, where the text is none or its number is out of range.
    pub fn parse(text: &str) -> Result<Self, InterarrivalError> {
        let wrong = || InterarrivalError(text.to_owned());
        if text.trim() == "poisson" {
            return Ok(Self::Poisson);
        }
        let (name, rest) = text.trim().split_once('(').ok_or_else(wrong)?;
        let number = rest.strip_suffix(')').ok_or_else(wrong)?;
        let cv: f64 = number.trim().parse().map_err(|_| wrong())?;
        match name.trim() {
            _ if !(CV.0..=CV.1).contains(&cv) => Err(wrong()),
            "gamma" => Ok(Self::Gamma { cv }),
            "weibull" => Ok(Self::Weibull { cv }),
            _ => Err(wrong()),
        }
    }

    /// Coefficient of variation of a gap.
    #[must_use]
    pub fn cv(&self) -> f64 {
        match *self {
            Self::Poisson => 1.0,
            Self::Gamma { cv } | Self::Weibull { cv } => cv,
        }
    }
}

impl fmt::Display for Interarrival {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poisson => write!(to, "poisson"),
            Self::Gamma { cv } => write!(to, "gamma({cv})"),
            Self::Weibull { cv } => write!(to, "weibull({cv})"),
        }
    }
}

impl TryFrom<String> for Interarrival {
    type Error = InterarrivalError;
    fn try_from(text: String) -> Result<Self, InterarrivalError> {
        Self::parse(&text)
    }
}

impl From<Interarrival> for String {
    fn from(law: Interarrival) -> Self {
        law.to_string()
    }
}

/// Gaps with mean 1, by table.
///
/// The table has two halves, one for each tail: the quantile at 32 knots in every octave of the
/// tail's probability, from 1/2 down to 2^-65, and straight lines between. So both tails are as
/// fine as the middle, a knot is found by the bits of a float, and no logarithm is taken. The
/// whole is scaled to the mean 1, exactly; what the lines do to the spread is below 1e-4 of it.
#[derive(Debug, Clone)]
pub struct Gaps {
    knots: Arc<[f64]>,
}

impl Gaps {
    /// The table of a law (some milliseconds for gamma). A coefficient of variation out of range
    /// is taken as the nearest legal one.
    #[must_use]
    pub fn new(law: &Interarrival) -> Self {
        let cv = law.cv().max(CV.0).min(CV.1);
        let mut knots = match law {
            Interarrival::Poisson => table(|u| -libm::log1p(-u), |s| -libm::log(s)),
            Interarrival::Weibull { .. } => {
                let power = 1.0 / weibull_shape(cv);
                let at = |hazard: f64| libm::pow(hazard, power);
                table(|u| at(-libm::log1p(-u)), |s| at(-libm::log(s)))
            }
            Interarrival::Gamma { .. } => {
                let (mut low, mut high) = (GammaTail::new(cv), GammaTail::new(cv));
                table(|u| low.lower(u), |s| high.upper(s))
            }
        };
        let mean = moments(&knots).0;
        knots.iter_mut().for_each(|knot| *knot /= mean);
        Self { knots: knots.into() }
    }

    /// The next gap: one uniform number of the stream, in which the gap is monotone.
    #[inline]
    pub fn gap(&self, stream: &mut ChaCha8Rng) -> f64 {
        self.at(stream.next_u64())
    }

    /// The gap at the probability `(number + 1/2) / 2^64`.
    #[inline]
    fn at(&self, number: u64) -> f64 {
        let upper = number >> 63;
        // 63 bits: half the distance to the nearer end of the unit interval.
        let tail = (number ^ upper.wrapping_neg()) as i64 as f64 + 0.5;
        let bits = tail.to_bits();
        let knot = (bits >> BELOW) - (FIRST_EXPONENT << PLACE);
        let index = upper as usize * HALF + knot as usize;
        let part = f64::from_bits(ONE | (bits << (12 + PLACE) >> 12)) - 1.0;
        let pair = &self.knots[index..index + 2];
        pair[0] + (pair[1] - pair[0]) * part
    }
}

/// Probability of a tail at a knot.
fn probability(knot: usize) -> f64 {
    let exponent = FIRST_EXPONENT - 64 + (knot as u64 >> PLACE);
    let place = knot as u64 & ((1 << PLACE) - 1);
    f64::from_bits((exponent << 52) | (place << BELOW))
}

/// Quantiles by the probability below (first half) and above (second half); both are asked from
/// 1/2 downwards.
fn table(mut below: impl FnMut(f64) -> f64, mut above: impl FnMut(f64) -> f64) -> Vec<f64> {
    let mut knots = vec![0.0; 2 * HALF];
    for knot in (0..HALF - 1).rev() {
        knots[knot] = below(probability(knot));
        knots[HALF + knot] = above(probability(knot));
    }
    // Both halves meet at the median.
    let median = knots[HALF - 2];
    for end in [HALF - 1, 2 * HALF - 2, 2 * HALF - 1] {
        knots[end] = median;
    }
    knots
}

/// First and second moment of a table, exactly.
fn moments(knots: &[f64]) -> (f64, f64) {
    let mut sums = (0.0, 0.0);
    for half in [&knots[..HALF], &knots[HALF..]] {
        for knot in 0..HALF - 2 {
            let width = probability(knot + 1) - probability(knot);
            let (a, b) = (half[knot], half[knot + 1]);
            sums.0 += width * f64::midpoint(a, b);
            sums.1 += width * (a * a + a * b + b * b) / 3.0;
        }
    }
    sums
}

/// Shape of a Weibull law with a coefficient of variation: the root of
/// `ln(1 + cv^2) = ln G(1 + 2/k) - 2 ln G(1 + 1/k)`, whose right side falls in `k`.
fn weibull_shape(cv: f64) -> f64 {
    let wanted = libm::log1p(cv * cv);
    let (mut low, mut high) = (0.05, 100.0);
    for _ in 0..100 {
        let shape = f64::midpoint(low, high);
        let spread = libm::lgamma(1.0 + 2.0 / shape) - 2.0 * libm::lgamma(1.0 + 1.0 / shape);
        *(if spread > wanted { &mut low } else { &mut high }) = shape;
    }
    f64::midpoint(low, high)
}

/// Quantiles of a gamma law with scale 1, by Newton's method on the logarithm of the tail over
/// that of the value: concave, so that it converges from either side. Each begins at the last.
struct GammaTail {
    shape: f64,
    /// Logarithm of the gamma function of the shape and 1.
    log_gamma: f64,
    log_value: Option<f64>,
}

impl GammaTail {
    /// Below this logarithm of the value `P = x^k / G(k + 1)` holds to 9 digits.
    const POWER_LAW: f64 = -20.0;

    fn new(cv: f64) -> Self {
        let shape = 1.0 / (cv * cv);
        Self { shape, log_gamma: libm::lgamma(shape + 1.0), log_value: None }
    }

    fn lower(&mut self, u: f64) -> f64 {
        self.solve(u, u, Self::below, 1.0)
    }

    fn upper(&mut self, s: f64) -> f64 {
        self.solve(s, 1.0 - s, Self::above, -1.0)
    }

    /// The value with a probability `tail` on one side and `u` below.
    fn solve(&mut self, tail: f64, u: f64, side: fn(&Self, f64) -> f64, sign: f64) -> f64 {
        // By the power law, which is never too large.
        let least = (libm::log(u) + self.log_gamma) / self.shape;
        let mut log_value = self.log_value.unwrap_or(least).max(least);
        for _ in 0..60 {
            if least < Self::POWER_LAW {
                log_value = least;
                break;
            }
            let found = side(self, log_value);
            let slope = sign * self.shape * self.front(log_value) / found;
            let step = (libm::log(tail / found) / slope).clamp(-1.0, 1.0);
            log_value += step;
            if step.abs() < 1e-13 {
                break;
            }
        }
        self.log_value = Some(log_value);
        libm::exp(log_value)
    }

    /// `x^k exp(-x) / G(k + 1)`, by the logarithm of x.
    fn front(&self, log_value: f64) -> f64 {
        libm::exp(self.shape * log_value - libm::exp(log_value) - self.log_gamma)
    }

    /// Probability below a value, by the series 6.5.29 of Abramowitz and Stegun.
    fn below(&self, log_value: f64) -> f64 {
        let value = libm::exp(log_value);
        let (mut term, mut sum, mut place) = (1.0, 1.0, self.shape);
        while term > 1e-17 * sum {
            place += 1.0;
            term *= value / place;
            sum += term;
        }
        self.front(log_value) * sum
    }

    /// Probability above a value, by the continued fraction 6.5.31 in the manner of Lentz.
    fn above(&self, log_value: f64) -> f64 {
        let value = libm::exp(log_value);
        if value < self.shape + 1.0 {
            return 1.0 - self.below(log_value);
        }
        let mut odd = value + 1.0 - self.shape;
        let (mut upper, mut lower) = (f64::INFINITY, 1.0 / odd);
        let mut fraction = lower;
        for index in 1..10_000 {
            let index = f64::from(index);
            let even = index * (self.shape - index);
            odd += 2.0;
            lower = 1.0 / (even * lower + odd);
            upper = odd + even / upper;
            fraction *= upper * lower;
            if (upper * lower - 1.0).abs() < 1e-15 {
                break;
            }
        }
        self.front(log_value) * self.shape * fraction
    }
}

/// Times of arrival, in order: an iterator that ends where the engine's clock does, which for the
/// rate 0 is at once.
///
/// The process starts as if a request had arrived just before time 0 (an ordinary renewal
/// process), so that gaps much more regular or irregular than Poisson need a warm-up.
#[derive(Debug)]
pub struct ArrivalTimes {
    gaps: Gaps,
    profile: Option<RateProfile>,
    stream: ChaCha8Rng,
    /// Mean gap in operational time, picoseconds.
    mean_gap: f64,
    /// Whole picoseconds of operational time since `cycle`, and what is left of one: a sum of
    /// floats alone would lose the digits of short gaps after some days.
    position: u64,
    fraction: f64,
    /// Start of the present period of the profile.
    cycle: u64,
    /// Knot of the profile before the last arrival.
    knot: usize,
    latest: u64,
}

impl ArrivalTimes {
    /// No arrival is later than this (106 days): what is served after the last one still has a
    /// time.
    pub const LAST: EngineTime = EngineTime(1 << 63);

    /// Arrivals at `rate` requests per second on the average, to 1e12; none where it is 0, negative
    /// or not a number.
    #[must_use]
    pub fn new(rate: f64, gaps: Gaps, profile: Option<RateProfile>, stream: ChaCha8Rng) -> Self {
        let mean_gap = if rate > 0.0 { 1e12 / rate.min(1e12) } else { f64::INFINITY };
        let (position, fraction, cycle, knot, latest) = (0, 0.0, 0, 0, 0);
        Self { gaps, profile, stream, mean_gap, position, fraction, cycle, knot, latest }
    }
}

impl Iterator for ArrivalTimes {
    type Item = EngineTime;

    #[inline]
    fn next(&mut self) -> Option<EngineTime> {
        let step = self.gaps.gap(&mut self.stream) * self.mean_gap + self.fraction;
        // Also where the mean gap is infinite: even a gap of 0 is then not a number.
        if step.is_nan() || step > Self::LAST.0 as f64 || self.latest > Self::LAST.0 {
            self.latest = u64::MAX;
            return None;
        }
        // Through i64, which has its own instruction.
        let whole = step as i64;
        self.fraction = step - whole as f64;
        self.position = self.position.saturating_add(whole as u64);
        let time = match &self.profile {
            None => self.position,
            Some(profile) => {
                if self.position >= profile.period {
                    let rest = self.position % profile.period;
                    self.cycle = self.cycle.saturating_add(self.position - rest);
                    self.position = rest;
                }
                let elapsed =
                    profile.invert(self.position as i64 as f64 + self.fraction, &mut self.knot);
                self.cycle.saturating_add(elapsed as i64 as u64)
            }
        };
        // Rounding at the end of a period must not turn time back.
        self.latest = self.latest.max(time);
        Some(EngineTime(self.latest)).filter(|time| *time <= Self::LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::StreamKey;
    use statrs::distribution::{ContinuousCDF, Gamma};

    fn laws() -> Vec<Interarrival> {
        let spreads = [0.05, 0.2, 0.5, 0.9, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0];
        let gamma = spreads.map(|cv| Interarrival::Gamma { cv });
        let weibull = spreads.map(|cv| Interarrival::Weibull { cv });
        [vec![Interarrival::Poisson], gamma.to_vec(), weibull.to_vec()].concat()
    }

    #[test]
    fn tables_of_gaps_have_mean_one_and_their_spread() {
        for law in laws() {
            let (mean, square) = moments(&Gaps::new(&law).knots);
            let error = (square - mean * mean).sqrt() / law.cv() - 1.0;
            assert!((mean - 1.0).abs() < 1e-12, "{law}: mean {mean}");
            assert!(error.abs() < 1e-4, "{law}: {error}");
        }
    }

    #[test]
    fn gaps_have_the_quantiles_of_their_law_and_are_monotone() {
        for law in laws() {
            let gaps = Gaps::new(&law);
            let power = 2_f64.powi(64);
            for p in [1e-9, 1e-4, 0.01, 0.2, 0.4999, 0.5001, 0.9, 0.999, 1.0 - 1e-7] {
                let cv = law.cv();
                let exact = match law {
                    Interarrival::Poisson => -(1.0_f64 - p).ln(),
                    Interarrival::Gamma { .. } => {
                        Gamma::new(1.0 / (cv * cv), 1.0 / (cv * cv)).unwrap().inverse_cdf(p)
                    }
                    Interarrival::Weibull { .. } => {
                        let shape = weibull_shape(cv);
                        (-(-p).ln_1p()).powf(1.0 / shape) / libm::tgamma(1.0 + 1.0 / shape)
                    }
                };
                let gap = gaps.at((p * power) as u64);
                // The power law of a spiky gamma is steep: a line between two knots of it is not.
                let slack = 5e-4 * gap.max(exact) + 1e-3;
                assert!((gap - exact).abs() < slack, "{law} at {p}: {gap}, not {exact}");
            }
            let knots = (0..63_u32).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit]);
            let mut numbers: Vec<u64> = knots.flat_map(|n| [n, !n, n ^ (n >> 3)]).collect();
            numbers.extend((0..2_000).map(|n| n * (u64::MAX / 2_000)));
            numbers.sort_unstable();
            let values: Vec<f64> = numbers.iter().map(|number| gaps.at(*number)).collect();
            assert!(values.windows(2).all(|pair| pair[0] <= pair[1]), "{law}");
            assert!(values.iter().all(|gap| gap.is_finite() && *gap >= 0.0), "{law}");
        }
    }

    #[test]
    fn a_gap_takes_one_number_of_the_stream() {
        let gaps = Gaps::new(&Interarrival::Gamma { cv: 2.5 });
        let mut streams = [0, 1].map(|_| StreamKey::world(7, 0).stream("gaps"));
        for _ in 0..1_000 {
            gaps.gap(&mut streams[0]);
            streams[1].next_u64();
        }
        let [used, counted] = streams.map(|mut stream| stream.next_u64());
        assert_eq!(used, counted);
    }
}
