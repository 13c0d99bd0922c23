//! A simulated deployment made visible: the finding in a sentence, a table, and JSON.

mod json;
mod table;

pub use json::simulation_json;
pub use table::simulation_table;

use crate::engine::{CallClass, ClusterModel};
use crate::hardware::Provenance;
use crate::stats::Estimate;
use crate::study::{Capacity, SimulationOutcome};

use super::rounding::Scale;
use super::stack::StackSource;

/// How a deployment is called.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeploymentWords {
    /// The model and its format.
    pub model: String,
    /// The accelerator.
    pub accelerator: String,
    /// How many replicas of how many GPUs.
    pub layout: String,
    /// The router.
    pub router: String,
    /// How calls arrive.
    pub arrivals: String,
    /// Ranks of data-parallel attention of a replica: what the engine counts as replicas.
    pub ranks: u32,
    /// How far its step times are backed by measurement.
    pub provenance: Provenance,
    /// Factors on the speed of all steps that bound what is believed (10th and 90th percentile);
    /// none where nothing is said about that.
    pub doubt: Option<(f64, f64)>,
    /// What was measured, as its source says; none where nothing was.
    pub measured: Option<String>,
    /// Factor of the software progress since the step time was measured; none where it was not.
    pub progress: Option<f64>,
    /// Whose serving stack is on top of the engine's first tokens.
    pub stack: StackSource,
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
    /// The trace that was replayed, and its rows without tokens, which were left out.
    pub trace: Option<(&'a str, u64)>,
    /// Requests that a steady state needs, where fewer were asked for.
    pub advised: Option<u64>,
    /// Independent repetitions.
    pub replications: u32,
    /// Seed of every random stream.
    pub seed: u64,
    /// Seconds from begin to end, and CPU seconds of all threads: they differ from run to run.
    pub seconds: (f64, f64),
}

/// Share of the calls for which a promise must be kept to hold at the 99th percentile.
const KEPT: f64 = 0.99;
/// Growth of the queue, as a share of the arrivals, below which it is taken for noise.
const NOISE: f64 = 0.002;

