//! The serving curve: the closed-form capacity F of a replica, and the share eta of it at which
//! the latency promises really hold, measured by simulation.

use serde::Serialize;

use super::cluster::{Cluster, Watch};
use super::draws::Draws;
use super::kv_cache::BLOCK;
use super::load::{CallMeans, CallShape};
use super::model::ReplicaModel;
use super::request::{Completion, Observer};
use super::{Prefill, Scheduler};
use crate::hardware::StepTime;
use crate::rng::StreamKey;
use crate::time::EngineTime;
use crate::units::Seconds;

/// What keeps the batch of a fluid replica from growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum FluidLimit {
    /// The time per output token.
    Tpot,
    /// The context memory.
    Memory,
    /// The scheduler's largest batch.
    Sequences,
    /// The scheduler's tokens per step: prompts could not keep up.
    TokenBudget,
}

/// Capacity of a replica (or of the attention rank that stands for it) in the fluid limit: a steady
/// batch of mean calls, no randomness but that between ranks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FluidCapacity {
    /// Calls per second of a replica.
    pub calls_per_second: f64,
    /// Calls per second and GPU.
    pub calls_per_second_per_gpu: f64,
    /// Sequences in the batch.
    pub batch: f64,
    /// Time per output token at that batch.
    pub tpot: Seconds,
    /// What binds.
    pub limit: FluidLimit,
}

/// Decode and prefill of mean calls, ready to be priced at any batch.
struct Fluid<'a> {
    model: &'a ReplicaModel,
    /// Steps of a call: its decode steps and the one of its prefill.
    steps: f64,
    context: f64,
    cached: f64,
    /// Prompt tokens computed.
    computed: f64,
    pairs: f64,
}

impl<'a> Fluid<'a> {
    fn new(model: &'a ReplicaModel, calls: &CallMeans) -> Self {
        let decode = (calls.output - 1.0).max(0.0) / model.roofline.tokens_per_step;
        Self {
            model,
            steps: decode + 1.0,
            context: calls.context(),
            cached: calls.cached,
            computed: (calls.prompt - calls.cached).max(1.0),
            pairs: calls.prefill_pairs(),
        }
    }

    /// Mean seconds between two decode steps at a batch, the prefill that this batch needs
    /// included; infinite where prompts could not keep up with the batch.
    fn step_seconds(&self, batch: f64) -> f64 {
        let roofline = &self.model.roofline;
        let scheduler: &Scheduler = &self.model.scheduler;
        let budget = f64::from(scheduler.token_budget);
        let decode = batch * (self.steps - 1.0) / self.steps;
        let kv = decode * self.context;
        let wanted = batch * self.computed / self.steps;
        let plain = roofline.seconds(decode, kv, 0.0, 0.0, 0.0);
        let wait = roofline.wait(decode);
        let chunked = scheduler.prefill == Prefill::Chunked;
        let room = if chunked { budget - decode } else { budget };
        if chunked && wanted > room {
            return f64::INFINITY;
        }
        // Prompts come one by one unless several arrive within a step.
        let chunk = self.computed.max(wanted).min(room);
        let prompts = chunk / self.computed;
        let before = if prompts >= 1.0 {
            prompts * self.cached
        } else {
            self.cached + (self.computed - chunk) / 2.0
        };
        let pairs = prompts * self.pairs;
        let share = wanted / chunk;
        if chunked {
            let mixed = roofline.seconds(decode, kv, chunk, before, pairs);
            plain + wait + share * (mixed - plain)
        } else {
            plain + wait + share * roofline.seconds(0.0, 0.0, chunk, before, pairs)
        }
    }

    fn tpot(&self, batch: f64) -> f64 {
        self.step_seconds(batch) / self.model.roofline.tokens_per_step
    }

    fn capacity(&self, batch: f64, limit: FluidLimit) -> FluidCapacity {
        let seconds = self.step_seconds(batch);
        let calls_per_second = batch / (self.steps * seconds);
        FluidCapacity {
            calls_per_second,
            calls_per_second_per_gpu: calls_per_second / f64::from(self.model.gpus),
            batch,
            tpot: Seconds(seconds / self.model.roofline.tokens_per_step),
            limit,
        }
    }
}

