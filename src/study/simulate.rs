//! One deployment under its traffic, request by request: clusters and replications on all cores.
//!
//! A deployment of many replicas is split into clusters of at most 256, each with its share of the
//! load and its own random streams. Every (cluster, replication) is a shard that knows nothing of
//! the others; shards are merged in order, so that no number depends on the threads.

use std::fs;
use std::time::Instant;

use rayon::prelude::*;

use super::Watch;
use crate::demand::TraceRow;
use crate::engine::{
    BLOCK, CallClass, ClassTally, ClusterModel, ClusterRun, Pattern, PrefillPool, Totals, Traffic,
    replay_trace, run_cluster,
};
use crate::hardware::KV_UNIT;
use crate::rng::StreamKey;
use crate::stats::{Estimate, Histogram};

/// Replicas of a cluster at most.
pub const CLUSTER: u32 = 256;
/// Shards that are held before they are merged: memory does not grow with their number.
const HELD: usize = 32;

/// One deployment and what is sent to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulation {
    /// The whole deployment: here both numbers of replicas may be of any size.
    pub deployment: ClusterModel,
    /// What is sent to the whole of it; `requests` are those of all replications together.
    pub traffic: Traffic,
    /// Independent repetitions, each with a warm-up of its own; at least 1.
    pub replications: u32,
    /// Seed of every random stream.
    pub seed: u64,
}

/// Mean and percentiles of a latency, seconds. The values are those of all calls together, the
/// standard errors come from the spread over shards.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LatencyEstimate {
    /// Mean, median, 90th and 99th percentile.
    pub points: [Estimate; 4],
}

/// Latencies of calls: time to first token, mean time per output token, arrival to last token,
/// arrival to the first place in memory.
pub const LATENCIES: [&str; 4] = ["ttft", "tpot", "e2e", "queue_wait"];
/// What is counted of a workload per second: arrivals, completions, completions within both
/// promises, and the tokens of completions.
pub const RATES: [&str; 5] = [
    "arrived_requests_per_s",
    "completed_requests_per_s",
    "goodput_requests_per_s",
    "output_tokens_per_s",
    "prompt_tokens_per_s",
];
/// What may become of the counted calls of a workload: done within both promises, left by their
/// users, tried again after that, too long for the memory.
pub const SHARES: [&str; 4] =
    ["attainment_share", "abandoned_share", "retried_share", "rejected_share"];

/// What the calls of one workload experienced.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadOutcome {
    /// Calls counted: those after the warm-up and before the tail.
    pub counted: u64,
    /// In the order of [`LATENCIES`].
    pub latencies: [LatencyEstimate; 4],
    /// In the order of [`RATES`].
    pub rates: [Estimate; 5],
    /// In the order of [`SHARES`].
    pub shares: [Estimate; 4],
}

/// What a simulation leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationOutcome {
    /// By workload, in the order of the traffic.
    pub workloads: Vec<WorkloadOutcome>,
    /// Single gaps between the tokens of a sequence, seconds, over whole runs; those across a
    /// preemption are not in it.
    pub itl: LatencyEstimate,
    /// Calls per second by which the number in the system grows in the measured time.
    pub growth: Estimate,
    /// Sequences in a decode step.
    pub batch: Estimate,
    /// Context tokens that a decode step reads.
    pub context_read: Estimate,
    /// Most context memory that was in use at one time on one replica, share of it.
    pub peak_memory: f64,
    /// Preemptions per thousand calls.
    pub preemptions: Estimate,
    /// Share of the prompt tokens beyond those cached for everyone that earlier turns had left.
    pub found: Estimate,
    /// Share of time in steps of the replicas that decode, or do both, over whole runs.
    pub busy: Estimate,
    /// The same of the prefill replicas; 0 where there are none.
    pub prefill_busy: Estimate,
    /// Calls simulated, warm-up and tail included.
    pub requests: u64,
    /// Clusters.
    pub clusters: u32,
    /// Clusters times replications.
    pub shards: u32,
    /// Simulated seconds of a run, mean, and those of it in which completions are counted.
    pub run_seconds: (f64, f64),
}

