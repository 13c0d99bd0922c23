//! Whether the parts of a scenario fit together: names, sums, orders and limits that no single
//! field can know. Each check is a small function that adds what it finds; all of them run, so
//! that everything wrong is said at once.

mod correlations;
mod deliveries;
mod demand;
mod hardware;
mod heads;
mod run;
mod serving;
mod step_time;
mod supply;

pub use heads::splits_heads;
pub use serving::layout_faults;

use std::collections::BTreeMap;

use super::Scenario;
use super::diagnostic::{Finding, known_names};
use super::locate::Path;
use crate::demand::Growth;
use crate::units::{Distribution, Quantity, Seconds, Share, Uncertain};

/// Longest duration that any field may have: a thousand years.
const LONGEST: f64 = 3.16e10;
/// How far sums of shares may be from 100 %.
const TOLERANCE: f64 = 1e-3;
/// Standard deviations at which a normal distribution is taken to end.
const NORMAL_ENDS: f64 = 6.0;

/// Everything that does not fit together in `scenario`, whose hardware and models must already
/// hold the catalogue.
#[must_use]
pub(super) fn findings(scenario: &Scenario) -> Vec<Finding> {
    const CHECKS: &[fn(&Scenario, &mut Faults)] = &[
        run::name,
        run::sampling,
        run::horizon,
        run::decision,
        run::sections,
        demand::regions,
        demand::round_trips,
        demand::surfaces,
        demand::workloads,
        demand::volumes,
        demand::profiles,
        demand::events,
        demand::surges,
        demand::releases,
        correlations::correlations,
        serving::deployments,
        serving::layouts,
        serving::promises,
        serving::coverage,
        hardware::accelerators,
        hardware::models,
        supply::sites,
        supply::phases,
        supply::contracts,
        supply::tranches,
        deliveries::deliveries,
        deliveries::endings,
        deliveries::infancy,
        supply::market,
        supply::candidate,
        supply::candidate_reach,
    ];
    let mut faults = Faults::default();
    for check in CHECKS {
        check(scenario, &mut faults);
    }
    faults.0
}

/// What the checks have found so far.
#[derive(Default)]
struct Faults(Vec<Finding>);

impl Faults {
    /// Adds a fault.
    fn add(&mut self, path: Path, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(Finding::new(path, message).help(help));
    }

    /// Adds a fault unless `holds`.
    fn require(&mut self, holds: bool, path: Path, message: &str, help: &str) {
        if !holds {
            self.add(path, message, help);
        }
    }

    /// A name must be a key of `known`.
    fn known<T>(&mut self, path: Path, kind: &str, name: &str, known: &BTreeMap<String, T>) {
        if !known.contains_key(name) {
            let help = known_names(name, known.keys().map(String::as_str));
            self.add(path, format!("unknown {kind} `{name}`"), help);
        }
    }

    /// Parts of a whole: each 0 or more, together 100 %.
    fn whole(&mut self, path: Path, what: &str, parts: impl IntoIterator<Item = f64>) {
        let parts: Vec<f64> = parts.into_iter().collect();
        let sum: f64 = parts.iter().sum();
        if parts.is_empty() {
            self.add(path, format!("there are no {what}"), "name at least one");
        } else if parts.iter().any(|part| !part.is_finite() || *part < 0.0) {
            self.add(path, format!("the {what} must be numbers of 0 or more"), "correct them");
        } else if (sum - 1.0).abs() > TOLERANCE {
            let message = format!("the {what} sum to {:.1} %, not 100 %", sum * 100.0);
            self.add(path, message, "make them sum to 100 % (or to 1 where they are plain)");
        }
    }

    /// Shares by region: known regions, summing to 100 %.
    fn region_shares(&mut self, path: &Path, shares: &BTreeMap<String, Share>, of: &Scenario) {
        for name in shares.keys() {
            self.known(path.key(name), "region", name, &of.regions);
        }
        self.whole(path.clone(), "shares of the regions", shares.values().map(|share| share.0));
    }

