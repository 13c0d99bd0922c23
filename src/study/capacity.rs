//! What a deployment could serve at most: the 100 % that loads are shares of.

use crate::engine::{
    CallClass, CallMeans, ClusterModel, FirstToken, FluidLimit, Pattern, ReplicaModel, Router,
    Sessions, Traffic, fluid_capacity, run_cluster,
};
use crate::rng::StreamKey;

/// Highest lasting load of a deployment without any latency promise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Calls per second of the whole deployment.
    pub calls_per_second: f64,
    /// Sequences in flight on a replica that decodes, at that load.
    pub batch: f64,
    /// What binds: the replicas, or one of the pools where prefill is apart.
    pub limit: &'static str,
    /// Whether it was measured; else it is the closed form of a steady batch of mean calls.
    pub measured: bool,
}

/// Times that the batch is renewed where a capacity is measured. Calls of equal length end in
/// waves, and half a wave more or less at either end must not matter.
const RENEWALS: f64 = 200.0;
/// Sequences of a rank over those that fill its memory in the mean: a limit that is set so that
/// sequences longer than the mean seldom push others out.
const FILLED: f64 = 0.9;
/// Seed of the measurement, the same whatever is simulated afterwards.
const SEED: u64 = 1;

/// The capacity as one replica shows it that never runs out of calls: what no queue can exceed.
/// Where prefill is apart or calls follow from calls, and where fewer calls than a batch make no
/// measurement, the closed form stays.
///
/// # Panics
/// When the books of the replica do not balance: a defect of the engine.
#[must_use]
pub fn measured_capacity(
    deployment: &ClusterModel,
    classes: &[CallClass],
    fluid: Capacity,
) -> Capacity {
    if deployment.prefill.is_some() {
        return fluid;
    }
    let requests = (RENEWALS * fluid.batch).clamp(4_000.0, 1e6) as u64;
    let traffic = Traffic {
        classes: classes
            .iter()
            .map(|class| CallClass { patience: None, ..class.clone() })
            .collect(),
        // Twice the steady batch: some calls wait at any time.
        pattern: Pattern::Closed { concurrency: (2.0 * fluid.batch).ceil() as u32 + 32 },
        requests,
        // The first batches have begun together, the last one drains.
        not_counted: (0.35, 0.15),
    };
    // Users who wait for a serving stack would leave the replica short of calls.
    let replica = ReplicaModel { first_token: FirstToken::NONE, ..deployment.replica.clone() };
    let alone = ClusterModel { replica, replicas: 1, prefill: None };
    let run = run_cluster(&alone, &traffic, StreamKey::world(SEED, 0));
    let done: u64 = run.classes.iter().map(|class| class.done).sum();
    let seconds = (run.measured.1 - run.measured.0).seconds();
    if done == 0 || seconds <= 0.0 {
        return fluid;
    }
    let calls_per_second = done as f64 / seconds * f64::from(deployment.replicas);
    Capacity { calls_per_second, measured: true, ..fluid }
}

/// Means and mean squares of the lengths of calls of several kinds, added up by their weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LengthSums {
    weight: f64,
    /// Of prompt, cached and output tokens.
    sums: [(f64, f64); 3],
}

impl LengthSums {
    /// Adds calls of these means and mean squares of prompt, cached and output tokens.
    pub fn add(&mut self, weight: f64, parts: [(f64, f64); 3]) {
        self.weight += weight;
        for (sum, (mean, square)) in self.sums.iter_mut().zip(parts) {
            sum.0 += weight * mean;
            sum.1 += weight * square;
        }
    }

    /// Means and spreads; `None` of nothing.
    #[must_use]
    pub fn means(&self) -> Option<CallMeans> {
        let mean = |sum: f64| sum / self.weight;
        let spread = |(sum, square): (f64, f64)| {
            if sum > 0.0 { square * self.weight / (sum * sum) } else { 1.0 }
        };
        let [prompt, cached, output] = self.sums;
        (self.weight > 0.0).then(|| CallMeans {
            prompt: mean(prompt.0),
            cached: mean(cached.0),
            output: mean(output.0),
            prompt_spread: spread(prompt),
            cached_spread: spread(cached),
            output_spread: spread(output),
        })
    }
}

/// Means and spreads of the calls of several workloads together, by their shares; `None` without
/// any.
#[must_use]
pub fn mixed_means(classes: &[CallClass]) -> Option<CallMeans> {
    let mut sums = LengthSums::default();
    for class in classes {
        let means = class.calls.means();
        let part = |mean: f64, spread: f64| (mean, mean * mean * spread);
        sums.add(
            class.share,
            [
                part(means.prompt, means.prompt_spread),
                part(means.cached, means.cached_spread),
                part(means.output, means.output_spread),
            ],
        );
    }
    sums.means()
}

