//! A deployment under its load, simulated run by run until it is known whether the promises hold.

use rayon::prelude::*;

use super::SizeQuestion;
use super::candidate::{Candidate, Counts};
use super::observed::{ALLOWED, Observed, Verdict};
use crate::engine::{ClassTally, ClusterModel, ClusterRun, Pattern, Traffic, run_cluster};
use crate::rng::StreamKey;
use crate::stats::{Estimate, Histogram};
use crate::study::simulate::{CLUSTER, Simulation};

/// Standard errors by which a decision is taken before all calls of its budget are spent: it is
/// looked at several times, and one of these looks is lucky more often than a single one.
const EARLY: f64 = 3.0;
/// Runs after which it is looked at.
const LOOKS: [u32; 10] = [1, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];
/// Longest mean stays in the system that keep the promises that a run lasts; most stay for half of
/// that.
const STAYS: f64 = 8.0;
/// Promised times to first token that a run lasts: a queue that grows by 3 % of the calls breaks
/// the promise within it.
const TTFTS: f64 = 40.0;
/// Calls of a run at least.
const FEWEST: f64 = 3e4;
/// Seconds of a run at most, below what the engine's clock holds.
const LONGEST: f64 = 8.64e6;
/// Shares of the shortest run before and after the counted calls, and of any run at least. Of 20
/// times longer runs the missed share is the same to 0.01 points: no start-up is counted.
const NOT_COUNTED: [(f64, f64); 2] = [(0.25, 0.1), (0.1, 0.03)];
/// Engine replicas below which no deployment is scaled so that its runs are not too long.
const SMALL: f64 = 32.0;
/// Shards that are held before they are merged.
const HELD: usize = 32;

/// What a decision may cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Runs at least.
    pub(super) runs: u32,
    /// Calls that are simulated before it is left open, about.
    pub(super) calls: f64,
    /// Standard errors that decide when these are spent; 0: the mean does.
    pub(super) margin: f64,
}

/// What is kept of a run.
struct Kept {
    tally: ClassTally,
    batch: f64,
    busy: [(f64, f64); 2],
}

impl Kept {
    fn of(mut run: ClusterRun, model: &ClusterModel) -> Self {
        let prefill = model.prefill.as_ref().map_or(0, |pool| pool.replicas);
        let span = run.span.0 as f64;
        let time = |replicas: u32| span * f64::from(replicas);
        Self {
            batch: run.decode.mean_batch(),
            busy: [
                (run.decode.busy as f64, time(model.replicas)),
                (run.prefill.busy as f64, time(prefill)),
            ],
            tally: run.classes.swap_remove(0),
        }
    }
}

fn share(of: u64, tally: &ClassTally) -> f64 {
    let counted = tally.counted();
    if counted == 0 { 0.0 } else { of as f64 / counted as f64 }
}

/// Runs of a deployment at a load, more of them as they are needed. Run `n` has the same random
/// streams whatever the deployment (common random numbers).
#[derive(Debug, Clone)]
pub(super) struct Sample {
    /// One run of the whole load.
    simulation: Simulation,
    /// Clusters, and those of them that are simulated.
    clusters: (u32, u32),
    runs: u32,
    /// Of each cluster of each run: share late, slow, within both, and the two percentiles.
    parts: Vec<[f64; 5]>,
    whole: ClassTally,
    /// Sum over these of the mean batch.
    batch: f64,
    busy: [(f64, f64); 2],
}

impl Sample {
    /// No run so far.
    pub(super) fn new(
        deployment: ClusterModel,
        traffic: Traffic,
        clusters: (u32, u32),
        seed: u64,
    ) -> Self {
        Self {
            simulation: Simulation { deployment, traffic, replications: 1, seed },
            clusters,
            runs: 0,
            parts: Vec::new(),
            whole: ClassTally::default(),
            batch: 0.0,
            busy: [(0.0, 0.0); 2],
        }
    }