    /// A duration that must not be negative, nor absurdly long.
    fn duration(&mut self, path: Path, value: Seconds) {
        self.span(path, value.0, value.0, 0.0);
    }

    /// A duration that must be above zero.
    fn positive_duration(&mut self, path: Path, value: Seconds) {
        self.span(path, value.0, value.0, f64::MIN_POSITIVE);
    }

    /// An uncertain duration of which no draw may be negative.
    fn uncertain_duration(&mut self, path: Path, value: &Uncertain<Seconds>) {
        self.span(path, lowest(value), highest(value), 0.0);
    }

    fn span(&mut self, path: Path, low: f64, high: f64, least: f64) {
        if low < 0.0 {
            let message = "a duration here must not be negative";
            self.add(path, message, "use 0 or more; lognormal and triangular never go below 0");
        } else if low < least {
            self.add(path, "a duration here must be above zero", "write how long, as \"45 ms\"");
        } else if high > LONGEST {
            self.add(path, "a duration here must not exceed 1000 years", "check the unit");
        }
    }

    /// An uncertain quantity that is not drawn once per world has no draw to share.
    fn unshared<Q: Quantity>(&mut self, path: &Path, value: &Uncertain<Q>, help: &str) {
        let message = "this quantity cannot share a draw";
        self.require(value.draw.is_none(), path.key("draw"), message, help);
    }

    /// An uncertain quantity of which every draw must be above zero.
    fn positive<Q: Quantity>(&mut self, path: Path, value: &Uncertain<Q>) {
        if lowest(value) <= 0.0 {
            let message = format!("a {} here must be above zero", Q::KIND);
            self.add(path, message, format!("for example \"{}\"", Q::EXAMPLE));
        }
    }

    /// A growth law: a logistic one ends above its start, a series has years.
    fn growth<Q: Quantity>(&mut self, path: &Path, law: &Growth<Q>) {
        match law {
            Growth::Logistic { start, cap, .. }
                if cap.central().base() < start.central().base() =>
            {
                let message = "the cap of a logistic growth must not lie below its start";
                self.add(path.key("cap"), message, "raise `cap`, or use exponential with a fall");
            }
            Growth::Series(points) if points.is_empty() => {
                self.add(path.clone(), "a series needs at least one year", "add {2026: ...}");
            }
            Growth::Series(points) => {
                let mut named = points.iter().filter(|point| point.1.draw.is_some());
                let first = named.next().and_then(|point| point.1.draw.as_deref());
                if let Some((year, _)) = named.find(|point| point.1.draw.as_deref() != first) {
                    let path = path.key("series").key(&year.to_string()).key("draw");
                    let message = "a series has one draw for all its years";
                    self.add(path, message, format!("use \"{}\"", first.unwrap_or_default()));
                }
            }
            _ => {}
        }
    }
}

/// The smallest value that can be drawn, in base units.
fn lowest<Q: Quantity>(value: &Uncertain<Q>) -> f64 {
    match &value.distribution {
        Distribution::Fixed(value) => *value,
        Distribution::Triangular { low, .. } | Distribution::Uniform { low, .. } => *low,
        Distribution::Normal { mean, deviation } => mean - NORMAL_ENDS * deviation,
        Distribution::Lognormal { mu, sigma } => libm::exp(mu - NORMAL_ENDS * sigma),
        Distribution::Choice(values) => values.iter().copied().fold(f64::INFINITY, f64::min),
    }
}

/// The largest value that can be drawn, in base units.
fn highest<Q: Quantity>(value: &Uncertain<Q>) -> f64 {
    match &value.distribution {
        Distribution::Fixed(value) => *value,
        Distribution::Triangular { high, .. } | Distribution::Uniform { high, .. } => *high,
        Distribution::Normal { mean, deviation } => mean + NORMAL_ENDS * deviation,
        Distribution::Lognormal { mu, sigma } => libm::exp(mu + NORMAL_ENDS * sigma),
        Distribution::Choice(values) => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}
