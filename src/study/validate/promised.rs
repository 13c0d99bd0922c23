//! What whole deployments do under promises of percentiles, or without any, by the engine: calls
//! arrive by chance, and no load counts at which a promise is broken.

use super::stack::ServingStack;
use super::whole::Whole;
use crate::demand::Interarrival;
use crate::engine::{
    CallClass, CallShape, ClusterModel, LatencyLimits, Layout, Pattern, PrefillPool, ReplicaModel,
    Router, Traffic, Transfer, fluid_capacity, run_cluster,
};
use crate::rng::StreamKey;
use crate::study::capacity::sequences_within_memory;
use crate::study::layouts::{OperatingLimits, ServedModel};
use crate::units::Seconds;

/// Seed of all runs.
const SEED: u64 = 1;
/// No limit.
const NONE: Seconds = Seconds(1e9);
/// Share of the calls that may miss a promise on a 99th percentile.
const ALLOWED: f64 = 0.01;
/// Highest share of the saturated throughput at which promises are tried: closer to it a run of
/// finite length cannot tell a queue that stays from one that grows.
const SUSTAINABLE: f64 = 0.97;
/// Ranks of a deployment without prefill replicas that are simulated at most.
const RANKS: u32 = 16;
/// Times that the batch is renewed in a run, and its calls at least and at most.
const RENEWALS: f64 = 6.0;
const CALLS: (f64, f64) = (1e4, 6e4);
/// Shares of a run before and after the counted calls.
const NOT_COUNTED: (f64, f64) = (0.4, 0.1);
/// Halvings of the range of loads, and its lower end as a share of the closed form.
const HALVINGS: u32 = 6;
const LEAST: f64 = 0.02;
/// Times that the batch is renewed where nothing is promised, and the calls in that at most.
const SATURATED: (f64, f64) = (60.0, 1e5);
/// Deployments that are simulated at most.
const TRIED: usize = 6;

fn class(shape: &CallShape, limits: &OperatingLimits) -> CallClass {
    let promised = |limit: Option<Seconds>| limit.unwrap_or(NONE);
    CallClass {
        name: String::new(),
        share: 1.0,
        calls: shape.clone(),
        priority: 0,
        limits: LatencyLimits { ttft_p99: promised(limits.ttft), tpot_p99: promised(limits.tpot) },
        patience: None,
    }
}

/// A rank with a limit on its sequences that its memory holds, behind a dispatcher that sees the
/// queues of its own replicas.
fn tuned(model: &ReplicaModel, shape: &CallShape) -> ReplicaModel {
    let mut model = model.clone();
    model.router = Router::LeastLoaded(Seconds(0.0));
    if let Some(most) = sequences_within_memory(&model, &shape.means()) {
        model.scheduler.max_sequences = most;
    }
    model
}

/// A deployment at work on calls of a kind.
struct Trial<'a> {
    shape: &'a CallShape,
    limits: &'a OperatingLimits,
    /// A part of the deployment that is like all others.
    cluster: ClusterModel,
    /// Over the part: the whole.
    parts: f64,
    /// Calls in flight on the part that renew its batch.
    batch: f64,
}

impl<'a> Trial<'a> {
    fn new(
        served: &ServedModel<'_>,
        whole: &Whole<'_>,
        stack: &ServingStack,
        (shape, limits): (&'a CallShape, &'a OperatingLimits),
    ) -> Self {
        let (pool, count) = whole.decode;
        let ranks = count * pool.ranks as u32;
        let handed = CallShape { cached: 1.0, ..shape.clone() };
        let entries = whole.prefill.map(|(entry, count)| (entry, count * entry.ranks as u32));
        let parts = match entries {
            Some((_, entries)) => (1..=ranks.min(entries))
                .rev()
                .find(|parts| ranks.is_multiple_of(*parts) && entries.is_multiple_of(*parts))
                .unwrap_or(1),
            None => 1,
        };
        let mut replica = tuned(&pool.model, if entries.is_some() { &handed } else { shape });
        replica.first_token = if entries.is_some() { stack.apart } else { stack.together };
        let batch = fluid_capacity(&replica, &shape.means(), limits.tpot).map_or(1.0, |f| f.batch);
        let transfer = Transfer {
            bytes_per_token: served.llm.kv_per_token,
            bandwidth: served.accelerator.scale_up,
            latency: Seconds(1e-3),
        };
        let prefill = entries.map(|(entry, entries)| PrefillPool {
            replica: ReplicaModel {
                router: Router::LeastLoaded(Seconds(0.0)),
                ..entry.model.clone()
            },
            replicas: entries / parts,
            transfer,
        });
        let replicas = if prefill.is_some() { ranks / parts } else { ranks.min(RANKS) };
        let parts = f64::from(ranks) / f64::from(replicas);
        let batch = batch * f64::from(replicas);
        let cluster = ClusterModel { replica, replicas, prefill };
        Self { shape, limits, cluster, parts, batch }
    }

