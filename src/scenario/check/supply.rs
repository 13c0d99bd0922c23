//! Checks of sites, contracts, the market and the candidate.

use super::{Faults, Path, Scenario};
use crate::demand::Growth;
use crate::hardware::Accelerator;
use crate::supply::{Amount, Site};
use crate::time::FleetTime;
use crate::units::Share;

/// Most facility watts per IT watt that is believed.
const WORST_PUE: f64 = 3.0;

/// Region, power, slip and outages of each site.
pub(super) fn sites(scenario: &Scenario, faults: &mut Faults) {
    for (name, site) in &scenario.sites {
        let path = Path::of("sites").key(name);
        faults.known(path.key("region"), "region", &site.region, &scenario.regions);
        let sane = (1.0..=WORST_PUE).contains(&site.pue.0);
        let message = "a PUE lies between 1 and 3";
        faults.require(sane, path.key("pue"), message, "1.10 own, 1.25 leased, 1.3 with losses");
        faults.growth(&path.key("assistant_share"), &site.assistant_share);
        training(scenario, faults, &path, site);
        faults.uncertain_duration(path.key("slip"), &site.slip);
        let help = "it is drawn for each phase; slip_correlation ties the phases of a site";
        faults.unshared(&path.key("slip"), &site.slip, help);
        faults.positive_duration(path.key("outages").key("mtbf"), site.outages.mtbf);
        faults.duration(path.key("outages").key("mttr"), site.outages.mttr);
        let some = site.maintenance.0 < 1.0;
        let message = "all units in maintenance leave none to serve";
        faults.require(some, path.key("maintenance"), message, "1 to 2 % is usual");
        let some = !site.phases.is_empty();
        faults.require(some, path.key("phases"), "a site needs phases", "add a delivery");
    }
}

/// What a site lends from training and what is the assistant's fit into it, whatever is drawn.
fn training(scenario: &Scenario, faults: &mut Faults, path: &Path, site: &Site) {
    let Some(training) = &site.training else { return };
    faults.growth(&path.key("training").key("share"), &training.share);
    let (first, last) = (scenario.horizon.first_year, scenario.horizon.last_year);
    // Twice a year, for a series turns in the middle of one.
    let halves = (0..=u32::from(last.saturating_sub(first).min(20)) * 2 + 2)
        .map(|half| f64::from(first) + f64::from(half) / 2.0);
    let total = |year: f64| top(&site.assistant_share, year) + top(&training.share, year);
    let most = halves.map(total).fold(0.0, f64::max);
    let message = format!(
        "the assistant's share and what training lends may reach {:.0} % of the site",
        most * 100.0
    );
    let place = path.key("training").key("share");
    let help = "narrow the ranges: together they must stay within 100 %";
    faults.require(most <= 1.0 + super::TOLERANCE, place, &message, help);
}

/// The largest share that a law can give at a decimal year, in the manner of [`super::highest`].
fn top(law: &Growth<Share>, year: f64) -> f64 {
    // Six standard deviations. A law has at most three parts; each may be at either end.
    const TAIL: f64 = 1e-9;
    let corner = |corner: u8| {
        let mut part = 0;
        law.at(year, &mut |_, _| {
            part += 1;
            if corner >> (part - 1) & 1 == 1 { 1.0 - TAIL } else { TAIL }
        })
    };
    (0..8).map(|index| corner(index).0).fold(0.0, f64::max)
}

/// Accelerator, date and amount of each delivery.
pub(super) fn phases(scenario: &Scenario, faults: &mut Faults) {
    for (name, site) in &scenario.sites {
        for (index, phase) in site.phases.iter().enumerate() {
            let path = Path::of("sites").key(name).key("phases").index(index);
            accelerator(scenario, faults, &path, &phase.accelerator, phase.on);
            if let Some(refill) = &phase.refill {
                faults.known(path.key("refill"), "accelerator", refill, &scenario.hardware);
            }
            stands(scenario, faults, &path, phase.on, phase.delivered);
            match &phase.amount {
                Amount::FacilityPower(power) => {
                    let huge = super::highest(power) > 1e12;
                    let message = "a phase of more than 1000 GW is not believed";
                    faults.require(!huge, path.key("amount"), message, "check the unit");
                }
                Amount::Gpus(gpus) => {
                    let huge = super::highest(gpus) > 1e9;
                    let message = "a phase of more than a billion GPUs is not believed";
                    faults.require(!huge, path.key("amount"), message, "check the unit");
                }
            }
        }
    }
}

/// What is delivered already does not lie in the future.
fn stands(scenario: &Scenario, faults: &mut Faults, path: &Path, on: FleetTime, delivered: bool) {
    let message = format!(
        "what comes on {on} cannot be delivered already: the decision is on {}",
        scenario.decide_on
    );
    let past = !delivered || on <= scenario.decide_on;
    faults.require(past, path.key("on"), &message, "leave `delivered` out");
}

