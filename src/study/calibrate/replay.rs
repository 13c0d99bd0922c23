//! A log replayed on one replica, and the latencies that it is judged by.

use super::{EngineLimits, ServedCall, StepCoefficients, scheduler};
use crate::engine::{Completion, LONGEST_STEP, Observer, Replica, Request};
use crate::hardware::StepTime;

/// Latencies of one request, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ReplayedCall {
    /// From arrival to first token.
    pub ttft: f64,
    /// Mean time of the tokens after the first; 0 for a request of one token.
    pub tpot: f64,
    /// From arrival to last token.
    pub e2e: f64,
}

impl ReplayedCall {
    pub(super) fn of(ttft: f64, e2e: f64, output: u32) -> Self {
        let gaps = f64::from(output.saturating_sub(1));
        let tpot = if gaps > 0.0 { (e2e - ttft) / gaps } else { 0.0 };
        Self { ttft, tpot, e2e }
    }
}

/// What the log says.
pub(super) fn recorded(calls: &[ServedCall]) -> Vec<ReplayedCall> {
    let of = |call: &ServedCall| {
        let arrival = call.arrival.seconds();
        ReplayedCall::of(call.first_token - arrival, call.last_token - arrival, call.output)
    };
    calls.iter().map(of).collect()
}

struct Ends(Vec<ReplayedCall>);

impl Observer for Ends {
    fn finished(&mut self, done: &Completion) {
        let e2e = (done.finish - done.arrival).seconds();
        let call = ReplayedCall::of(done.ttft().seconds(), e2e, done.output);
        self.0[done.id as usize] = call;
    }
}

/// All requests on a replica with these coefficients; `None` where a step would be longer than the
/// engine's clock holds.
pub(super) fn replay(
    calls: &[ServedCall],
    coefficients: &StepCoefficients,
    limits: &EngineLimits,
) -> Option<Vec<ReplayedCall>> {
    let longest = calls.iter().map(|call| f64::from(call.prompt)).fold(1.0, f64::max);
    let step = coefficients.replica(limits).longest_step(longest).0;
    if step.is_nan() || step > LONGEST_STEP.0 {
        return None;
    }
    let step_time = StepTime::new(&coefficients.roofline());
    let scheduler = scheduler(limits);
    let mut replica = Replica::new(&step_time, &scheduler, coefficients.kv_tokens);
    for (id, call) in calls.iter().enumerate() {
        let request = Request::new(call.arrival, call.prompt, call.output);
        if !replica.enqueue(id as u32, request) {
            return None;
        }
    }
    let mut ends = Ends(vec![ReplayedCall::default(); calls.len()]);
    replica.finish(&mut ends);
    Some(ends.0)
}

/// Mean, P50, P90 and P99 of TTFT, TPOT and E2E; percentiles are interpolated between ranks.
pub(super) fn points(calls: &[ReplayedCall]) -> [[f64; 4]; 3] {
    let of = |value: fn(&ReplayedCall) -> f64| {
        let mut sorted: Vec<f64> = calls.iter().map(value).collect();
        sorted.sort_by(f64::total_cmp);
        let mean = sorted.iter().sum::<f64>() / sorted.len().max(1) as f64;
        [mean, quantile(&sorted, 0.5), quantile(&sorted, 0.9), quantile(&sorted, 0.99)]
    };
    [of(|call| call.ttft), of(|call| call.tpot), of(|call| call.e2e)]
}

pub(super) fn quantile(sorted: &[f64], p: f64) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let place = p * (sorted.len() - 1) as f64;
    let below = place as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}