/// Measures what a shard costs its thread: CPU seconds, or elapsed ones where the system does not
/// tell them. Nothing of the model sees it.
struct Clock {
    wall: Instant,
    cpu: Option<u64>,
}

impl Clock {
    fn now() -> Self {
        Self { wall: Instant::now(), cpu: Self::cpu_nanoseconds() }
    }

    /// Time of this thread on a processor, as Linux tells it.
    fn cpu_nanoseconds() -> Option<u64> {
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    fn seconds(&self) -> f64 {
        let cpu = self.cpu.zip(Self::cpu_nanoseconds());
        let measured = cpu.map(|(from, to)| to.saturating_sub(from) as f64 * 1e-9);
        measured.filter(|seconds| *seconds > 0.0).unwrap_or(self.wall.elapsed().as_secs_f64())
    }
}

/// Part `index` of `count` of a whole that is split as evenly as whole numbers allow.
fn part(whole: u32, index: u32, count: u32) -> u32 {
    let up_to = |index: u32| u64::from(whole) * u64::from(index) / u64::from(count);
    (up_to(index + 1) - up_to(index)) as u32
}

/// Clusters of a deployment, none with more than [`CLUSTER`] replicas of a kind.
#[must_use]
pub fn clusters_of(deployment: &ClusterModel) -> u32 {
    let prefill = deployment.prefill.as_ref().map_or(0, |pool| pool.replicas);
    deployment.replicas.max(prefill).div_ceil(CLUSTER).max(1)
}

impl Simulation {
    /// A cluster of `count`, what is sent to it in a replication, and its share of the deployment.
    pub(super) fn cluster(&self, index: u32, count: u32) -> (ClusterModel, Traffic, f64) {
        let whole = &self.deployment;
        let replicas = part(whole.replicas, index, count);
        let share = f64::from(replicas) / f64::from(whole.replicas);
        let prefill = whole.prefill.as_ref().map(|pool| PrefillPool {
            replicas: part(pool.replicas, index, count),
            ..pool.clone()
        });
        let pattern = match &self.traffic.pattern {
            Pattern::Open { calls_per_second, gaps, profile, sessions } => Pattern::Open {
                calls_per_second: calls_per_second * share,
                gaps: *gaps,
                profile: profile.clone(),
                sessions: sessions.clone(),
            },
            Pattern::Closed { concurrency } => {
                Pattern::Closed { concurrency: part(*concurrency, index, count) }
            }
        };
        let requests = self.traffic.requests as f64 * share / f64::from(self.replications);
        let traffic =
            Traffic { pattern, requests: requests.max(1.0) as u64, ..self.traffic.clone() };
        (ClusterModel { replicas, prefill, ..whole.clone() }, traffic, share)
    }
}

/// Simulates a deployment; also says how many CPU seconds that took. `None` when `watch` stopped
/// it. The outcome does not depend on the number of threads.
///
/// # Panics
/// When the books of a replica do not balance: a defect of the engine.
#[must_use]
pub fn simulate_deployment(
    simulation: &Simulation,
    watch: Watch<'_>,
) -> Option<(SimulationOutcome, f64)> {
    let clusters = clusters_of(&simulation.deployment);
    let count = clusters * simulation.replications;
    (watch.begun)(u64::from(count));
    let mut merged = Merged::new(&simulation.deployment, &simulation.traffic.classes);
    let shards: Vec<u32> = (0..count).collect();
    for held in shards.chunks(HELD) {
        let runs: Option<Vec<(ClusterRun, f64, f64)>> = held
            .par_iter()
            .map(|shard| {
                if watch.stopped() {
                    return None;
                }
                let begun = Clock::now();
                let (cluster, replication) = (shard % clusters, shard / clusters);
                let (model, traffic, share) = simulation.cluster(cluster, clusters);
                let (cluster, replication) = (u64::from(cluster), u64::from(replication));
                let key = StreamKey::inner(simulation.seed, cluster, replication);
                let run = run_cluster(&model, &traffic, key);
                (watch.done)();
                Some((run, share, begun.seconds()))
            })
            .collect();
        for (run, share, seconds) in runs? {
            merged.add(&run, share, seconds);
        }
    }
    Some(merged.finish(clusters))
}

/// Replays a trace once on a deployment of one cluster; all calls are counted, and there are no
/// standard errors. Also says how many CPU seconds that took.
///
/// # Panics
/// When the books of a replica do not balance: a defect of the engine.
pub fn replay_deployment(
    deployment: &ClusterModel,
    class: &CallClass,
    rows: &mut dyn Iterator<Item = TraceRow>,
    seed: u64,
) -> (SimulationOutcome, f64) {
    let begun = Clock::now();
    let run = replay_trace(deployment, class, rows, StreamKey::inner(seed, 0, 0));
    let mut merged = Merged::new(deployment, std::slice::from_ref(class));
    merged.add(&run, 1.0, begun.seconds());
    merged.finish(1)
}

/// Mean and percentiles of a histogram of picoseconds, in seconds.
fn points(histogram: &Histogram) -> [f64; 4] {
    let at = |p: f64| histogram.quantile(p) as f64 * 1e-12;
    [histogram.mean() * 1e-12, at(0.5), at(0.9), at(0.99)]
}

/// What the estimates need of one workload of a shard, or of all shards together.
#[derive(Debug, Clone, Copy)]
struct ClassFigures {
    counted: f64,
    latencies: [[f64; 4]; 4],
    /// Numerators of the rates and of the shares.
    rates: [f64; 5],
    shares: [f64; 4],
}

impl ClassFigures {
    fn of(tally: &ClassTally) -> Self {
        let ClassTally { latencies, queue_wait, attained, abandoned, retried, rejected, .. } =
            tally;
        let arrived = tally.counted();
        let (done, within) = (tally.done, tally.done_attained);
        let rates = [arrived, done, within, tally.output_tokens, tally.prompt_tokens];
        Self {
            counted: arrived as f64,
            latencies: [&latencies.ttft, &latencies.tpot, &latencies.e2e, queue_wait].map(points),
            rates: rates.map(|count| count as f64),
            shares: [attained, abandoned, retried, rejected].map(|count| *count as f64),
        }
    }

