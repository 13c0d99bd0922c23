//! The yearly table for a terminal: the finding first, then the rows, then what they rest on.

use crate::hardware::Provenance;
use crate::plan::{Answer, Cost, Eue, YearResult};
use crate::stats::{Estimate, RankedQuantile, Spread};

use super::measures_table::{adequacy_notes, adequacy_rows};
use super::rounding::Scale;
use super::short_hash;

type OfSpread = fn(&YearResult) -> Spread;
type OfEstimate = fn(&YearResult) -> Estimate;
type OfCost = fn(&Cost) -> Spread;
type OfEue = fn(&Eue) -> Estimate;

/// The finding, the table with the years as columns, and what the numbers rest on.
///
/// Prose is wrapped to `width` (100 if unknown, never below 60 or above 120); the table itself
/// never wraps, it only closes its columns up when it would not fit.
#[must_use]
pub fn table(answer: &Answer, width: Option<usize>) -> String {
    let width = width.unwrap_or(100).clamp(60, 120);
    let mut out = wrapped(&answer.finding, width, "");
    out.push('\n');
    out.push_str(&laid_out(&rows(answer), width, &answer.years));
    out.push('\n');
    for line in foundations(answer) {
        out.push_str(&wrapped(&line, width, "  "));
    }
    if !answer.caveats.is_empty() {
        out.push_str("What these numbers are not:\n");
        for caveat in &answer.caveats {
            out.push_str(&wrapped(&format!("- {caveat}"), width, "  "));
        }
    }
    out
}

/// A heading, or a label with one cell for each year.
enum Row {
    Heading(String),
    Cells(String, Vec<String>),
}

/// Collects the rows of an answer's years.
struct Rows<'a> {
    years: &'a [YearResult],
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn heading(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Heading(text.into()));
    }

    fn cells(&mut self, label: String, cell: impl Fn(&YearResult) -> String) {
        self.rows.push(Row::Cells(label, self.years.iter().map(cell).collect()));
    }

    /// One row of medians.
    fn median(&mut self, label: &str, unit: &str, of: OfSpread) {
        let scale = Scale::of_counts(self.years.iter().map(|year| of(year).p50.value));
        self.cells(format!("{label}, {}", scale.unit(unit)), |year| scale.quantile(of(year).p50));
    }

    /// Three rows, P10, P50 and P90, that share a scale.
    fn spread(&mut self, label: &str, unit: &str, signed: bool, of: OfSpread) {
        let all = self.years.iter().flat_map(|year| quantiles(of(year)).map(|(_, q)| q.value));
        let scale = Scale::of_counts(all);
        for index in 0..3 {
            let name = quantiles(Spread::default())[index].0;
            self.cells(format!("{label} {name}, {}", scale.unit(unit)), |year| {
                let quantile = quantiles(of(year))[index].1;
                if signed { scale.signed(quantile) } else { scale.quantile(quantile) }
            });
        }
    }

    /// Two rows, the ends of the 90 % interval of a median, on the scale of its spread.
    fn interval(&mut self, label: &str, unit: &str, of: OfSpread) {
        let all = self.years.iter().flat_map(|year| quantiles(of(year)).map(|(_, q)| q.value));
        let scale = Scale::of_counts(all);
        for (name, upper) in [("from", false), ("to", true)] {
            self.cells(format!("  {label} 90 % {name}, {}", scale.unit(unit)), |year| {
                let median = of(year).p50;
                let value = if upper { median.high } else { median.low };
                scale.signed(RankedQuantile { value, ..median })
            });
        }
    }

    /// One row of means with standard errors that is never scaled.
    fn plain_estimate(&mut self, label: &str, of: OfEstimate) {
        self.cells(label.to_owned(), |year| Scale::ONE.estimate(of(year)));
    }
}

