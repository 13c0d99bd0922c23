//! `frontier.csv`: one row for each point of a curve and each measured point, every column named
//! with its unit.

use super::{FrontierReport, format_word};
use crate::hardware::Provenance;
use crate::study::{FrontierCurve, FrontierMeasurement, FrontierPoint, GpuCost};

const COLUMNS: [&str; 35] = [
    "provenance",
    "accelerator",
    "model",
    "precision",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "software_or_measured",
    "listed",
    "tokens_per_s_per_user",
    "output_tokens_per_s_per_gpu",
    "output_tokens_per_s_per_gpu_low",
    "output_tokens_per_s_per_gpu_high",
    "total_tokens_per_s_per_gpu",
    "output_tokens_per_s_per_mw_it",
    "output_tokens_per_usd",
    "usd_per_million_output_tokens",
    "usd_per_million_total_tokens",
    "calls_per_s_per_gpu",
    "tpot_ms",
    "ttft_without_queue_ms",
    "mode",
    "gpus_per_replica",
    "attention_ranks",
    "batch_per_replica",
    "prefill_gpus_per_replica",
    "prefill_attention_ranks",
    "prefill_replicas_per_decode_replica",
    "limit",
    "computed_output_tokens_per_s_per_gpu",
    "speculative",
    "power_w_per_gpu",
    "source",
    "beyond_the_frontier",
    "compared_with_software",
];

/// Curves first, then measured points; a speed that nothing reaches has no row.
#[must_use]
pub fn frontier_csv(report: &FrontierReport<'_>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: [String; COLUMNS.len()]| {
        writer.write_record(record).expect("memory takes every record, and all have one length");
    };
    write(COLUMNS.map(str::to_owned));
    for curve in &report.frontier.curves {
        for point in &curve.points {
            if let Some(record) = computed(report, curve, point) {
                write(record);
            }
        }
    }
    for point in &report.frontier.measured {
        write(measured(point));
    }
    writer.into_inner().expect("memory takes every byte")
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// Rates of a GPU, of a megawatt and of a dollar.
fn rates(cost: &GpuCost, output: f64, total: f64) -> [String; 5] {
    [
        total,
        cost.per_megawatt(output),
        cost.per_dollar(output),
        cost.dollars_per_million(output),
        cost.dollars_per_million(total),
    ]
    .map(|value| value.to_string())
}

fn computed(
    report: &FrontierReport<'_>,
    curve: &FrontierCurve,
    place: &FrontierPoint,
) -> Option<[String; COLUMNS.len()]> {
    let point = place.point.as_ref()?;
    let output = point.output_tokens_per_second_per_gpu;
    let [total, megawatt, dollar, per_output, per_total] =
        rates(&curve.cost, output, point.total_tokens_per_second_per_gpu);
    let prefill = point.prefill.as_ref();
    let ranks = |ranks: Option<u32>| ranks.unwrap_or(1).to_string();
    Some([
        curve.provenance.word().to_owned(),
        curve.accelerator.clone(),
        curve.model.clone(),
        format_word(curve.precision),
        report.calls.prompt.to_string(),
        report.calls.cached.to_string(),
        report.calls.output.to_string(),
        report.month(),
        place.listed.to_string(),
        place.speed.to_string(),
        output.to_string(),
        place.low.to_string(),
        place.high.to_string(),
        total,
        megawatt,
        dollar,
        per_output,
        per_total,
        point.calls_per_second_per_gpu.to_string(),
        (point.tpot.0 * 1e3).to_string(),
        (point.ttft.0 * 1e3).to_string(),
        if prefill.is_some() { "disaggregated" } else { "aggregated" }.to_owned(),
        point.layout.gpus.to_string(),
        ranks(point.layout.attention_ranks),
        point.batch.to_string(),
        prefill.map_or_else(String::new, |part| part.layout.gpus.to_string()),
        prefill.map_or_else(String::new, |part| ranks(part.layout.attention_ranks)),
        number(prefill.map(|part| part.replicas_per_decode)),
        point.limit.word().to_owned(),
        String::new(),
        String::new(),
        curve.cost.power.0.to_string(),
        String::new(),
        String::new(),
        String::new(),
    ])
}

fn measured(own: &FrontierMeasurement) -> [String; COLUMNS.len()] {
    let point = &own.point;
    let output = point.output_tokens_per_second_per_gpu;
    let [total, megawatt, dollar, per_output, per_total] =
        rates(&own.cost, output, point.total_tokens_per_second_per_gpu());
    let word = |yes: Option<bool>, (one, other): (&str, &str)| {
        yes.map_or_else(String::new, |yes| if yes { one } else { other }.to_owned())
    };
    let empty = String::new;
    [
        Provenance::Measured.word().to_owned(),
        point.accelerator.clone(),
        point.model.clone(),
        point.precision.map_or_else(String::new, format_word),
        point.prompt.to_string(),
        "0".to_owned(),
        point.output.to_string(),
        point.measured.clone(),
        true.to_string(),
        point.tokens_per_second_per_user.to_string(),
        output.to_string(),
        empty(),
        empty(),
        total,
        megawatt,
        dollar,
        per_output,
        per_total,
        (output / point.output).to_string(),
        (1e3 / point.tokens_per_second_per_user).to_string(),
        empty(),
        word(point.disaggregated, ("disaggregated", "aggregated")),
        empty(),
        empty(),
        empty(),
        empty(),
        empty(),
        empty(),
        empty(),
        number(own.computed),
        word(point.speculative, ("true", "false")),
        own.cost.power.0.to_string(),
        point.source.clone(),
        own.beyond.to_string(),
        own.software().to_owned(),
    ]
}
