//! The table of a simulated deployment for a terminal.

use super::{DeploymentWords, SimulationReport, percent, promise};
use crate::engine::CallClass;
use crate::hardware::Provenance;
use crate::report::rounding::{Scale, given};
use crate::report::table::wrapped;
use crate::stats::Estimate;
use crate::study::{LatencyEstimate, WorkloadOutcome};

/// Columns of the labels, and of each figure.
const LABEL: usize = 36;
const FIGURE: usize = 16;
/// Of things that come whole.
const WHOLE: Scale = Scale { places: 0, ..Scale::ONE };
/// Columns of the terminal.
const WIDTH: usize = 100;

/// The finding, the figures with their standard errors, and what they rest on. The last line is
/// how fast the simulation was: nothing else differs between two runs.
#[must_use]
pub fn simulation_table(report: &SimulationReport<'_>) -> String {
    let mut out = wrapped(&report.finding(), WIDTH, "") + "\n";
    for (class, workload) in report.classes.iter().zip(&report.outcome.workloads) {
        latencies(&mut out, report, class, workload);
    }
    throughput(&mut out, report);
    replicas(&mut out, report);
    out.push('\n');
    for line in foundations(report) {
        out += &wrapped(&line, WIDTH, "  ");
    }
    out
}

fn line(out: &mut String, label: &str, cells: &[String]) {
    // The first figure stands close to its label, so that four wide ones fit a terminal.
    let first = FIGURE - (LABEL + 4 * FIGURE - WIDTH);
    let mut text = format!("{label:<LABEL$}");
    for (index, cell) in cells.iter().enumerate() {
        let width = if index == 0 { first } else { FIGURE };
        // Wide figures push the others away, but never run into them.
        text += &format!(" {cell:>0$}", width - 1);
    }
    *out += text.trim_end();
    out.push('\n');
}

fn scaled(estimate: Estimate, factor: f64) -> Estimate {
    Estimate { mean: estimate.mean * factor, standard_error: estimate.standard_error * factor }
}

fn figure(estimate: Estimate) -> String {
    Scale::ONE.estimate(estimate)
}

fn milliseconds(latency: &LatencyEstimate) -> Vec<String> {
    latency.points.map(|point| figure(scaled(point, 1e3))).to_vec()
}

fn latencies(
    out: &mut String,
    report: &SimulationReport<'_>,
    class: &CallClass,
    workload: &WorkloadOutcome,
) {
    let alone = report.classes.len() == 1;
    let heading = if alone { "Latency, ms".to_owned() } else { format!("{}, ms", class.name) };
    line(out, &heading, &["mean", "P50", "P90", "P99"].map(str::to_owned));
    let labels =
        ["  TTFT (first token)", "  TPOT (mean of a call)", "  E2E (last token)", "  queue wait"];
    for (label, latency) in labels.iter().zip(&workload.latencies) {
        line(out, label, &milliseconds(latency));
    }
    if alone {
        line(out, "  ITL (single gaps)", &milliseconds(&report.outcome.itl));
    }
    if !alone {
        shares(out, class, workload);
        line(out, "  goodput, requests/s", &[figure(workload.rates[2])]);
    }
}

/// What became of the calls of a workload.
fn shares(out: &mut String, class: &CallClass, workload: &WorkloadOutcome) {
    let labels = ["within the SLO", "abandoned", "tried again", "rejected"];
    for (index, (label, share)) in labels.iter().zip(workload.shares).enumerate() {
        let promised = index == 0 && promise(class).is_some();
        if promised || (index > 0 && share.mean > 0.0) {
            line(out, &format!("  {label}, % of calls"), &[percent(share)]);
        }
    }
}

/// Rates of all workloads together. Standard errors of sums are those of independent parts.
fn throughput(out: &mut String, report: &SimulationReport<'_>) {
    let gpus = f64::from(report.deployment.gpus());
    line(out, "Throughput, per second", &["all", "per GPU"].map(str::to_owned));
    let labels = [
        "  requests that arrive",
        "  requests done",
        "  within the SLO (goodput)",
        "  output tokens",
        "  prompt tokens",
    ];
    // Arrivals of a closed loop are its completions.
    for (index, label) in labels.iter().enumerate().skip(usize::from(report.concurrency.is_some()))
    {
        let parts = report.outcome.workloads.iter().map(|workload| workload.rates[index]);
        let sum = parts.fold(Estimate::default(), |sum, part| Estimate {
            mean: sum.mean + part.mean,
            standard_error: sum.standard_error.hypot(part.standard_error),
        });
        line(out, label, &[figure(sum), figure(scaled(sum, 1.0 / gpus))]);
    }
    if let ([class], [workload]) = (report.classes, report.outcome.workloads.as_slice()) {
        line(out, "Calls", &[]);
        shares(out, class, workload);
    }
}

fn replicas(out: &mut String, report: &SimulationReport<'_>) {
    let outcome = report.outcome;
    line(out, "Replicas", &[]);
    if report.classes.len() > 1 {
        line(out, "  ITL, ms: mean, P50, P90, P99", &milliseconds(&outcome.itl));
    }
    if report.deployment.prefill.is_some() {
        line(out, "  prefill replicas busy, % of time", &[percent(outcome.prefill_busy)]);
        line(out, "  decode replicas busy, % of time", &[percent(outcome.busy)]);
    } else {
        line(out, "  busy, % of time", &[percent(outcome.busy)]);
    }
    line(out, "  batch of a decode step", &[figure(outcome.batch)]);
    line(out, "  context it reads, tokens", &[figure(outcome.context_read)]);
    let peak = Scale::ONE.value(outcome.peak_memory * 100.0);
    line(out, "  KV memory at its fullest, %", &[peak]);
    line(out, "  preemptions per 1000 calls", &[figure(outcome.preemptions)]);
    if outcome.found.mean > 0.0 {
        let label = "  prompt found from earlier turns, %";
        line(out, label, &[percent(outcome.found)]);
    }
}

