//! `years.csv`: one row for each calendar year, every column named with its unit.

use crate::plan::{Answer, YearResult};
use crate::stats::{Estimate, Spread};

type OfSpread = fn(&YearResult) -> Spread;
type OfEstimate = fn(&YearResult) -> Estimate;
type OfScalar = fn(&YearResult) -> f64;

/// Quantities with P10, P50 and P90 over worlds.
const SPREADS: [(&str, OfSpread); 23] = [
    ("daily_users_people", |year| year.daily_users),
    ("user_requests_per_day", |year| year.user_requests_per_day),
    ("engine_calls_per_day", |year| year.engine_calls_per_day),
    ("tokens_in_per_day", |year| year.tokens_in_per_day),
    ("tokens_cached_per_day", |year| year.tokens_cached_per_day),
    ("tokens_out_per_day", |year| year.tokens_out_per_day),
    ("peak_demand_reference_gpus", |year| year.peak_demand),
    ("own_capacity_reference_gpus", |year| year.own_capacity),
    ("need_reference_gpus", |year| year.need_reference),
    ("need_candidate_gpus", |year| year.need_gpus),
    ("need_racks", |year| year.need_racks),
    ("need_it_mw", |year| year.need_megawatts),
    ("gap_candidate_gpus", |year| year.gap_gpus),
    ("gap_racks", |year| year.gap_racks),
    ("gap_it_mw", |year| year.gap_megawatts),
    ("contracted_gpus", |year| year.contracted_gpus),
    ("contracted_for_assistant_gpus", |year| year.contracted_for_assistant_gpus),
    ("reference_gpus_per_candidate_gpu", |year| year.reference_per_candidate),
    ("firm_contribution_candidate_gpus", |year| year.firm_contribution_gpus),
    ("cost_contracts_usd", |year| year.cost.contracts),
    ("cost_on_demand_usd", |year| year.cost.on_demand),
    ("cost_gap_usd", |year| year.cost.gap),
    ("cost_total_usd", |year| year.cost.total),
];

/// Quantities with a mean and a standard error.
const ESTIMATES: [(&str, OfEstimate); 10] = [
    ("lole_own_h_per_yr", |year| year.lole_own),
    ("lole_with_contracts_h_per_yr", |year| year.lole_with_contracts),
    ("eue_own_calls_per_yr", |year| year.eue_own.calls),
    ("eue_own_output_tokens_per_yr", |year| year.eue_own.output_tokens),
    ("eue_own_reference_gpu_h_per_yr", |year| year.eue_own.reference_gpu_hours),
    ("eue_with_contracts_calls_per_yr", |year| year.eue_with_contracts.calls),
    ("eue_with_contracts_output_tokens_per_yr", |year| year.eue_with_contracts.output_tokens),
    ("eue_with_contracts_reference_gpu_h_per_yr", |year| {
        year.eue_with_contracts.reference_gpu_hours
    }),
    ("deferrable_misses_share", |year| year.deferrable_misses),
    ("borrowed_reference_gpu_h_per_yr", |year| year.borrowed_gpu_hours),
];

/// Quantities with one value.
const SCALARS: [(&str, OfScalar); 5] = [
    ("short_worlds_share", |year| year.short_worlds),
    ("need_all_worlds_candidate_gpus", |year| year.need_all_worlds.gpus),
    ("need_all_worlds_candidate_gpus_low", |year| year.need_all_worlds.low),
    ("need_all_worlds_candidate_gpus_high", |year| year.need_all_worlds.high),
    ("need_all_worlds_largest_world_share", |year| year.need_all_worlds.largest_world_share),
];

/// The years as CSV with a header: `_p10`, `_p50`, `_p90` are quantiles over worlds, `_mean` and
/// `_se` a mean with its standard error. The last columns say which run it was.
#[must_use]
pub fn years_csv(answer: &Answer) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: Vec<String>| {
        writer.write_record(record).expect("memory takes every record, and all have one length");
    };
    write(header());
    for year in &answer.years {
        write(record(answer, year));
    }
    writer.into_inner().expect("memory takes every byte")
}

fn header() -> Vec<String> {
    let mut names = vec!["year".to_owned()];
    for (name, _) in SPREADS {
        names.extend(["p10", "p50", "p90"].map(|quantile| format!("{name}_{quantile}")));
    }
    for (name, _) in ESTIMATES {
        names.extend(["mean", "se"].map(|part| format!("{name}_{part}")));
    }
    names.extend(SCALARS.iter().map(|(name, _)| (*name).to_owned()));
    let rest = ["need_all_worlds_resolved", "sign_by", "can_be_signed"];
    names.extend(rest.map(Into::into));
    names.extend(["scenario", "scenario_hash", "seed"].map(Into::into));
    names
}

fn record(answer: &Answer, year: &YearResult) -> Vec<String> {
    let mut cells = vec![year.year.to_string()];
    for (_, of) in SPREADS {
        let spread = of(year);
        cells.extend([spread.p10, spread.p50, spread.p90].map(|q| q.value.to_string()));
    }
    for (_, of) in ESTIMATES {
        let estimate = of(year);
        cells.extend([estimate.mean, estimate.standard_error].map(|value| value.to_string()));
    }
    cells.extend(SCALARS.iter().map(|(_, of)| of(year).to_string()));
    cells.push(year.need_all_worlds.resolved.to_string());
    cells.extend([year.sign_by.clone(), year.can_be_signed.to_string()]);
    let from = &answer.provenance;
    cells.extend([from.scenario.clone(), from.hash.clone(), from.seed.to_string()]);
    cells
}
