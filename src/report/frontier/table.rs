//! The table for a terminal: a block for each model, in it the curves at the listed speeds and the
//! measured points, then what they rest on.

use super::{BELOW, FrontierReport, format_word};
use crate::engine::Layout;
use crate::hardware::Provenance;
use crate::report::rounding::{Scale, given};
use crate::report::table::wrapped;
use crate::study::{FrontierCurve, FrontierMeasurement, FrontierPoint, GpuCost};

/// Computed over measured throughput from which on a curve is no forecast.
const TOO_FAST: f64 = 3.0;
/// Columns of the prose.
const WIDTH: usize = 100;
/// Headers of the computed rows in two lines, and the width of each column.
const HEAD: [(&str, &str, usize); 13] = [
    ("user", "tok/s", 7),
    ("GPU", "out/s", 7),
    ("", "range", 13),
    ("", "all/s", 8),
    ("MW", "M out/s", 9),
    ("USD", "M out", 7),
    ("USD per", "M out", 8),
    ("replica", "GPU/rk", 8),
    ("", "P:D", 6),
    ("", "batch", 7),
    ("TTFT", "s", 6),
    ("", "binds", 8),
    ("", "tag", 9),
];
/// The same of measured rows.
const MEASURED_HEAD: [(&str, &str, usize); 10] = [
    ("user", "tok/s", 7),
    ("GPU", "out/s", 7),
    ("", "format", 13),
    ("", "all/s", 8),
    ("MW", "M out/s", 9),
    ("USD", "M out", 7),
    ("USD per", "M out", 8),
    ("computed", "/ this", 10),
    ("", "date", 18),
    ("", "tag", 9),
];

/// The finding of each model, its curves and measured points, and what the numbers rest on.
#[must_use]
pub fn frontier_table(report: &FrontierReport<'_>) -> String {
    let mut out = String::new();
    for (name, label) in report.models() {
        out += &wrapped(&format!("{label}: {}.", report.finding(name)), WIDTH, "");
        for warning in report.warnings(name) {
            out += &wrapped(&warning, WIDTH, "");
        }
        out.push('\n');
        out += &header(&HEAD);
        for curve in report.curves(name) {
            block(&mut out, curve);
        }
        let of = |point: &&FrontierMeasurement| point.point.model == name;
        let measured: Vec<&FrontierMeasurement> =
            report.frontier.measured.iter().filter(of).collect();
        if !measured.is_empty() {
            out.push('\n');
            out += &header(&MEASURED_HEAD);
            measured_rows(&mut out, &measured);
        }
        out.push('\n');
    }
    for line in foundations(report) {
        out += &wrapped(&line, WIDTH, "  ");
    }
    out
}

