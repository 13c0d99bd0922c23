//! The errors of the model against measurements: one table for a terminal, and the page
//! `docs/validation.md`. What is compared, and how, is in [`crate::study`].

use std::fmt::Write;

use super::published::{self, PublishedFactors, grown_factors, stated_factors};
use crate::study::{
    EFFICIENCY_COEFFICIENTS, EfficiencyFit, ErrorGroup, FittedCoefficients, HoldOut, LogErrors,
    PublishedOutcome, Row, Spread, cell_error, error_groups, measured_scatter,
};

/// By how much an error may exceed what the page states, relative: rounding of the page.
const TOLERANCE: f64 = 0.02;
/// Medians of a cell above this are called weak.
const WEAK: f64 = 0.3;

/// All that was compared.
pub struct Validation<'a> {
    /// Where they are from.
    pub folder: String,
    /// The recorded runs.
    pub rows: &'a [Row<'a>],
    /// Errors with the efficiencies that ship, in the order of the rows.
    pub shipped: &'a [Option<LogErrors>],
    /// A fit made anew, if it was asked for.
    pub fitted: Option<&'a EfficiencyFit>,
    /// Published throughputs of whole systems.
    pub published: Vec<PublishedOutcome>,
    /// Runs that the catalogue does not know, by system and model.
    pub skipped: Vec<(String, usize)>,
    /// Request logs by name, and how well the first half of each foretells the second.
    pub logs: Vec<(String, HoldOut)>,
}

/// What a page states.
#[derive(Debug, Clone, PartialEq)]
pub struct StatedErrors {
    /// Errors over all runs, in percent: medians and 90th percentiles of the time per output token,
    /// the throughput and the time to first token.
    pub runs: [(f64, f64); 3],
    /// How many runs those are.
    pub compared: usize,
    /// Errors of request logs in percent, by `log | latency`: mean, P50, P90, P99.
    pub logs: Vec<(String, [f64; 4])>,
    /// Factors by which published throughputs are missed; empty where the page has none.
    pub published: Vec<PublishedFactors>,
}

/// What begins the table of request logs on the page.
const LOG_HEAD: &str = "| log | latency | mean | P50 | P90 | P99 |";
/// Latencies of a request log.
const LATENCIES: [&str; 3] = ["TTFT", "TPOT", "E2E"];
/// By how many percentage points an error of a request log may exceed what the page states:
/// rounding of the page.
const LOG_TOLERANCE: f64 = 0.15;

const QUANTITIES: [&str; 3] = ["TPOT", "tokens/s/GPU", "TTFT"];

fn percent(value: f64) -> String {
    let percent = 100.0 * value;
    if percent.abs() < 99.95 { format!("{percent:.1}") } else { format!("{percent:.0}") }
}

fn cells(spread: &Spread) -> [String; 3] {
    let bias = percent(spread.bias);
    let sign = if spread.bias < 0.0 { "" } else { "+" };
    [percent(spread.median), percent(spread.p90), format!("{sign}{bias}")]
}

/// A table of groups for people.
fn group_table(groups: &[ErrorGroup]) -> String {
    let width = groups.iter().map(|group| group.name.len()).max().unwrap_or(0).max(10);
    let [tpot, rate, ttft] = QUANTITIES;
    let mut text = format!("{:width$} {:>5}  {tpot:^20}  {rate:^20}  {ttft:^20}\n", "", "");
    let _ = write!(text, "{:width$} {:>5}", "error in %", "runs");
    for _ in 0..3 {
        let _ = write!(text, "  {:>6}{:>7}{:>7}", "median", "P90", "bias");
    }
    text.push('\n');
    for group in groups {
        let _ = write!(text, "{:width$} {:>5}", group.name, group.runs);
        for [median, p90, bias] in group.spreads.iter().map(cells) {
            let _ = write!(text, "  {median:>6}{p90:>7}{bias:>7}");
        }
        text.push('\n');
    }
    text
}

/// The same as a table of the page.
fn group_markdown(groups: &[ErrorGroup]) -> String {
    let mut text = "| runs of | runs | TPOT | P90 | bias | tokens/s/GPU | P90 | bias | TTFT | P90 \
                    | bias |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for group in groups {
        let spreads: Vec<String> = group.spreads.iter().flat_map(cells).collect();
        let _ = writeln!(text, "| {} | {} | {} |", group.name, group.runs, spreads.join(" | "));
    }
    text
}