/// The largest batch of mean calls whose time per output token stays within `tpot` (no limit:
/// `None`) and whose context fits, and its throughput. `None` where not even one call does.
#[must_use]
pub fn fluid_capacity(
    model: &ReplicaModel,
    calls: &CallMeans,
    tpot: Option<Seconds>,
) -> Option<FluidCapacity> {
    let fluid = Fluid::new(model, calls);
    // Half a block of every sequence is empty on average.
    let by_memory = model.kv_tokens as f64 / (fluid.context + BLOCK as f64 / 2.0);
    let by_sequences = f64::from(model.scheduler.max_sequences);
    let most = by_memory.min(by_sequences);
    let limit = tpot.map_or(f64::MAX, |limit| limit.0);
    if most < 1.0 || fluid.tpot(1.0) > limit {
        return None;
    }
    let (mut low, mut high) = (1.0, most);
    if fluid.tpot(most) <= limit {
        low = most;
    } else {
        while high - low > 1e-6 * high {
            let middle = f64::midpoint(low, high);
            if fluid.tpot(middle) <= limit { low = middle } else { high = middle }
        }
    }
    let limit = if low < most && fluid.step_seconds(high).is_infinite() {
        FluidLimit::TokenBudget
    } else if low < most {
        FluidLimit::Tpot
    } else if by_memory < by_sequences {
        FluidLimit::Memory
    } else {
        FluidLimit::Sequences
    };
    Some(fluid.capacity(low, limit))
}

/// What a replica does with a given steady batch of mean calls, 1 sequence or more; where the
/// context of so many does not fit, with as many as fit. `None` where not even one call fits or
/// prompts could not keep up.
#[must_use]
pub fn fluid_at(model: &ReplicaModel, calls: &CallMeans, batch: f64) -> Option<FluidCapacity> {
    let fluid = Fluid::new(model, calls);
    let most = model.kv_tokens as f64 / (fluid.context + BLOCK as f64 / 2.0);
    let held = batch.max(1.0).min(most);
    let limit = if held < batch { FluidLimit::Memory } else { FluidLimit::Sequences };
    let runs = most >= 1.0 && fluid.step_seconds(held).is_finite();
    runs.then(|| fluid.capacity(held, limit))
}

/// Limits on the 99th percentiles over calls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LatencyLimits {
    /// Time to first token.
    pub ttft_p99: Seconds,
    /// Mean time per output token of a call.
    pub tpot_p99: Seconds,
}

/// What ends the range of loads at which the promises hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SloLimit {
    /// Time to first token is the first to break.
    Ttft,
    /// Time per output token is the first to break.
    Tpot,
    /// No load beyond it would last: the replicas are saturated.
    Saturation,
    /// None was broken.
    None,
}

/// One point of the serving curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServingPoint {
    /// Highest load at which both promises hold, as a share of the fluid capacity; 0 where they
    /// do not hold for a lone call.
    pub eta: f64,
    /// Lowest load tried above `eta` at which one was broken (a share too); `eta` itself where
    /// saturation is the limit.
    pub broken: f64,
    /// Calls per second and GPU at `eta`.
    pub calls_per_second_per_gpu: f64,
    /// 99th percentile of the time to first token at `eta`.
    pub ttft_p99: Seconds,
    /// 99th percentile of the time per output token at `eta`.
    pub tpot_p99: Seconds,
    /// What breaks beyond it.
    pub limit: SloLimit,
}

/// Replicas of the cluster on which eta is measured.
pub const REPLICAS: u32 = 16;
/// Load, as a share of F, at which calls practically never meet.
const LONE: f64 = 0.01;
/// Highest share of the saturated throughput that is tried: closer to it a run of finite length
/// cannot tell a queue that stays from one that grows.
const SUSTAINABLE: f64 = 0.97;
/// Halvings of the range: its end is 1 % of F wide.
const HALVINGS: u32 = 7;
/// Times that the batch of a replica is renewed in a run.
const RENEWALS: f64 = 20.0;
/// The same in the run that measures the saturated throughput.
const SATURATED_RENEWALS: f64 = 8.0;

/// Completions of a replica that always has requests waiting.
struct Saturated {
    /// Completions before the count begins, and at its end.
    window: (u32, u32),
    done: u32,
    begun: EngineTime,
    ended: EngineTime,
}

impl Observer for Saturated {
    fn finished(&mut self, done: &Completion) {
        let at = done.finish;
        self.done += 1;
        if self.done == self.window.0 {
            self.begun = at;
        }
        if self.done == self.window.1 {
            self.ended = at;
        }
    }

    fn enough(&self) -> bool {
        self.done >= self.window.1
    }
}

