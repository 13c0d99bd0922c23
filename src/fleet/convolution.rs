//! Exact risk of a system of independent two-state units: the law of what is available, by
//! convolution, against the load of each hour. Nothing is drawn; sequences of hours (how long, how
//! often) are in [`super::SingleArea`].

use std::collections::BTreeMap;

use serde::Serialize;

use crate::scenario::{Level, System, Units};

/// Distinct capacities that a system may have at most.
pub const MOST_CAPACITIES: usize = 1 << 20;
/// Distinct capacities of all hours and areas that are kept at most.
pub(super) const MOST_KEPT: usize = 16 * MOST_CAPACITIES;
/// Sums that the law of an hour may take: many units of one kind are slow before they are large.
const MOST_STEPS: usize = 1 << 30;
/// Capacities that differ by this share of the largest are one: sums in another order.
pub(super) const SAME: f64 = 1e-12;

/// Risk of a system over its period, exactly.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExactRisk {
    /// Hours of the period.
    pub hours: usize,
    /// Expected hours of the period in which load is not covered: available < load.
    pub lole_hours: f64,
    /// Expected days of the period whose hour of largest load is not covered.
    pub lole_days: f64,
    /// Expected load that is not covered, capacity-hours.
    pub eue: f64,
    /// The same over all load, parts per million; 0 without load.
    pub neue_ppm: f64,
    /// Probability of loss of load in each hour of the period.
    pub lolp: Vec<f64>,
}

/// The law of what is available: capacities in rising order, with what lies below each.
#[derive(Debug, Clone, Default)]
pub(super) struct Available {
    pub capacities: Vec<f64>,
    pub probabilities: Vec<f64>,
    /// By number of capacities: probability of the smallest of them, and its part of the mean.
    below: Vec<(f64, f64)>,
}

impl Available {
    /// The law with the firm capacity alone.
    fn firm(capacity: f64) -> Self {
        Self { capacities: vec![capacity], probabilities: vec![1.0], below: Vec::new() }
    }

    /// With one more unit, which is down with a probability.
    fn with(&self, capacity: f64, down: f64) -> Self {
        let most = self.capacities.last().copied().unwrap_or(0.0) + capacity;
        let (mut left, mut right) = (0, 0);
        let mut next = Self::default();
        while left < self.capacities.len() || right < self.capacities.len() {
            let at = |index: usize| self.capacities.get(index).copied().unwrap_or(f64::INFINITY);
            let (without, with) = (at(left), at(right) + capacity);
            let (value, probability) = if without <= with {
                left += 1;
                (without, self.probabilities[left - 1] * down)
            } else {
                right += 1;
                (with, self.probabilities[right - 1] * (1.0 - down))
            };
            match next.capacities.last() {
                Some(last) if value - last <= SAME * most => {
                    let end = next.probabilities.len() - 1;
                    next.probabilities[end] += probability;
                }
                _ => {
                    next.capacities.push(value);
                    next.probabilities.push(probability);
                }
            }
        }
        next
    }

    fn summed(mut self) -> Self {
        let mut sum = (0.0, 0.0);
        self.below.push(sum);
        for (capacity, probability) in self.capacities.iter().zip(&self.probabilities) {
            sum.0 += probability;
            sum.1 += probability * capacity;
            self.below.push(sum);
        }
        self
    }

    /// Probability that a load is not covered, and what is missing in the mean.
    fn risk(&self, load: f64) -> (f64, f64) {
        let short = |capacity: &f64| load - capacity > load * SAME;
        let (probability, part) = self.below[self.capacities.partition_point(short)];
        (probability, (load * probability - part).max(0.0))
    }
}

/// A system whose laws are worked out, to be asked again and again.
#[derive(Debug, Clone)]
pub struct ExactSystem {
    /// The law of each hour, or one for all.
    laws: Vec<Available>,
    load: Vec<f64>,
    /// Firm capacity of each hour that is not in the laws.
    offset: Vec<f64>,
    /// The hour of largest load of each day.
    peaks: Vec<usize>,
}