    /// So many replicas of a candidate under the question's load: themselves where there are at
    /// most `most` engine replicas, else a part of them under its part of the load, in runs of
    /// about `calls` at most.
    pub(super) fn of(
        (question, seed): (&SizeQuestion<'_>, u64),
        candidate: &Candidate,
        counts: Counts,
        (most, calls): (f64, f64),
    ) -> Self {
        let (mut deployment, mut part) = candidate.scaled(counts, most);
        let wanted = traffic(question, question.rate * part, f64::INFINITY).requests as f64;
        let prefill = deployment.prefill.as_ref().map_or(0, |pool| pool.replicas);
        let replicas = f64::from(deployment.replicas.max(prefill));
        if wanted > calls && replicas > SMALL {
            // Fewer replicas rather than shorter runs.
            (deployment, part) = candidate.scaled(counts, (replicas * calls / wanted).max(SMALL));
        }
        let traffic = traffic(question, question.rate * part, calls);
        Self::new(deployment, traffic, (1, 1), seed)
    }

    /// Calls of a run, counted or not.
    pub(super) fn calls_of_a_run(&self) -> f64 {
        let (all, simulated) = self.clusters;
        self.simulation.traffic.requests as f64 * f64::from(simulated) / f64::from(all)
    }

    /// Simulates until there are so many runs; the same for any number of threads.
    pub(super) fn extend(&mut self, runs: u32) {
        let (all, simulated) = self.clusters;
        let shards: Vec<u32> = (self.runs * simulated..runs * simulated).collect();
        for held in shards.chunks(HELD) {
            let run = |shard: &u32| {
                let (cluster, replication) = (shard % simulated, shard / simulated);
                let (model, traffic, _) = self.simulation.cluster(cluster, all);
                let (world, inner) = (u64::from(cluster), u64::from(replication));
                let key = StreamKey::inner(self.simulation.seed, world, inner);
                Kept::of(run_cluster(&model, &traffic, key), &model)
            };
            let runs: Vec<Kept> = held.par_iter().map(run).collect();
            for run in runs {
                self.parts.push(self.figures(&run.tally));
                self.whole.merge(&run.tally);
                self.batch += run.batch;
                for (sum, part) in self.busy.iter_mut().zip(run.busy) {
                    *sum = (sum.0 + part.0, sum.1 + part.1);
                }
            }
        }
        self.runs = self.runs.max(runs);
    }

    fn figures(&self, tally: &ClassTally) -> [f64; 5] {
        let limits = self.simulation.traffic.classes[0].limits;
        let late = share(tally.late + tally.rejected, tally);
        let slow = share(tally.slow, tally);
        let seconds = |histogram: &Histogram| histogram.quantile(0.99) as f64 * 1e-12;
        // A percentile is the upper end of its bin; a promise that holds may lie below that end.
        let within = |value: f64, missed: f64, limit: f64| {
            if missed <= ALLOWED { value.min(limit) } else { value }
        };
        let ttft = within(seconds(&tally.latencies.ttft), late, limits.ttft_p99.0);
        let tpot = within(seconds(&tally.latencies.tpot), slow, limits.tpot_p99.0);
        [late, slow, tally.attainment(), ttft, tpot]
    }

    /// What has been seen so far.
    pub(super) fn observed(&self) -> Observed {
        let pooled = self.figures(&self.whole);
        let estimate = |index: usize| {
            let samples: Vec<f64> = self.parts.iter().map(|part| part[index]).collect();
            Estimate { mean: pooled[index], ..Estimate::of(&samples) }
        };
        let ratio = |(part, whole): (f64, f64)| if whole > 0.0 { part / whole } else { 0.0 };
        Observed {
            late: estimate(0),
            slow: estimate(1),
            attainment: estimate(2),
            ttft_p99: estimate(3),
            tpot_p99: estimate(4),
            batch: self.batch / self.parts.len().max(1) as f64,
            busy: ratio(self.busy[0]),
            prefill_busy: ratio(self.busy[1]),
            counted: self.whole.counted(),
            runs: self.parts.len() as u32,
        }
    }

    /// Simulates until `verdict`, given what has been seen and standard errors, decides, or the
    /// effort is spent.
    pub(super) fn settle(
        &mut self,
        effort: Effort,
        verdict: impl Fn(&Observed, f64) -> Verdict,
    ) -> Verdict {
        let most = (effort.calls / self.calls_of_a_run()) as u32;
        let most = most.max(effort.runs).max(self.runs);
        for look in LOOKS {
            let runs = look.max(effort.runs).max(self.runs).min(most);
            self.extend(runs);
            let early = verdict(&self.observed(), EARLY.max(effort.margin));
            if early != Verdict::Open || runs == most {
                break;
            }
        }
        match verdict(&self.observed(), EARLY.max(effort.margin)) {
            Verdict::Open => verdict(&self.observed(), effort.margin),
            early => early,
        }
    }
}

/// The question's traffic at a rate, in a run long enough for a steady state.
pub(super) fn traffic(question: &SizeQuestion<'_>, rate: f64, most: f64) -> Traffic {
    let means = question.class.calls.means();
    let limits = question.class.limits;
    // No call that keeps its promises stays longer, in the mean.
    let stay = limits.ttft_p99.0 + means.output * limits.tpot_p99.0;
    let seconds = (STAYS * stay).max(TTFTS * limits.ttft_p99.0);
    let requests = (rate * seconds).max(FEWEST).min(most).min(rate * LONGEST).max(100.0);
    let shortest = (rate * seconds / requests).min(1.0);
    let (before, after) = (NOT_COUNTED[0].0 * shortest, NOT_COUNTED[0].1 * shortest);
    let pattern = Pattern::Open {
        calls_per_second: rate,
        gaps: question.gaps,
        profile: None,
        sessions: None,
    };
    Traffic {
        classes: vec![question.class.clone()],
        pattern,
        requests: requests as u64,
        not_counted: (before.max(NOT_COUNTED[1].0), after.max(NOT_COUNTED[1].1)),
    }
}

/// Clusters into which a whole deployment is split: none with more than 256 replicas of a kind,
/// unless the prefill replicas could not be split as evenly as those that decode.
pub(super) fn clusters(deployment: &ClusterModel) -> u32 {
    let Some(pool) = &deployment.prefill else {
        return deployment.replicas.div_ceil(CLUSTER).max(1);
    };
    let most = deployment.replicas.max(pool.replicas).div_ceil(CLUSTER).max(1);
    let even = |count: &u32| {
        // The cluster with the largest share of one kind has the least of the other.
        let parts = [deployment.replicas, pool.replicas].map(|whole| {
            let (least, most) = (whole / count, whole.div_ceil(*count));
            f64::from(least) / f64::from(most)
        });
        parts.iter().all(|part| *part >= 0.99)
    };
    (1..=most).rev().find(even).unwrap_or(1)
}
