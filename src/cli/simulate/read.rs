//! What the options of `simulate` look like: texts in, values or a sentence with the fix out.

use serde::de::DeserializeOwned;

use crate::demand::{Interarrival, LengthTable, PrefixHits, RateProfile, Shape, length_tables};
use crate::engine::scaled_table;
use crate::scenario::known_names;
use crate::study::ServingStack;
use crate::units::{BytesPerSecond, QuantityError, Seconds, Share, parse_number, parse_quantity};

/// Most tokens of a prompt or an output.
const LONGEST: f64 = 16_777_216.0;

/// The name of a serving stack, or `none`.
pub(crate) fn stack(text: &str) -> Result<String, String> {
    if text == "none" || ServingStack::NAMES.contains(&text) {
        return Ok(text.to_owned());
    }
    let known = ServingStack::NAMES.into_iter().chain(["none"]);
    Err(format!("there is no serving stack `{text}`: {}", known_names(text, known)))
}

/// A number without a unit.
fn number(text: &str) -> Option<f64> {
    parse_number(text).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// `name(a, b)` as its name and its parts.
fn call(text: &str) -> Option<(&str, Vec<&str>)> {
    let (name, rest) = text.trim().split_once('(')?;
    let inside = rest.strip_suffix(')')?;
    Some((name.trim(), inside.split(',').map(str::trim).collect()))
}

/// `750`, `uniform(500, 1000)`, `lognormal(1000, 1.0)`, `empirical(NAME)`, `empirical(NAME, 800)`.
pub(crate) fn lengths(text: &str) -> Result<LengthTable, String> {
    let wrong = || {
        "token lengths are `750`, `uniform(500, 1000)`, `lognormal(1000, 1.0)` (mean and sigma), \
         `empirical(NAME)` or `empirical(NAME, 800)` (another mean)"
            .to_owned()
    };
    let tokens = |text: &str| {
        let value = number(text).ok_or_else(wrong)?;
        let legal = (1.0..=LONGEST).contains(&value);
        legal.then_some(value).ok_or_else(|| format!("{text} tokens: allowed are 1 to {LONGEST}"))
    };
    let table = |mean: f64, quantiles: Vec<(f64, f64)>| LengthTable {
        source: text.trim().to_owned(),
        as_of: String::new(),
        mean,
        quantiles,
    };
    let named = |table: Option<LengthTable>| {
        table.map(|table| LengthTable { source: text.trim().to_owned(), ..table }).ok_or_else(wrong)
    };
    let Some((law, parts)) = call(text) else {
        let value = tokens(text)?;
        return Ok(table(value, vec![(0.0, value), (1.0, value)]));
    };
    match (law, parts.as_slice()) {
        ("uniform", [low, high]) => {
            let (low, high) = (tokens(low)?, tokens(high)?);
            if low > high {
                return Err(format!("`{text}`: the lower end comes first"));
            }
            Ok(table(f64::midpoint(low, high), vec![(0.0, low), (1.0, high)]))
        }
        ("lognormal", [mean, sigma]) => {
            let sigma = number(sigma).filter(|sigma| (0.0..=3.0).contains(sigma));
            let sigma = sigma.ok_or_else(|| {
                format!("`{text}`: sigma, the spread of the logarithm, is 0 to 3")
            })?;
            named(scaled_table(&Shape::Lognormal(sigma), tokens(mean)?))
        }
        ("empirical", [name, mean @ ..]) if mean.len() <= 1 => {
            let Some(own) = length_tables().get(*name) else {
                let known = known_names(name, length_tables().keys().map(String::as_str));
                return Err(format!("there is no table `{name}`: {known}"));
            };
            let mean = mean.first().map_or(Ok(own.mean), |mean| tokens(mean))?;
            named(scaled_table(&Shape::Empirical((*name).to_owned()), mean))
        }
        _ => Err(wrong()),
    }
}

/// `30%`.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    parse_quantity::<Share>(text).map(|share| share.0).map_err(|error| error.to_string())
}

/// `75%`, and more than the whole: `120%`.
pub(crate) fn load(text: &str) -> Result<f64, String> {
    let percent = text.trim().strip_suffix('%').and_then(number).filter(|value| *value > 0.0);
    percent.map(|percent| percent / 100.0).ok_or_else(|| {
        "a load is a percentage of the capacity above zero: 75% (or 120% for an overload); give \
         requests per second with --rate"
            .to_owned()
    })
}

/// Requests per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let bare = text.trim().trim_end_matches("requests/s").trim_end_matches("/s");
    number(bare).filter(|rate| *rate > 0.0).ok_or_else(|| {
        "a rate is a number of requests per second above zero, as in --rate 40: at 0 nothing would \
         ever arrive"
            .to_owned()
    })
}

/// `500 ms`, above zero.
pub(crate) fn duration(text: &str) -> Result<Seconds, String> {
    let seconds = non_negative(text)?;
    if seconds.0 > 0.0 { Ok(seconds) } else { Err("it must be above zero".to_owned()) }
}

/// `500 ms`, or `0 s`.
pub(crate) fn non_negative(text: &str) -> Result<Seconds, String> {
    let seconds: Seconds =
        parse_quantity(text).map_err(|error: QuantityError| error.to_string())?;
    let legal = (0.0..=1e7).contains(&seconds.0);
    legal.then_some(seconds).ok_or_else(|| "allowed are 0 to 1e7 s".to_owned())
}

