//! The table of sizes for a terminal: what is deployed, and what it takes.

use super::{Row, SizeReport, asked, kept, short, verified};
use crate::engine::Layout;
use crate::report::rounding::{Scale, given};
use crate::report::table::wrapped;
use crate::stats::Estimate;
use crate::study::{FACILITY_PUE, SizeLimit, Verification};

/// Columns of the terminal.
const WIDTH: usize = 100;
/// Columns of the first block, the name first; the last one is the limit.
const SIZES: [(&str, usize); 10] = [
    ("accelerator", 16),
    ("GPUs", 7),
    ("units", 7),
    ("layout", 16),
    ("replicas", 9),
    ("batch", 7),
    ("TTFT P99", 9),
    ("TPOT P99", 9),
    ("load %", 8),
    ("limit", 12),
];
/// Columns of the second block.
const COSTS: [(&str, usize); 7] = [
    ("", 17),
    ("MW IT", 9),
    ("MW site", 9),
    ("USD/h", 11),
    ("units USD/h", 13),
    ("USD/M out", 11),
    ("USD/M all", 11),
];
/// Columns of the third: how sure the sizes are.
const DOUBTS: [(&str, usize); 7] = [
    ("how sure", 17),
    ("numbers", 10),
    ("GPUs from", 11),
    ("to", 9),
    ("published", 12),
    ("computed / that", 18),
    ("range", 14),
];
/// Columns of the fourth, of sizes that were verified.
const CHECKS: [(&str, usize); 6] = [
    ("verification", 17),
    ("within SLO %", 15),
    ("TTFT P99 ms", 15),
    ("TPOT P99 ms", 15),
    ("one fewer", 16),
    ("verdict", 14),
];

/// The finding, the sizes and their cost, those that cannot serve the load, and what all of it
/// rests on. The last line is how long it took: nothing else differs between two runs.
#[must_use]
pub fn size_table(report: &SizeReport<'_>) -> String {
    let mut out = wrapped(&report.finding(), WIDTH, "");
    for warning in report.warnings() {
        out += &wrapped(&warning, WIDTH, "");
    }
    if let Some(price) = report.price_of_promise() {
        out += &wrapped(&price, WIDTH, "");
    }
    out.push('\n');
    let rows = report.rows();
    if !rows.is_empty() {
        line(&mut out, &SIZES, SIZES.map(|(name, _)| name.to_owned()));
        for row in &rows {
            line(&mut out, &SIZES, sizes(row));
        }
        out.push('\n');
        line(&mut out, &COSTS, COSTS.map(|(name, _)| name.to_owned()));
        for row in &rows {
            line(&mut out, &COSTS, costs(row));
        }
        out.push('\n');
        line(&mut out, &DOUBTS, DOUBTS.map(|(name, _)| name.to_owned()));
        for row in &rows {
            line(&mut out, &DOUBTS, doubts(row));
        }
        out.push('\n');
    }
    if rows.iter().any(|row| row.check.is_some()) {
        line(&mut out, &CHECKS, CHECKS.map(|(name, _)| name.to_owned()));
        for row in &rows {
            if let Some(check) = row.check {
                line(&mut out, &CHECKS, checks(row, check));
            }
        }
        out.push('\n');
    }
    let refused = report.refused();
    if !refused.is_empty() {
        out += "Cannot serve it\n";
        for (on, reason) in &refused {
            out += &wrapped(&format!("  {}: {reason}.", on.name), WIDTH, "    ");
        }
        out.push('\n');
    }
    for text in foundations(report, &rows) {
        out += &wrapped(&text, WIDTH, "  ");
    }
    out
}

fn line<const N: usize>(out: &mut String, columns: &[(&str, usize); N], cells: [String; N]) {
    let mut text = String::new();
    for (index, (cell, (_, width))) in cells.iter().zip(columns).enumerate() {
        // The name stands left, figures stand right.
        text += &match index {
            0 => format!("{cell:<width$}"),
            _ => format!(" {cell:>0$}", width - 1),
        };
    }
    *out += text.trim_end();
    out.push('\n');
}

/// GPUs of a replica, and its attention ranks where there are several.
fn layout(layout: &Layout, ranks: u32) -> String {
    match ranks {
        0 | 1 => layout.gpus.to_string(),
        ranks => format!("{}/{ranks}", layout.gpus),
    }
}

/// Its name, with a star where it is not yet delivered.
fn name(row: &Row<'_>) -> String {
    format!("{}{}", row.on.name, if row.undelivered { "*" } else { "" })
}

