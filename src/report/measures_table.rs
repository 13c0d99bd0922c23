//! What the yearly table says of adequacy: rows that are not all zero, and who is short.

use super::rounding::{Scale, given};
use crate::plan::{
    Adequacy, AdequacyYear, Answer, Holds, PeakSurvival, ScopeAdequacy, SupplyAdequacy,
};
use crate::stats::Estimate;

type OfYear = fn(&AdequacyYear) -> &SupplyAdequacy;
type OfLoss = fn(&AdequacyYear) -> &PeakSurvival;
type OfScope = fn(&ScopeAdequacy) -> Estimate;

/// Levels of supply, and what they are called.
const LEVELS: [(&str, OfYear); 2] =
    [("own only", |year| &year.own), ("with contracts", |year| &year.with_contracts)];

fn ever_short(adequacy: &Adequacy, level: OfYear) -> bool {
    adequacy.years.iter().any(|year| level(year).whole.is_short())
}

/// Rows of the reliability block: a label, and a cell for each year.
pub(super) fn adequacy_rows(adequacy: &Adequacy) -> Vec<(String, Vec<String>)> {
    let measures: [(&str, &str, OfScope); 4] = [
        ("LOLE", "d/yr", |scope| scope.lole_days),
        ("LOLEv", "events/yr", |scope| scope.lolev),
        ("longest event", "h", |scope| scope.longest),
        ("CVaR 95 %", "ref. GPU-h/yr", |scope| scope.cvar_95),
    ];
    let years = || adequacy.years.iter();
    let mut rows = Vec::new();
    for (label, unit, of) in measures {
        for (side, level) in LEVELS {
            let value = |year: &AdequacyYear| of(&level(year).whole);
            if years().all(|year| value(year).mean <= 0.0) {
                continue;
            }
            let scale = Scale::of(years().map(|year| value(year).mean));
            let cells = years().map(|year| scale.estimate(value(year))).collect();
            rows.push((format!("{label} {side}, {}", scale.unit(unit)), cells));
        }
    }
    // A row without any verdict says no more than the note below the table does.
    let told =
        |level: OfYear| years().any(|year| level(year).three_part.holds != Holds::NotResolved);
    let short = |level: OfYear| ever_short(adequacy, level) && told(level);
    for (side, level) in LEVELS.into_iter().filter(|(_, level)| short(*level)) {
        let cells = years().map(|year| verdict(level(year).three_part.holds).to_owned());
        rows.push((format!("three-part criterion {side}"), cells.collect()));
    }
    let losses: [(&str, OfLoss); 2] = [
        ("site", |year| &year.with_contracts.largest_site),
        ("contract", |year| &year.largest_contract),
    ];
    for (lost, of) in losses {
        if years().any(|year| of(year).lost.is_some()) {
            let share = |year| Scale::ONE.estimate(of(year).survived.times(100.0));
            let cells = years().map(share).collect();
            rows.push((format!("weekly peaks without largest {lost}, %"), cells));
        }
    }
    rows
}

fn verdict(holds: Holds) -> &'static str {
    match holds {
        Holds::Yes => "holds",
        Holds::No => "fails",
        Holds::NotResolved => "n.r.",
    }
}

/// Sentences below the table: who is short, the limits of the three parts, and the largest sites.
pub(super) fn adequacy_notes(answer: &Answer) -> Vec<String> {
    let adequacy = &answer.adequacy;
    let mut notes = Vec::new();
    for (side, level) in LEVELS {
        let shorts: Vec<String> =
            adequacy.years.iter().filter_map(|year| most_short(year.year, level(year))).collect();
        if !shorts.is_empty() {
            notes.push(format!("Most of the EUE {side}: {}.", shorts.join("; ")));
        }
    }
    if !notes.is_empty() {
        let limits = answer.criterion.three_part.unwrap_or_default();
        notes.push(format!(
            "Three-part criterion: at most {} events/yr; in at most {} % of years an event of {} h \
             or more, or an epoch short of {} % of the year's peak or more. n.r., or no row: {} \
             worlds do not tell.",
            given(limits.frequency.0),
            given(limits.exceedance.0 * 100.0),
            given(limits.duration.0 / 3_600.0),
            given(limits.magnitude.0 * 100.0),
            answer.provenance.worlds,
        ));
    }
    notes.extend(largest_sites(adequacy));
    notes
}

/// The region and the workload with the largest part of a year's unserved work.
fn most_short(year: u16, supply: &SupplyAdequacy) -> Option<String> {
    let work = |scope: &ScopeAdequacy| scope.eue.reference_gpu_hours.mean;
    let all = work(&supply.whole);
    let most = |group: &[ScopeAdequacy], name: fn(&ScopeAdequacy) -> Option<&String>| {
        let most = group.iter().max_by(|a, b| work(a).total_cmp(&work(b)))?;
        Some(format!("{} {:.0} %", name(most)?, 100.0 * work(most) / all))
    };
    let region = most(&supply.regions, |scope| scope.region.as_ref());
    let workload = most(&supply.workloads, |scope| scope.workload.as_ref());
    (all > 0.0)
        .then(|| format!("{year} {}, {}", region.unwrap_or_default(), workload.unwrap_or_default()))
}

/// Which site was the largest at the peaks, and where its loss left most undone.
fn largest_sites(adequacy: &Adequacy) -> Option<String> {
    let losses =
        || adequacy.years.iter().map(|year| (year.year, &year.with_contracts.largest_site));
    let mut named: Vec<(u16, &str)> = Vec::new();
    for (year, loss) in losses() {
        let name = loss.lost.as_deref().unwrap_or("none");
        if named.last().is_none_or(|last| last.1 != name) {
            named.push((year, name));
        }
    }
    if named.iter().all(|(_, name)| *name == "none") {
        return None;
    }
    let named: Vec<String> =
        named.iter().map(|(year, name)| format!("{name} (from {year})")).collect();
    let worst = losses().max_by(|a, b| a.1.missing_of_all.total_cmp(&b.1.missing_of_all));
    let worst = worst.and_then(|(year, loss)| Some((year, loss.worst.as_ref()?, loss)));
    let most = worst.map_or(String::new(), |(year, name, loss)| {
        let scale = Scale::of_counts([loss.missing_of_all]);
        let gpus = format!("{} {}", scale.value(loss.missing_of_all), scale.unit("ref. GPUs"));
        format!("; most missing at a peak: {gpus} without {name} in {year}")
    });
    Some(format!("Largest site in most weeks: {}{most}.", named.join(", ")))
}
