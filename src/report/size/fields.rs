//! The same for other programs: one flat list of named figures for each accelerator, as JSON and as
//! CSV. The names are described in `docs/size.md`.

use serde_json::{Value, json};

use super::{Row, SizeReport, kept, verified};
use crate::hardware::Provenance;
use crate::stats::Estimate;
use crate::study::{FACILITY_PUE, SizedAccelerator, Verification};

/// Version of the names and meanings of the fields.
const SCHEMA: u32 = 2;

type Fields = Vec<(&'static str, Value)>;

/// Everything as indented JSON with a newline at the end.
#[must_use]
pub fn size_json(report: &SizeReport<'_>) -> String {
    let question = report.question;
    let means = question.class.calls.means();
    let limits = question.class.limits;
    let object = |fields: Fields| {
        Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    };
    let later: Vec<Value> = report
        .later
        .iter()
        .map(|later| json!({ "ttft_p99_ms": later.ttft.0 * 1e3, "gpus": later.gpus }))
        .collect();
    let on = report.cheapest().filter(|_| !later.is_empty());
    let on = on.map(|place| question.accelerators[place].name);
    let later = json!({ "accelerator": on, "sizes": later });
    let whole = json!({
        "schema_version": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "finding": report.finding(),
        "warnings": report.warnings(),
        "what_the_slo_costs": later,
        "question": {
            "model": question.llm.label,
            "requests_per_s": question.rate,
            "output_tokens_per_s": question.rate * means.output,
            "prompt_tokens_mean": means.prompt,
            "cached_tokens_mean": means.cached,
            "output_tokens_mean": means.output,
            "slo_ttft_p99_ms": limits.ttft_p99.0 * 1e3,
            "slo_tpot_p99_ms": limits.tpot_p99.0 * 1e3,
            "serving_stack": report.stack.key(),
            "first_token_steps": question.stack.together.steps.0,
            "first_token_steps_apart": question.stack.apart.steps.0,
            "first_token_us_per_prompt_token": question.stack.together.prompt_token.0 * 1e6,
            "software": report.software.to_string(),
            "seed": question.seed,
            "facility_pue": FACILITY_PUE,
        },
        "accelerators": all(report).into_iter().map(object).collect::<Vec<Value>>(),
    });
    // Plain numbers and text keys: serialising them cannot fail.
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

/// One row for each accelerator, the cheapest first, those that cannot serve the load last.
#[must_use]
pub fn size_csv(report: &SizeReport<'_>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: Vec<String>| {
        writer.write_record(record).expect("memory takes every record, and all have one length");
    };
    for (index, fields) in all(report).into_iter().enumerate() {
        if index == 0 {
            write(fields.iter().map(|(name, _)| (*name).to_owned()).collect());
        }
        write(fields.into_iter().map(|(_, value)| cell(value)).collect());
    }
    writer.into_inner().expect("memory takes every byte")
}

fn cell(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// The figures of all accelerators, each with the same names.
fn all(report: &SizeReport<'_>) -> Vec<Fields> {
    let rows = report.rows();
    let refused = report.refused();
    let mut names: Vec<&'static str> = Vec::new();
    let mut list: Vec<Fields> = Vec::new();
    for row in &rows {
        let mut fields = named((report, row.on), row.provenance(), None);
        fields.extend(size_of(row));
        fields.extend(cost_of(row));
        fields.extend(check_of(row.check));
        fields.extend(published_of(row));
        names = fields.iter().map(|(name, _)| *name).collect();
        list.push(fields);
    }
    for (on, reason) in refused {
        let known = named((report, on), on.provenance(), Some(reason));
        let rest = names.iter().skip(known.len()).map(|name| (*name, Value::Null));
        list.push(known.into_iter().chain(rest).collect());
    }
    list
}

fn named(
    (report, on): (&SizeReport<'_>, &SizedAccelerator<'_>),
    provenance: Provenance,
    refusal: Option<String>,
) -> Fields {
    vec![
        ("accelerator", json!(on.name)),
        ("label", json!(on.accelerator.label)),
        ("available", json!(on.accelerator.available.to_string())),
        ("delivered", json!(on.accelerator.available <= report.software)),
        ("provenance", json!(provenance)),
        ("refusal", json!(refusal)),
    ]
}

fn size_of(row: &Row<'_>) -> Fields {
    let (sized, seen) = (row.sized, &row.sized.seen);
    let entry = sized.prefill_layout.as_ref();
    let beyond = sized.model.replica.first_token;
    let (low, high) = row.between();
    let error = |of: Estimate| json!(of.standard_error);
    let milliseconds = |seconds: f64| json!(seconds * 1e3);
    vec![
        ("gpus", json!(sized.gpus)),
        ("gpus_low", json!(low)),
        ("gpus_high", json!(high)),
        ("gpus_sampled_low", json!(sized.sampled.0)),
        ("gpus_sampled_high", json!(sized.sampled.1)),
        ("fit_error_factor", json!(row.on.fit_error_factor())),
        ("step_time_divided_by", json!(row.on.speed)),
        ("mode", json!(if entry.is_some() { "disaggregated" } else { "aggregated" })),
        ("precision", json!(sized.layout.precision)),
        ("gpus_per_replica", json!(sized.layout.gpus)),
        ("attention_ranks", json!(sized.ranks)),
        ("replicas", json!(sized.replicas)),
        ("prefill_gpus_per_replica", json!(entry.map(|layout| layout.gpus))),
        ("prefill_attention_ranks", json!(entry.map(|_| sized.prefill_ranks))),
        ("prefill_replicas", json!(sized.prefill_replicas)),
        ("max_sequences_per_replica", json!(sized.max_sequences)),
        ("max_sequences_set_by_memory", json!(sized.limited_by_memory)),
        ("first_token_steps", json!(beyond.steps.0)),
        ("batch_per_replica", json!(seen.batch * f64::from(sized.ranks))),
        ("ttft_p99_ms", milliseconds(seen.ttft_p99.mean)),
        ("ttft_p99_ms_se", milliseconds(seen.ttft_p99.standard_error)),
        ("tpot_p99_ms", milliseconds(seen.tpot_p99.mean)),
        ("tpot_p99_ms_se", milliseconds(seen.tpot_p99.standard_error)),
        ("attainment_share", json!(seen.attainment.mean)),
        ("attainment_share_se", error(seen.attainment)),
        ("eta", json!(sized.eta)),
        ("eta_broken", json!(sized.eta_broken)),
        ("prefill_load", json!(entry.map(|_| sized.prefill_load))),
        ("busy_share", json!(seen.busy)),
        ("prefill_busy_share", json!(entry.map(|_| seen.prefill_busy))),
        ("limit", json!(sized.limit.word())),
        ("prefill_limit", json!(sized.prefill_limit.map(|limit| limit.word()))),
        ("candidates", json!(sized.candidates.0)),
        ("candidates_simulated", json!(sized.candidates.1)),
    ]
}

fn cost_of(row: &Row<'_>) -> Fields {
    let cost = row.cost;
    vec![
        ("units", json!(cost.units)),
        ("paid_gpus", json!(cost.paid_gpus)),
        ("it_mw", json!(cost.it_megawatts)),
        ("facility_mw", json!(cost.facility_megawatts)),
        ("usd_per_hour", json!(cost.dollars_per_hour)),
        ("usd_per_hour_of_whole_units", json!(cost.dollars_per_hour_of_units)),
        ("usd_per_million_output_tokens", json!(cost.dollars_per_million_output)),
        ("usd_per_million_total_tokens", json!(cost.dollars_per_million_total)),
    ]
}

fn published_of(row: &Row<'_>) -> Fields {
    let ratio = row.published;
    vec![
        ("published_points", json!(ratio.map_or(0, |ratio| ratio.points))),
        ("computed_over_published", json!(ratio.map(|ratio| ratio.median))),
        ("computed_over_published_low", json!(ratio.map(|ratio| ratio.low))),
        ("computed_over_published_high", json!(ratio.map(|ratio| ratio.high))),
    ]
}

fn check_of(check: Option<&Verification>) -> Fields {
    let seen = check.map(|check| &check.seen);
    let of = |read: fn(&Verification) -> f64| json!(check.map(read));
    let fewer = |index: usize| json!(check.and_then(|check| Some(kept(check.fewer[index]?))));
    vec![
        ("verification", json!(check.map(|check| verified(check.verdict)))),
        ("verified_attainment_share", of(|check| check.seen.attainment.mean)),
        ("verified_attainment_share_se", of(|check| check.seen.attainment.standard_error)),
        ("verified_ttft_p99_ms", of(|check| check.seen.ttft_p99.mean * 1e3)),
        ("verified_ttft_p99_ms_se", of(|check| check.seen.ttft_p99.standard_error * 1e3)),
        ("verified_tpot_p99_ms", of(|check| check.seen.tpot_p99.mean * 1e3)),
        ("verified_tpot_p99_ms_se", of(|check| check.seen.tpot_p99.standard_error * 1e3)),
        ("verified_requests", json!(seen.map(|seen| seen.counted))),
        ("one_replica_fewer", fewer(0)),
        ("one_prefill_replica_fewer", fewer(1)),
        ("clusters", json!(check.map(|check| check.clusters.0))),
        ("clusters_simulated", json!(check.map(|check| check.clusters.1))),
    ]
}
