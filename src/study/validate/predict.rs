//! What the engine says a recorded run should have measured: the same deployment, the same closed
//! loop, the same number of calls.

use std::collections::BTreeMap;

use super::runs::{MeasuredRun, Workers};
use crate::engine::{
    CallClass, CallShape, ClusterModel, Deployment, FirstToken, LatencyLimits, Pattern, Prefill,
    PrefillPool, ReplicaModel, Router, Scheduler, Traffic, Transfer, run_cluster,
};
use crate::hardware::{Accelerator, Llm};
use crate::rng::StreamKey;
use crate::units::{Bytes, BytesPerSecond, Factor, Seconds};

/// Calls of a run for each one in flight: what the public benchmarks send. They begin all at once,
/// so that fewer would weigh the first crowd more.
const ROUNDS: u64 = 10;
/// Calls of a run at least, so that their lengths average out.
const FEWEST_CALLS: u64 = 160;
/// Calls in flight on an equal part of a deployment from which on it stands for the whole.
const ENOUGH_IN_FLIGHT: u32 = 16;
/// Tokens of a step at most where the recorded engines computed prompts: their shipped default on
/// this class of hardware.
const TOKEN_BUDGET: u32 = 8_192;

/// What a run measured, or should have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latencies {
    /// Mean time to first token, seconds.
    pub ttft: f64,
    /// Mean time per output token, seconds.
    pub tpot: f64,
}

/// Lengths of the calls of a run: InferenceX draws them uniformly from 0.8 times the nominal length
/// to it; runs without a date are of another source with fixed lengths.
#[must_use]
pub fn calls_of(run: &MeasuredRun) -> CallShape {
    let mut calls = CallShape::fixed(run.prompt, 0.0, run.output);
    if run.measured.is_some() {
        for (table, most) in [(&mut calls.prompt, run.prompt), (&mut calls.output, run.output)] {
            let most = f64::from(most);
            table.mean = 0.9 * most;
            table.quantiles = vec![(0.0, 0.8 * most), (1.0, most)];
        }
    }
    calls
}

/// The model as it was served: its context at 16 bits where the engine's default was that.
fn served(run: &MeasuredRun, llm: &Llm, tokens_per_step: f64) -> Llm {
    let wide = run.format == "bf16" || (run.measured.is_none() && run.backend != "trtllm");
    let mut llm = llm.clone();
    llm.kv_per_token = llm.kv_per_token * if wide { 2.0 } else { 1.0 };
    llm.tokens_per_step = Factor(tokens_per_step);
    llm
}

fn replica(
    run: &MeasuredRun,
    workers: &Workers,
    accelerator: &Accelerator,
    llm: &Llm,
    (prefills, speed): (bool, f64),
) -> Option<ReplicaModel> {
    // SGLang computes prompts in steps of their own unless told otherwise.
    let blocking = run.backend == "sglang" || run.prefill.is_some();
    let ranks = workers.layout.attention_ranks.unwrap_or(1);
    let scheduler = Scheduler {
        // Even loads keep well below this; a rank's table of waits is as long.
        max_sequences: (2 * run.concurrency / (workers.count * ranks) + 16) * ranks,
        token_budget: TOKEN_BUDGET.saturating_mul(ranks),
        prefill: if blocking { Prefill::Blocking } else { Prefill::Chunked },
    };
    let deployment = Deployment {
        model: String::new(),
        layouts: BTreeMap::new(),
        scheduler,
        router: Router::LeastLoaded(Seconds(0.0)),
        first_token: FirstToken::NONE,
        source: None,
        as_of: None,
    };
    let mut means = calls_of(run).means();
    if prefills {
        means.output = 1.0;
    } else if run.prefill.is_some() {
        // Prompts are there already when a call comes.
        (means.cached, means.cached_spread) = (means.prompt, means.prompt_spread);
    }
    ReplicaModel::new(accelerator, llm, (&workers.layout, &deployment), &means, speed)
}

/// Equal parts into which a deployment falls: ranks are alike, so that one part with its share of
/// the calls in flight tells what all do.
fn equal_parts((decode, prefill): (u32, u32), concurrency: u32) -> u32 {
    let divides = |parts: &u32| {
        let even = concurrency.is_multiple_of(*parts) || concurrency / parts >= ENOUGH_IN_FLIGHT;
        decode.is_multiple_of(*parts) && prefill.is_multiple_of(*parts) && even
    };
    (1..=decode.max(1)).rev().find(divides).unwrap_or(1)
}

/// The latencies of a run by the engine; `None` where the weights do not fit.
#[must_use]
pub fn predict(
    run: &MeasuredRun,
    accelerator: &Accelerator,
    llm: &Llm,
    tokens_per_step: f64,
) -> Option<Latencies> {
    predict_at_speed(run, accelerator, llm, tokens_per_step, 1.0)
}

/// The same with all step times divided by `speed`.
pub(super) fn predict_at_speed(
    run: &MeasuredRun,
    accelerator: &Accelerator,
    llm: &Llm,
    tokens_per_step: f64,
    speed: f64,
) -> Option<Latencies> {
    let llm = served(run, llm, tokens_per_step);
    let ranks = |workers: &Workers| workers.count * workers.layout.attention_ranks.unwrap_or(1);
    let counts = (ranks(&run.decode), run.prefill.as_ref().map_or(0, ranks));
    let parts = equal_parts(counts, run.concurrency);
    let concurrency = (f64::from(run.concurrency) / f64::from(parts)).round().max(1.0) as u32;
    let prefill = match &run.prefill {
        Some(workers) => Some(PrefillPool {
            replica: replica(run, workers, accelerator, &llm, (true, speed))?,
            replicas: counts.1 / parts,
            transfer: Transfer {
                bytes_per_token: Bytes(llm.kv_per_token.0),
                bandwidth: BytesPerSecond(accelerator.scale_out.0),
                latency: Seconds(1e-3),
            },
        }),
        None => None,
    };
    let deployment = ClusterModel {
        replica: replica(run, &run.decode, accelerator, &llm, (false, speed))?,
        replicas: counts.0 / parts,
        prefill,
    };
    let no_limit = Seconds(1e9);
    let class = CallClass {
        name: String::new(),
        share: 1.0,
        calls: calls_of(run),
        priority: 0,
        limits: LatencyLimits { ttft_p99: no_limit, tpot_p99: no_limit },
        patience: None,
    };
    let traffic = Traffic {
        classes: vec![class],
        pattern: Pattern::Closed { concurrency },
        requests: (ROUNDS * u64::from(concurrency)).max(FEWEST_CALLS),
        not_counted: (0.0, 0.0),
    };
    let left = run_cluster(&deployment, &traffic, StreamKey::world(1, 0));
    let latencies = &left.classes[0].latencies;
    Some(Latencies { ttft: latencies.ttft.mean() * 1e-12, tpot: latencies.tpot.mean() * 1e-12 })
}
