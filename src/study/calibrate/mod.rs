//! Step-time coefficients of a deployment, fitted to its own request log by replaying it, and the
//! check of them on the part of the log that the fit has not seen.
//!
//! The law is `base + max(floor, per_token (D + P)) + per_sequence D + per_context_token S`: D
//! sequences that decode, P prompt tokens computed, S context tokens of the sequences. Reading a
//! log, its limits and the written file are not here.

mod fit;
mod replay;

use crate::demand::{ServedTimes, TraceRow};
use crate::engine::{FirstToken, Prefill, ReplicaModel, Router, Scheduler};
use crate::hardware::Roofline;
pub use crate::hardware::{COEFFICIENT_NAMES, COEFFICIENTS};
use crate::time::EngineTime;

pub use self::replay::ReplayedCall;

/// Requests that a calibration needs at least.
pub const LEAST_ROWS: usize = 40;
/// Names of the latencies that are compared, in the order of [`HoldOut::errors`].
pub const COMPARED: [&str; 3] = ["ttft", "tpot", "e2e"];

/// One request of a log and when it was served, seconds since the first arrival.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServedCall {
    /// When it arrived.
    pub arrival: EngineTime,
    /// Prompt tokens, at least 1.
    pub prompt: u32,
    /// Output tokens, at least 1.
    pub output: u32,
    /// When its first token was out.
    pub first_token: f64,
    /// When its last token was out.
    pub last_token: f64,
}

/// Limits of the engine that wrote the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineLimits {
    /// Sequences in a batch at most, 1 or more.
    pub max_sequences: u32,
    /// Tokens of a step at most, 1 or more.
    pub token_budget: u32,
    /// Context tokens that fit into memory; `None` where memory was never short.
    pub kv_tokens: Option<u64>,
}

/// Coefficients of the step time and the memory that goes with them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepCoefficients {
    /// Seconds, in the order of [`COEFFICIENT_NAMES`]; none is negative.
    pub seconds: [f64; COEFFICIENTS],
    /// Context tokens that the replay holds: those of the log times the fitted share.
    pub kv_tokens: u64,
}

/// What a fit on a part of a log found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitted {
    /// The coefficients.
    pub coefficients: StepCoefficients,
    /// Their standard errors, seconds, by a jackknife over blocks of consecutive requests.
    pub errors: [f64; COEFFICIENTS],
    /// Mean absolute logarithm of simulated over recorded latencies, over what was fitted.
    pub loss: f64,
}

/// A fit on the first half of a log, and how well it foretells the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HoldOut {
    /// The fit on those that arrived in the first half.
    pub fitted: Fitted,
    /// Requests that were fitted; the others were foretold.
    pub fitted_rows: usize,
    /// Recorded mean, P50, P90 and P99 of [`COMPARED`] in the second half, seconds.
    pub recorded: [[f64; 4]; 3],
    /// Simulated over recorded, less 1.
    pub errors: [[f64; 4]; 3],
}

/// Why a log cannot be calibrated on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CalibrationFault {
    /// Too few requests.
    #[error("{0} requests: a calibration needs at least {LEAST_ROWS}")]
    TooFew(usize),
    /// A time is missing in a row (counted from 1).
    #[error("request {row} has no `{name}`: log it, or leave the request out")]
    Missing {
        /// Number of the request, from 1.
        row: usize,
        /// Name of the field.
        name: &'static str,
    },
    /// Times of a row are out of order.
    #[error(
        "request {row}: `first_token_ts` must not be before `queued_ts`, nor `last_token_ts` \
         before `first_token_ts`: correct the row or leave it out"
    )]
    Disorder {
        /// Number of the request, from 1.
        row: usize,
    },
    /// A request that the memory cannot hold.
    #[error(
        "request {row} has {tokens} tokens, more than the {kv_tokens} of `--kv-tokens` with some \
         blocks to spare: correct the limit"
    )]
    TooLong {
        /// Number of the request, from 1.
        row: usize,
        /// Its tokens.
        tokens: u64,
        /// Those that the memory holds.
        kv_tokens: u64,
    },
}

impl StepCoefficients {
    /// The step time as the engine takes it.
    #[must_use]
    pub fn roofline(&self) -> Roofline {
        Roofline::measured(self.seconds)
    }