/// What the figures rest on.
fn foundations(report: &SimulationReport<'_>) -> Vec<String> {
    let (outcome, words) = (report.outcome, report.words);
    let mut lines = vec![format!(
        "Deployment: {} on {}, {}, {}{}.",
        words.model,
        words.accelerator,
        words.layout,
        words.router,
        match outcome.clusters {
            1 => String::new(),
            clusters => format!(", {clusters} clusters of at most 256"),
        },
    )];
    lines.push(step_time(words));
    for class in report.classes.iter().filter(|_| report.trace.is_none()) {
        let means = class.calls.means();
        let name = if report.classes.len() > 1 { class.name.as_str() } else { "calls" };
        lines.push(format!(
            "Traffic: {name} of {} prompt tokens ({} % cached) and {} output tokens on average, \
             {}.",
            given(means.prompt),
            given(100.0 * means.cached / means.prompt),
            given(means.output),
            words.arrivals,
        ));
    }
    let scheduler = &report.deployment.replica.scheduler;
    lines.push(format!(
        "Scheduler of each {}: {} prefill, {} sequences, {} tokens a step, memory for {} tokens \
         of context.",
        if words.ranks > 1 { "rank" } else { "replica" },
        format!("{:?}", scheduler.prefill).to_lowercase(),
        scheduler.max_sequences,
        scheduler.token_budget,
        Scale::ONE.value(report.deployment.replica.kv_tokens as f64),
    ));
    lines.push(words.stack.sentence(&report.deployment.replica.first_token));
    if let Some(capacity) = report.capacity {
        let rate = Scale::ONE.value(capacity.calls_per_second);
        lines.push(if capacity.measured {
            format!(
                "100 % of capacity: {rate} requests/s, what the replicas complete when they never \
                 run out of calls, whatever the latency (measured on one of them)."
            )
        } else {
            format!(
                "100 % of capacity: {rate} requests/s, at which a steady batch of mean calls would \
                 keep the {} busy, whatever the latency; in truth they saturate somewhat below.",
                capacity.limit,
            )
        });
    }
    lines.push(sample(report));
    lines.push(
        "Percentiles come from bins at most 1.6 % wide and are never too low. ITL is over whole \
         runs, without gaps across preemptions; so are the rows of the replicas."
            .to_owned(),
    );
    let (per_cpu, times) = report.pace();
    lines.push(format!(
        "Speed: {} requests in {:.2} s, {} requests per CPU-second, {} times real time.",
        WHOLE.value(outcome.requests as f64),
        report.seconds.0,
        WHOLE.value(per_cpu),
        WHOLE.value(times),
    ));
    lines
}

/// How far the step times are backed, and by how much they may be off.
fn step_time(words: &DeploymentWords) -> String {
    let what = match words.provenance {
        Provenance::Bound => {
            "a bound, inherited from other hardware by assumption: what may come, not a forecast"
        }
        Provenance::Stated if words.measured.is_some() => {
            "stated, of replicas that only prefill or only decode: an engine that does both was \
             measured"
        }
        Provenance::Stated => "stated, set by hand: as good as whoever says so",
        Provenance::Fitted => "fitted to measurements of this hardware or its generation",
        Provenance::Measured => match words.measured.as_deref() {
            None => "measured on this hardware",
            Some("") => "measured, and its source does not say on what",
            Some(source) => &format!("measured, as its source says ({source})"),
        },
    };
    let range = words.doubt.filter(|(low, high)| low < high).map(|(low, high)| {
        format!("; all steps may run {low:.2} to {high:.2} times as fast (P10 to P90)")
    });
    let progress = words.progress.filter(|factor| (factor - 1.0).abs() >= 0.005).map(|factor| {
        let what = match factor {
            factor if factor > 1.0 => "times the software progress since",
            _ => "with the older software of the date",
        };
        format!(", {what}: {factor:.2} times as fast")
    });
    let (progress, range) = (progress.unwrap_or_default(), range.unwrap_or_default());
    format!("Step time: {what}{progress}{range}.")
}

fn sample(report: &SimulationReport<'_>) -> String {
    let outcome = report.outcome;
    let version = env!("CARGO_PKG_VERSION");
    let (run, measured) = (Scale::ONE.value(outcome.run_seconds.0), outcome.run_seconds.1);
    if let Some((file, skipped)) = report.trace {
        let skipped = match skipped {
            0 => String::new(),
            count => format!(" ({count} rows without tokens left out)"),
        };
        return format!(
            "Sample: {} replayed once, all {} requests counted{skipped}, {run} s; no standard \
             errors; seed {}, sparkgap {version}.",
            file, outcome.requests, report.seed
        );
    }
    let errors = match outcome.shards {
        1 => "no standard errors from a single run".to_owned(),
        shards => format!("± is one standard error over {shards} independent runs"),
    };
    let counted: u64 = outcome.workloads.iter().map(|workload| workload.counted).sum();
    format!(
        "Sample: {} replications of {run} s, {} s of each measured, {counted} calls counted; \
         {errors}; seed {}, sparkgap {version}.",
        report.replications,
        Scale::ONE.value(measured),
        report.seed
    )
}