    /// Calls that came in the measured time and neither were done nor left.
    fn growth(&self) -> f64 {
        let [arrived, done, ..] = self.rates;
        let [_, abandoned, _, rejected] = self.shares;
        arrived - abandoned - rejected - done
    }
}

/// What is kept of a shard, or of all: the histograms are not.
#[derive(Debug, Clone, Default)]
struct Figures {
    classes: Vec<ClassFigures>,
    itl: [f64; 4],
    decode: Totals,
    prefill: Totals,
    /// Measured seconds times the share of the deployment.
    exposure: f64,
    /// Replica-picoseconds of both kinds.
    replica_time: (f64, f64),
}

impl Figures {
    /// Sums of the replicas that calls come to first.
    fn entry(&self) -> &Totals {
        if self.replica_time.1 > 0.0 { &self.prefill } else { &self.decode }
    }
}

/// Shards, added up in order.
struct Merged<'a> {
    deployment: &'a ClusterModel,
    classes: Vec<ClassTally>,
    gaps: Histogram,
    whole: Figures,
    shards: Vec<Figures>,
    run_seconds: (f64, f64),
    cpu_seconds: f64,
}

impl<'a> Merged<'a> {
    fn new(deployment: &'a ClusterModel, classes: &[CallClass]) -> Self {
        Self {
            deployment,
            classes: vec![ClassTally::default(); classes.len()],
            gaps: Histogram::default(),
            whole: Figures::default(),
            shards: Vec::new(),
            run_seconds: (0.0, 0.0),
            cpu_seconds: 0.0,
        }
    }

