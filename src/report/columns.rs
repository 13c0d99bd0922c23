//! The numbers of a year, each with its name and its error: the one list that `years.csv` and the
//! tables of sweeps follow.

use Reading::{Interval, Mean, Plain, Quantiles};

use crate::plan::{Answer, YearResult};
use crate::stats::{Estimate, RankedQuantile, Spread};
use crate::study::SweepRow;

type OfFlag = fn(&YearResult) -> bool;

/// How a number and its error are read from a year.
pub(super) enum Reading {
    /// P10, P50 and P90 over worlds, each with its 90 % rank interval.
    Quantiles(fn(&YearResult) -> Spread),
    /// A mean with its standard error.
    Mean(fn(&YearResult) -> Estimate),
    /// A value with its 90 % bootstrap interval.
    Interval(fn(&YearResult) -> RankedQuantile),
    /// A value without an error.
    Plain(fn(&YearResult) -> f64),
}

/// What a metric is called for each of the quantiles.
pub(super) const QUANTILES: [&str; 3] = ["p10", "p50", "p90"];

/// The need over all worlds at once.
const ALL_WORLDS: &str = "need_all_worlds_candidate_gpus";

/// Truths of a year; in the tables of sweeps 1 is true and 0 is false.
const FLAGS: [(&str, OfFlag); 2] = [
    ("need_all_worlds_resolved", |year| year.need_all_worlds.resolved),
    ("can_be_signed", |year| year.can_be_signed),
];

/// Every number of a year; the name ends in its unit.
pub(super) const COLUMNS: [(&str, Reading); 38] = [
    ("daily_users_people", Quantiles(|year| year.daily_users)),
    ("user_requests_per_day", Quantiles(|year| year.user_requests_per_day)),
    ("engine_calls_per_day", Quantiles(|year| year.engine_calls_per_day)),
    ("tokens_in_per_day", Quantiles(|year| year.tokens_in_per_day)),
    ("tokens_cached_per_day", Quantiles(|year| year.tokens_cached_per_day)),
    ("tokens_out_per_day", Quantiles(|year| year.tokens_out_per_day)),
    ("peak_demand_reference_gpus", Quantiles(|year| year.peak_demand)),
    ("own_capacity_reference_gpus", Quantiles(|year| year.own_capacity)),
    ("need_reference_gpus", Quantiles(|year| year.need_reference)),
    ("need_candidate_gpus", Quantiles(|year| year.need_gpus)),
    ("need_racks", Quantiles(|year| year.need_racks)),
    ("need_it_mw", Quantiles(|year| year.need_megawatts)),
    ("gap_candidate_gpus", Quantiles(|year| year.gap_gpus)),
    ("gap_racks", Quantiles(|year| year.gap_racks)),
    ("gap_it_mw", Quantiles(|year| year.gap_megawatts)),
    ("contracted_gpus", Quantiles(|year| year.contracted_gpus)),
    ("contracted_for_assistant_gpus", Quantiles(|year| year.contracted_for_assistant_gpus)),
    ("reference_gpus_per_candidate_gpu", Quantiles(|year| year.reference_per_candidate)),
    ("firm_contribution_candidate_gpus", Quantiles(|year| year.firm_contribution_gpus)),
    ("cost_contracts_usd", Quantiles(|year| year.cost.contracts)),
    ("cost_on_demand_usd", Quantiles(|year| year.cost.on_demand)),
    ("cost_gap_usd", Quantiles(|year| year.cost.gap)),
    ("cost_total_usd", Quantiles(|year| year.cost.total)),
    ("lole_own_h_per_yr", Mean(|year| year.lole_own)),
    ("lole_with_contracts_h_per_yr", Mean(|year| year.lole_with_contracts)),
    ("eue_own_calls_per_yr", Mean(|year| year.eue_own.calls)),
    ("eue_own_output_tokens_per_yr", Mean(|year| year.eue_own.output_tokens)),
    ("eue_own_reference_gpu_h_per_yr", Mean(|year| year.eue_own.reference_gpu_hours)),
    ("eue_with_contracts_calls_per_yr", Mean(|year| year.eue_with_contracts.calls)),
    ("eue_with_contracts_output_tokens_per_yr", Mean(|year| year.eue_with_contracts.output_tokens)),
    (
        "eue_with_contracts_reference_gpu_h_per_yr",
        Mean(|year| year.eue_with_contracts.reference_gpu_hours),
    ),
    ("deferrable_misses_share", Mean(|year| year.deferrable_misses)),
    ("borrowed_reference_gpu_h_per_yr", Mean(|year| year.borrowed_gpu_hours)),
    ("degraded_calls_per_yr", Mean(|year| year.degraded_calls)),
    ("returned_calls_per_yr", Mean(|year| year.returned_calls)),
    ("short_worlds_share", Plain(|year| year.short_worlds)),
    (
        ALL_WORLDS,
        Interval(|year| {
            let read = year.need_all_worlds;
            RankedQuantile { value: read.gpus, low: read.low, high: read.high }
        }),
    ),
    ("need_all_worlds_largest_world_share", Plain(|year| year.need_all_worlds.largest_world_share)),
];

