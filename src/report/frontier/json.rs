//! The same as JSON; its fields are described in `docs/frontier.md`.

use serde_json::{Value, json};

use super::FrontierReport;
use crate::study::{FrontierCurve, FrontierMeasurement, FrontierPoint, GpuCost};

/// Version of the names and meanings of the fields.
const SCHEMA: u32 = 1;

/// Everything as indented JSON with a newline at the end: listed speeds and measured points.
#[must_use]
pub fn frontier_json(report: &FrontierReport<'_>) -> String {
    let models = report.models().into_iter().map(|(name, label)| {
        let curves: Vec<Value> = report.curves(name).map(curve).collect();
        let of = |point: &&FrontierMeasurement| point.point.model == name;
        let measured: Vec<Value> =
            report.frontier.measured.iter().filter(of).map(measured).collect();
        json!({
            "model": name,
            "label": label,
            "finding": report.finding(name),
            "warnings": report.warnings(name),
            "curves": curves,
            "measured": measured,
        })
    });
    let whole = json!({
        "schema_version": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "software": report.month(),
        "prompt_tokens": report.calls.prompt,
        "cached_tokens": report.calls.cached,
        "output_tokens": report.calls.output,
        "models": models.collect::<Vec<Value>>(),
        "not_held": report.frontier.unheld,
    });
    // Plain numbers and text keys: serialising them cannot fail.
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

fn curve(curve: &FrontierCurve) -> Value {
    let listed = curve.points.iter().filter(|point| point.listed);
    json!({
        "accelerator": curve.accelerator,
        "label": curve.label,
        "precision": curve.precision,
        "provenance": curve.provenance,
        "speed_factor_low": curve.doubt.0,
        "speed_factor_high": curve.doubt.1,
        "available_after_software": curve.available,
        "power_w_per_gpu": curve.cost.power.0,
        "rent_usd_per_gpu_hour": curve.cost.rent.0,
        "points": listed.map(|point| place(curve, point)).collect::<Vec<Value>>(),
    })
}

fn place(curve: &FrontierCurve, place: &FrontierPoint) -> Value {
    let Some(point) = &place.point else {
        return json!({ "tokens_per_s_per_user": place.speed, "reached": false });
    };
    let output = point.output_tokens_per_second_per_gpu;
    let mut value = json!({
        "tokens_per_s_per_user": place.speed,
        "reached": true,
        "output_tokens_per_s_per_gpu_low": place.low,
        "output_tokens_per_s_per_gpu_high": place.high,
        "point": point,
    });
    rates(&mut value, &curve.cost, output, point.total_tokens_per_second_per_gpu);
    value
}

fn measured(own: &FrontierMeasurement) -> Value {
    let point = &own.point;
    let output = point.output_tokens_per_second_per_gpu;
    let mut value = json!({
        "provenance": "measured",
        "accelerator": point.accelerator,
        "precision": point.precision,
        "speculative": point.speculative,
        "disaggregated": point.disaggregated,
        "prompt_tokens": point.prompt,
        "output_tokens": point.output,
        "gpus": point.gpus,
        "concurrency": point.concurrency,
        "tokens_per_s_per_user": point.tokens_per_second_per_user,
        "computed_output_tokens_per_s_per_gpu": own.computed,
        "beyond_the_frontier": own.beyond,
        "measured": point.measured,
        "software": own.software(),
        "source": point.source,
    });
    rates(&mut value, &own.cost, output, point.total_tokens_per_second_per_gpu());
    value
}

fn rates(value: &mut Value, cost: &GpuCost, output: f64, total: f64) {
    value["output_tokens_per_s_per_gpu"] = json!(output);
    value["total_tokens_per_s_per_gpu"] = json!(total);
    value["output_tokens_per_s_per_mw_it"] = json!(cost.per_megawatt(output));
    value["output_tokens_per_usd"] = json!(cost.per_dollar(output));
    value["usd_per_million_output_tokens"] = json!(cost.dollars_per_million(output));
    value["usd_per_million_total_tokens"] = json!(cost.dollars_per_million(total));
}