    /// Whether the promises hold at so many calls per second to the whole.
    fn holds(&self, calls_per_second: f64) -> bool {
        let traffic = Traffic {
            classes: vec![class(self.shape, self.limits)],
            pattern: Pattern::Open {
                calls_per_second: calls_per_second / self.parts,
                gaps: Interarrival::Poisson,
                profile: None,
                sessions: None,
            },
            requests: (RENEWALS * self.batch).clamp(CALLS.0, CALLS.1) as u64,
            not_counted: NOT_COUNTED,
        };
        let run = run_cluster(&self.cluster, &traffic, StreamKey::world(SEED, 0));
        let tally = &run.classes[0];
        let most = ALLOWED * tally.counted() as f64;
        tally.counted() > 0
            && (tally.late + tally.rejected) as f64 <= most
            && tally.slow as f64 <= most
    }

    /// The most calls per second at which the promises hold, from `least`, where they must, to
    /// `most`; `None` where they do not.
    fn most(&self, least: f64, most: f64) -> Option<f64> {
        if least >= most || !self.holds(least) {
            return None;
        }
        if self.holds(most) {
            return Some(most);
        }
        let (mut held, mut broken) = (least, most);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(held, broken);
            if self.holds(middle) { held = middle } else { broken = middle }
        }
        Some(held)
    }

    /// Calls per second that the whole completes while requests never run out; prefill replicas by
    /// closed form.
    fn saturated(&self, whole: &Whole<'_>) -> Option<f64> {
        let handed = CallShape { cached: 1.0, ..self.shape.clone() };
        let shape = if whole.prefill.is_some() { &handed } else { self.shape };
        let model = &self.cluster.replica;
        let batch = fluid_capacity(model, &shape.means(), None)?.batch;
        let traffic = Traffic {
            classes: vec![class(shape, self.limits)],
            // Twice the batch: some calls wait at any time.
            pattern: Pattern::Closed { concurrency: (2.0 * batch).ceil() as u32 + 32 },
            requests: (SATURATED.0 * batch).clamp(4_000.0, SATURATED.1) as u64,
            // The first batches have begun together, the last one drains.
            not_counted: (0.35, 0.15),
        };
        let alone = ClusterModel { replica: model.clone(), replicas: 1, prefill: None };
        let run = run_cluster(&alone, &traffic, StreamKey::world(SEED, 0));
        let seconds = (run.measured.1 - run.measured.0).seconds();
        let one = (seconds > 0.0).then(|| run.classes[0].done as f64 / seconds)?;
        let ranks = f64::from(self.cluster.replicas) * self.parts;
        Some((one * ranks).min(whole.prefilled()))
    }
}

/// Calls per second of the best deployment within the promises as clients of a serving stack see
/// them, and that deployment.
pub(super) fn best_promised<'a>(
    served: &ServedModel<'_>,
    wholes: &[Whole<'a>],
    stack: &ServingStack,
    (shape, limits): (&CallShape, &OperatingLimits),
) -> Option<(f64, Whole<'a>)> {
    let rated = wholes.iter().filter_map(|whole| Some((whole.within(limits)?, *whole)));
    let mut rated: Vec<(f64, Whole<'_>)> = rated.collect();
    rated.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Of deployments that differ in numbers of replicas alone, the best.
    let mut seen: Vec<(&Layout, Option<&Layout>)> = Vec::new();
    rated.retain(|(_, whole)| {
        let pair = (&whole.decode.0.layout, whole.prefill.map(|(entry, _)| &entry.layout));
        let new = !seen.contains(&pair);
        if new {
            seen.push(pair);
        }
        new
    });
    let mut best: Option<(f64, Whole<'_>)> = None;
    let offline = limits.ttft.is_none() && limits.tpot.is_none();
    for (closed, whole) in rated.into_iter().take(TRIED) {
        let least = best.as_ref().map_or(LEAST * closed, |(rate, _)| *rate);
        // Nobody does more than the closed form.
        if closed <= least {
            break;
        }
        let trial = Trial::new(served, &whole, stack, (shape, limits));
        let Some(saturated) = trial.saturated(&whole) else { continue };
        let lasting = closed.min(SUSTAINABLE * saturated);
        let found = if offline { Some(saturated) } else { trial.most(least, lasting) };
        if let Some(rate) = found.filter(|rate| *rate > least) {
            best = Some((rate, whole));
        }
    }
    best
}