fn sizes(row: &Row<'_>) -> [String; 10] {
    let (sized, seen) = (row.sized, &row.sized.seen);
    let precision = format!("{:?}", sized.layout.precision).to_lowercase();
    let decode = layout(&sized.layout, sized.ranks);
    let percent = |share: f64| format!("{:.0}", share * 100.0);
    let (place, replicas, load) = match &sized.prefill_layout {
        None => (format!("{decode} {precision}"), sized.replicas.to_string(), percent(sized.eta)),
        Some(entry) => (
            format!("{}+{decode} {precision}", layout(entry, sized.prefill_ranks)),
            format!("{}P{}D", sized.prefill_replicas, sized.replicas),
            format!("{}+{}", percent(sized.prefill_load), percent(sized.eta)),
        ),
    };
    // The pool that could not be smaller for a reason beyond being whole says what limits.
    let limit = match (sized.prefill_limit, sized.limit) {
        (Some(entry), SizeLimit::WholeReplica) => entry,
        (_, limit) => limit,
    };
    [
        name(row),
        sized.gpus.to_string(),
        row.cost.units.to_string(),
        place,
        replicas,
        short(seen.batch * f64::from(sized.ranks)),
        short(seen.ttft_p99.mean * 1e3),
        short(seen.tpot_p99.mean * 1e3),
        load,
        limit.word().to_owned(),
    ]
}

fn costs(row: &Row<'_>) -> [String; 7] {
    let cost = row.cost;
    // Two digits at least, however small.
    let power = |megawatts: f64| {
        if megawatts < 0.1 { format!("{megawatts:.4}") } else { short(megawatts) }
    };
    let dollars = |value: f64| if value < 0.1 { format!("{value:.4}") } else { short(value) };
    [
        name(row),
        power(cost.it_megawatts),
        power(cost.facility_megawatts),
        short(cost.dollars_per_hour),
        short(cost.dollars_per_hour_of_units),
        dollars(cost.dollars_per_million_output),
        dollars(cost.dollars_per_million_total),
    ]
}

/// The tag, the GPUs that the error of the step times leaves possible, and what is computed over
/// what has been published.
fn doubts(row: &Row<'_>) -> [String; 7] {
    let none = || "-".to_owned();
    let (low, high) = row.between();
    let ratio = row.published;
    [
        name(row),
        row.provenance().word().to_owned(),
        format!("{low:.0}"),
        format!("{high:.0}"),
        ratio.map_or_else(none, |ratio| ratio.points.to_string()),
        ratio.map_or_else(none, |ratio| short(ratio.median)),
        ratio.map_or_else(none, |ratio| format!("{}-{}", short(ratio.low), short(ratio.high))),
    ]
}

fn checks(row: &Row<'_>, check: &Verification) -> [String; 6] {
    let scaled = |of: Estimate, factor: f64| {
        let (mean, standard_error) = (of.mean * factor, of.standard_error * factor);
        Scale::ONE.estimate(Estimate { mean, standard_error })
    };
    let words: Vec<String> = match (&row.sized.prefill_layout, check.fewer) {
        (None, [decode, _]) => decode.iter().map(|one| kept(*one).to_owned()).collect(),
        (Some(_), [decode, prefill]) => [("P", prefill), ("D", decode)]
            .iter()
            .filter_map(|(name, one)| Some(format!("{name} {}", kept((*one)?))))
            .collect(),
    };
    [
        name(row),
        scaled(check.seen.attainment, 100.0),
        scaled(check.seen.ttft_p99, 1e3),
        scaled(check.seen.tpot_p99, 1e3),
        if words.is_empty() { "none fewer".to_owned() } else { words.join(", ") },
        verified(check.verdict).to_owned(),
    ]
}

/// What clients wait for a first token beyond the engine, and where nothing is added.
fn stack(report: &SizeReport<'_>) -> String {
    let question = report.question;
    let stack = question.stack;
    let measured = question.accelerators.iter().filter(|on| on.measured.is_some());
    let measured: Vec<&str> = measured.map(|on| on.name).collect();
    let apart = match stack.apart.is_none() {
        true => String::new(),
        false => format!(" With prefill apart: {:.1} decode steps.", stack.apart.steps.0),
    };
    let own = match measured.is_empty() {
        true => String::new(),
        false => format!(
            "The measured step time on {} has its serving stack in it: none is added there, \
             whatever --stack says.",
            measured.join(", ")
        ),
    };
    if measured.len() == question.accelerators.len() {
        return own;
    }
    let others = if own.is_empty() { "" } else { " Elsewhere: " };
    own + others + &report.stack.sentence(&stack.together) + &apart
}