    fn add(&mut self, run: &ClusterRun, share: f64, cpu_seconds: f64) {
        let measured = (run.measured.1.seconds() - run.measured.0.seconds()).max(0.0);
        let pools = self.deployment.prefill.as_ref().map_or(0, |pool| pool.replicas);
        let time = |replicas: u32| run.span.0 as f64 * f64::from(replicas) * share;
        let figures = Figures {
            classes: run.classes.iter().map(ClassFigures::of).collect(),
            itl: points(&run.gaps),
            decode: run.decode,
            prefill: run.prefill,
            exposure: measured * share,
            replica_time: (time(self.deployment.replicas), time(pools)),
        };
        for (mine, theirs) in self.classes.iter_mut().zip(&run.classes) {
            mine.merge(theirs);
        }
        self.gaps.merge(&run.gaps);
        self.whole.decode.add(&run.decode);
        self.whole.prefill.add(&run.prefill);
        self.whole.exposure += figures.exposure;
        self.whole.replica_time.0 += figures.replica_time.0;
        self.whole.replica_time.1 += figures.replica_time.1;
        self.run_seconds.0 += run.span.seconds();
        self.run_seconds.1 += measured;
        self.cpu_seconds += cpu_seconds;
        self.shards.push(figures);
    }

    fn finish(mut self, clusters: u32) -> (SimulationOutcome, f64) {
        self.whole.classes = self.classes.iter().map(ClassFigures::of).collect();
        self.whole.itl = points(&self.gaps);
        let whole = &self.whole;
        let spread = Spread { whole, shards: &self.shards };
        let memory = self.deployment.replica.kv_tokens as f64;
        let calls = |f: &Figures| (f.decode.completed + f.decode.abandoned) as f64;
        let lost = |f: &Figures| (f.decode.preemptions + f.prefill.preemptions) as f64;
        let context = |f: &Figures| f.decode.context_read as f64 / KV_UNIT as f64;
        let count = self.shards.len().max(1) as f64;
        let growth = |f: &Figures| f.classes.iter().map(ClassFigures::growth).sum();
        let outcome = SimulationOutcome {
            workloads: (0..self.classes.len()).map(|index| spread.workload(index)).collect(),
            itl: spread.latency(|f| f.itl),
            growth: spread.ratio(growth, |f| f.exposure),
            batch: spread.of(|f| f.decode.mean_batch()),
            context_read: spread.ratio(context, |f| f.decode.decode_steps as f64),
            peak_memory: ((whole.decode.most_blocks * BLOCK) as f64 / memory).min(1.0),
            preemptions: spread.ratio(|f| 1_000.0 * lost(f), calls),
            found: spread.ratio(|f| f.entry().found as f64, |f| f.entry().owed_prefill as f64),
            busy: spread.ratio(|f| f.decode.busy as f64, |f| f.replica_time.0),
            prefill_busy: spread.ratio(|f| f.prefill.busy as f64, |f| f.replica_time.1),
            requests: whole.entry().arrived + whole.entry().rejected,
            clusters,
            shards: self.shards.len() as u32,
            run_seconds: (self.run_seconds.0 / count, self.run_seconds.1 / count),
        };
        (outcome, self.cpu_seconds)
    }
}

/// The figures of all shards together, and of each for their spread.
struct Spread<'a> {
    whole: &'a Figures,
    shards: &'a [Figures],
}

impl Spread<'_> {
    fn of(&self, value: impl Fn(&Figures) -> f64) -> Estimate {
        let samples: Vec<f64> = self.shards.iter().map(&value).collect();
        Estimate { mean: value(self.whole), ..Estimate::of(&samples) }
    }

    /// A ratio of sums; 0 where there is nothing to divide by.
    fn ratio(&self, part: impl Fn(&Figures) -> f64, whole: impl Fn(&Figures) -> f64) -> Estimate {
        self.of(|f| if whole(f) > 0.0 { part(f) / whole(f) } else { 0.0 })
    }

    fn latency(&self, value: impl Fn(&Figures) -> [f64; 4]) -> LatencyEstimate {
        let point = |point| self.of(|figures| value(figures)[point]);
        LatencyEstimate { points: std::array::from_fn(point) }
    }

    fn workload(&self, index: usize) -> WorkloadOutcome {
        let counted = |f: &Figures| f.classes[index].counted;
        WorkloadOutcome {
            counted: counted(self.whole) as u64,
            latencies: std::array::from_fn(|of| self.latency(|f| f.classes[index].latencies[of])),
            rates: std::array::from_fn(|of| {
                self.ratio(|f| f.classes[index].rates[of], |f| f.exposure)
            }),
            shares: std::array::from_fn(|of| self.ratio(|f| f.classes[index].shares[of], counted)),
        }
    }
}
