//! Contracts in hand: tranches that slip, are given up or end with their provider, and what is
//! paid for them.

use super::supply::{Given, Stand, Supply, unit_changes};
use super::{Calendar, SourceName};
use crate::fleet::world::{Pool, PoolKind};
use crate::supply::{Contract, CounterpartyDefault, Tranche, UnitLaw};
use crate::time::FleetTime;
use crate::units::correlate;

/// Seconds in a mean year.
const YEAR_S: f64 = 31_557_600.0;

/// What a contract buys and costs in one world.
struct Terms {
    /// GPUs when every tranche stands.
    full: f64,
    /// USD per GPU-hour, and what is billed of it after the credit for what was prepaid.
    price: f64,
    billed: f64,
    prepaid: f64,
    /// Share of it that serves the assistant.
    assistant: f64,
    /// When its provider fails, and when which share of it serves again.
    fails: i64,
    again: i64,
    recovery: f64,
}

impl Terms {
    fn new(given: &Given<'_>, name: &str, contract: &Contract) -> Self {
        let draw = given.draw;
        let price = draw.value(&format!("contracts/{name}/price"), &contract.price).0;
        let value = draw.value(&format!("contracts/{name}/value"), &contract.value).0;
        let taken = contract.backstop.as_ref().map_or(0.0, |backstop| {
            let at = |part: &str| format!("contracts/{name}/backstop/{part}");
            draw.value(&at("value"), &backstop.value).0
                * draw.value(&at("taken"), &backstop.taken).0
        });
        let prepaid = contract.prepay.as_ref().map_or(0.0, |prepay| {
            value * draw.value(&format!("contracts/{name}/prepay"), &prepay.share).0
        });
        let assistant = format!("contracts/{name}/assistant_share");
        let fails = contract
            .default
            .as_ref()
            .map_or(i64::MAX, |law| default_time(given, name, &contract.provider, law));
        let (wait, recovery) = contract.default.as_ref().map_or((0, 0.0), |law| {
            let at = format!("contracts/{name}/default/recovery");
            let part = law.recovery.as_ref().map_or(0.0, |part| draw.value(&at, part).0);
            (law.after.0 as i64, part)
        });
        Self {
            full: full_gpus(contract, value + taken, price),
            price,
            billed: price * (1.0 - prepaid / (value + taken)),
            prepaid,
            assistant: draw.value(&assistant, &contract.assistant_share).0,
            fails,
            again: fails.saturating_add(wait),
            recovery,
        }
    }

    /// What stands of a tranche that is accepted at `from` and ends at `to`, with its price: all
    /// of it until the provider fails, then what somebody else takes over.
    fn parts(&self, tranche: &Tranche, from: i64, to: i64) -> [(Stand, f64); 2] {
        let units = self.full * tranche.share.0;
        let before = Stand { from, to: to.min(self.fails).max(from), units };
        let again = self.again.max(from).min(to.max(from));
        let after = Stand { from: again, to: to.max(again), units: units * self.recovery };
        [(before, self.billed), (after, self.price)]
    }
}

/// When a provider fails: exponential from the day of the decision on, since what lies before is
/// known. One number for all of its contracts.
fn default_time(given: &Given<'_>, name: &str, provider: &str, law: &CounterpartyDefault) -> i64 {
    let rate = given.draw.value(&format!("contracts/{name}/default/per_year"), &law.per_year).0;
    let drawn = given.draw.uniform(&format!("providers/{provider}/default"));
    let years = -libm::log1p(-drawn) / rate;
    // A rate of zero: never.
    if years < 1e6 { given.scenario.decide_on.0 + (years * YEAR_S) as i64 } else { i64::MAX }
}

/// Seconds by which a tranche comes late.
fn lateness(given: &Given<'_>, name: &str, contract: &Contract, number: usize) -> i64 {
    let tranche = &contract.tranches[number];
    if tranche.delivered {
        return 0;
    }
    let own = format!("contracts/{name}/slip/{number}");
    let slip = match contract.slip_correlation {
        None => given.draw.value(&own, &contract.slip),
        Some(correlation) => {
            let common = given.draw.uniform(&format!("contracts/{name}/slip"));
            let own = given.draw.uniform(&own);
            contract.slip.at(correlate(common, own, correlation.0))
        }
    };
    slip.0 as i64 + given.delay(&tranche.accelerator)
}