impl ExactSystem {
    /// Works out what is available. `None` where there are more than [`MOST_CAPACITIES`] distinct
    /// capacities in an hour, or sixteen times as many in all hours.
    #[must_use]
    pub fn new(system: &System) -> Option<Self> {
        let load = system.hourly_load();
        let hourly = |level: &Level| matches!(level, Level::Hourly(_));
        // Firm capacity by the hour is taken off the load: then the law of the units is one.
        let none = Level::Constant(0.0);
        let moves = system.units.values().any(|units| hourly(&units.capacity));
        let firm = if hourly(&system.firm) { &none } else { &system.firm };
        let (mut laws, mut kept) = (Vec::new(), 0);
        for hour in 0..if moves { load.len() } else { 1 } {
            laws.push(available(&system.units, firm, hour)?);
            kept += laws[hour].capacities.len();
            if kept > MOST_KEPT {
                return None;
            }
        }
        let peak = |day: &[f64]| -> usize {
            (0..day.len()).rev().max_by(|a, b| day[*a].total_cmp(&day[*b])).unwrap_or(0)
        };
        let peaks = load.chunks(24).enumerate().map(|(day, loads)| 24 * day + peak(loads));
        let offset = |hour: usize| if hourly(&system.firm) { system.firm.at(hour) } else { 0.0 };
        let offset = (0..load.len()).map(offset).collect();
        Some(Self { laws, peaks: peaks.collect(), load, offset })
    }

    /// Probability of loss of load in an hour and what is missing in the mean, with so much more
    /// firm capacity.
    fn risk(&self, hour: usize, more: f64) -> (f64, f64) {
        let law = if self.laws.len() == 1 { &self.laws[0] } else { &self.laws[hour] };
        law.risk(self.load[hour] - self.offset[hour] - more)
    }

    /// Expected hours of loss of load, days by their largest load, or load that is not covered,
    /// with so much more firm capacity (load where it is negative).
    #[must_use]
    pub fn risk_of(&self, measure: LossMeasure, more: f64) -> f64 {
        let hours = 0..self.load.len();
        match measure {
            LossMeasure::Hours => hours.map(|hour| self.risk(hour, more).0).sum(),
            LossMeasure::Days => self.peaks.iter().map(|hour| self.risk(*hour, more).0).sum(),
            LossMeasure::Unserved => hours.map(|hour| self.risk(hour, more).1).sum(),
        }
    }

    /// Hours of the period.
    #[must_use]
    pub fn hours(&self) -> usize {
        self.load.len()
    }

    /// The whole risk.
    #[must_use]
    pub fn whole(&self) -> ExactRisk {
        let hours: Vec<(f64, f64)> = (0..self.hours()).map(|hour| self.risk(hour, 0.0)).collect();
        let eue: f64 = hours.iter().map(|(_, missing)| missing).sum();
        let all: f64 = self.load.iter().sum();
        ExactRisk {
            hours: self.hours(),
            lole_hours: self.risk_of(LossMeasure::Hours, 0.0),
            lole_days: self.risk_of(LossMeasure::Days, 0.0),
            eue,
            neue_ppm: if all > 0.0 { 1e6 * eue / all } else { 0.0 },
            lolp: hours.into_iter().map(|(probability, _)| probability).collect(),
        }
    }
}

/// What is counted as lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossMeasure {
    /// Hours.
    Hours,
    /// Days, by the hour of their largest load.
    Days,
    /// Load, capacity-hours.
    Unserved,
}

/// The law of what is available in an hour; `None` where it has too many capacities.
pub(super) fn available(
    units: &BTreeMap<String, Units>,
    firm: &Level,
    hour: usize,
) -> Option<Available> {
    let mut law = Available::firm(firm.at(hour));
    let mut steps = 0;
    for units in units.values() {
        let (capacity, down) = (units.capacity.at(hour), units.failures.unavailability());
        for _ in 0..units.count {
            law = law.with(capacity, down);
            steps += law.capacities.len();
            if law.capacities.len() > MOST_CAPACITIES || steps > MOST_STEPS {
                return None;
            }
        }
    }
    Some(law.summed())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two units by hand: 10 that is down one time in ten, 6 that is down one time in four.
    #[test]
    fn two_units_by_hand() {
        let law = Available::firm(1.0).with(10.0, 0.1).with(6.0, 0.25).summed();
        assert_eq!(law.capacities, [1.0, 7.0, 11.0, 17.0]);
        // 8 is not covered by 1 or 7: 0.025 and 0.075; 7 and 1 are missing.
        let (probability, missing) = law.risk(8.0);
        assert!((probability - 0.1).abs() < 1e-15);
        assert!((missing - (0.025 * 7.0 + 0.075 * 1.0)).abs() < 1e-15);
        // Equal is no loss.
        assert!((law.risk(7.0).0 - 0.025).abs() < 1e-15);
        assert_eq!(law.risk(0.5), (0.0, 0.0));
        assert!((law.risk(18.0).0 - 1.0).abs() < 1e-15);
    }

    #[test]
    fn equal_sums_are_one_capacity() {
        let mut law = Available::firm(0.0);
        for _ in 0..10 {
            law = law.with(0.1, 0.5).with(0.2, 0.5).with(0.3, 0.5);
        }
        // 0 to 6.0 by 0.1, whatever the order of the sums.
        assert_eq!(law.capacities.len(), 61);
        assert!((law.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