fn row<const N: usize>(head: &[(&str, &str, usize); N], cells: [String; N]) -> String {
    let mut text = String::from(" ");
    for ((_, _, width), cell) in head.iter().zip(cells) {
        text += &format!(" {cell:>0$}", width - 1);
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn header<const N: usize>(head: &[(&str, &str, usize); N]) -> String {
    row(head, head.map(|(upper, _, _)| upper.to_owned()))
        + &row(head, head.map(|(_, lower, _)| lower.to_owned()))
}

fn figure(value: f64) -> String {
    Scale::ONE.value(value)
}

/// Things that come whole.
fn whole(value: f64) -> String {
    Scale { places: 0, ..Scale::ONE }.value(value)
}

/// `64/8`: GPUs and the ranks they split into.
fn replica(layout: &Layout) -> String {
    match layout.attention_ranks {
        Some(ranks) => format!("{}/{ranks}", layout.gpus),
        None => layout.gpus.to_string(),
    }
}

/// `1.4 M tokens for a dollar` and the like, with what they cost.
fn worth(cost: &GpuCost, output: f64) -> [String; 3] {
    [
        figure(cost.per_megawatt(output) / 1e6),
        figure(cost.per_dollar(output) / 1e6),
        figure(cost.dollars_per_million(output)),
    ]
}

fn block(out: &mut String, curve: &FrontierCurve) {
    let awaited = curve.available.as_ref();
    let awaited = awaited.map_or(String::new(), |month| format!(", first deliveries {month}"));
    *out += &format!(
        "{}, {}, {} kW, {} USD/h{awaited}\n",
        curve.label,
        format_word(curve.precision),
        figure(curve.cost.power.0 / 1e3),
        figure(curve.cost.rent.0),
    );
    let mut out_of_reach = Vec::new();
    for place in curve.points.iter().filter(|place| place.listed) {
        match cells(curve, place) {
            Some(cells) => *out += &row(&HEAD, cells),
            None => out_of_reach.push(given(place.speed)),
        }
    }
    if !out_of_reach.is_empty() {
        *out += &format!("  out of reach: {} tok/s\n", out_of_reach.join(", "));
    }
}

fn cells(curve: &FrontierCurve, place: &FrontierPoint) -> Option<[String; HEAD.len()]> {
    let point = place.point.as_ref()?;
    let output = point.output_tokens_per_second_per_gpu;
    let [megawatt, dollar, price] = worth(&curve.cost, output);
    let ratio = point.prefill.as_ref().map(|part| part.replicas_per_decode);
    Some([
        given(place.speed),
        whole(output),
        format!("{}-{}", whole(place.low), whole(place.high)),
        whole(point.total_tokens_per_second_per_gpu),
        megawatt,
        dollar,
        price,
        replica(&point.layout),
        ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.1}")),
        whole(point.batch),
        figure(point.ttft.0),
        point.limit.word().to_owned(),
        curve.provenance.word().to_owned(),
    ])
}

fn measured_rows(out: &mut String, measured: &[&FrontierMeasurement]) {
    let mut labels: Vec<String> = Vec::new();
    let label = |own: &FrontierMeasurement| {
        let point = &own.point;
        let precision = point.precision.map_or("other format".to_owned(), format_word);
        let speculative = match point.speculative {
            Some(true) => ", speculative decoding",
            Some(false) => ", no speculation",
            None => "",
        };
        format!("{}, {}, {precision}{speculative}", own.label, point.published_model)
    };
    for own in measured {
        let own = label(own);
        if !labels.contains(&own) {
            labels.push(own);
        }
    }
    for name in labels {
        *out += &format!("{name}\n");
        for own in measured.iter().filter(|own| label(own) == name) {
            let output = own.point.output_tokens_per_second_per_gpu;
            let [megawatt, dollar, price] = worth(&own.cost, output);
            *out += &row(
                &MEASURED_HEAD,
                [
                    figure(own.point.tokens_per_second_per_user),
                    whole(output),
                    format(own),
                    whole(own.point.total_tokens_per_second_per_gpu()),
                    megawatt,
                    dollar,
                    price,
                    ratio(own),
                    own.software().to_owned(),
                    Provenance::Measured.word().to_owned(),
                ],
            );
        }
    }
}

/// Format of the weights, and `spec` where decoding was speculative.
fn format(own: &FrontierMeasurement) -> String {
    let precision = own.point.precision.map_or("other".to_owned(), format_word);
    let speculative = if own.point.speculative == Some(true) { " spec" } else { "" };
    precision + speculative
}

/// Computed over measured, marked where the frontier lies below.
fn ratio(own: &FrontierMeasurement) -> String {
    match own.ratio() {
        None => "-".to_owned(),
        Some(0.0) => "beyond !".to_owned(),
        Some(ratio) if ratio < BELOW => format!("{} !", figure(ratio)),
        Some(ratio) => figure(ratio),
    }
}

/// What the figures rest on.
fn foundations(report: &FrontierReport<'_>) -> Vec<String> {
    let mut lines = vec![
        format!(
            "Calls of {}; software of {}. Each row is the best layout whose users get at least \
             that speed.",
            report.call(),
            report.month(),
        ),
        "out: output tokens; all: prompt tokens too. The two are never to be mixed. MW: IT power, \
         network and rack included, PUE extra. USD: rent under a three-year commitment, every \
         hour used."
            .to_owned(),
        "replica: GPUs/attention ranks of one that decodes; P:D: prefill replicas for each, where \
         prefill is apart; TTFT: without a queue; binds: what keeps the batch from growing."
            .to_owned(),
        "fitted: efficiencies fitted to measurements of this hardware or its generation; bound: \
         inherited by assumption, to be read as what may come; stated: efficiencies set by hand; \
         measured: published. range: the error of the fit, with P10 to P90 of what is not known of \
         hardware that was not measured."
            .to_owned(),
        "Computed rows are closed forms of a full, steady batch of mean calls: promises on \
         percentiles and uneven load leave less (sparkgap simulate measures how much)."
            .to_owned(),
    ];
    if report.frontier.measured.iter().any(|own| own.ratio().is_some()) {
        lines.push(
            "computed / this: the frontier at that speed with the software of that date, over \
             what was measured; a frontier is at least 1 where the fit is right, and measured runs \
             need not be on it. !: below what was measured; beyond: at a speed that it does not \
             reach. spec: speculative decoding, compared where the model has it too."
                .to_owned(),
        );
    }
    if report.frontier.measured.iter().any(|own| own.point.measured.is_empty()) {
        lines.push(format!(
            "software of today: the row has no date, and is compared with the software of {}.",
            report.month()
        ));
    }
    if report.frontier.measured.iter().any(|own| own.ratio() > Some(TOO_FAST)) {
        lines.push(
            "Some of these ratios are above 3: read the curves of those models as bounds, whatever \
             their tag says (docs/frontier.md)."
                .to_owned(),
        );
    }
    for (accelerator, model) in &report.frontier.unheld {
        lines.push(format!("{accelerator} has no layout that serves {model} at these speeds."));
    }
    lines
}