/// `450 GB/s`.
pub(crate) fn bandwidth(text: &str) -> Result<BytesPerSecond, String> {
    let rate: BytesPerSecond =
        parse_quantity(text).map_err(|error: QuantityError| error.to_string())?;
    (rate.0 > 0.0).then_some(rate).ok_or_else(|| "it must be above zero".to_owned())
}

/// How long users wait: all `2 s`, or `exponential(2 s)`.
pub(crate) fn timeout(text: &str) -> Result<(Seconds, bool), String> {
    let (inner, exponential) = match call(text) {
        Some(("exponential", parts)) if parts.len() == 1 => (parts[0], true),
        _ => (text, false),
    };
    let seconds = duration(inner)?;
    let legal = (1e-3..=4_000.0).contains(&seconds.0);
    legal.then_some((seconds, exponential)).ok_or_else(|| "allowed are 1 ms to 4000 s".to_owned())
}

/// `poisson`, `gamma(cv)`, `weibull(cv)`.
pub(crate) fn arrivals(text: &str) -> Result<Interarrival, String> {
    Interarrival::parse(text).map_err(|error| error.to_string())
}

/// `0.5` or `0.5@24 h`: the swing of the rate around its mean, and its period (a day).
pub(crate) fn diurnal(text: &str) -> Result<(f64, Seconds), String> {
    let (swing, period) = text.split_once('@').unwrap_or((text, "24 h"));
    let swing = match swing.trim().strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(swing),
    };
    let swing = swing.ok_or("write the swing, and a period if not a day: 0.5, 50%, 0.5@1 h")?;
    let period = duration(period)?;
    RateProfile::sinusoid(period, swing).map_err(|error| error.to_string())?;
    Ok((swing, period))
}

/// `2P6D`: prefill replicas and decode replicas.
pub(crate) fn disaggregated(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "write xPyD, prefill and decode replicas, as in 2P6D".to_owned();
    let upper = text.trim().to_uppercase();
    let (prefill, decode) =
        upper.strip_suffix('D').and_then(|rest| rest.split_once('P')).ok_or_else(wrong)?;
    let count = |text: &str| {
        text.parse::<u32>().ok().filter(|n| (1..=1_000_000).contains(n)).ok_or_else(wrong)
    };
    Ok((count(prefill)?, count(decode)?))
}

/// Four coefficients of a step, bare seconds or with a unit.
pub(crate) fn step_time(text: &str) -> Result<[f64; 4], String> {
    let seconds = |part: &str| {
        let part = part.trim();
        let value = match (number(part), part.strip_suffix("ns")) {
            (Some(value), _) => value,
            (None, Some(rest)) => number(rest).ok_or("a number is missing before `ns`")? * 1e-9,
            (None, None) => {
                let parsed: Result<Seconds, QuantityError> = parse_quantity(part);
                parsed.map_err(|error| error.to_string())?.0
            }
        };
        let legal = (0.0..=1e3).contains(&value);
        legal.then_some(value).ok_or_else(|| format!("`{part}`: allowed are 0 to 1000 s"))
    };
    let parts = text.split(',').map(seconds).collect::<Result<Vec<f64>, String>>()?;
    let four: [f64; 4] = parts.try_into().map_err(|_| {
        "four times are needed, of a step, of each sequence, context token and prompt token: \
         '10 ms, 30 us, 17.4 ns, 35 us'"
            .to_owned()
    })?;
    if four[0] + four[1] <= 0.0 || four[0] + four[3] <= 0.0 {
        return Err("a step that takes no time: give a base above zero".to_owned());
    }
    Ok(four)
}

/// `none`, `unlimited` or a number of tokens.
pub(crate) fn prefix_hits(text: &str) -> Result<PrefixHits, String> {
    match text.trim() {
        "none" => Ok(PrefixHits::None),
        "unlimited" => Ok(PrefixHits::Unlimited),
        other => above_zero(other)
            .map(|tokens| PrefixHits::Tokens(tokens as u64))
            .map_err(|_| "write none, unlimited or the tokens that the cache holds".to_owned()),
    }
}

/// Expected tokens per step and sequence.
pub(crate) fn tokens_per_step(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|value| (1.0..=16.0).contains(value))
        .ok_or_else(|| "allowed are 1 (no speculation) to 16".to_owned())
}

/// Mean turns of a session.
pub(crate) fn turns(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|value| (1.0..=10_000.0).contains(value))
        .ok_or_else(|| "the mean number of turns is 1 to 10,000".to_owned())
}

/// A number above zero.
pub(crate) fn above_zero(text: &str) -> Result<f64, String> {
    let value = number(text).filter(|value| *value > 0.0);
    value.ok_or_else(|| "it must be a number above zero".to_owned())
}

/// Something that a scenario names too, by that name.
pub(crate) fn named<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let value = serde_json::Value::String(text.to_owned());
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Routers, by their names in a scenario.
const ROUTERS: [&str; 5] =
    ["round_robin", "random", "power_of_two", "least_loaded", "session_affinity"];

/// A router by its name.
pub(crate) fn router(text: &str) -> Result<String, String> {
    let known = ROUTERS.contains(&text);
    known.then(|| text.to_owned()).ok_or_else(|| known_names(text, ROUTERS))
}
