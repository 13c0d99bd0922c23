//! Errors of many runs in a few numbers: by generation, system, model and mode, and the scatter of
//! the measurements themselves.

use std::collections::BTreeMap;

use super::coefficients::generation;
use super::fit::LogErrors;
use super::rows::Row;

/// Errors of one quantity over a group of runs, as relative factors: 0.12 is 12 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Median of the absolute log error, as a relative factor.
    pub median: f64,
    /// Its 90th percentile.
    pub p90: f64,
    /// Median of the signed log error: above zero, more is predicted than was measured.
    pub bias: f64,
}

/// A group of runs.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorGroup {
    /// What they have in common.
    pub name: String,
    /// How many there are.
    pub runs: usize,
    /// Errors of the time per output token, the throughput and the time to first token.
    pub spreads: [Spread; 3],
}

/// The value at a share of sorted values, between neighbours linear.
fn at(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() as f64 - 1.0);
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

impl Spread {
    /// Of some log errors, at least one.
    #[must_use]
    pub fn of(errors: &[f64]) -> Self {
        let mut signed = errors.to_vec();
        signed.sort_by(f64::total_cmp);
        let mut absolute: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        absolute.sort_by(f64::total_cmp);
        Self {
            median: libm::expm1(at(&absolute, 0.5)),
            p90: libm::expm1(at(&absolute, 0.9)),
            bias: libm::expm1(at(&signed, 0.5)),
        }
    }
}

fn group(name: String, errors: &[LogErrors]) -> ErrorGroup {
    let of =
        |value: fn(&LogErrors) -> f64| Spread::of(&errors.iter().map(value).collect::<Vec<f64>>());
    let spreads = [of(|e| e.tpot), of(|e| e.throughput), of(|e| e.ttft)];
    ErrorGroup { name, runs: errors.len(), spreads }
}

/// Errors of all runs, by mode, by generation, and by cell. Runs without a prediction are left out;
/// no group is empty.
#[must_use]
pub fn error_groups(rows: &[Row<'_>], errors: &[Option<LogErrors>]) -> Vec<ErrorGroup> {
    let known: Vec<(&Row<'_>, LogErrors)> =
        rows.iter().zip(errors).filter_map(|(row, error)| Some((row, (*error)?))).collect();
    let mut groups = Vec::new();
    let mut add = |name: &str, keep: &dyn Fn(&Row<'_>) -> bool| {
        let kept: Vec<LogErrors> =
            known.iter().filter(|(row, _)| keep(row)).map(|(_, error)| *error).collect();
        if !kept.is_empty() {
            groups.push(group(name.to_owned(), &kept));
        }
    };
    add("all runs", &|_| true);
    for mode in ["agg", "disagg"] {
        add(mode, &|row| row.run.mode() == mode);
    }
    for name in ["hopper", "blackwell"] {
        add(name, &|row| generation(row.accelerator.0) == name);
    }
    let mut cells: Vec<&str> = known.iter().map(|(row, _)| row.cell.as_str()).collect();
    cells.sort_unstable();
    cells.dedup();
    for cell in cells {
        add(cell, &|row| row.cell == cell);
    }
    groups
}

/// Standard deviation of the throughput's log error from cell to cell, by generation: robust, from
/// the median absolute one of the cells' medians.
#[must_use]
pub fn cell_error(rows: &[Row<'_>], errors: &[Option<LogErrors>]) -> BTreeMap<String, f64> {
    /// Of a normal distribution, standard deviation over median absolute deviation.
    const NORMAL: f64 = 1.4826;
    let mut cells: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for (row, error) in rows.iter().zip(errors) {
        let Some(error) = error else { continue };
        let of = (generation(row.accelerator.0), row.cell.as_str());
        cells.entry(of).or_default().push(error.throughput);
    }
    let mut medians: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for ((generation, _), errors) in &mut cells {
        errors.sort_by(f64::total_cmp);
        medians.entry((*generation).to_owned()).or_default().push(at(errors, 0.5).abs());
    }
    let robust = |(generation, mut medians): (String, Vec<f64>)| {
        medians.sort_by(f64::total_cmp);
        (generation, NORMAL * at(&medians, 0.5))
    };
    medians.into_iter().map(robust).collect()
}

/// By how much measurements of one configuration differ between versions of one engine, and between
/// engines: median and 90th percentile of the ratio of two of them, time per output token and
/// time to first token. What no model can beat that does not know the version. None where there
/// are no pairs.
#[must_use]
pub fn measured_scatter(rows: &[Row<'_>]) -> [Option<[Spread; 2]>; 2] {
    let mut same: BTreeMap<String, Vec<&Row<'_>>> = BTreeMap::new();
    for row in rows {
        let run = row.run;
        let layouts = (&run.decode, &run.prefill);
        let lengths = (run.prompt, run.output, run.concurrency, row.speculative);
        let key = format!("{} {lengths:?} {layouts:?}", row.cell);
        same.entry(key).or_default().push(row);
    }
    let mut ratios = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for rows in same.values() {
        for (index, a) in rows.iter().enumerate() {
            for b in &rows[index + 1..] {
                let engines = usize::from(a.run.backend != b.run.backend);
                if engines == 0 && a.run.version == b.run.version {
                    continue;
                }
                ratios[engines][0].push(libm::log(a.run.tpot.0 / b.run.tpot.0));
                ratios[engines][1].push(libm::log(a.run.ttft.0 / b.run.ttft.0));
            }
        }
    }
    ratios.map(|[tpot, ttft]| (!tpot.is_empty()).then(|| [Spread::of(&tpot), Spread::of(&ttft)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_of_errors_worked_by_hand() {
        let errors = [-0.4, -0.1, 0.0, 0.1, 0.2].map(f64::from);
        let spread = Spread::of(&errors);
        // Absolute: 0, 0.1, 0.1, 0.2, 0.4; the 90th percentile lies 0.6 of the way to the last.
        assert!((libm::log1p(spread.median) - 0.1).abs() < 1e-12);
        assert!((libm::log1p(spread.p90) - 0.32).abs() < 1e-12);
        assert!(spread.bias.abs() < 1e-12);
    }
}
