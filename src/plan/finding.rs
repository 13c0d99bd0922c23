//! The finding in one sentence, and what the numbers are not.

use super::result::{CandidateFacts, YearResult};
use crate::scenario::Scenario;

/// A count in words: three significant figures and a scale.
fn count(value: f64) -> String {
    let size = value.abs();
    let (scale, suffix) = match size {
        s if s >= 1e9 => (1e9, " B"),
        s if s >= 1e6 => (1e6, " M"),
        s if s >= 1e4 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let shown = size / scale;
    let digits = if scale == 1.0 || shown >= 100.0 {
        0
    } else if shown >= 10.0 {
        1
    } else {
        2
    };
    format!("{shown:.digits$}{suffix}")
}

fn power(megawatts: f64) -> String {
    let size = megawatts.abs();
    match size {
        _ if size >= 1_000.0 => format!("{:.1} GW", size / 1e3),
        _ if size >= 1.0 || size == 0.0 => format!("{size:.0} MW"),
        _ => "under 1 MW".to_owned(),
    }
}

/// First year short, how short and how sure; or that no year is.
#[must_use]
pub fn finding(candidate: &CandidateFacts, years: &[YearResult]) -> String {
    let label = &candidate.accelerator;
    let (Some(first), Some(last)) = (years.first(), years.last()) else {
        return String::new();
    };
    let percent = |share: f64| format!("{:.0} % of worlds", share * 100.0);
    if let Some(short) = years.iter().find(|year| year.gap_gpus.p50.value > 0.0) {
        let worst = years
            .iter()
            .max_by(|a, b| a.gap_gpus.p50.value.total_cmp(&b.gap_gpus.p50.value))
            .unwrap_or(short);
        let mut text = format!(
            "Short from {}: the median gap is {} {label} GPUs ({}) in {}, and {} are short",
            short.year,
            count(short.gap_gpus.p50.value),
            power(short.gap_megawatts.p50.value),
            short.year,
            percent(short.short_worlds),
        );
        if worst.year != short.year {
            text += &format!(
                "; it is largest in {}, at {} ({})",
                worst.year,
                count(worst.gap_gpus.p50.value),
                power(worst.gap_megawatts.p50.value),
            );
        }
        return text + ".";
    }
    let span = format!("{} to {}", first.year, last.year);
    let tightest = years
        .iter()
        .max_by(|a, b| a.gap_gpus.p50.value.total_cmp(&b.gap_gpus.p50.value))
        .unwrap_or(first);
    let surplus = format!(
        "the median surplus is smallest in {}, at {} {label} GPUs ({})",
        tightest.year,
        count(tightest.gap_gpus.p50.value),
        power(tightest.gap_megawatts.p50.value),
    );
    match years.iter().find(|year| year.gap_gpus.p90.value > 0.0) {
        Some(tail) => format!(
            "No gap at the median from {span} ({surplus}), but one world in ten is short by {} \
             GPUs or more in {}, and {} are short then.",
            count(tail.gap_gpus.p90.value),
            tail.year,
            percent(tail.short_worlds),
        ),
        None => {
            let most = years.iter().map(|year| year.short_worlds).fold(0.0, f64::max);
            let short = if most > 0.0 {
                format!("in no year are more than {} short", percent(most))
            } else {
                "no world is short in any year".to_owned()
            };
            format!("No gap from {span}: {surplus}; {short}.")
        }
    }
}

/// What the numbers are not.
#[must_use]
pub fn caveats(scenario: &Scenario, candidate: &CandidateFacts) -> Vec<String> {
    vec![
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
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_figures() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(9_999.0), "9999");
        assert_eq!(count(-12_345.0), "12.3k");
        assert_eq!(count(1_234_567.0), "1.23 M");
        assert_eq!(count(256_400.0), "256k");
    }
}
