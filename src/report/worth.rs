//! What a source of supply is worth, as a table and as JSON (`docs/worth.md` has its fields).

use super::rounding::Scale;
use super::short_hash;
use crate::plan::{Worth, YearWorth};
use crate::stats::{Estimate, Spread};

type OfSpread = fn(&YearWorth) -> Spread;
type OfEstimate = fn(&YearWorth) -> Estimate;
type OfBracket = fn(&YearWorth) -> [f64; 2];

/// The worth as indented JSON with a newline at the end.
#[must_use]
pub fn worth_json(worth: &Worth) -> String {
    let mut text = serde_json::to_string_pretty(worth)
        .expect("plain structs with text keys always serialise into memory");
    text.push('\n');
    text
}

/// A row for each value, a column for each year.
#[must_use]
pub fn worth_table(worth: &Worth) -> String {
    let years: Vec<String> = worth.years.iter().map(|year| year.year.to_string()).collect();
    let mut rows = vec![(String::new(), years)];
    spreads(&mut rows, worth, "delivered", "GPUs", |year| year.nameplate_gpus);
    spreads(&mut rows, worth, "EFC", "GPUs", |year| year.efc_gpus);
    percent(&mut rows, worth, "  capacity credit by EFC, %", |year| year.efc_credit);
    spreads(&mut rows, worth, "ELCC", "ref. GPUs at peak", |year| year.elcc_reference_gpus);
    percent(&mut rows, worth, "  capacity credit by ELCC, %", |year| year.elcc_credit);
    let sides: [(&str, OfBracket); 2] = [
        ("demand carried with it, multiple", |year| year.carried_with),
        ("demand carried without it, multiple", |year| year.carried_without),
    ];
    for (label, of) in sides {
        rows.push((label.to_owned(), worth.years.iter().map(|year| multiple(of(year))).collect()));
    }
    let risks: [(&str, OfEstimate); 2] = [
        ("LOLE with it, h/yr", |year| year.lole_with),
        ("LOLE without it, h/yr", |year| year.lole_without),
    ];
    for (label, of) in risks {
        let cells = worth.years.iter().map(|year| Scale::ONE.estimate(of(year)));
        rows.push((label.to_owned(), cells.collect()));
    }
    let from = &worth.provenance;
    format!(
        "Worth of {} ({}) at {} h/yr\n\n{}\nGPUs are candidate GPUs; P10, P50, P90 over {} worlds \
         x {} inner years, credits are ratios of means ±\nstandard error over worlds. Demand that \
         is carried: all interactive calls times so much meet the\ncriterion with all capacity in \
         hand; median over worlds. Seed {}. Scenario {}, hash {}.\n",
        worth.source,
        worth.pools.join(", "),
        worth.criterion.interactive_lole.0,
        laid_out(&rows),
        from.worlds,
        from.inner_years,
        from.seed,
        from.scenario,
        short_hash(&from.hash),
    )
}

/// The median and, under it, the two outer quantiles.
fn spreads(
    rows: &mut Vec<(String, Vec<String>)>,
    worth: &Worth,
    label: &str,
    unit: &str,
    of: OfSpread,
) {
    let all = worth.years.iter().flat_map(|year| {
        let spread = of(year);
        [spread.p10.value, spread.p50.value, spread.p90.value]
    });
    let scale = Scale::of_counts(all);
    let unit = scale.unit(unit);
    for (name, part) in [("P10", 0), ("P50", 1), ("P90", 2)] {
        let cells = worth.years.iter().map(|year| {
            let spread = of(year);
            scale.value([spread.p10, spread.p50, spread.p90][part].value)
        });
        rows.push((format!("{label} {name}, {unit}"), cells.collect()));
    }
}

fn percent(rows: &mut Vec<(String, Vec<String>)>, worth: &Worth, label: &str, of: OfEstimate) {
    let cells = worth.years.iter().map(|year| {
        let share = of(year);
        Scale::ONE.estimate(Estimate {
            mean: share.mean * 100.0,
            standard_error: share.standard_error * 100.0,
        })
    });
    rows.push((label.to_owned(), cells.collect()));
}

/// A bracket as a number where it is narrow, with a sign where an end was not reached.
fn multiple([low, high]: [f64; 2]) -> String {
    if high.is_infinite() {
        format!(">{low:.0}")
    } else if low <= 0.0 {
        "<0.001".to_owned()
    } else {
        Scale::ONE.value(f64::midpoint(low, high))
    }
}

fn laid_out(rows: &[(String, Vec<String>)]) -> String {
    let label_width = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let columns = rows.first().map_or(0, |(_, cells)| cells.len());
    let width = |column: usize| {
        rows.iter().map(|(_, cells)| cells[column].chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for (label, cells) in rows {
        let mut line = format!("{label:<label_width$}");
        for (cell, width) in cells.iter().zip(&widths) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
