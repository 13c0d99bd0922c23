//! One replica as the engine needs it: its roofline, its memory, its limits, its router. Where
//! attention is data-parallel, one rank of a replica takes its place.

use super::{CallMeans, CallShape, Deployment, FirstToken, Layout, Router, Scheduler};
use crate::hardware::{Accelerator, CHUNK_SIZES, Chunk, Llm, Peers, Roofline, kv_capacity};
use crate::units::Seconds;

/// A replica of a model in a layout on an accelerator, or one of its attention ranks, which stands
/// for all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaModel {
    /// What a step costs.
    pub roofline: Roofline,
    /// Context tokens that fit into memory.
    pub kv_tokens: u64,
    /// GPUs of the replica or rank.
    pub gpus: u32,
    /// Batching limits of the replica or rank.
    pub scheduler: Scheduler,
    /// How calls are spread over the replicas or ranks.
    pub router: Router,
    /// What clients wait for a first token beyond its steps.
    pub first_token: FirstToken,
}

/// Most chunks of a prompt that are looked at one by one.
const MOST_CHUNKS: f64 = 65_536.0;

/// Largest piece of a prompt that is told apart, over the mean square of a prompt over its mean.
const LARGEST_CHUNK: f64 = 12.0;

/// Longest step that the engine's clock can hold: it counts 2^-16 ps in 64 bits, 281 s.
pub const LONGEST_STEP: Seconds = Seconds(250.0);

/// What a call takes that shares its replica with nobody: under any load it takes longer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoneCall {
    /// Time to first token of a prompt at the 99th percentile.
    pub ttft: Seconds,
    /// Time per output token behind a mean prompt.
    pub tpot: Seconds,
}

impl ReplicaModel {
    /// A call of these lengths alone on the replica, by its roofline.
    #[must_use]
    pub fn lone_call(&self, calls: &CallShape) -> LoneCall {
        let prompt = calls.prompt.at(0.99).max(1.0);
        let mut computed = (prompt * calls.cached).min(prompt - 1.0);
        // Prompts that no memory holds are not walked through chunk by chunk.
        let budget = f64::from(self.scheduler.token_budget).max(prompt / MOST_CHUNKS);
        let roofline = self.roofline.alone();
        let mut ttft = 0.0;
        while computed < prompt {
            let chunk = (prompt - computed).min(budget);
            let pairs = chunk * (computed + (chunk + 1.0) / 2.0);
            ttft += roofline.seconds(0.0, 0.0, chunk, computed, pairs);
            computed += chunk;
        }
        let step = roofline.seconds(1.0, calls.prompt.mean, 0.0, 0.0, 0.0);
        let tpot = step / roofline.tokens_per_step;
        let ttft = ttft + self.first_token.seconds(prompt, tpot);
        LoneCall { ttft: Seconds(ttft), tpot: Seconds(tpot) }
    }

    /// The longest step that calls with prompts of up to `prompt` tokens can make: a full batch
    /// that fills the memory, and as much of a prompt as the token budget allows.
    #[must_use]
    pub fn longest_step(&self, prompt: f64) -> Seconds {
        let kv = self.kv_tokens as f64;
        let prompt = prompt.min(kv);
        let chunk = prompt.min(f64::from(self.scheduler.token_budget));
        let decode = f64::from(self.scheduler.max_sequences).min(kv);
        Seconds(self.roofline.seconds(decode, kv, chunk, prompt, chunk * prompt))
    }

    /// The replica of a model (already scaled to its size), or one of its attention ranks with its
    /// part of the limits and, for `calls`, its wait for the others. `speed` divides all times: it
    /// counts from the fit of the accelerator or, where the step time was measured, from then on.
    /// `None` where the weights do not fit.
    #[must_use]
    pub fn new(
        accelerator: &Accelerator,
        llm: &Llm,
        (layout, deployment): (&Layout, &Deployment),
        calls: &CallMeans,
        speed: f64,
    ) -> Option<Self> {
        let width = layout.width(llm);
        let measured = layout.step_time.as_ref();
        let stated = measured.and_then(|measured| measured.kv_tokens).map(|tokens| tokens as f64);
        let held = || kv_capacity(accelerator, llm, width, layout.precision);
        let kv_tokens = stated.or_else(held)?;
        let mut roofline = match measured {
            Some(measured) => measured.roofline(speed),
            None => Roofline::new(accelerator, llm, width, layout.precision, speed),
        };
        let part = |limit: u32| (limit / width.ranks).max(1);
        let whole = &deployment.scheduler;
        let scheduler = Scheduler {
            max_sequences: part(whole.max_sequences),
            token_budget: part(whole.token_budget),
            prefill: whole.prefill,
        };
        if width.ranks > 1 {
            let steps = (calls.output - 1.0).max(0.0) / roofline.tokens_per_step;
            let peers = peers(calls, steps, width.ranks, &scheduler, &deployment.router);
            roofline.peers = Some(peers);
        }
        Some(Self {
            roofline,
            kv_tokens: kv_tokens as u64,
            gpus: width.gpus / width.ranks,
            scheduler,
            router: deployment.router.clone(),
            // Who measured the step times of a deployment measured its first tokens with them.
            first_token: match layout.step_time {
                Some(_) => FirstToken::NONE,
                None => deployment.first_token,
            },
        })
    }
}

