//! The table for the terminal.

use super::{AdequacyReport, AssessedRisk, Measure, kind, kind_of_hour};
use crate::stats::Estimate;
use crate::study::{CapacityValue, Crossing, LolpBy, Method, is_year};

/// Risk with standard errors, and what was asked for.
#[must_use]
pub fn adequacy_table(report: &AdequacyReport<'_>) -> String {
    let network = report.network;
    let mut text = format!("{} ({}): {}\n", network.name, report.config, network.description);
    for measure in report.measures(None) {
        text += &format!("  {:<8}{}\n", measure.name, words(report, &measure));
    }
    text += &areas(report);
    text += &links(report);
    if let Some(by) = report.by {
        text += &lolp(report, by);
    }
    text += &closing(report);
    if let Some((asked, firm)) = &report.firm {
        text += &firm_words(report, asked, firm);
    }
    for (name, area, value) in &report.values {
        text += &value_words(report, name, area, value);
    }
    text
}

/// A value and its error, with two figures of the error and as many decimals of the mean; or, of
/// what is exact, eight decimals.
fn number(report: &AdequacyReport<'_>, value: Estimate) -> String {
    if matches!(report.risk, AssessedRisk::Exact(_)) {
        return format!("{:.8}", value.mean);
    }
    estimate(value)
}

fn estimate(value: Estimate) -> String {
    let error = value.standard_error;
    let digits = if error > 0.0 { (1.0 - error.log10().floor()).clamp(0.0, 9.0) } else { 3.0 };
    let digits = digits as usize;
    format!("{:.digits$} +- {error:.digits$}", value.mean)
}

fn words(report: &AdequacyReport<'_>, measure: &Measure) -> String {
    let (value, unit) = (number(report, measure.value), &measure.unit);
    let before = value.split(" +-").next().map_or(0, str::len);
    let value = format!("{}{value}", " ".repeat(14_usize.saturating_sub(before)));
    let note = match (measure.name, measure.most) {
        ("LOLE", _) if unit.starts_with('d') => " (hours of the daily peak)".to_owned(),
        ("LOLEv", _) => " (hours in a row are one)".to_owned(),
        ("NEUE", _) => " of the load".to_owned(),
        ("CVaR", _) => " in the worst twentieth of the samples".to_owned(),
        (_, Some(most)) => {
            let digits = if most < 100.0 && most.fract() > 0.0 { 1 } else { 0 };
            format!(" in the mean of samples, {most:.digits$} in the worst")
        }
        _ => String::new(),
    };
    format!("{value} {unit}{note}")
}

/// Rows of cells, every column as wide as its widest, all but the first to the right.
fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let wide =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(wide).collect();
    let mut text = String::new();
    for row in rows {
        text += "  ";
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            text += &match column {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            };
        }
        text += "\n";
    }
    text
}

/// The measures of the areas, side by side.
fn areas(report: &AdequacyReport<'_>) -> String {
    let areas = report.areas();
    if areas.is_empty() {
        return String::new();
    }
    let mut rows = Vec::new();
    for area in areas {
        let measures = report.measures(Some(area));
        // What fits a line: the others are in the files.
        let shown = || measures.iter().filter(|measure| measure.most.is_none());
        if rows.is_empty() {
            let head = shown().map(|measure| format!("{} {}", measure.name, measure.unit));
            rows.push([String::from("area")].into_iter().chain(head).collect());
        }
        let cells = shown().map(|measure| number(report, measure.value));
        rows.push([area.to_owned()].into_iter().chain(cells).collect());
    }
    columns(&rows)
}

fn links(report: &AdequacyReport<'_>) -> String {
    let Some(links) = report.links() else { return String::new() };
    let flow = format!("mean flow {}", report.capacity());
    let heads = ["used", "full"].map(|word| format!("{word} {}", report.per_period("h")));
    let mut rows = vec![vec![String::from("link"), flow, String::from("utilisation")]];
    rows[0].extend(heads);
    for (name, link) in links {
        let cells = [link.flow, link.utilisation, link.hours_used, link.hours_full].map(estimate);
        rows.push([name.clone()].into_iter().chain(cells).collect());
    }
    columns(&rows)
}

/// Probability of loss of load by kind of hour, of the system and of its areas.
fn lolp(report: &AdequacyReport<'_>, by: LolpBy) -> String {
    let (by, told) = match by {
        LolpBy::Month if !is_year(report.hours()) => {
            (LolpBy::Week, "  the period is no year: by week of 168 hours\n")
        }
        by => (by, ""),
    };
    let areas = report.areas();
    let mut rows = vec![vec![kind(by).to_owned(), "LOLP system".to_owned()]];
    rows[0].extend(areas.iter().map(|area| format!("LOLP {area}")));
    let whole = report.lolp_by(None, by);
    let parts: Vec<_> = areas.iter().map(|area| report.lolp_by(Some(area), by)).collect();
    for (index, lolp) in whole.into_iter().enumerate() {
        let mut row = vec![kind_of_hour(by, index), number(report, lolp)];
        row.extend(parts.iter().map(|part| number(report, part[index])));
        rows.push(row);
    }
    format!("{told}{}", columns(&rows))
}

