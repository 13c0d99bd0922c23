//! Request logs of vLLM: arrivals, lengths, and when each request was really served.

use serde::Deserialize;
use serde_json::Value;

use super::fault::TraceFault;
use super::row::{Row, object, time_field, token_field};

/// When a request was served, seconds on the server's own clock, as far as the log says so.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ServedTimes {
    /// When it was put into the queue.
    pub queued: Option<f64>,
    /// When it was first in a step.
    pub scheduled: Option<f64>,
    /// When its first token was out.
    pub first_token: Option<f64>,
    /// When its last token was out.
    pub last_token: Option<f64>,
}

#[derive(Deserialize)]
struct Line {
    input_toks: Option<Value>,
    output_toks: Option<Value>,
    arrival_time: Option<Value>,
    queued_ts: Option<f64>,
    scheduled_ts: Option<f64>,
    first_token_ts: Option<f64>,
    last_token_ts: Option<f64>,
}

/// Reads a line.
pub(super) fn read(line: &str) -> Result<(Row, ServedTimes), TraceFault> {
    let found: Line = object(line)?;
    let prompt = token_field("input_toks", &found.input_toks, line)?;
    let output = token_field("output_toks", &found.output_toks, line)?;
    let time = time_field("arrival_time", &found.arrival_time, 1, line)?;
    let served = ServedTimes {
        queued: found.queued_ts,
        scheduled: found.scheduled_ts,
        first_token: found.first_token_ts,
        last_token: found.last_token_ts,
    };
    Ok((Row { time, prompt, cached: 0, output }, served))
}