fn quantiles(spread: Spread) -> [(&'static str, RankedQuantile); 3] {
    [("P10", spread.p10), ("P50", spread.p50), ("P90", spread.p90)]
}

fn rows(answer: &Answer) -> Vec<Row> {
    let mut rows = Rows { years: &answer.years, rows: Vec::new() };
    demand_rows(&mut rows);
    need_rows(&mut rows, &answer.candidate.accelerator);
    gap_rows(&mut rows);
    cost_rows(&mut rows);
    reliability_rows(&mut rows, answer);
    rows.rows
}

fn demand_rows(rows: &mut Rows) {
    rows.heading("Demand, median over worlds");
    rows.median("assistant users a day", "people", |year| year.daily_users);
    rows.median("user requests", "per day", |year| year.user_requests_per_day);
    rows.median("engine calls", "per day", |year| year.engine_calls_per_day);
    rows.median("tokens in", "per day", |year| year.tokens_in_per_day);
    rows.median("  of which cached", "per day", |year| year.tokens_cached_per_day);
    rows.median("tokens out", "per day", |year| year.tokens_out_per_day);
    rows.heading("In reference GPUs, median over worlds");
    rows.median("peak demand", "ref. GPUs", |year| year.peak_demand);
    rows.median("own usable capacity", "ref. GPUs", |year| year.own_capacity);
    rows.median("external need", "ref. GPUs", |year| year.need_reference);
    rows.cells("one candidate GPU, ref. GPUs".to_owned(), |year| {
        format!("{:.2}", year.reference_per_candidate.p50.value)
    });
}

fn need_rows(rows: &mut Rows, candidate: &str) {
    rows.heading(format!("External need, in firm {candidate}"));
    rows.spread("need", "GPUs", false, |year| year.need_gpus);
    rows.spread("need", "racks", false, |year| year.need_racks);
    rows.spread("need", "MW IT", false, |year| year.need_megawatts);
    let scale = Scale::of_counts(rows.years.iter().map(|year| year.need_all_worlds.gpus));
    rows.cells(format!("need, all worlds at once, {}", scale.unit("GPUs")), |year| {
        let reading = year.need_all_worlds;
        let quantile = RankedQuantile { value: reading.gpus, low: reading.low, high: reading.high };
        if reading.resolved { scale.quantile(quantile) } else { "n.r.".to_owned() }
    });
}

fn gap_rows(rows: &mut Rows) {
    rows.heading("Gap after contracts in hand: + short, - surplus");
    rows.median("contracted, nameplate", "GPUs", |year| year.contracted_gpus);
    rows.median("of it for the assistant", "GPUs", |year| year.contracted_for_assistant_gpus);
    rows.median("firm contribution", "GPUs", |year| year.firm_contribution_gpus);
    rows.spread("gap", "GPUs", true, |year| year.gap_gpus);
    rows.interval("gap P50", "GPUs", |year| year.gap_gpus);
    rows.spread("gap", "racks", true, |year| year.gap_racks);
    rows.spread("gap", "MW IT", true, |year| year.gap_megawatts);
    rows.cells("worlds that are short, %".to_owned(), |year| {
        format!("{:.0}", year.short_worlds * 100.0)
    });
    rows.cells("sign by, where any is short".to_owned(), |year| {
        // Year and month are enough for a table; `!` marks a date that has passed.
        let late = if year.can_be_signed { "" } else { "!" };
        let date: String = year.sign_by.chars().take(7).collect();
        if year.short_worlds > 0.0 { format!("{date}{late}") } else { "-".to_owned() }
    });
}

fn cost_rows(rows: &mut Rows) {
    let parts: [(&str, OfCost); 4] = [
        ("contracts", |cost| cost.contracts),
        ("on demand", |cost| cost.on_demand),
        ("closing the gap", |cost| cost.gap),
        ("total", |cost| cost.total),
    ];
    rows.heading("Cost of external capacity, median over worlds");
    for (label, part) in parts {
        let scale = Scale::of(rows.years.iter().map(|year| part(&year.cost).p50.value));
        rows.cells(format!("{label}, {}", scale.unit("USD")), |year| {
            scale.quantile(part(&year.cost).p50)
        });
    }
}

fn reliability_rows(rows: &mut Rows, answer: &Answer) {
    rows.heading("Reliability, mean over worlds ± standard error");
    rows.plain_estimate("LOLE, own only, h/yr", |year| year.lole_own);
    rows.plain_estimate("LOLE, with contracts, h/yr", |year| year.lole_with_contracts);
    let units: [(&str, &str, OfEue); 3] = [
        ("EUE", "calls/yr", |eue| eue.calls),
        ("EUE", "out tokens/yr", |eue| eue.output_tokens),
        ("EUE", "ref. GPU-h/yr", |eue| eue.reference_gpu_hours),
    ];
    for (side, with_contracts) in [("own only", false), ("with contracts", true)] {
        for (label, unit, part) in units {
            let of = |year: &YearResult| {
                part(if with_contracts { &year.eue_with_contracts } else { &year.eue_own })
            };
            let scale = Scale::of_counts(rows.years.iter().map(|year| of(year).mean));
            rows.cells(format!("{label} {side}, {}", scale.unit(unit)), |year| {
                scale.estimate(of(year))
            });
        }
    }
    for (label, cells) in adequacy_rows(&answer.adequacy) {
        rows.rows.push(Row::Cells(label, cells));
    }
    if answer.lends_training {
        let of = |year: &YearResult| year.borrowed_gpu_hours;
        let scale = Scale::of_counts(rows.years.iter().map(|year| of(year).mean));
        rows.cells(format!("lent by training, {}", scale.unit("ref. GPU-h/yr")), |year| {
            scale.estimate(of(year))
        });
    }
    let kinds: [(&str, OfEstimate); 2] = [
        ("answered by a smaller model", |year| year.degraded_calls),
        ("refused, asked again", |year| year.returned_calls),
    ];
    for (label, of) in kinds {
        if rows.years.iter().any(|year| of(year).mean > 0.0) {
            let scale = Scale::of_counts(rows.years.iter().map(|year| of(year).mean));
            let unit = scale.unit("calls/yr");
            rows.cells(format!("{label}, {unit}"), |year| scale.estimate(of(year)));
        }
    }
    rows.plain_estimate("deferrable misses, % of work", |year| {
        let misses = year.deferrable_misses;
        Estimate { mean: misses.mean * 100.0, standard_error: misses.standard_error * 100.0 }
    });
}

/// Right-aligned columns; two blanks between them where that fits `width`, one where not.
fn laid_out(rows: &[Row], width: usize, years: &[YearResult]) -> String {
    let columns = years.len();
    let mut label_width = 0;
    let mut widths = vec![4; columns];
    for row in rows {
        if let Row::Cells(label, cells) = row {
            label_width = label_width.max(label.chars().count() + 2);
            for (widest, cell) in widths.iter_mut().zip(cells) {
                *widest = (*widest).max(cell.chars().count());
            }
        }
    }
    let total = label_width + widths.iter().sum::<usize>() + 2 * columns;
    let space = if total <= width { 2 } else { 1 };
    let line = |label: &str, cells: &[String]| {
        let mut text = format!("{label:<label_width$}");
        for (cell, cell_width) in cells.iter().zip(&widths) {
            text.push_str(&" ".repeat(space));
            text.push_str(&format!("{cell:>cell_width$}"));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        text
    };
    let calendar: Vec<String> = years.iter().map(|year| year.year.to_string()).collect();
    let mut out = line("", &calendar);
    for row in rows {
        match row {
            Row::Heading(text) => {
                out.push_str(text);
                out.push('\n');
            }
            Row::Cells(label, cells) => out.push_str(&line(&format!("  {label}"), cells)),
        }
    }
    out
}

/// Whose step times were measured, whose were fitted to measurements, and whose are inherited or
/// set by hand.
fn serving_basis(answer: &Answer) -> String {
    let named = |wanted: Provenance, words: &str| {
        let of = answer.serving.iter().filter(|serving| serving.basis == wanted);
        let names = of.map(|serving| serving.accelerator.as_str()).collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| format!("{words} ({names})"))
    };
    let measured = answer.serving.iter().filter(|serving| !serving.measured.is_empty());
    let measured = measured
        .map(|serving| format!("{} on {}", serving.measured.join(", "), serving.accelerator));
    let measured = measured.collect::<Vec<_>>().join("; ");
    let parts = [
        (!measured.is_empty()).then(|| format!("step times measured ({measured})")),
        named(Provenance::Fitted, "fitted to measurements"),
        named(Provenance::Stated, "set by hand, stated"),
        named(Provenance::Bound, "inherited with a doubt, a bound"),
    ];
    format!("Serving: {}.", parts.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// What the numbers rest on, one sentence or two per line.
fn foundations(answer: &Answer) -> Vec<String> {
    let from = &answer.provenance;
    let candidate = &answer.candidate;
    let mut lines = adequacy_notes(answer);
    lines.extend([
        format!(
            "Criterion: interactive LOLE <= {} h/yr, deferrable misses <= {} % of deferrable work.",
            answer.criterion.interactive_lole.0,
            short(answer.criterion.deferrable_misses.0 * 100.0),
        ),
        format!(
            "Sample: {} worlds x {} inner years, epoch {} h, seed {}. Scenario {}, hash {}, \
             sparkgap {}.",
            from.worlds,
            from.inner_years,
            short(from.epoch_hours),
            from.seed,
            from.scenario,
            short_hash(&from.hash),
            from.version,
        ),
        format!(
            "Candidate: {} in racks of {} GPUs ({:.1} of them firm), {:.2} kW IT and {:.2} USD/h \
             per GPU. Reference GPU: one {} package with the software of the time.",
            candidate.accelerator,
            candidate.gpus_per_rack,
            candidate.firm_gpus_per_rack,
            candidate.kilowatts_per_gpu,
            candidate.dollars_per_gpu_hour,
            answer.reference,
        ),
        serving_basis(answer),
        "P10, P50 and P90 are quantiles over worlds: rows do not add up. k, M, B, T are 1e3, 1e6, \
         1e9, 1e12."
            .to_owned(),
    ]);
    let late = |year: &YearResult| year.short_worlds > 0.0 && !year.can_be_signed;
    if answer.years.iter().any(late) {
        lines.push(
            "!: the candidate's lead time has run out for 1 January: signing now cannot close it."
                .to_owned(),
        );
    }
    if answer.years.iter().any(|year| !year.need_all_worlds.resolved) {
        lines.push(
            "n.r.: not resolved, one world carries more than a quarter of the short hours left."
                .to_owned(),
        );
    }
    lines
}

/// A given number in three digits, without zeros at its end.
fn short(value: f64) -> String {
    let text = Scale::ONE.value(value);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Words filled into lines of at most `width` characters; later lines start with `indent`.
pub(super) fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}