impl Validation<'_> {
    /// The table for a terminal.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::new();
        if let Some(fitted) = self.fitted {
            text += "On cells that the fit has not seen (leave one cell out)\n\n";
            text += &group_table(&error_groups(self.rows, &fitted.unseen));
            text += "\nOn all runs that it was fitted to\n\n";
            text += &group_table(&error_groups(self.rows, &fitted.seen));
        }
        text += "\nWith the efficiencies that ship (fitted to runs like these)\n\n";
        text += &group_table(&error_groups(self.rows, self.shipped));
        text += &published::table(&self.published);
        if !self.logs.is_empty() {
            text += "\nRequest logs, a fit to the first half against the second, error in %:\n";
            let _ =
                writeln!(text, "{:<26} {:>8} {:>8} {:>8} {:>8}", "", "mean", "P50", "P90", "P99");
        }
        for (name, latency, errors) in self.log_errors() {
            let [mean, p50, p90, p99] = errors;
            let _ = writeln!(
                text,
                "{:<26} {mean:>8} {p50:>8} {p90:>8} {p99:>8}",
                format!("{name} {latency}")
            );
        }
        let _ = writeln!(text, "\n{} runs have no prediction: weights do not fit", self.not_held());
        for (name, runs) in &self.skipped {
            let _ = writeln!(text, "not compared: {runs} runs of {name} (not in the catalogue)");
        }
        text
    }

    /// What has grown past what a page states, a line each.
    #[must_use]
    pub fn grown_past(&self, stated: &StatedErrors) -> Vec<String> {
        let groups = error_groups(self.rows, self.shipped);
        let Some(all) = groups.first() else { return vec!["no run has a prediction".to_owned()] };
        let mut grown = Vec::new();
        if all.runs < stated.compared {
            grown.push(format!("{} runs have an error, stated {}", all.runs, stated.compared));
        }
        for ((name, spread), (median, p90)) in QUANTITIES.iter().zip(&all.spreads).zip(stated.runs)
        {
            let pairs = [("median", spread.median, median), ("P90", spread.p90, p90)];
            for (which, now, stated) in pairs {
                let bound = stated * (1.0 + TOLERANCE) + 0.05;
                let kept = 100.0 * now <= bound;
                if !kept {
                    let now = percent(now);
                    grown.push(format!("{which} error of {name}: {now} %, stated {stated} %"));
                }
            }
        }
        grown.extend(grown_factors(&published::factors(&self.published), &stated.published));
        grown.extend(grown_logs(&self.log_percents(), &stated.logs));
        grown
    }

    /// Errors of the request logs in percent, by `log | latency`.
    fn log_percents(&self) -> Vec<(String, [f64; 4])> {
        let rows = self.logs.iter().flat_map(|(name, held)| {
            let errors = LATENCIES.into_iter().zip(held.errors);
            errors.map(move |(latency, errors)| {
                (format!("{name} | {latency}"), errors.map(|error| 100.0 * error))
            })
        });
        rows.collect()
    }

    /// Errors of the request logs in percent, by log and latency.
    fn log_errors(&self) -> Vec<(&str, &str, [String; 4])> {
        let shown = |error: f64| format!("{:+.1}", 100.0 * error);
        let mut rows = Vec::new();
        for (name, held) in &self.logs {
            for (latency, errors) in LATENCIES.into_iter().zip(held.errors) {
                rows.push((name.as_str(), latency, errors.map(shown)));
            }
        }
        rows
    }

    /// Whether these are as many runs as those that the shipped fit was made of.
    fn of_the_shipped_fit(&self) -> bool {
        self.fitted_rows() == FittedCoefficients::shipped().runs as usize
    }

    /// How many runs are fitted: those that are predicted and possible.
    fn fitted_rows(&self) -> usize {
        let fitted =
            |(row, error): &(&Row<'_>, &Option<LogErrors>)| error.is_some() && !row.beyond_roof();
        self.rows.iter().zip(self.shipped).filter(fitted).count()
    }

    /// How many runs have no prediction.
    fn not_held(&self) -> usize {
        self.shipped.iter().filter(|error| error.is_none()).count()
    }

    /// The coefficients of the new fit as `configs/efficiencies.ron`.
    #[must_use]
    pub fn coefficients_ron(&self) -> Option<String> {
        let fitted = self.fitted?;
        let shipped = FittedCoefficients::shipped();
        let mut text = format!(
            "// Coefficients of the step time, fitted by `sparkgap validate DIR --fit`; see \
             docs/validation.md.\n//\n// Shares are of the dense peak, of the memory bandwidth and \
             of the link's bandwidth; overheads are\n// seconds of a layer and step (of a \
             sequence and step: sequence_overhead; of a prompt token:\n// prompt_overhead). What \
             has no generation is stated for Hopper and goes with the layer overhead.\n\
             // relative_error: jackknife over cells. cell_error: standard deviation of the log \
             error of the\n// throughput of a cell that the fit has not seen.\n(\n    source: \
             {:?},\n    runs: {},\n",
            if self.of_the_shipped_fit() {
                shipped.source.clone()
            } else {
                format!("recorded runs of {}", self.folder)
            },
            self.fitted_rows(),
        );
        let mut cells: Vec<&str> = self.rows.iter().map(|row| row.cell.as_str()).collect();
        cells.sort_unstable();
        cells.dedup();
        let _ = write!(text, "    cells: {},\n    coefficients: {{\n", cells.len());
        for (index, name) in EFFICIENCY_COEFFICIENTS.iter().enumerate() {
            let value = fitted.coefficients.get(name);
            let error = fitted.relative_errors[index];
            let _ = writeln!(
                text,
                "        \"{name}\": (value: {value:.3e}, relative_error: {error:.3}),"
            );
        }
        text += "    },\n    cell_error: {\n";
        for (name, error) in cell_error(self.rows, &fitted.unseen) {
            let _ = writeln!(text, "        \"{name}\": {error:.3},");
        }
        text += "    },\n)\n";
        Some(text)
    }

    /// The page `docs/validation.md`.
    #[must_use]
    pub fn page(&self) -> String {
        let mut text = INTRODUCTION.to_owned();
        if let Some(fitted) = self.fitted {
            let unseen = error_groups(self.rows, &fitted.unseen);
            text += "## On cells that the fit has not seen\n\nLeave one cell out: the honest one. \
                     Errors in percent: median and 90th percentile of the absolute log error as a \
                     factor less one, and the median of the signed one (above zero: more is \
                     predicted than was measured).\n\n";
            text += &group_markdown(&unseen);
            text += &weak_cells(&unseen, self.of_the_shipped_fit());
        }
        text += "\n## On all runs, with the efficiencies that ship\n\n`.ci/run` fails when the \
                 first row grows or has fewer runs.\n\n";
        text += &group_markdown(&error_groups(self.rows, self.shipped));
        text += &self.limits();
        text += &published::markdown(&self.published);
        text += "\n## Request logs of vLLM\n\n`sparkgap calibrate`: step times fitted to the first \
                 half of a log, all arrivals replayed, the second compared (calibrate.md has what \
                 was looked at). Error in percent; `.ci/run` fails when one grows.\n\n";
        let _ = writeln!(text, "{LOG_HEAD}\n|---|---|--:|--:|--:|--:|");
        for (name, latency, errors) in self.log_errors() {
            let _ = writeln!(text, "| {name} | {latency} | {} |", errors.join(" | "));
        }
        text += &coefficients_markdown();
        text
    }

    fn limits(&self) -> String {
        let mut text = "\n## What limits it\n\nMeasurements of one configuration (same system, \
                        model, format, layout, lengths and concurrency) differ from each other; \
                        a model that does not know the version misses one of them by half of that \
                        at best. Ratio of two of them, in percent:\n\n\
                        | pairs from | TPOT median | P90 | TTFT median | P90 \
                        |\n|---|--:|--:|--:|--:|\n"
            .to_owned();
        let names = ["versions of one engine", "two engines"];
        for (name, scatter) in names.iter().zip(measured_scatter(self.rows)) {
            let Some([tpot, ttft]) = scatter else { continue };
            let values = [tpot.median, tpot.p90, ttft.median, ttft.p90].map(percent);
            let _ = writeln!(text, "| {name} | {} |", values.join(" | "));
        }
        let _ = writeln!(
            text,
            "\nRuns whose weights do not fit by the model and that have no error: {}.",
            self.not_held()
        );
        let beyond = self.rows.iter().filter(|row| row.beyond_roof()).count();
        let speculative = self.rows.iter().filter(|row| row.speculative).count();
        let _ = write!(
            text,
            "\n{speculative} runs are taken to decode speculatively (DeepSeek-R1 on TensorRT-LLM, \
             by version and date). {beyond} runs would need more than 70 % of the dense peak for \
             their prompts: they must have found them in a cache. They are not fitted, and are in \
             every table.\n"
        );
        text
    }
}