/// The other ranks under calls of `steps` decode steps.
fn peers(
    calls: &CallMeans,
    steps: f64,
    ranks: u32,
    scheduler: &Scheduler,
    router: &Router,
) -> Peers {
    let computed = (calls.prompt - calls.cached).max(1.0);
    let ranks = f64::from(ranks);
    // Routers that look at load keep the counts of sequences even, others let them scatter.
    let counts = match router {
        Router::RoundRobin | Router::Random => 1.0,
        Router::PowerOfTwo(_) | Router::LeastLoaded(_) | Router::SessionAffinity(_) => 0.0,
    };
    let (prompt, context) = (calls.prompt, calls.context());
    let variance = prompt * prompt * (calls.prompt_spread - 1.0)
        + calls.output * calls.output * written_variance(calls.output_spread)
        + counts * context * context;
    let spread = calls.prompt_spread.max(1.0);
    let largest = f64::from(scheduler.token_budget).min(LARGEST_CHUNK * computed * spread);
    let unit = largest / CHUNK_SIZES as f64;
    let due = if steps > 0.0 { 1.0 / steps } else { 0.0 };
    let pairs = calls.prefill_pairs() / (computed * computed * spread);
    Peers {
        ranks,
        unit,
        chunks: chunks((computed, spread), unit, due, pairs),
        sequences: scheduler.max_sequences,
        cached: calls.cached / computed,
        context,
        excess: expected_maximum(ranks) * variance.max(0.0).sqrt(),
    }
}

/// Pieces of prompts whose lengths are lognormal with this mean and spread, by size: those that
/// round to it, with the tokens that they have together. What is longer than the largest size
/// comes in pieces of that. `pairs` are those of a prompt over its length squared.
fn chunks((mean, spread): (f64, f64), unit: f64, due: f64, pairs: f64) -> [Chunk; CHUNK_SIZES] {
    let deviation = libm::log(spread).sqrt().max(1e-3);
    // The part of the first and of the second moment that lies below a length.
    let below = |moment: f64, length: f64| {
        let score = libm::log(length / mean) / deviation + (0.5 - moment) * deviation;
        0.5 * libm::erfc(-score / std::f64::consts::SQRT_2)
    };
    let mut last = (0.0, 0.0);
    std::array::from_fn(|index| {
        let size = (index + 1) as f64;
        let end = (size + 0.5) * unit;
        let whole = index + 1 == CHUNK_SIZES;
        let next = if whole { (1.0, 1.0) } else { (below(1.0, end), below(2.0, end)) };
        let tokens = mean * (next.0 - last.0);
        let squares = mean * mean * spread * (next.1 - last.1);
        last = next;
        let pieces = tokens / (size * unit);
        let pairs = if pieces > 0.0 { pairs * squares / pieces } else { 0.0 };
        Chunk { due: due * pieces, pairs }
    })
}

/// Variance of what a sequence has written at a random moment, over the squared mean output:
/// outputs are seen by their length, and their third moment is that of a lognormal law.
fn written_variance(spread: f64) -> f64 {
    spread * spread * (spread / 3.0 - 0.25)
}

/// Expected maximum of standard normal numbers (Blom 1958): the quantile at
/// `(count - 3/8) / (count + 1/4)`.
fn expected_maximum(count: f64) -> f64 {
    let above = 0.625 / (count + 0.25);
    let (mut low, mut high) = (0.0, 8.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if 0.5 * libm::erfc(middle / std::f64::consts::SQRT_2) > above {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
