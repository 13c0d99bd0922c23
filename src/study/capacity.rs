//! What a deployment could serve at most, in closed form: the 100 % that loads are shares of.

use crate::engine::{
    CallClass, CallMeans, ClusterModel, ReplicaModel, Router, Sessions, fluid_capacity,
};

/// Highest lasting load of a deployment without any latency promise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Calls per second of the whole deployment.
    pub calls_per_second: f64,
    /// Sequences in flight on a replica that decodes, at that load.
    pub batch: f64,
    /// What binds: the replicas, or one of the pools where prefill is apart.
    pub limit: &'static str,
}

/// Means and spreads of the calls of several workloads together, by their shares.
#[must_use]
pub fn mixed_means(classes: &[CallClass]) -> CallMeans {
    let means: Vec<(f64, CallMeans)> =
        classes.iter().map(|class| (class.share, class.calls.means())).collect();
    let all: f64 = means.iter().map(|part| part.0).sum();
    let moments = |of: fn(&CallMeans) -> (f64, f64)| {
        let (mut mean, mut square) = (0.0, 0.0);
        for (share, part) in &means {
            let (own, spread) = of(part);
            mean += share / all * own;
            square += share / all * own * own * spread;
        }
        (mean, if mean > 0.0 { square / (mean * mean) } else { 1.0 })
    };
    let prompt = moments(|means| (means.prompt, means.prompt_spread));
    let cached = moments(|means| (means.cached, means.cached_spread));
    let output = moments(|means| (means.output, means.output_spread));
    of_moments(prompt, cached, output)
}

fn of_moments(prompt: (f64, f64), cached: (f64, f64), output: (f64, f64)) -> CallMeans {
    CallMeans {
        prompt: prompt.0,
        cached: cached.0,
        output: output.0,
        prompt_spread: prompt.1,
        cached_spread: cached.1,
        output_spread: output.1,
    }
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
        return Some(Capacity { calls_per_second: rate * count, batch, limit: "replicas" });
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
    Some(Capacity { calls_per_second: least.0, batch: decode.batch, limit: least.1 })
}

/// Calls per second and their number in a step of a replica that does nothing but prefill, its
/// token budget always full. `None` where a mean prompt does not fit into memory.
fn prefill_only(replica: &ReplicaModel, calls: &CallMeans) -> Option<(f64, f64)> {
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

/// Sums over the calls of a trace, from which their means are known at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LengthSums {
    /// How many calls.
    pub count: u64,
    /// Sums and sums of squares of prompt, cached and output tokens.
    sums: [(f64, f64); 3],
}

impl LengthSums {
    /// Adds a call of these prompt, cached and output tokens.
    pub fn add(&mut self, tokens: [u32; 3]) {
        self.count += 1;
        for (sum, tokens) in self.sums.iter_mut().zip(tokens.map(f64::from)) {
            sum.0 += tokens;
            sum.1 += tokens * tokens;
        }
    }

    /// Means and spreads; `None` of nothing.
    #[must_use]
    pub fn means(&self) -> Option<CallMeans> {
        let count = self.count as f64;
        let part = |(sum, square): (f64, f64)| {
            (sum / count, if sum > 0.0 { square * count / (sum * sum) } else { 1.0 })
        };
        let [prompt, cached, output] = self.sums.map(part);
        (self.count > 0).then(|| of_moments(prompt, cached, output))
    }
}