impl SimulationReport<'_> {
    /// Share of the capacity that is sent.
    fn load(&self) -> Option<f64> {
        Some(self.rate? / self.capacity?.calls_per_second)
    }

    /// Requests simulated per CPU-second, and how many times faster than time the deployment ran.
    fn pace(&self) -> (f64, f64) {
        let per = |amount: f64, seconds: f64| if seconds > 0.0 { amount / seconds } else { 0.0 };
        let outcome = self.outcome;
        let runs = f64::from(outcome.shards) / f64::from(outcome.clusters);
        let simulated = outcome.run_seconds.0 * runs;
        (per(outcome.requests as f64, self.seconds.1), per(simulated, self.seconds.0))
    }

    fn total(&self, of: impl Fn(&crate::study::WorkloadOutcome) -> f64) -> f64 {
        self.outcome.workloads.iter().map(of).sum()
    }

    /// Whether the number of calls in the system grows for as long as the run lasts: beyond chance
    /// and beyond two calls in a thousand. A trace is served to its end, so there the mean load
    /// says it; so it does in runs that are too short to tell an overload from a warm-up.
    #[must_use]
    pub fn overloaded(&self) -> bool {
        if self.concurrency.is_some() {
            return false;
        }
        let beyond = self.load().is_some_and(|load| load > 1.0);
        if self.trace.is_some() || (self.advised.is_some() && !beyond) {
            return beyond;
        }
        let (growth, arrived) = (self.outcome.growth, self.total(|w| w.rates[0].mean));
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
        let mut text = self.served();
        let several = self.classes.len() > 1;
        // Runs without a steady state keep or break no promise.
        let judged = if self.advised.is_some() && !self.overloaded() { &[] } else { self.classes };
        for (class, workload) in judged.iter().zip(&self.outcome.workloads) {
            let name = if several { format!(" for {}", class.name) } else { String::new() };
            let Some(promise) = promise(class) else { continue };
            let kept = if workload.shares[0].mean >= KEPT { "met" } else { "missed" };
            text += &format!(
                " The SLO is {kept}{name}: {} % of the calls stay within {promise} (99 % are \
                 asked for).",
                attained(workload.shares[0])
            );
        }
        let counted = self.total(|workload| workload.counted as f64);
        let abandoned = self.total(|w| w.shares[1].mean * w.counted as f64);
        if abandoned > 0.0 {
            text += &format!(
                " {} % of the calls are given up by their users before the first token.",
                Scale::ONE.value(100.0 * abandoned / counted)
            );
        }
        let rejected = self.total(|w| w.shares[3].mean * w.counted as f64);
        if rejected > 0.0 {
            text += &format!(
                " {} % of the calls need more context than a replica holds and are rejected.",
                Scale::ONE.value(100.0 * rejected / counted)
            );
        }
        if let Some(requests) = self.advised {
            text += &format!(
                " These runs are too short for a steady state: give --requests {requests} or more."
            );
        }
        text += match self.words.provenance {
            Provenance::Bound => " Step times are a bound, not a forecast.",
            Provenance::Stated => " Step times are stated, not fitted.",
            Provenance::Fitted | Provenance::Measured => "",
        };
        text
    }

    /// What comes and what is done.
    fn served(&self) -> String {
        let value = |value: f64| Scale::ONE.value(value);
        let gpus = match self.deployment.gpus() {
            1 => "1 GPU".to_owned(),
            gpus => format!("{gpus} GPUs"),
        };
        let load = self
            .load()
            .map_or(String::new(), |load| format!(" ({} % of capacity)", value(load * 100.0)));
        let arrived = value(self.total(|workload| workload.rates[0].mean));
        let completed = value(self.total(|workload| workload.rates[1].mean));
        if self.overloaded() && self.trace.is_some() {
            return format!(
                "Overloaded: the trace brings {} requests/s on average{load} to {gpus}, and these \
                 percentiles grow with its length.",
                value(self.rate.unwrap_or(0.0)),
            );
        }
        if self.overloaded() {
            return format!(
                "Overloaded: {arrived} requests/s arrive{load} and {gpus} complete {completed}; \
                 the queue grows by {} requests/s, and these percentiles grow with the length of \
                 the run.",
                value(self.outcome.growth.mean),
            );
        }
        let users = self.concurrency.map_or(String::new(), |users| {
            format!(" for {users} users who each have one at a time")
        });
        let latency = match self.outcome.workloads.as_slice() {
            [workload] if workload.rates[1].mean > 0.0 => format!(
                " with TTFT P99 {} and TPOT P99 {}",
                time(workload.latencies[0].points[3].mean),
                time(workload.latencies[1].points[3].mean)
            ),
            _ => String::new(),
        };
        let complete = if self.deployment.gpus() == 1 { "completes" } else { "complete" };
        format!("{gpus} {complete} {completed} requests/s{users}{load}{latency}.")
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

/// The same of a share that [`KEPT`] is asked of: one that is below does not look as if it were
/// not, as far as five digits behind the point tell them apart.
fn attained(share: Estimate) -> String {
    let text = percent(share);
    let asked = 100.0 * KEPT;
    let below = |text: &str| {
        let number = text.split('±').next().unwrap_or_default();
        number.parse::<f64>().is_ok_and(|shown| shown < asked)
    };
    if share.mean >= KEPT || below(&text) {
        return text;
    }
    let mut finer = (2..=5).map(|places| format!("{:.places$}", 100.0 * share.mean));
    finer.find(|text| below(text)).unwrap_or_else(|| format!("<{asked:.0}"))
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

/// A time in the unit that people would use, three digits.
fn time(seconds: f64) -> String {
    let plain = |value: f64| {
        let text = Scale::ONE.value(value);
        if !text.contains('.') {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match seconds {
        s if s < 1.0 => format!("{} ms", plain(s * 1e3)),
        s => format!("{} s", plain(s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_is_missed_does_not_look_kept() {
        let share = |mean, standard_error| attained(Estimate { mean, standard_error });
        assert_eq!(share(0.98957, 0.0), "98.96");
        assert_eq!(share(0.989_996, 0.0), "98.9996");
        assert_eq!(share(0.989_996, 0.002), "98.9996");
        assert_eq!(share(0.989_999_999_9, 0.0), "<99");
        // Where rounding hides nothing it stays as it was.
        assert_eq!((share(0.99, 0.0), share(0.985, 0.0)), ("99.0".into(), "98.5".into()));
        assert_eq!(share(0.9896, 0.002), "98.96±0.20");
    }
}