/// The limits on the sequences of replicas.
fn sequences(rows: &[Row<'_>]) -> Option<String> {
    let of = |filled: bool| {
        let rows = rows.iter().filter(|row| row.sized.limited_by_memory == filled);
        let each = rows.map(|row| format!("{} on {}", row.sized.max_sequences, row.on.name));
        each.collect::<Vec<String>>().join(", ")
    };
    let (filled, others) = (of(true), of(false));
    let filled = (!filled.is_empty()).then(|| {
        format!("{filled} (nine tenths of what fills the memory, so that few are pushed out)")
    });
    let others = (!others.is_empty()).then(|| format!("{others} (the most that is tried)"));
    let parts: Vec<String> = [filled, others].into_iter().flatten().collect();
    (!parts.is_empty())
        .then(|| format!("Sequences of a replica that decodes at most: {}.", parts.join("; ")))
}

/// What the figures rest on.
fn foundations(report: &SizeReport<'_>, rows: &[Row<'_>]) -> Vec<String> {
    let question = report.question;
    let (means, limits) = (question.class.calls.means(), question.class.limits);
    let mut lines = vec![
        format!(
            "Load: {} requests/s of {} prompt tokens ({} % cached) and {} output tokens on \
             average to {}; SLO: TTFT {} and TPOT {} at the 99th percentile. Software of {}.",
            given(question.rate),
            given(means.prompt),
            given(100.0 * means.cached / means.prompt),
            given(means.output),
            question.llm.label,
            asked(limits.ttft_p99.0),
            asked(limits.tpot_p99.0),
            report.software,
        ),
        stack(report),
        format!(
            "Layout: GPUs of a replica / attention ranks; with prefill apart those of a prefill \
             and of a decode replica. Batch: sequences of a replica that decodes. Load: share of \
             what the replicas could do at most within the SLO by closed form. Units: whole racks \
             or nodes that hold the replicas. Power and rent are for the GPUs with their part of \
             a unit's spare ones; rent is that of three years, in the middle of its range; site \
             is IT times a PUE of {FACILITY_PUE:.2}."
        ),
    ];
    lines.extend(sequences(rows));
    let relative = |of: Estimate| of.standard_error / of.mean.max(f64::MIN_POSITIVE);
    let error = rows.iter().map(|row| &row.sized.seen);
    let error = error.map(|seen| relative(seen.ttft_p99).max(relative(seen.tpot_p99)));
    lines.push(format!(
        "Limit: what breaks with fewer replicas. A size holds where the calls that miss a promise \
         are fewer than 1 % by two standard errors, on two samples. TTFT and TPOT are known to \
         {} % (one standard error) or better.",
        short((100.0 * error.fold(0.0, f64::max)).max(0.1))
    ));
    lines.push(
        "Measured: the step time of the scenario's own layout there (with prefill apart it is \
         stated: an engine that did both was measured); fitted: step times fitted to measurements \
         of this hardware or its generation; bound: inherited from other hardware by assumption; \
         stated: set by hand. GPUs must be up: failures are not in it."
            .to_owned(),
    );
    lines.push(
        "GPUs from, to: sizes that the sample leaves open, and by the error of the step times \
         (10th to 90th percentile). Published: throughputs of this model there by others; \
         computed / that: what the program makes of them, median and range, above 1 where it is \
         too fast (docs/size.md)."
            .to_owned(),
    );
    if rows.iter().any(|row| row.undelivered) {
        lines.push(format!("* First deliveries after {}.", report.software));
    }
    lines.extend(sample(rows));
    lines.push(format!(
        "Seed {}, sparkgap {}. {:.1} s.",
        question.seed,
        env!("CARGO_PKG_VERSION"),
        report.seconds
    ));
    lines
}

fn sample(rows: &[Row<'_>]) -> Option<String> {
    let check = rows.iter().find_map(|row| row.check)?;
    let part = rows.iter().filter_map(|row| row.check).any(|check| {
        let (all, simulated) = check.clusters;
        simulated < all
    });
    let part = match part {
        true => " Of the largest deployments some clusters stand for all.",
        false => "",
    };
    let checks = rows.iter().filter_map(|row| row.check);
    let least = checks.map(|check| check.seen.counted).min().unwrap_or(check.seen.counted);
    Some(format!(
        "Verification: the whole load on fresh seeds, {} calls or more; ± is one standard \
         error over independent runs. Verified: fewer than 1 % miss a promise by two of them; not \
         verified: more by two; within noise: neither. One replica fewer of a kind on the same \
         seeds.{part}",
        given(least as f64)
    ))
}