const INTRODUCTION: &str = "\
# The model against measurements

`sparkgap validate DIR --fit --write docs/validation.md` writes this page; `sparkgap validate DIR`
prints its tables with the efficiencies that ship. DIR holds recorded runs: tables with the columns
of the public dump of InferenceX results in NVIDIA's `aisimulate` package (system, model, precision,
mode, backend, backend_version, measured, isl, osl, concurrency, gpus, tp, pp and attention_dp of
each role, ttft_ms, tpot_ms, output_tok_s_per_gpu). The runs are not part of this project; the
coefficients fitted to them are.

Every run is simulated by the engine itself: the same layout, a closed loop of the same concurrency,
ten calls for each in flight, lengths drawn as the benchmark draws them. The step time is the
roofline of `model.md`, section 3. SGLang computes prompts in steps of their own, the other engines
beside decode. TTFT is what the engine says and, by serving stack, what clients see beyond it. A
cell is a system, model, format and mode.

";

/// The cells that a sceptic should know first.
fn weak_cells(groups: &[ErrorGroup], known: bool) -> String {
    let mut text = format!(
        "\n### Weak cells\n\nMedian of TPOT or throughput above {:.0} %:\n\n",
        100.0 * WEAK
    );
    for group in groups {
        let [tpot, rate, _] = &group.spreads;
        if tpot.median.max(rate.median) > WEAK {
            let _ = writeln!(
                text,
                "- {} ({} runs): TPOT {} %, throughput {} %{}",
                group.name,
                group.runs,
                percent(tpot.median),
                percent(rate.median),
                if known { reason(&group.name) } else { "" }
            );
        }
    }
    text
}

