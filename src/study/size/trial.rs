//! A deployment under its load, simulated: which share of the calls misses a promise, and whether
//! that is few enough for the promise to hold at the 99th percentile.

use rayon::prelude::*;

use super::SizeQuestion;
use super::candidate::{Candidate, Counts};
use crate::engine::{ClassTally, ClusterModel, ClusterRun, Pattern, Traffic, run_cluster};
use crate::rng::StreamKey;
use crate::stats::{Estimate, Histogram};
use crate::study::simulate::{CLUSTER, Simulation};

/// Share of the calls that may miss a promise on a 99th percentile.
pub(super) const ALLOWED: f64 = 0.01;
/// Standard errors by which the missed share must stay below it where a size is confirmed: of fresh
/// samples of the same size then nearly all hold.
const MARGIN: f64 = 1.0;
/// Standard errors within which more runs are worth their time.
const OPEN: f64 = 2.5;
/// Standard error of a missed share, over the allowed one, below which more runs are not worth it.
const KNOWN: f64 = 0.04;
/// Engine replicas (attention ranks) of a trial at most: what a larger deployment does is read off
/// so many of them at the same load each.
const TRIAL_REPLICAS: f64 = 32.0;
/// Longest mean stays in the system that keep the promises that a run lasts; most stay for half of
/// that.
const STAYS: f64 = 8.0;
/// Promised times to first token that a run lasts: a queue that grows by 3 % of the calls breaks
/// the promise within it.
const TTFTS: f64 = 40.0;
/// Calls of a run at least: 1 % of those counted are 170, known to 8 %.
const FEWEST: f64 = 3e4;
/// Calls of a run at most.
const MOST: f64 = 4e5;
/// Seconds of a run at most, below what the engine's clock holds.
const LONGEST: f64 = 8.64e6;
/// Shares of a run before and after the counted calls.
const NOT_COUNTED: (f64, f64) = (0.3, 0.1);
/// Shards that are held before they are merged.
const HELD: usize = 32;

/// What the calls of a deployment experience at a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// Share of the calls beyond the promise for TTFT; calls that no memory holds are among them.
    pub late: Estimate,
    /// Share of the calls beyond the promise for TPOT.
    pub slow: Estimate,
    /// Share of the calls within both promises.
    pub attainment: Estimate,
    /// 99th percentile of the time to first token, seconds.
    pub ttft_p99: Estimate,
    /// 99th percentile of the time per output token, seconds.
    pub tpot_p99: Estimate,
    /// Sequences in a decode step of a replica or rank.
    pub batch: f64,
    /// Share of time in steps, of the replicas that decode (or do both).
    pub busy: f64,
    /// The same of the prefill replicas; 0 where there are none.
    pub prefill_busy: f64,
    /// Calls counted.
    pub counted: u64,
    /// Independent runs that the standard errors come from.
    pub runs: u32,
}

impl Observed {
    /// Whether both promises hold at the 99th percentile: at most 1 % of the calls miss each.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.counted > 0 && self.late.mean <= ALLOWED && self.slow.mean <= ALLOWED
    }

    /// Whether the sample leaves it open that one of them holds.
    pub(super) fn open(&self) -> bool {
        let near = |share: Estimate| (share.mean - ALLOWED).abs() <= OPEN * share.standard_error;
        near(self.late) || near(self.slow)
    }

    /// Whether the missed shares are known well enough: what is still open then moves the size by
    /// less than its resolution.
    pub(super) fn known(&self) -> bool {
        self.late.standard_error.max(self.slow.standard_error) <= KNOWN * ALLOWED
    }

    /// Whether they do so beyond the doubt of the sample.
    pub(super) fn holds_surely(&self) -> bool {
        let high = |share: Estimate| share.mean + MARGIN * share.standard_error;
        self.counted > 0 && high(self.late) <= ALLOWED && high(self.slow) <= ALLOWED
    }
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

/// Runs the clusters `from..to` of `clusters` in every replication; the same for any number of
/// threads.
pub(super) fn observe(simulation: &Simulation, clusters: u32, simulated: u32) -> Observed {
    let class = &simulation.traffic.classes[0];
    let limits = class.limits;
    let shards: Vec<u32> = (0..simulated * simulation.replications).collect();
    let (mut whole, mut parts) = (ClassTally::default(), Vec::new());
    let (mut batch, mut busy) = (0.0, [(0.0, 0.0); 2]);
    let seconds = |histogram: &Histogram| histogram.quantile(0.99) as f64 * 1e-12;
    let figures = |tally: &ClassTally| {
        let late = share(tally.late + tally.rejected, tally);
        let slow = share(tally.slow, tally);
        // A percentile is the upper end of its bin; a promise that holds may lie below that end.
        let within = |value: f64, missed: f64, limit: f64| {
            if missed <= ALLOWED { value.min(limit) } else { value }
        };
        let latencies = &tally.latencies;
        let ttft = within(seconds(&latencies.ttft), late, limits.ttft_p99.0);
        let tpot = within(seconds(&latencies.tpot), slow, limits.tpot_p99.0);
        [late, slow, tally.attainment(), ttft, tpot]
    };
    for held in shards.chunks(HELD) {
        let run = |shard: &u32| {
            let (cluster, replication) = (shard % simulated, shard / simulated);
            let (model, traffic, _) = simulation.cluster(cluster, clusters);
            let (world, inner) = (u64::from(cluster), u64::from(replication));
            let key = StreamKey::inner(simulation.seed, world, inner);
            Kept::of(run_cluster(&model, &traffic, key), &model)
        };
        let runs: Vec<Kept> = held.par_iter().map(run).collect();
        for run in runs {
            parts.push(figures(&run.tally));
            whole.merge(&run.tally);
            batch += run.batch / shards.len() as f64;
            for (sum, part) in busy.iter_mut().zip(run.busy) {
                *sum = (sum.0 + part.0, sum.1 + part.1);
            }
        }
    }
    let pooled = figures(&whole);
    let estimate = |index: usize| {
        let samples: Vec<f64> = parts.iter().map(|part| part[index]).collect();
        Estimate { mean: pooled[index], ..Estimate::of(&samples) }
    };
    let ratio = |(part, whole): (f64, f64)| if whole > 0.0 { part / whole } else { 0.0 };
    Observed {
        late: estimate(0),
        slow: estimate(1),
        attainment: estimate(2),
        ttft_p99: estimate(3),
        tpot_p99: estimate(4),
        batch,
        busy: ratio(busy[0]),
        prefill_busy: ratio(busy[1]),
        counted: whole.counted(),
        runs: shards.len() as u32,
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
        not_counted: NOT_COUNTED,
    }
}

/// So many replicas under the question's load: themselves where they are few, else a part of them
/// under its part of the load.
pub(super) fn trial(
    question: &SizeQuestion<'_>,
    candidate: &Candidate,
    counts: Counts,
    (replications, seed): (u32, u64),
) -> Observed {
    let (deployment, part) = candidate.scaled(counts, TRIAL_REPLICAS);
    let traffic = traffic(question, question.rate * part, MOST);
    let requests = traffic.requests * u64::from(replications);
    let traffic = Traffic { requests, ..traffic };
    observe(&Simulation { deployment, traffic, replications, seed }, 1, 1)
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