/// A known accelerator on a date on which it exists, within the horizon.
fn accelerator(scenario: &Scenario, faults: &mut Faults, path: &Path, name: &str, on: FleetTime) {
    let horizon = scenario.horizon;
    let end = FleetTime::start_of_year(horizon.last_year.saturating_add(1));
    if on >= end && !horizon.ignore_later {
        let message = format!("{on} lies after the last year, {}", horizon.last_year);
        let help = "correct the date, end the horizon later, or set horizon.ignore_later to true";
        faults.add(path.key("on"), message, help);
    }
    faults.known(path.key("accelerator"), "accelerator", name, &scenario.hardware);
    let early = |entry: &&Accelerator| on < entry.available;
    if let Some(entry) = scenario.hardware.get(name).filter(early) {
        let message = format!("{} is not delivered before {}", entry.label, entry.available);
        let help = "move the date, or change `available` of the accelerator";
        faults.add(path.key("on"), message, help);
    }
}

/// Regions, money and terms of each contract.
pub(super) fn contracts(scenario: &Scenario, faults: &mut Faults) {
    for (name, contract) in &scenario.contracts {
        let path = Path::of("contracts").key(name);
        faults.region_shares(&path.key("regions"), &contract.regions, scenario);
        faults.positive(path.key("value"), &contract.value);
        faults.positive(path.key("price"), &contract.price);
        faults.uncertain_duration(path.key("slip"), &contract.slip);
        let some = contract.availability.0 > 0.0;
        let message = "nothing of the contract would ever be usable";
        faults.require(some, path.key("availability"), message, "99 % is usual");
        if let Some(backstop) = &contract.backstop {
            faults.positive(path.key("backstop").key("value"), &backstop.value);
        }
        let first = contract.tranches.iter().map(|tranche| tranche.on).min();
        if let (Some(prepay), Some(first)) = (&contract.prepay, first) {
            let message = format!(
                "the contract is signed on {}, after its first tranche of {first}",
                prepay.signed
            );
            let path = path.key("prepay").key("signed");
            faults.require(prepay.signed <= first, path, &message, "correct one of the dates");
        }
    }
}

/// Tranches of each contract: shares, accelerators, dates before the end.
pub(super) fn tranches(scenario: &Scenario, faults: &mut Faults) {
    for (name, contract) in &scenario.contracts {
        let path = Path::of("contracts").key(name);
        let list = path.key("tranches");
        let shares = contract.tranches.iter().map(|tranche| tranche.share.0);
        faults.whole(list.clone(), "shares of the tranches", shares);
        for (index, tranche) in contract.tranches.iter().enumerate() {
            let path = list.index(index);
            accelerator(scenario, faults, &path, &tranche.accelerator, tranche.on);
            stands(scenario, faults, &path, tranche.on, tranche.delivered);
        }
        let last = contract.tranches.iter().map(|tranche| tranche.on).max();
        if let Some(last) = last.filter(|last| *last >= contract.end) {
            let message =
                format!("the contract ends on {}, its last tranche comes on {last}", contract.end);
            faults.add(path.key("end"), message, "end it after its last tranche");
        }
    }
}

/// Most regions of a candidate: its sizing looks at every set of them.
const CANDIDATE_REGIONS: usize = 8;

/// Accelerator, region and price of the on-demand market.
pub(super) fn market(scenario: &Scenario, faults: &mut Faults) {
    if let Some(market) = &scenario.market {
        let path = Path::of("market");
        let accelerator = path.key("accelerator");
        faults.known(accelerator, "accelerator", &market.accelerator, &scenario.hardware);
        faults.known(path.key("region"), "region", &market.region, &scenario.regions);
        faults.positive(path.key("price"), &market.price);
    }
}

/// The block that the plan sizes.
pub(super) fn candidate(scenario: &Scenario, faults: &mut Faults) {
    let (path, candidate) = (Path::of("candidate"), &scenario.candidate);
    let accelerator = path.key("accelerator");
    faults.known(accelerator, "accelerator", &candidate.accelerator, &scenario.hardware);
    faults.region_shares(&path.key("regions"), &candidate.regions, scenario);
    if let Some(price) = &candidate.price {
        faults.positive(path.key("price"), price);
    }
    if let Some(lead_time) = &candidate.lead_time {
        faults.uncertain_duration(path.key("lead_time"), lead_time);
        let help = "it is not drawn: its 90th percentile says when to sign";
        faults.unshared(&path.key("lead_time"), lead_time, help);
    }
    let some = candidate.availability.0 > 0.0;
    let message = "nothing of the candidate would ever be usable";
    faults.require(some, path.key("availability"), message, "99 % is usual");
    let few = candidate.regions.len() <= CANDIDATE_REGIONS;
    let message = format!("a candidate has at most {CANDIDATE_REGIONS} regions");
    faults.require(few, path.key("regions"), &message, "join neighbouring regions");
}

/// The candidate must reach everyone who waits: otherwise no size of it would meet the criterion.
pub(super) fn candidate_reach(scenario: &Scenario, faults: &mut Faults) {
    let regions = &scenario.candidate.regions;
    let there = |to: &&String| regions[*to].0 > 0.0;
    for (name, workload) in scenario.workloads.iter().filter(|(_, w)| w.is_interactive()) {
        for from in scenario.regions.keys() {
            let reached =
                regions.keys().filter(there).any(|to| scenario.reaches(workload, from, to));
            let message = format!("no region of the candidate may serve `{name}` for `{from}`");
            let help = format!("add `{from}` to candidate.regions, or widen the reach");
            let path = Path::of("workloads").key(name).key("reach");
            faults.require(reached, path, &message, &help);
        }
    }
}
