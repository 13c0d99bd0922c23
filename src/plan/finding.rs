//! The finding in one sentence, and what the numbers are not.

use super::result::{CandidateFacts, YearResult};
use crate::scenario::Scenario;
use crate::stats::RankedQuantile;
use crate::time::FleetTime;

/// A count in words, to so many significant figures, with a scale.
fn count(value: f64, figures: i32) -> String {
    let size = value.abs();
    // Round first: 9,990 to two figures is 10k.
    let size = if size > 0.0 {
        let unit = 10f64.powi(size.log10().floor() as i32 + 1 - figures);
        (size / unit).round() * unit
    } else {
        size
    };
    let (scale, suffix) = match size {
        s if s >= 1e9 => (1e9, " B"),
        s if s >= 1e6 => (1e6, " M"),
        s if s >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let shown = size / scale;
    let whole = shown.max(1.0).log10().floor() as i32 + 1;
    let digits = if scale == 1.0 { 0 } else { (figures - whole).max(0) as usize };
    format!("{shown:.digits$}{suffix}")
}

/// A quantile with the figures that its rank interval supports, and the interval.
fn with_interval(quantile: RankedQuantile) -> String {
    let (low, high) = (quantile.low.abs(), quantile.high.abs());
    let doubt = (quantile.high - quantile.low) / quantile.value.abs().max(1e-9);
    let figures = if doubt > 0.02 { 2 } else { 3 };
    let value = count(quantile.value, figures);
    if quantile.low * quantile.high < 0.0 {
        // The sign itself is in doubt: then the ends carry theirs, + for what the value is.
        let sign = quantile.value.signum();
        let ends = [quantile.low * sign, quantile.high * sign];
        let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        let (least, most) = (count(least, figures), count(most, figures));
        return format!("{value} (-{least} to +{most}: the sign is not settled)");
    }
    let (low, high) = (count(low.min(high), figures), count(low.max(high), figures));
    if low == high { value } else { format!("{value} ({low} to {high})") }
}

fn power(megawatts: f64) -> String {
    let size = megawatts.abs();
    match size {
        _ if size >= 1_000.0 => format!("{:.1} GW", size / 1e3),
        _ if size >= 100.0 => format!("{} MW", count(size, 2)),
        _ if size >= 1.0 || size == 0.0 => format!("{size:.0} MW"),
        _ => "under 1 MW".to_owned(),
    }
}

/// Years in words: `2026, 2027 and 2030 to 2032`.
fn in_words(years: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for year in years {
        match runs.last_mut() {
            Some(run) if run.1 + 1 == *year => run.1 = *year,
            _ => runs.push((*year, *year)),
        }
    }
    let words: Vec<String> = runs
        .iter()
        .map(|(from, to)| match to - from {
            0 => from.to_string(),
            1 => format!("{from}, {to}"),
            _ => format!("{from} to {to}"),
        })
        .collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn named(years: &[YearResult], which: impl Fn(&YearResult) -> bool) -> String {
    let chosen: Vec<u16> = years.iter().filter(|year| which(year)).map(|year| year.year).collect();
    in_words(&chosen)
}

/// Below so many worlds a tenth of them cannot be told from the extreme.
const FEW_WORLDS: u32 = 20;

/// The finding: years short, how short and how sure, or that none is; then the bad worlds; then
/// whether the average over worlds meets the criterion too. The first sentence stands alone.
#[must_use]
pub fn finding(scenario: &Scenario, candidate: &CandidateFacts, years: &[YearResult]) -> String {
    let label = &candidate.accelerator;
    let worst = |of: &dyn Fn(&YearResult) -> f64, from: u16| {
        let years = years.iter().filter(|year| year.year >= from);
        years.max_by(|a, b| of(a).total_cmp(&of(b)))
    };
    let median = |year: &YearResult| year.gap_gpus.p50.value;
    let (Some(first), Some(last)) = (years.first(), years.last()) else { return String::new() };
    let mut text = String::new();
    if let Some(short) = years.iter().find(|year| median(year) > 0.0) {
        text += &format!(
            "Short at the median in {}: by {} {label} GPUs, {}, in {}, when {} of worlds are short",
            named(years, |year| median(year) > 0.0),
            with_interval(short.gap_gpus.p50),
            power(short.gap_megawatts.p50.value),
            short.year,
            percent(short.short_worlds),
        );
        if let Some(most) = worst(&median, first.year).filter(|most| most.year != short.year) {
            text += &format!(", and most by {} in {}", with_interval(most.gap_gpus.p50), most.year);
        }
    } else {
        // A surplus that is over cannot be used, nor could a gap be closed: look ahead.
        let ahead = years.iter().find(|year| {
            FleetTime::start_of_year(year.year) >= scenario.decide_on || year.year == last.year
        });
        let span = if first.year == last.year {
            format!("in {}", first.year)
        } else {
            format!("from {} to {}", first.year, last.year)
        };
        let least = worst(&median, ahead.unwrap_or(first).year).unwrap_or(first);
        text += &format!(
            "No gap at the median {}: the smallest surplus still ahead is {} {label} \
             GPUs, {}, in {}",
            span,
            with_interval(least.gap_gpus.p50),
            power(least.gap_megawatts.p50.value),
            least.year,
        );
    }
    text += ".";
    let tail = worst(&|year| year.gap_gpus.p90.value, first.year).unwrap_or(first);
    // Of a handful of worlds the worst one is no tenth of anything.
    let many = scenario.sampling.worlds >= FEW_WORLDS;
    if tail.gap_gpus.p90.value > 0.0 && many {
        text += &format!(
            " One world in ten is short by {} or more in {}.",
            with_interval(tail.gap_gpus.p90),
            tail.year
        );
    } else if let Some(most) = worst(&|year| year.short_worlds, first.year) {
        text += &match most.short_worlds {
            0.0 => " No world is short in any year.".to_owned(),
            share => format!(" At most {} of worlds are short, in {}.", percent(share), most.year),
        };
    }
    let limit = scenario.criterion.interactive_lole.0;
    let missed = named(years, |year| median(year) <= 0.0 && year.lole_with_contracts.mean > limit);
    if !missed.is_empty() {
        text += &format!(
            " The mean over worlds misses {limit} h/yr in {missed}: the worlds that are short \
             carry it."
        );
    }
    text
}

/// What the numbers are not.
#[must_use]
pub fn caveats(scenario: &Scenario, candidate: &CandidateFacts) -> Vec<String> {
    let mut caveats = vec![
        "P10, P50 and P90 are quantiles over worlds, each figure and year on its own: they do \
         not add up, and no single world need hold two of them."
            .to_owned(),
        format!(
            "Need and gap are firm {} GPUs; a rack counts as {:.1} of its {} (spare trays and \
             promised availability deducted); megawatts are IT power.",
            candidate.accelerator, candidate.firm_gpus_per_rack, candidate.gpus_per_rack
        ),
        format!(
            "A reference GPU is one {} with the software of the time, on the mix of calls of \
             the time.",
            scenario.hardware[&scenario.reference].label
        ),
        "Demand of an hour is its busiest five minutes, so unserved work is an upper figure. \
         Model sizes are proxies: those of Muse Spark are not public."
            .to_owned(),
        format!(
            "A {} is worth what it does of the work asked for: where work or hardware differ, \
             compare scenarios in reference GPUs too.",
            candidate.accelerator
        ),
    ];
    caveats.extend(few_worlds(scenario.sampling.worlds));
    caveats
}

/// What to know of an answer from few worlds; none from enough of them.
#[must_use]
pub fn few_worlds(worlds: u32) -> Option<String> {
    (worlds < FEW_WORLDS).then(|| {
        format!(
            "{worlds} worlds are a first look: their quantiles and shares say little, and their \
             intervals end at the best and the worst world."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_figures_asked_for() {
        assert_eq!(count(0.0, 3), "0");
        assert_eq!(count(9_999.0, 3), "10.0k");
        assert_eq!(count(9_994.0, 3), "9990");
        assert_eq!(count(-12_345.0, 3), "12.3k");
        assert_eq!(count(1_234_567.0, 3), "1.23 M");
        assert_eq!(count(256_400.0, 2), "260k");
        assert_eq!(count(41_494.0, 2), "41k");
        assert_eq!(count(7.0, 2), "7");
    }

    #[test]
    fn years_are_named_by_runs() {
        assert_eq!(in_words(&[2026]), "2026");
        assert_eq!(in_words(&[2026, 2027]), "2026, 2027");
        assert_eq!(in_words(&[2026, 2027, 2028, 2032]), "2026 to 2028 and 2032");
    }

    #[test]
    fn an_interval_limits_the_figures() {
        let wide = RankedQuantile { value: -41_494.0, low: -43_600.0, high: -36_600.0 };
        assert_eq!(with_interval(wide), "41k (37k to 44k)");
        let across = RankedQuantile { value: 500.0, low: -300.0, high: 900.0 };
        assert_eq!(with_interval(across), "500 (-300 to +900: the sign is not settled)");
        let over = RankedQuantile { value: -500.0, low: -900.0, high: 300.0 };
        assert_eq!(with_interval(over), "500 (-300 to +900: the sign is not settled)");
    }
}
