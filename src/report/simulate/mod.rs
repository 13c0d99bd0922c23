//! A simulated deployment made visible: the finding in a sentence, a table, and JSON.

mod json;
mod table;

pub use json::simulation_json;
pub use table::simulation_table;

use crate::engine::{CallClass, ClusterModel};
use crate::stats::Estimate;
use crate::study::{Capacity, SimulationOutcome};

use super::rounding::Scale;

/// How a deployment is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentWords {
    /// The model and its format.
    pub model: String,
    /// The accelerator.
    pub accelerator: String,
    /// How many replicas of how many GPUs.
    pub layout: String,
}

/// What was replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceWords {
    /// The file.
    pub file: String,
    /// Rows without a token of prompt or of output, which were left out.
    pub skipped: u64,
}

/// How fast the simulation was: it differs from run to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Seconds from begin to end.
    pub wall_seconds: f64,
    /// CPU seconds of all threads.
    pub cpu_seconds: f64,
}

/// Everything that is told about a simulation.
#[derive(Debug, Clone)]
pub struct SimulationReport<'a> {
    /// The figures.
    pub outcome: &'a SimulationOutcome,
    /// What served.
    pub deployment: &'a ClusterModel,
    /// How that is called.
    pub words: &'a DeploymentWords,
    /// What was sent.
    pub classes: &'a [CallClass],
    /// 100 % of the load; none where no mean call fits.
    pub capacity: Option<Capacity>,
    /// Calls per second that were sent; none in a closed loop.
    pub rate: Option<f64>,
    /// Users of a closed loop.
    pub concurrency: Option<u32>,
    /// The trace that was replayed.
    pub trace: Option<&'a TraceWords>,
    /// Independent repetitions.
    pub replications: u32,
    /// Seed of every random stream.
    pub seed: u64,
    /// How fast it was.
    pub speed: Speed,
}

/// Share of the calls for which a promise must be kept to hold at the 99th percentile.
const KEPT: f64 = 0.99;
/// Growth of the queue, as a share of the arrivals, below which it is taken for noise.
const NOISE: f64 = 0.01;

impl SimulationReport<'_> {
    /// Share of the capacity that is sent.
    fn load(&self) -> Option<f64> {
        Some(self.rate? / self.capacity?.calls_per_second)
    }

    fn total(&self, of: impl Fn(&crate::study::WorkloadOutcome) -> f64) -> f64 {
        self.outcome.workloads.iter().map(of).sum()
    }

    /// Whether the number of calls in the system grows for as long as the run lasts: beyond chance
    /// and beyond one call in a hundred. A trace is served to its end, so there the mean load says
    /// it.
    #[must_use]
    pub fn overloaded(&self) -> bool {
        if self.rate.is_none() || self.trace.is_some() {
            return self.trace.is_some() && self.load().is_some_and(|load| load > 1.0);
        }
        let (growth, arrived) = (self.outcome.growth, self.total(|w| w.arrived.mean));
        let chance = match self.outcome.shards {
            // Without a spread, that of a Poisson count stands in.
            1 => {
                let count = self.total(|workload| workload.counted as f64).max(1.0);
                4.0 * arrived / count.sqrt()
            }
            _ => 3.0 * growth.standard_error,
        };
        growth.mean > chance.max(NOISE * arrived)
    }

    /// The finding: one sentence or a few.
    #[must_use]
    pub fn finding(&self) -> String {
        let value = |value: f64| Scale::ONE.value(value);
        let (arrived, completed) =
            (self.total(|w| w.arrived.mean), self.total(|w| w.completed.mean));
        let gpus = self.deployment.gpus();
        let load = self
            .load()
            .map_or(String::new(), |load| format!(" ({} % of capacity)", value(load * 100.0)));
        let gpus = if gpus == 1 { "1 GPU".to_owned() } else { format!("{gpus} GPUs") };
        let mut text = match (self.overloaded(), self.trace) {
            (true, Some(_)) => format!(
                "Overloaded: the trace brings {} requests/s on average{load} and {gpus} fall \
                 behind; the percentiles grow with its length.",
                value(self.rate.unwrap_or(0.0)),
            ),
            (true, None) => format!(
                "Overloaded: {} requests/s arrive{load} and {gpus} complete {}; the queue grows \
                 by {} requests/s, and these percentiles grow with the length of the run.",
                value(arrived),
                value(completed),
                value(self.outcome.growth.mean),
            ),
            (false, _) => match self.concurrency {
                Some(users) => format!(
                    "{gpus} complete {} requests/s for {users} users who each have one at a time.",
                    value(completed)
                ),
                None => format!("{gpus} complete {} requests/s{load}.", value(completed)),
            },
        };
        for (class, workload) in self.classes.iter().zip(&self.outcome.workloads) {
            let name =
                if self.classes.len() > 1 { format!("{}: ", class.name) } else { String::new() };
            let Some(promise) = promise(class) else { continue };
            let attained = percent(workload.attainment);
            let kept = match workload.attainment.mean {
                mean if mean >= KEPT => "kept",
                _ => "missed",
            };
            text += &format!(
                " {name}{attained} % of the calls within {promise}: a promise for 99 % of them is \
                 {kept}."
            );
        }
        let rejected = self.total(|w| w.rejected.mean * w.counted as f64);
        if rejected > 0.0 {
            let counted = self.total(|workload| workload.counted as f64);
            text += &format!(
                " {} % of the calls need more context than a replica holds and are rejected.",
                value(100.0 * rejected / counted)
            );
        }
        text
    }
}

/// An estimate of a share in percent, so that it never rounds up to the whole.
fn percent(share: Estimate) -> String {
    let estimate =
        Estimate { mean: share.mean * 100.0, standard_error: share.standard_error * 100.0 };
    let text = Scale::ONE.estimate(estimate);
    if share.mean < 1.0 && text.trim_end_matches('0').trim_end_matches('.') == "100" {
        return ">99.9".to_owned();
    }
    text
}

/// What a workload is promised, if anything.
fn promise(class: &CallClass) -> Option<String> {
    let limits = class.limits;
    let of =
        |name: &str, seconds: f64| seconds.is_finite().then(|| format!("{name} {}", time(seconds)));
    match (of("TTFT", limits.ttft_p99.0), of("TPOT", limits.tpot_p99.0)) {
        (Some(ttft), Some(tpot)) => Some(format!("{ttft} and {tpot}")),
        (one, other) => one.or(other),
    }
}

/// A time in the unit that people would use.
fn time(seconds: f64) -> String {
    let plain = |value: f64| {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if seconds < 1.0 {
        format!("{} ms", plain(seconds * 1e3))
    } else {
        format!("{} s", plain(seconds))
    }
}
