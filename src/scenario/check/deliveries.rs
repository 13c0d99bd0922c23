//! Checks of how capacity comes and what it is worth month by month: batches, power, the first
//! weeks of a delivery and of a kind of unit, and what may end a contract.

use super::{Faults, Path, Scenario, highest, lowest};
use crate::supply::{Contract, Phase, Ramp, Site};
use crate::time::FleetTime;

/// Most batches of a phase, and most yearly failures of a provider, that are believed.
const MOST_BATCHES: u32 = 100;
const MOST_DEFAULTS: f64 = 10.0;
const MONTHS: usize = 12;

/// Batches, power, burn-in and months of each site.
pub(super) fn deliveries(scenario: &Scenario, faults: &mut Faults) {
    for (name, site) in &scenario.sites {
        let path = Path::of("sites").key(name);
        months(faults, &path, site);
        if let Some(burn_in) = &site.burn_in {
            faults.duration(path.key("burn_in").key("lasts"), burn_in.lasts);
        }
        for (index, phase) in site.phases.iter().enumerate() {
            let path = path.key("phases").index(index);
            batches(faults, &path, phase);
            let date = phase.power.as_ref().map(|power| power.on);
            let horizon = scenario.horizon;
            let end = FleetTime::start_of_year(horizon.last_year.saturating_add(1));
            if let Some(on) = date.filter(|on| *on >= end && !horizon.ignore_later) {
                let message = format!("{on} lies after the last year, {}", horizon.last_year);
                let help = "correct the date, or set horizon.ignore_later to true";
                faults.add(path.key("power").key("on"), message, help);
            }
        }
    }
}

fn months(faults: &mut Faults, path: &Path, site: &Site) {
    let counts = [
        ("maintenance_months", site.maintenance_months.len()),
        ("usable_months", site.usable_months.len()),
    ];
    for (field, count) in counts {
        let message = format!("`{field}` has {count} values, not {MONTHS}");
        let whole = count == 0 || count == MONTHS;
        faults.require(whole, path.key(field), &message, "one for each month from January");
    }
    let factors = &site.maintenance_months;
    let field = path.key("maintenance_months");
    let sane = |factor: &f64| (0.0..1e6).contains(factor);
    if let Some(index) = factors.iter().position(|factor| !sane(factor)) {
        let message = "a factor of a month must be 0 or more and below 1e6";
        faults.add(field.index(index), message, "0 keeps maintenance out of a month");
    } else if !factors.is_empty() && factors.iter().sum::<f64>() <= 0.0 {
        faults.add(field, "maintenance must fall into some month", "give one a factor above 0");
    } else if let Some(month) = (0..MONTHS).find(|month| site.maintained(*month) >= 1.0) {
        let message = format!(
            "{:.0} % of the units would be in maintenance in month {}",
            site.maintained(month) * 100.0,
            month + 1
        );
        let help = "spread it over more months, or lower `maintenance`";
        // Without months of its own a share of 100 % is told of where it stands.
        faults.require(factors.is_empty(), field, &message, help);
    }
}

fn batches(faults: &mut Faults, path: &Path, phase: &Phase) {
    let mut ramp = |path: &Path, ramp: &Option<Ramp>| {
        let Some(ramp) = ramp else { return };
        let some = (1..=MOST_BATCHES).contains(&ramp.batches);
        let message = format!("a delivery has 1 to {MOST_BATCHES} batches");
        let field = path.key("ramp").key("batches");
        faults.require(some, field, &message, "4 to 8 in 6 to 12 months are usual");
        faults.duration(path.key("ramp").key("over"), ramp.over);
    };
    ramp(path, &phase.ramp);
    if let Some(power) = &phase.power {
        let path = path.key("power");
        ramp(&path, &power.ramp);
        faults.uncertain_duration(path.key("slip"), &power.slip);
        let help = "it is drawn for each phase; slip_correlation ties the slips of a site";
        faults.unshared(&path.key("slip"), &power.slip, help);
    }
}

/// What a contract says of lateness and of its provider's failure.
pub(super) fn endings(scenario: &Scenario, faults: &mut Faults) {
    for (name, contract) in &scenario.contracts {
        let path = Path::of("contracts").key(name);
        if contract.slip_correlation.is_some() {
            let help = "slip_correlation ties the tranches of a contract";
            faults.unshared(&path.key("slip"), &contract.slip, help);
        }
        if let Some(stop) = contract.long_stop {
            faults.duration(path.key("long_stop"), stop);
        }
        default(faults, &path.key("default"), contract);
    }
}

fn default(faults: &mut Faults, path: &Path, contract: &Contract) {
    let Some(default) = &contract.default else { return };
    let most = highest(&default.per_year) <= MOST_DEFAULTS && lowest(&default.per_year) >= 0.0;
    let message = format!("a provider fails 0 to {MOST_DEFAULTS} times a year");
    faults.require(most, path.key("per_year"), &message, "0.02 is once in fifty years");
    faults.duration(path.key("after"), default.after);
}

/// The first months of each kind of unit.
pub(super) fn infancy(scenario: &Scenario, faults: &mut Faults) {
    for (name, entry) in &scenario.hardware {
        let path = Path::of("hardware").key(name).key("infancy");
        if let Some(infancy) = &entry.infancy {
            faults.duration(path.key("lasts"), infancy.lasts);
            faults.positive(path.key("factor"), &infancy.factor);
            let sane = highest(&infancy.factor) <= 20.0;
            let message = "failures more than twenty times as often are not believed";
            faults.require(sane, path.key("factor"), message, "2 is usual");
        }
    }
}