/// The same for turns of sessions: a later turn's prompt is the conversation so far and the text
/// that is added; `found` is the share of the past that the prefix cache holds. The number of
/// earlier turns is geometric with mean `turns - 1`.
#[must_use]
pub fn session_means(first: &CallMeans, sessions: &Sessions, found: f64) -> CallMeans {
    let past = sessions.turns - 1.0;
    let past_square = past * (2.0 * sessions.turns - 1.0);
    let added = sessions.added.mean + first.output;
    let prompt = first.prompt + past * added;
    let first_square = first.prompt * first.prompt * first.prompt_spread;
    let square = first_square + 2.0 * first.prompt * added * past + added * added * past_square;
    let later = if sessions.turns > 0.0 { past / sessions.turns } else { 0.0 };
    let known = later * (first.prompt - sessions.added.mean) + past * added;
    let cached = first.cached.max(found * known);
    let prompt_spread = square / (prompt * prompt);
    CallMeans { prompt, prompt_spread, cached, cached_spread: prompt_spread, ..*first }
}

/// Share of a session's past that is where its next turn goes: all of it behind a router that
/// keeps sessions, and what chance brings there behind the others.
#[must_use]
pub fn past_found(deployment: &ClusterModel, clusters: u32) -> f64 {
    let entry = deployment.prefill.as_ref();
    let (router, replicas) = entry
        .map_or((&deployment.replica.router, deployment.replicas), |pool| {
            (&pool.replica.router, pool.replicas)
        });
    let keeps = matches!(router, Router::SessionAffinity(_));
    if keeps { 1.0 } else { f64::from(clusters) / f64::from(replicas) }
}

/// The capacity of a deployment for mean calls: the fluid limit of a replica without a limit on
/// the time per token ([`fluid_capacity`]) times the replicas; with prefill replicas, the lesser
/// of both pools and of the links between them. `None` where not one mean call fits.
#[must_use]
pub fn deployment_capacity(deployment: &ClusterModel, calls: &CallMeans) -> Option<Capacity> {
    let count = f64::from(deployment.replicas);
    let Some(pool) = &deployment.prefill else {
        let alone = || prefill_only(&deployment.replica, calls);
        let fluid = fluid_capacity(&deployment.replica, calls, None);
        let (rate, batch) = fluid.map(|f| (f.calls_per_second, f.batch)).or_else(alone)?;
        return Some(Capacity {
            calls_per_second: rate * count,
            batch,
            limit: "replicas",
            measured: false,
        });
    };
    // Nothing is left to prefill on a decode replica.
    let handed = CallMeans { cached: calls.prompt, cached_spread: calls.prompt_spread, ..*calls };
    let decode = fluid_capacity(&deployment.replica, &handed, None)?;
    let (prefill, _) = prefill_only(&pool.replica, calls)?;
    let sent = pool.transfer.bytes_per_token.0 * calls.prompt / pool.transfer.bandwidth.0;
    let link = if sent > 0.0 { 1.0 / sent } else { f64::INFINITY };
    let pools = f64::from(pool.replicas);
    let rates = [
        (decode.calls_per_second * count, "decode replicas"),
        (prefill * pools, "prefill replicas"),
        (link * pools, "links of the prefill replicas"),
    ];
    let least = rates.into_iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Capacity {
        calls_per_second: least.0,
        batch: decode.batch,
        limit: least.1,
        measured: false,
    })
}

/// The limit on the sequences of a rank that whoever runs it would set: nine tenths of those that
/// fill its memory with mean calls, so that sequences longer than the mean seldom push others out
/// and are computed again. `None` where its scheduler allows fewer than fill the memory.
pub(super) fn sequences_within_memory(replica: &ReplicaModel, calls: &CallMeans) -> Option<u32> {
    let full = fluid_capacity(replica, calls, None)?;
    let limited = full.limit == FluidLimit::Memory;
    limited.then(|| (FILLED * full.batch).max(1.0) as u32)
}

/// Calls per second and their number in a step of a replica that does nothing but prefill, its
/// token budget always full. `None` where a mean prompt does not fit into memory.
pub(super) fn prefill_only(replica: &ReplicaModel, calls: &CallMeans) -> Option<(f64, f64)> {
    if calls.prompt > replica.kv_tokens as f64 {
        return None;
    }
    let computed = (calls.prompt - calls.cached).max(1.0);
    let budget = f64::from(replica.scheduler.token_budget);
    let most = f64::from(replica.scheduler.max_sequences);
    let prompts = (budget / computed).min(most);
    let chunk = prompts * computed;
    let before = if prompts >= 1.0 {
        prompts * calls.cached
    } else {
        calls.cached + (computed - chunk) / 2.0
    };
    let pairs = prompts * calls.prefill_pairs();
    let seconds = replica.roofline.seconds(0.0, 0.0, chunk, before, pairs);
    Some((prompts / seconds, prompts.max(1.0)))
}
