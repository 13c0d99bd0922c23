//! One row as every format gives it, and the numbers in it.

use serde_json::Value;

use super::fault::{TraceFault, shown};

/// One request before its time is counted from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    /// Picoseconds since whatever the format counts from.
    pub time: i128,
    /// Prompt tokens.
    pub prompt: u32,
    /// Those of them that a prefix cache holds.
    pub cached: u32,
    /// Output tokens.
    pub output: u32,
}

/// Most tokens of a prompt or an output: 2^24.
const MOST_TOKENS: f64 = 16_777_216.0;
/// Latest time, seconds: some 30,000 years.
const LATEST: f64 = 1e12;

/// A number of tokens; `shown_value` is how it was written.
pub(super) fn tokens(
    name: &'static str,
    value: Option<f64>,
    shown_value: &str,
) -> Result<u32, TraceFault> {
    let whole = |value: &f64| (0.0..=MOST_TOKENS).contains(value) && value.fract() == 0.0;
    value.filter(whole).map(|value| value as u32).ok_or_else(|| TraceFault::Value {
        name,
        value: shown(shown_value),
        allowed: "whole numbers of tokens from 0 to 16,777,216",
    })
}

/// A field of an object in JSON.
pub(super) fn field<'a>(
    name: &'static str,
    value: &'a Option<Value>,
    line: &str,
) -> Result<&'a Value, TraceFault> {
    let fix = "complete the row or leave it out";
    value.as_ref().ok_or_else(|| TraceFault::Missing { name, row: shown(line), fix })
}

/// Tokens in a field of an object in JSON.
pub(super) fn token_field(
    name: &'static str,
    value: &Option<Value>,
    line: &str,
) -> Result<u32, TraceFault> {
    let value = field(name, value, line)?;
    tokens(name, value.as_f64(), &value.to_string())
}

/// Picoseconds of a field that counts units of `1/per_second` seconds, without loss of digits.
pub(super) fn time_field(
    name: &'static str,
    value: &Option<Value>,
    per_second: u32,
    line: &str,
) -> Result<i128, TraceFault> {
    let value = field(name, value, line)?;
    let legal = 0.0..=LATEST * f64::from(per_second);
    let number = value.as_f64().filter(|number| legal.contains(number));
    let number = number.ok_or_else(|| TraceFault::Value {
        name,
        value: shown(&value.to_string()),
        allowed: "times from 0 to 1e12 s",
    })?;
    let unit = 1_000_000_000_000 / i128::from(per_second);
    let part = (number.fract() * unit as f64).round() as i128;
    Ok(number.trunc() as i128 * unit + part)
}

/// The object in a line of JSON.
pub(super) fn object<'a, T: serde::Deserialize<'a>>(line: &'a str) -> Result<T, TraceFault> {
    if !line.trim_start().starts_with('{') {
        let cause = "not an object in braces".to_owned();
        return Err(TraceFault::NotJson { line: shown(line), cause });
    }
    serde_json::from_str(line).map_err(|error| {
        // The reader counts lines from the one that it was given.
        let message = error.to_string();
        let cause = message.split(" at line ").next().unwrap_or_default();
        let cause = format!("{cause} at column {}", error.column());
        TraceFault::NotJson { line: shown(line), cause }
    })
}