/// What is known of why a cell is weak.
fn reason(cell: &str) -> &'static str {
    const REASONS: [(&str, &str); 7] = [
        ("DeepSeek-R1-NVFP4", ". All at 85 to 92 ms whatever the concurrency: not what is stated"),
        (
            "DeepSeek-V3.1-NVFP4",
            ". One run, three times as fast as like ones: speculative decoding",
        ),
        (
            "b300_sxm DeepSeek-V3",
            ". Times to first token of up to a minute: its queue, not its steps",
        ),
        ("h100_sxm DeepSeek-V3 fp8 disagg", ". Two nodes to a replica, over InfiniBand"),
        (
            "Llama-3.1-8B-Instruct-FP8",
            ". Near or beyond the compute roof: prompts found in a cache",
        ),
        ("gpt-oss-120b fp8", ". Five runs of another benchmark"),
        ("Kimi-K2.5 int4", ". Kernels for 4-bit integers made for Hopper"),
    ];
    REASONS.iter().find(|(name, _)| cell.contains(name)).map_or("", |(_, reason)| reason)
}

fn coefficients_markdown() -> String {
    let shipped = FittedCoefficients::shipped();
    let mut text = format!(
        "\n## Coefficients\n\n{} coefficients (`configs/efficiencies.ron`), fitted to {} runs in \
         {} cells. Shares of the dense peak, of the memory and of the link; seconds; steps. \
         Standard errors by jackknife over cells.\n\n\
         | coefficient | value | error |\n|---|--:|--:|\n",
        shipped.coefficients.len(),
        shipped.runs,
        shipped.cells
    );
    for name in EFFICIENCY_COEFFICIENTS {
        let Some(coefficient) = shipped.coefficients.get(name) else { continue };
        let value = coefficient.value;
        let shown =
            if value < 0.01 { format!("{:.3} us", value * 1e6) } else { format!("{value:.3}") };
        let _ = writeln!(text, "| {name} | {shown} | {} % |", percent(coefficient.relative_error));
    }
    text += "\nA new cell's throughput is off by a factor whose logarithm has this standard \
             deviation (median over unseen cells); it enters the worlds of a run as \
             `realised`:\n\n";
    for (name, error) in &shipped.cell_error {
        let _ = writeln!(text, "- {name}: {error:.3}");
    }
    text
}