/// Calls per second that a replica completes while requests never run out: no higher load can
/// last, whatever a run of finite length shows.
fn saturated_throughput(
    cluster: &Cluster<'_>,
    calls: &CallShape,
    batch: f64,
    key: StreamKey,
) -> f64 {
    let count = (SATURATED_RENEWALS * batch).clamp(2_000.0, 1e5);
    let draws = Draws::new(calls, count as u32, (0, 0), key);
    // The first batches have begun together, the last one drains: neither is counted.
    let window = ((count * 0.35) as u32, (count * 0.85) as u32);
    let zero = EngineTime::default();
    let mut seen = Saturated { window, done: 0, begun: zero, ended: zero };
    let alone = Cluster { replicas: 1, ..*cluster };
    // All arrive within the first moment.
    alone.run(draws.at_rate(1e9), key, &mut seen);
    let time = EngineTime(seen.ended.0.saturating_sub(seen.begun.0)).seconds();
    if time > 0.0 { f64::from(window.1 - window.0) / time } else { 0.0 }
}

/// Measures the share of the fluid capacity at which the promises hold, on a cluster behind the
/// model's router, by bisection on the same requests, below the load that saturates the replicas.
/// `None` where the fluid capacity is none.
#[must_use]
pub fn measure(
    model: &ReplicaModel,
    calls: &CallShape,
    limits: LatencyLimits,
    key: StreamKey,
) -> Option<ServingPoint> {
    let fluid = fluid_capacity(model, &calls.means(), Some(limits.tpot_p99))?;
    let full = fluid.calls_per_second * f64::from(REPLICAS);
    let step_time = StepTime::new(&model.roofline);
    let cluster = Cluster { step_time: &step_time, model, replicas: REPLICAS };
    let attempt = |draws: &Draws, share: f64| {
        let mut watch = Watch::new(limits, model.first_token, draws.counted());
        let (totals, _) = cluster.run(draws.at_rate(full * share), key, &mut watch);
        watch.reject(totals.rejected);
        watch
    };
    let lone = Draws::new(calls, 4_000, (0, 4_000), key);
    let mut held = attempt(&lone, LONE);
    let mut limit = held.broken();
    let mut range = (0.0, LONE);
    if limit == SloLimit::None {
        let wanted = (RENEWALS * fluid.batch * f64::from(REPLICAS)).clamp(4e4, 4e5) as u32;
        let draws = Draws::new(calls, wanted, (wanted / 3, wanted - wanted / 10), key);
        let full_batch = fluid_capacity(model, &calls.means(), None)?.batch;
        let saturated = saturated_throughput(&cluster, calls, full_batch, key);
        let most = (SUSTAINABLE * saturated / fluid.calls_per_second).clamp(LONE, 1.0);
        range = (LONE, most);
        let tried = attempt(&draws, most);
        limit = tried.broken();
        if limit == SloLimit::None {
            (held, limit, range) = (tried, SloLimit::Saturation, (most, most));
        }
        for _ in 0..if limit == SloLimit::Saturation { 0 } else { HALVINGS } {
            let middle = f64::midpoint(range.0, range.1);
            let tried = attempt(&draws, middle);
            if tried.broken() == SloLimit::None {
                held = tried;
                range.0 = middle;
            } else {
                limit = tried.broken();
                range.1 = middle;
            }
        }
    }
    let percentile = |of: &crate::stats::Histogram| Seconds(of.quantile(0.99) as f64 * 1e-12);
    Some(ServingPoint {
        eta: range.0,
        broken: range.1,
        calls_per_second_per_gpu: range.0 * fluid.calls_per_second_per_gpu,
        ttft_p99: percentile(&held.latencies.ttft),
        tpot_p99: percentile(&held.latencies.tpot),
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::Shape;
    use crate::engine::{FirstToken, Router, scaled_table};
    use crate::hardware::Roofline;

    fn model(prefill: Prefill) -> ReplicaModel {
        ReplicaModel {
            roofline: Roofline::affine(10e-3, 30e-6, 17.4e-9, 35e-6),
            kv_tokens: 1_000_000,
            gpus: 8,
            scheduler: Scheduler { max_sequences: 256, token_budget: 2_048, prefill },
            router: Router::PowerOfTwo(Seconds(1.0)),
            first_token: FirstToken::NONE,
        }
    }

    fn calls() -> CallShape {
        let table = |sigma, mean| scaled_table(&Shape::Lognormal(sigma), mean).unwrap();
        CallShape {
            prompt: table(1.0, 1_000.0),
            output: table(0.8, 400.0),
            ..CallShape::fixed(1, 0.0, 1)
        }
    }

    fn fluid(model: &ReplicaModel, tpot: Option<f64>) -> Option<FluidCapacity> {
        fluid_capacity(model, &calls().means(), tpot.map(Seconds))
    }

    #[test]
    fn fluid_capacity_of_a_hand_worked_replica() {
        let mut model = model(Prefill::Blocking);
        model.roofline = Roofline::affine(0.01, 1e-4, 0.0, 0.0);
        model.scheduler.token_budget = 1 << 30;
        let means = CallMeans {
            prompt: 100.0,
            cached: 0.0,
            output: 101.0,
            prompt_spread: 1.0,
            cached_spread: 1.0,
            output_spread: 1.0,
        };
        // 101 steps a call, 100 of them decode; at batch n a decode step takes
        // 0.01 + 1e-4 n 100/101, and n/101 calls a step prefill together or, while fewer than
        // one arrives in a step, one by one for 0.01 s each.
        let at = |n: f64| 0.01 + 1e-4 * n * 100.0 / 101.0 + 0.01 * (n / 101.0).min(1.0);
        let free = fluid_capacity(&model, &means, None).unwrap();
        assert_eq!((free.batch, free.limit), (256.0, FluidLimit::Sequences));
        assert!((free.calls_per_second - 256.0 / 101.0 / at(256.0)).abs() < 1e-9);
        let held = fluid_capacity(&model, &means, Some(Seconds(at(50.0)))).unwrap();
        assert!((held.batch - 50.0).abs() < 1e-3 && held.limit == FluidLimit::Tpot);
        assert!(fluid_capacity(&model, &means, Some(Seconds(0.01))).is_none());
        model.kv_tokens = 1_585;
        let tight = fluid_capacity(&model, &means, None).unwrap();
        // Context 100 + 101 / 2 and half a block.
        assert!((tight.batch - 10.0).abs() < 1e-9 && tight.limit == FluidLimit::Memory);
    }

    #[test]
    fn a_saturated_replica_delivers_its_fluid_capacity() {
        for prefill in [Prefill::Blocking, Prefill::Chunked] {
            let model = model(prefill);
            let fluid = fluid(&model, None).unwrap();
            let step_time = StepTime::new(&model.roofline);
            let cluster = Cluster { step_time: &step_time, model: &model, replicas: 1 };
            let key = StreamKey::world(4, 0);
            let draws = Draws::new(&calls(), 8_000, (0, 0), key);
            let mut latencies = crate::engine::Latencies::default();
            // All at once: the batch is full but for the very end.
            let (totals, span) = cluster.run(draws.at_rate(1e6), key, &mut latencies);
            let rate = totals.completed as f64 / span.seconds();
            let ratio = rate / fluid.calls_per_second;
            assert!((0.93..1.07).contains(&ratio), "{prefill:?}: {ratio}");
        }
    }

    #[test]
    fn looser_promises_allow_more() {
        let model = model(Prefill::Chunked);
        let mut before = 0.0;
        for tpot in [0.02, 0.025, 0.03, 0.04] {
            let now = fluid(&model, Some(tpot)).unwrap().calls_per_second;
            assert!(now > before);
            before = now;
        }
    }

    #[test]
    fn eta_is_bracketed_and_repeats() {
        let model = model(Prefill::Chunked);
        let limits = LatencyLimits { ttft_p99: Seconds(2.0), tpot_p99: Seconds(0.04) };
        let key = StreamKey::world(1, 0);
        let point = measure(&model, &calls(), limits, key).unwrap();
        assert!(point.eta > 0.5 && point.eta < 1.1, "{point:?}");
        assert!(point.broken > point.eta && point.broken - point.eta < 0.02);
        assert!(point.ttft_p99.0 <= 2.0 * 1.016 && point.tpot_p99.0 <= 0.04 * 1.016);
        assert_eq!(measure(&model, &calls(), limits, key), Some(point));
    }

    #[test]
    fn a_load_that_is_accepted_lasts() {
        // Promises so loose that only saturation ends the range: five times the calls still keep
        // them, as a queue that grows would not.
        let model = model(Prefill::Chunked);
        let limits = LatencyLimits { ttft_p99: Seconds(8.0), tpot_p99: Seconds(0.2) };
        let key = StreamKey::world(2, 0);
        let point = measure(&model, &calls(), limits, key).unwrap();
        let load = crate::engine::Load {
            calls_per_second: point.calls_per_second_per_gpu * 8.0 * 4.0,
            calls: calls(),
        };
        let longer = crate::engine::simulate_cluster(&model, 4, &load, 100_000, key);
        let ttft = longer.latencies.ttft.quantile(0.99) as f64 * 1e-12;
        assert!(ttft <= 8.0, "{point:?} {ttft}");
        assert!(point.eta > 0.8 && point.eta < 1.0, "{point:?}");
    }

    #[test]
    fn an_impossible_promise_gives_zero_and_its_name() {
        let model = model(Prefill::Chunked);
        let limits = LatencyLimits { ttft_p99: Seconds(0.02), tpot_p99: Seconds(0.04) };
        let point = measure(&model, &calls(), limits, StreamKey::world(1, 0)).unwrap();
        assert_eq!((point.eta, point.limit), (0.0, SloLimit::Ttft));
    }
}
