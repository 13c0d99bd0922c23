//! How the rate of arrivals moves over a day, a week or any other period, as a change of clock.
//!
//! A process at a constant rate in operational time becomes one at the moving rate when each of
//! its times is replaced by the one at which the integral of the rate has grown so far.

use crate::time::EngineTime;
use crate::units::Seconds;

/// How the rate of arrivals moves over time: multipliers with mean 1 over a period, straight
/// lines between equally spaced knots, repeated for ever.
#[derive(Debug, Clone, PartialEq)]
pub struct RateProfile {
    /// Picoseconds.
    pub(super) period: u64,
    /// Picoseconds from knot to knot.
    width: f64,
    /// Multipliers at the knots.
    knots: Vec<f64>,
    /// Twice the slope of the line after each knot, per picosecond.
    slopes: Vec<f64>,
    /// Integral of the multiplier up to each knot, picoseconds.
    cumulative: Vec<f64>,
}

/// What a rate profile cannot be made of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RateProfileError {
    /// A period out of range.
    #[error("a rate profile with a period of {0} s: allowed are 1e-6 to 8e6 s")]
    Period(f64),
    /// Too few or too many knots.
    #[error("a rate profile of {0} multipliers: {1} are needed")]
    Count(usize, &'static str),
    /// A multiplier that is none.
    #[error("multiplier {0} of a rate profile is {1}: allowed are 0 to 1e9")]
    Multiplier(usize, f64),
    /// Nothing ever arrives.
    #[error("a rate profile of zeros: one multiplier at least must be positive")]
    Zero,
    /// More or less than all of the rate.
    #[error("a swing of {0}: allowed are 0 (constant) to 1 (down to nothing)")]
    Amplitude(f64),
}

impl RateProfile {
    /// Most knots of a profile.
    const MOST_KNOTS: usize = 1_000_000;
    /// Knots of a sine: off by 2e-5 of its amplitude at most.
    const SINE_KNOTS: usize = 512;

    /// A profile through multipliers at equal distances, the first at time 0; scaled to mean 1.
    ///
    /// # Errors
    /// A period outside 1e-6 to 8e6 s, no multipliers or more than a million, one that is negative,
    /// not a number or above 1e9, or all of them zero.
    pub fn new(period: Seconds, multipliers: &[f64]) -> Result<Self, RateProfileError> {
        if !(1e-6..=8e6).contains(&period.0) {
            return Err(RateProfileError::Period(period.0));
        }
        let count = multipliers.len();
        if !(1..=Self::MOST_KNOTS).contains(&count) {
            return Err(RateProfileError::Count(count, "1 to 1,000,000"));
        }
        if let Some(at) = multipliers.iter().position(|m| !(0.0..=1e9).contains(m)) {
            return Err(RateProfileError::Multiplier(at + 1, multipliers[at]));
        }
        // Scaled by the largest first: the mean of the smallest floats has no digits left.
        let largest = multipliers.iter().copied().fold(0.0, f64::max);
        if largest == 0.0 {
            return Err(RateProfileError::Zero);
        }
        let mean = multipliers.iter().map(|m| m / largest).sum::<f64>() / count as f64;
        let knots: Vec<f64> = multipliers.iter().map(|m| m / largest / mean).collect();
        let period = EngineTime::from_seconds(period.0).0;
        let width = period as f64 / count as f64;
        let (mut cumulative, mut slopes) = (vec![0.0; count + 1], vec![0.0; count]);
        for knot in 0..count {
            let (from, to) = (knots[knot], knots[(knot + 1) % count]);
            slopes[knot] = 2.0 * (to - from) / width;
            cumulative[knot + 1] = cumulative[knot] + width * f64::midpoint(from, to);
        }
        Ok(Self { period, width, knots, slopes, cumulative })
    }

    /// A day or a week of hourly factors, each at the middle of its hour: the mean of an hour is
    /// three quarters of its factor and an eighth of each neighbour's. Time 0 is the start of the
    /// first hour.
    ///
    /// # Errors
    /// Those of [`RateProfile::new`], and other counts than 24 and 168.
    pub fn hourly(factors: &[f64]) -> Result<Self, RateProfileError> {
        let count = factors.len();
        if ![24, 168].contains(&count) {
            return Err(RateProfileError::Count(count, "24 (a day) or 168 (a week)"));
        }
        let before = |hour: usize| factors[(hour + count - 1) % count];
        let halves =
            (0..count).flat_map(|hour| [f64::midpoint(before(hour), factors[hour]), factors[hour]]);
        Self::new(Seconds(3_600.0 * count as f64), &halves.collect::<Vec<_>>())
    }

    /// `1 + amplitude * sin(2 pi t / period)`, through 512 knots.
    ///
    /// # Errors
    /// A period outside 1e-6 to 8e6 s or an amplitude outside 0 to 1.
    pub fn sinusoid(period: Seconds, amplitude: f64) -> Result<Self, RateProfileError> {
        if !(0.0..=1.0).contains(&amplitude) {
            return Err(RateProfileError::Amplitude(amplitude));
        }
        let angle = |knot: usize| std::f64::consts::TAU * knot as f64 / Self::SINE_KNOTS as f64;
        let at = |knot: usize| (1.0 + amplitude * libm::sin(angle(knot))).max(0.0);
        Self::new(period, &(0..Self::SINE_KNOTS).map(at).collect::<Vec<_>>())
    }

    /// The time, in seconds, by which the integral of the multiplier has grown to `operational`
    /// seconds: arrivals at a constant rate become arrivals at the moving one (a change of time).
    #[must_use]
    pub fn clock(&self, operational: f64) -> f64 {
        let period = self.period as f64 * 1e-12;
        let cycles = (operational / period).floor();
        let within = (operational - cycles * period) * 1e12;
        cycles * period + self.invert(within, &mut 0) * 1e-12
    }

    /// [`RateProfile::clock`] within the first period, in picoseconds. `knot` is where the last
    /// call ended: times that come in order are mostly still on the same line.
    #[inline]
    pub(super) fn invert(&self, operational: f64, knot: &mut usize) -> f64 {
        if !(self.cumulative[*knot]..self.cumulative[*knot + 1]).contains(&operational) {
            let reached = self.cumulative.partition_point(|sum| *sum <= operational);
            *knot = reached.saturating_sub(1).min(self.knots.len() - 1);
        }
        let from = self.knots[*knot];
        let area = operational - self.cumulative[*knot];
        // The root of `from t + slope t^2 / 2 = area` that loses no digits where the line is flat.
        let root = (from * from + self.slopes[*knot] * area).max(0.0).sqrt();
        let elapsed = if area > 0.0 { 2.0 * area / (from + root) } else { 0.0 };
        *knot as f64 * self.width + elapsed.min(self.width)
    }
}