/// What a page states of all runs with the efficiencies that ship, by the last row that begins with
/// `| all runs |`, and of published throughputs.
#[must_use]
pub fn stated_errors(page: &str) -> Option<StatedErrors> {
    let row = page.lines().rev().find(|line| line.starts_with("| all runs |"))?;
    let values: Vec<f64> = row.split('|').filter_map(|cell| cell.trim().parse().ok()).collect();
    let of = |index: usize| Some((*values.get(1 + 3 * index)?, *values.get(2 + 3 * index)?));
    Some(StatedErrors {
        runs: [of(0)?, of(1)?, of(2)?],
        compared: *values.first()? as usize,
        logs: stated_logs(page),
        published: stated_factors(page),
    })
}

fn stated_logs(page: &str) -> Vec<(String, [f64; 4])> {
    let table = page.lines().skip_while(|line| *line != LOG_HEAD).skip(2);
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let value = |index: usize| cells.get(index)?.parse().ok();
        let name = format!("{} | {}", cells.first()?, cells.get(1)?);
        Some((name, [value(2)?, value(3)?, value(4)?, value(5)?]))
    };
    table.map_while(row).collect()
}

/// Errors of request logs that have grown past what a page states, a line each. A log that is not
/// there is one; a new one is not.
fn grown_logs(now: &[(String, [f64; 4])], stated: &[(String, [f64; 4])]) -> Vec<String> {
    let mut grown = Vec::new();
    for (name, said) in stated {
        let Some((_, errors)) = now.iter().find(|(known, _)| known == name) else {
            grown.push(format!("request log {name}: not compared, but the page states it"));
            continue;
        };
        for ((which, now), said) in ["mean", "P50", "P90", "P99"].iter().zip(errors).zip(said) {
            let kept = now.abs() <= said.abs() + LOG_TOLERANCE;
            if !kept {
                grown.push(format!("request log {name}: {which} {now:+.1} %, stated {said:+.1} %"));
            }
        }
    }
    grown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_states_what_it_was_written_with() {
        let page = "| all runs | 9 | 99 | 99 | +9 | 9 | 9 | 9 | 9 | 9 | 9 |\ntext\n\
                    | all runs | 23 | 10.5 | 30.3 | +1 | 10.0 | 30.6 | -1 | 30.0 | 157 | +2 |\n";
        let stated = stated_errors(page).expect("a row");
        assert_eq!(stated.runs, [(10.5, 30.3), (10.0, 30.6), (30.0, 157.0)]);
        assert_eq!(stated.compared, 23);
        assert!(stated.published.is_empty() && stated.logs.is_empty());
        assert_eq!(stated_errors("no table"), None);
    }

    #[test]
    fn errors_of_request_logs_are_held() {
        let page = format!(
            "{LOG_HEAD}\n|---|---|--:|--:|--:|--:|\n\
             | a | TTFT | +1.5 | -1.3 | +4.1 | +1.4 |\n| b | E2E | 0.0 | 0.1 | 0.2 | 0.3 |\n\n"
        );
        let stated = stated_logs(&page);
        assert_eq!(stated[0], ("a | TTFT".to_owned(), [1.5, -1.3, 4.1, 1.4]));
        assert_eq!(stated.len(), 2);
        let kept = [
            ("a | TTFT".to_owned(), [-1.6, 1.4, 4.2, 0.0]),
            ("b | E2E".to_owned(), [0.1, 0.1, 0.2, 0.3]),
            ("c | E2E".to_owned(), [99.0; 4]),
        ];
        assert!(grown_logs(&kept, &stated).is_empty());
        let mut worse = kept.clone();
        worse[0].1[2] = -4.5;
        let told = ["request log a | TTFT: P90 -4.5 %, stated +4.1 %"];
        assert_eq!(grown_logs(&worse, &stated), told);
        let told = ["request log b | E2E: not compared, but the page states it"];
        assert_eq!(grown_logs(&kept[..1], &stated), told);
    }
}