impl Supply {
    pub fn add_contract(
        &mut self,
        given: &Given<'_>,
        index: usize,
        name: &str,
        contract: &Contract,
    ) {
        let calendar = given.calendar;
        let terms = Terms::new(given, name, contract);
        // A provider that has failed is neither paid ahead nor pays anything back.
        if let Some(prepay) = contract.prepay.as_ref().filter(|p| p.signed.0 < terms.fails) {
            self.pay(calendar, prepay.signed, terms.prepaid);
        }
        let mut stands: Vec<(&str, Stand)> = Vec::new();
        for (number, tranche) in contract.tranches.iter().enumerate() {
            let late = lateness(given, name, contract, number);
            if let Some(stop) = contract.long_stop.filter(|stop| late > stop.0 as i64) {
                // The buyer ends it and has back what was prepaid for it.
                let ended = FleetTime(tranche.on.0 + stop.0 as i64);
                if ended.0 < terms.fails {
                    self.pay(calendar, ended, -terms.prepaid * part_of_value(contract, number));
                }
                continue;
            }
            let (from, to) = (tranche.on.0 + late, contract.end.0 + late);
            for (stand, price) in terms.parts(tranche, from, to) {
                self.bill(calendar, (stand.from, stand.to), stand.units, price, terms.assistant);
                stands.push((&tranche.accelerator, stand));
            }
        }
        self.add_contract_pools(given, (index, name, contract), &stands, terms.assistant);
    }

    fn add_contract_pools(
        &mut self,
        given: &Given<'_>,
        (index, name, contract): (usize, &str, &Contract),
        stands: &[(&str, Stand)],
        assistant: f64,
    ) {
        let Given { scenario, calendar, rates, .. } = *given;
        let mut kinds: Vec<&str> =
            contract.tranches.iter().map(|tranche| tranche.accelerator.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            // All GPUs are paid; those of spare trays do not serve, as in own racks.
            let unit = scenario.hardware[kind].unit;
            let firm = f64::from(unit.serving) / f64::from(unit.gpus);
            for (place, part) in &contract.regions {
                let region = scenario.regions.keys().position(|known| known == place).unwrap_or(0);
                let mine = stands.iter().filter(|stand| stand.0 == kind);
                let scaled: Vec<Stand> = mine
                    .map(|(_, stand)| Stand { units: stand.units * part.0 * assistant, ..*stand })
                    .collect();
                let pool = self.pools.len();
                let (changes, most) = unit_changes(calendar, pool, &scaled, &|_| 1.0);
                self.changes.extend(changes);
                self.pools.push(Pool {
                    name: format!("{name}/{kind}/{place}"),
                    kind: PoolKind::Contract(index),
                    site: None,
                    region,
                    accelerator: rates.accelerator(kind),
                    source: self.source(&SourceName::Contract(name.to_owned())),
                    law: UnitLaw::Firm,
                    gpus_per_unit: contract.availability.0 * firm,
                    gpus_by_epoch: Vec::new(),
                    most,
                    young: None,
                    by_span: Vec::new(),
                });
            }
        }
    }

    /// A payment on one day; before or after the horizon it is in no year.
    fn pay(&mut self, calendar: &Calendar, on: FleetTime, dollars: f64) {
        let year = calendar.years.iter().position(|year| i64::from(year.year) == on.date().0);
        if let Some(year) = year {
            self.contract_dollars[year] += dollars;
        }
    }

    /// Take-or-pay: every delivered GPU-hour is paid, used or not, from acceptance to the end.
    fn bill(
        &mut self,
        calendar: &Calendar,
        (from, to): (i64, i64),
        gpus: f64,
        price: f64,
        assistant: f64,
    ) {
        for year in 0..calendar.years.len() {
            let (start, end) = calendar.year_bounds(year);
            let (start, end) = (calendar.start.0 + start as i64, calendar.start.0 + end as i64);
            let overlap = (to.min(end) - from.max(start)).max(0) as f64;
            self.contract_dollars[year] += gpus * price * overlap / 3_600.0;
            let mean = gpus * overlap / (end - start) as f64;
            self.contracted_gpus[year] += mean;
            self.assistant_gpus[year] += mean * assistant;
        }
    }
}

/// GPUs of a contract when every tranche stands: its value over the price of its planned
/// GPU-hours.
fn full_gpus(contract: &Contract, value: f64, price: f64) -> f64 {
    let weighted = planned_hours(contract);
    if price > 0.0 && weighted > 0.0 { value / (price * weighted) } else { 0.0 }
}

/// Planned hours of a tranche at the share that it is.
fn share_hours(contract: &Contract, tranche: &Tranche) -> f64 {
    tranche.share.0 * (contract.end.0 - tranche.on.0) as f64 / 3_600.0
}

fn planned_hours(contract: &Contract) -> f64 {
    contract.tranches.iter().map(|tranche| share_hours(contract, tranche)).sum()
}

/// Share of the contract's value that is in one tranche.
fn part_of_value(contract: &Contract, number: usize) -> f64 {
    share_hours(contract, &contract.tranches[number]) / planned_hours(contract)
}