/// The three quantiles of a spread in the order of [`QUANTILES`].
pub(super) fn quantiles(spread: Spread) -> [RankedQuantile; 3] {
    [spread.p10, spread.p50, spread.p90]
}

/// Names of the metrics of a sweep's tables: those of `years.csv`, errors left out.
#[must_use]
pub fn metric_names() -> Vec<String> {
    let mut names = Vec::new();
    for (name, reading) in &COLUMNS {
        match reading {
            Quantiles(_) => names.extend(QUANTILES.map(|part| format!("{name}_{part}"))),
            Mean(_) => names.push(format!("{name}_mean")),
            Interval(_) | Plain(_) => names.push((*name).to_owned()),
        }
    }
    names.extend(FLAGS.map(|(name, _)| name.to_owned()));
    names
}

/// Every metric of every year of an answer, in the order of [`metric_names`].
#[must_use]
pub fn sweep_rows(answer: &Answer) -> Vec<SweepRow> {
    let names = metric_names();
    let rows = answer.years.iter().flat_map(|year| {
        let readings = readings(year).into_iter();
        names.iter().zip(readings).map(|(metric, (read, error))| {
            let finite = |value: f64| Some(value).filter(|value| value.is_finite());
            let bound = |value: f64| finite(value).filter(|_| !error.is_empty());
            SweepRow {
                year: year.year,
                metric: metric.clone(),
                value: finite(read.value),
                low: bound(read.low),
                high: bound(read.high),
                error: error.to_owned(),
            }
        })
    });
    rows.collect()
}

/// Each metric of a year, and what its low and high end are.
fn readings(year: &YearResult) -> Vec<(RankedQuantile, &'static str)> {
    let plain = |value: f64| RankedQuantile { value, low: value, high: value };
    let mut out = Vec::new();
    for (_, reading) in &COLUMNS {
        match reading {
            Quantiles(of) => {
                out.extend(quantiles(of(year)).map(|quantile| (quantile, "90 % rank interval")));
            }
            Mean(of) => {
                let Estimate { mean, standard_error } = of(year);
                let (low, high) = (mean - standard_error, mean + standard_error);
                out.push((RankedQuantile { value: mean, low, high }, "one standard error"));
            }
            Interval(of) => out.push((of(year), "90 % bootstrap interval")),
            Plain(of) => out.push((plain(of(year)), "")),
        }
    }
    out.extend(FLAGS.map(|(_, of)| (plain(f64::from(u8::from(of(year)))), "")));
    out
}

/// Units as they end a name, and in words.
const UNITS: [(&str, &str); 14] = [
    ("people", "people"),
    ("per_day", "per day"),
    ("reference_gpus", "reference GPUs"),
    ("candidate_gpus", "candidate GPUs"),
    ("racks", "racks"),
    ("it_mw", "MW IT"),
    ("gpus_per_candidate_gpu", "GPUs per candidate GPU"),
    ("gpus", "GPUs"),
    ("usd", "USD"),
    ("h_per_yr", "h/yr"),
    ("calls_per_yr", "calls/yr"),
    ("output_tokens_per_yr", "output tokens/yr"),
    ("reference_gpu_h_per_yr", "reference GPU-h/yr"),
    ("share", "share, 0 to 1"),
];

/// What a metric is, its unit, and which part of its law is meant: `gap_candidate_gpus_p50`
/// becomes `Gap`, `candidate GPUs` and `P50`.
pub(super) fn metric_in_words(metric: &str) -> (String, &'static str, String) {
    let parts = QUANTILES.iter().chain(["mean"].iter());
    let part = parts.copied().find(|part| metric.ends_with(&format!("_{part}")));
    let name = part.map_or(metric, |part| &metric[..metric.len() - part.len() - 1]);
    let unit = UNITS.iter().find(|(end, _)| name.ends_with(&format!("_{end}")));
    let what = unit.map_or(name, |(end, _)| &name[..name.len() - end.len() - 1]);
    let words: Vec<String> = what.split('_').map(word).collect();
    let words = words.join(" ");
    let first = words.chars().take(1).flat_map(char::to_uppercase);
    let what = first.chain(words.chars().skip(1)).collect();
    let part = part.map_or(String::new(), |part| part.replacen('p', "P", 1));
    (what, unit.map_or("", |(_, unit)| unit), part)
}

fn word(word: &str) -> String {
    match word {
        "eue" | "lole" => word.to_uppercase(),
        _ => word.to_owned(),
    }
}