    /// A replica with this step time.
    #[must_use]
    pub fn replica(&self, limits: &EngineLimits) -> ReplicaModel {
        ReplicaModel {
            roofline: self.roofline(),
            kv_tokens: self.kv_tokens,
            gpus: 1,
            scheduler: scheduler(limits),
            router: Router::RoundRobin,
            first_token: FirstToken::NONE,
        }
    }
}

fn scheduler(limits: &EngineLimits) -> Scheduler {
    Scheduler {
        max_sequences: limits.max_sequences,
        token_budget: limits.token_budget,
        prefill: Prefill::Chunked,
    }
}

/// Brings the two clocks of a log together: arrivals and served times differ by an offset, which
/// is taken from the request that was queued soonest after its arrival.
///
/// # Errors
/// [`CalibrationFault`] where rows are too few or their times missing or out of order.
pub fn served_calls(rows: &[(TraceRow, ServedTimes)]) -> Result<Vec<ServedCall>, CalibrationFault> {
    if rows.len() < LEAST_ROWS {
        return Err(CalibrationFault::TooFew(rows.len()));
    }
    let mut times = Vec::with_capacity(rows.len());
    for (index, (_, served)) in rows.iter().enumerate() {
        let row = index + 1;
        let missing = |name| CalibrationFault::Missing { row, name };
        let queued = served.queued.ok_or_else(|| missing("queued_ts"))?;
        let first = served.first_token.ok_or_else(|| missing("first_token_ts"))?;
        let last = served.last_token.ok_or_else(|| missing("last_token_ts"))?;
        if !(queued <= first && first <= last) {
            return Err(CalibrationFault::Disorder { row });
        }
        times.push((queued, first, last));
    }
    let offsets = rows.iter().zip(&times).map(|((row, _), time)| time.0 - row.arrival.seconds());
    let offset = offsets.fold(f64::INFINITY, f64::min);
    let calls = rows.iter().zip(&times).map(|((row, _), (_, first, last))| ServedCall {
        arrival: row.arrival,
        prompt: row.prompt,
        output: row.output,
        first_token: first - offset,
        last_token: last - offset,
    });
    Ok(calls.collect())
}

/// Fits on the first half of a log by arrival, replays all of it and compares the second half.
///
/// # Errors
/// [`CalibrationFault`] where requests are too few or do not fit into memory.
pub fn hold_out(calls: &[ServedCall], limits: &EngineLimits) -> Result<HoldOut, CalibrationFault> {
    check(calls, limits)?;
    let half = calls.len() / 2;
    let fitted = fit::fit(calls, half, limits);
    let replayed = replay::replay(calls, &fitted.coefficients, limits).unwrap_or_default();
    let recorded = replay::points(&replay::recorded(calls)[half..]);
    let simulated = replay::points(&replayed[half..]);
    let mut errors = [[0.0; 4]; 3];
    for (row, (ours, theirs)) in errors.iter_mut().zip(simulated.iter().zip(&recorded)) {
        for (error, (ours, theirs)) in row.iter_mut().zip(ours.iter().zip(theirs)) {
            *error = ours / theirs - 1.0;
        }
    }
    Ok(HoldOut { fitted, fitted_rows: half, recorded, errors })
}

/// Fits on all of a log.
///
/// # Errors
/// As [`hold_out`].
pub fn fit_all(calls: &[ServedCall], limits: &EngineLimits) -> Result<Fitted, CalibrationFault> {
    check(calls, limits)?;
    Ok(fit::fit(calls, calls.len(), limits))
}

fn check(calls: &[ServedCall], limits: &EngineLimits) -> Result<(), CalibrationFault> {
    if calls.len() < LEAST_ROWS {
        return Err(CalibrationFault::TooFew(calls.len()));
    }
    let Some(kv_tokens) = limits.kv_tokens else { return Ok(()) };
    for (index, call) in calls.iter().enumerate() {
        let tokens = u64::from(call.prompt) + u64::from(call.output);
        if tokens + 64 > kv_tokens {
            return Err(CalibrationFault::TooLong { row: index + 1, tokens, kv_tokens });
        }
    }
    Ok(())
}