fn closing(report: &AdequacyReport<'_>) -> String {
    let (network, hours) = (report.network, report.hours());
    let lost = "an hour is lost when available < load";
    match (&report.risk, network.areas.len()) {
        (AssessedRisk::Exact(_), 1) => {
            format!("  {hours} hours, exactly: convolution of independent units; {lost}\n")
        }
        (AssessedRisk::Exact(_), areas) => format!(
            "  {hours} hours, {areas} areas, exactly: all joint states of units and links; {lost}\n"
        ),
        (AssessedRisk::Simulated(_), _) => format!(
            "  {} samples of {hours} hours, seed {}; +- is one standard error; {lost}\n",
            network.samples, network.seed
        ),
    }
}

/// Where capacity was added.
fn place(report: &AdequacyReport<'_>, area: Option<&str>) -> String {
    match area {
        _ if report.network.areas.len() == 1 => String::new(),
        Some(area) => format!(" in {area}"),
        None => " in all areas by their largest load".to_owned(),
    }
}

fn firm_words(report: &AdequacyReport<'_>, asked: &str, firm: &Crossing) -> String {
    let sense = if firm.high < 0.0 { "may be taken away" } else { "must be added" };
    let unit = report.capacity();
    format!(
        "  {asked}: {:.6} {unit} of firm capacity {sense}{}\n{}{}",
        firm.high.abs(),
        place(report, report.area),
        precision(report, firm),
        trace(report, firm, asked.split(' ').next().unwrap_or("risk")),
    )
}

/// How sure an answer is.
fn precision(report: &AdequacyReport<'_>, found: &Crossing) -> String {
    let wide = found.high - found.low;
    let tried = found.tried;
    if report.method == Method::Exact {
        return format!("    exactly; the bracket is {wide:.1e} wide, {tried} capacities tried\n");
    }
    let end = |end: Option<f64>, far: &str| end.map_or(far.to_owned(), |at| format!("{at:.3}"));
    format!(
        "    {} samples; risk is within two standard errors of it from {} to {}; the bracket is \
         {wide:.1e} wide, {tried} capacities tried\n",
        report.network.samples,
        end(found.from, "where the search ends"),
        end(found.to, "where it ends"),
    )
}

/// The bracket as it shrank, until it is far narrower than what is known of the answer.
fn trace(report: &AdequacyReport<'_>, found: &Crossing, risk: &str) -> String {
    let mut text = String::new();
    let narrow = match (found.from, found.to) {
        (Some(from), Some(to)) => ((to - from) / 50.0).max(1e-4),
        _ => 1e-4,
    };
    for (low, high) in &found.trace {
        let number = |value: Estimate| match report.method {
            Method::Exact => format!("{:.6}", value.mean),
            Method::MonteCarlo => estimate(value),
        };
        // A zero has no sign.
        let end = |at: f64, value: Estimate| format!("{:.4} ({risk} {})", at + 0.0, number(value));
        let line = format!(
            "    bracket {} to {}\n",
            end(low.capacity, low.risk),
            end(high.capacity, high.risk)
        );
        text += &line;
        if high.capacity - low.capacity < narrow {
            break;
        }
    }
    text
}

fn value_words(
    report: &AdequacyReport<'_>,
    name: &str,
    area: &str,
    value: &CapacityValue,
) -> String {
    let credit = |capacity: f64| match value.nameplate {
        nameplate if nameplate > 0.0 => format!("{:.2} %", 100.0 * capacity / nameplate),
        _ => "no nameplate".to_owned(),
    };
    let what = match name.strip_prefix("link:") {
        Some(link) => format!("link {link}"),
        None => match name.strip_suffix(":all") {
            Some(group) => format!("all of {group}"),
            None => format!("one of {name}"),
        },
    };
    let number = |value: Estimate| match report.method {
        Method::Exact => format!("{:.6}", value.mean),
        Method::MonteCarlo => estimate(value),
    };
    let lole = report.per_period("h");
    let (elcc, efc) = (value.elcc.low, value.efc.high);
    // Where every hour is lost without it, any load is as bad: the search went to its end.
    let all_lost = value.lole_without.mean >= report.network.hours() as f64 * (1.0 - 1e-9);
    let saturated = if all_lost {
        "\n    every hour is lost without it: the ELCC is where the search ended, and no value"
    } else {
        ""
    };
    format!(
        "  {what}, {} {}: ELCC {elcc:.6} ({}), EFC {efc:.6} ({}){}\n    LOLE {} {lole} with it, {} \
         without it{saturated}\n  ELCC\n{}{}  EFC\n{}{}",
        value.nameplate,
        report.capacity(),
        credit(elcc),
        credit(efc),
        place(report, Some(area)),
        number(value.lole_with),
        number(value.lole_without),
        precision(report, &value.elcc),
        trace(report, &value.elcc, "LOLE"),
        precision(report, &value.efc),
        trace(report, &value.efc, "LOLE"),
    )
}
