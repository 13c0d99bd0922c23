//! What stands where and when: sites with slipped deliveries, contracts with slipped tranches,
//! as pools whose unit counts change over time.

use super::rates::Rates;
use super::{Calendar, Draw, SourceName};
use crate::demand::Growth;
use crate::fleet::world::{CapacityChange, Pool, PoolKind, SiteLaw};
use crate::hardware::Accelerator;
use crate::scenario::Scenario;
use crate::supply::{Amount, Contract, Site, UnitLaw};
use crate::time::{DAY, FleetTime};
use crate::units::{Share, correlate};

/// Units that stand from one instant to another.
struct Stand {
    from: i64,
    to: i64,
    units: f64,
}

/// What every pool is built from.
struct Given<'a> {
    scenario: &'a Scenario,
    draw: Draw<'a>,
    calendar: &'a Calendar,
    rates: &'a Rates,
}

impl Given<'_> {
    /// Seconds by which every delivery of an accelerator comes late.
    fn delay(&self, kind: &str) -> i64 {
        let delay = self.scenario.hardware[kind].delay.as_ref();
        delay.map_or(0, |delay| self.draw.value(&format!("hardware/{kind}/delay"), delay).0 as i64)
    }
}

/// Pools and their changes.
#[derive(Debug, Clone)]
pub(super) struct Supply {
    pub pools: Vec<Pool>,
    pub own_pools: usize,
    pub borrowed_pools: usize,
    pub changes: Vec<CapacityChange>,
    pub sites: Vec<SiteLaw>,
    pub sources: Vec<SourceName>,
    /// By year: contracted GPUs delivered, mean.
    pub contracted_gpus: Vec<f64>,
    /// By year: the part of them that serves the assistant.
    pub assistant_gpus: Vec<f64>,
    /// By year: paid for contracts, USD.
    pub contract_dollars: Vec<f64>,
}

impl Supply {
    pub fn new(scenario: &Scenario, draw: Draw<'_>, calendar: &Calendar, rates: &Rates) -> Self {
        let years = calendar.years.len();
        let given = Given { scenario, draw, calendar, rates };
        let mut supply = Self {
            pools: Vec::new(),
            own_pools: 0,
            borrowed_pools: 0,
            changes: Vec::new(),
            sites: Vec::new(),
            sources: Vec::new(),
            contracted_gpus: vec![0.0; years],
            assistant_gpus: vec![0.0; years],
            contract_dollars: vec![0.0; years],
        };
        supply.name_sources(scenario);
        for (index, (name, site)) in scenario.sites.iter().enumerate() {
            supply.sites.push(SiteLaw {
                name: name.clone(),
                fail: 1.0 / site.outages.mtbf.0,
                recover: 1.0 / site.outages.mttr.0,
                borrow_epochs: site.training.as_ref().map_or(0, |training| {
                    // Whole epochs; an hour stays one whatever the rounding of a division.
                    (training.hours.0 * 3_600.0 / calendar.epoch_s as f64 + 1e-9) as u64
                }),
            });
            supply.add_site(&given, (index, name, site), PoolKind::Own, &site.assistant_share);
        }
        supply.own_pools = supply.pools.len();
        for (index, (name, site)) in scenario.sites.iter().enumerate() {
            if let Some(training) = &site.training {
                let lent = &training.share;
                supply.add_site(&given, (index, name, site), PoolKind::Borrowed, lent);
            }
        }
        supply.borrowed_pools = supply.pools.len() - supply.own_pools;
        for (index, (name, contract)) in scenario.contracts.iter().enumerate() {
            supply.add_contract(&given, index, name, contract);
        }
        supply.changes.sort_by_key(|change| (change.time, change.pool));
        supply
    }

    /// Layers of the chart: own accelerators by first availability, then contracts.
    fn name_sources(&mut self, scenario: &Scenario) {
        let own = |name: &&String| {
            let phases = scenario.sites.values().flat_map(|site| &site.phases);
            phases
                .clone()
                .any(|phase| &phase.accelerator == *name || phase.refill.as_ref() == Some(*name))
        };
        let mut kinds: Vec<&String> = scenario.hardware.keys().filter(own).collect();
        kinds.sort_by_key(|name| (scenario.hardware[*name].available, (*name).clone()));
        self.sources = kinds.into_iter().map(|name| SourceName::Own(name.clone())).collect();
        let contracts = scenario.contracts.keys().map(|name| SourceName::Contract(name.clone()));
        self.sources.extend(contracts);
    }

    fn source(&self, name: &SourceName) -> usize {
        self.sources.iter().position(|known| known == name).unwrap_or(0)
    }

    /// Adds the pools of a site: the share of it that is ours, or that may be borrowed.
    fn add_site(
        &mut self,
        given: &Given<'_>,
        (index, name, site): (usize, &str, &Site),
        whose: PoolKind,
        law: &Growth<Share>,
    ) {
        let Given { scenario, draw, calendar, rates } = *given;
        let region = scenario.regions.keys().position(|known| *known == site.region).unwrap_or(0);
        let refills = site.phases.iter().filter_map(|phase| phase.refill.as_ref());
        let mut kinds: Vec<&String> =
            site.phases.iter().map(|phase| &phase.accelerator).chain(refills).collect();
        kinds.sort();
        kinds.dedup();
        for kind in kinds {
            let accelerator = &scenario.hardware[kind];
            let stands = site_stands(given, name, site, kind);
            let (share_name, pool_name) = match whose {
                PoolKind::Borrowed => ("training", format!("{name}/{kind}/training")),
                _ => ("share", format!("{name}/{kind}")),
            };
            let share = |time: FleetTime| {
                draw.growth(&format!("sites/{name}/{share_name}"), law, time.decimal_year()).0
            };
            let pool = self.pools.len();
            let (changes, most) = unit_changes(calendar, pool, &stands, &share);
            self.changes.extend(changes);
            self.pools.push(Pool {
                name: pool_name,
                kind: whose,
                site: Some(index),
                region,
                accelerator: rates.accelerator(kind),
                source: self.source(&SourceName::Own(kind.clone())),
                law: UnitLaw::new(&accelerator.failures),
                gpus_per_unit: f64::from(accelerator.unit.serving) * (1.0 - site.maintenance.0),
                gpus_by_epoch: Vec::new(),
                most,
            });
        }
    }

    fn add_contract(&mut self, given: &Given<'_>, index: usize, name: &str, contract: &Contract) {
        let Given { scenario, draw, calendar, rates } = *given;
        let price = draw.value(&format!("contracts/{name}/price"), &contract.price).0;
        let value = draw.value(&format!("contracts/{name}/value"), &contract.value).0;
        let taken = contract.backstop.as_ref().map_or(0.0, |backstop| {
            let at = |part: &str| format!("contracts/{name}/backstop/{part}");
            draw.value(&at("value"), &backstop.value).0
                * draw.value(&at("taken"), &backstop.taken).0
        });
        let full = full_gpus(contract, value + taken, price);
        let prepaid = contract.prepay.as_ref().map_or(0.0, |prepay| {
            value * draw.value(&format!("contracts/{name}/prepay"), &prepay.share).0
        });
        if let Some(prepay) = &contract.prepay {
            self.pay(calendar, prepay.signed, prepaid);
        }
        let billed = price * (1.0 - prepaid / (value + taken));
        let assistant = format!("contracts/{name}/assistant_share");
        let assistant = draw.value(&assistant, &contract.assistant_share).0;
        let mut stands = Vec::new();
        for (number, tranche) in contract.tranches.iter().enumerate() {
            let slip = draw.value(&format!("contracts/{name}/slip/{number}"), &contract.slip).0;
            let late = slip as i64 + given.delay(&tranche.accelerator);
            let late = if tranche.delivered { 0 } else { late };
            let (from, to) = (tranche.on.0 + late, contract.end.0 + late);
            let gpus = full * tranche.share.0;
            stands.push((tranche.accelerator.clone(), Stand { from, to, units: gpus }));
            self.bill(calendar, (from, to), gpus, billed, assistant);
        }
        let mut kinds: Vec<String> = stands.iter().map(|stand| stand.0.clone()).collect();
        kinds.sort();
        kinds.dedup();
        for kind in kinds {
            // All GPUs are paid; those of spare trays do not serve, as in own racks.
            let unit = scenario.hardware[&kind].unit;
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
                    accelerator: rates.accelerator(&kind),
                    source: self.source(&SourceName::Contract(name.to_owned())),
                    law: UnitLaw::Firm,
                    gpus_per_unit: contract.availability.0 * firm,
                    gpus_by_epoch: Vec::new(),
                    most,
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
#[must_use]
pub(super) fn full_gpus(contract: &Contract, value: f64, price: f64) -> f64 {
    let hours = |tranche: &crate::supply::Tranche| {
        tranche.share.0 * (contract.end.0 - tranche.on.0) as f64 / 3_600.0
    };
    let weighted: f64 = contract.tranches.iter().map(hours).sum();
    if price > 0.0 && weighted > 0.0 { value / (price * weighted) } else { 0.0 }
}

/// Deliveries of one accelerator to a site, slipped and retired; and what refills the halls of
/// retired ones, with the facility power that they leave.
fn site_stands(given: &Given<'_>, name: &str, site: &Site, kind: &str) -> Vec<Stand> {
    let Given { scenario, draw, .. } = *given;
    let common = draw.uniform(&format!("sites/{name}/slip"));
    let mut stands = Vec::new();
    for (number, phase) in site.phases.iter().enumerate() {
        let first = &scenario.hardware[&phase.accelerator];
        let own = draw.uniform(&format!("sites/{name}/slip/{number}"));
        let drawn = correlate(common, own, site.slip_correlation.0);
        let slip = site.slip.at(drawn).0 as i64;
        let amount = format!("sites/{name}/amount/{number}");
        let watts = |gpus: f64, of: &Accelerator| gpus * site.pue.0 * of.power.0;
        let power = match &phase.amount {
            Amount::Gpus(gpus) => watts(draw.value(&amount, gpus).0, first),
            Amount::FacilityPower(power) => draw.value(&amount, power).0,
        };
        let stand = |from: i64, of: &Accelerator| Stand {
            from,
            to: from + of.life.0 as i64,
            units: power / watts(f64::from(of.unit.gpus), of),
        };
        let late = if phase.delivered { 0 } else { slip + given.delay(&phase.accelerator) };
        let from = phase.on.0 + late;
        if phase.accelerator == kind {
            stands.push(stand(from, first));
        }
        if phase.refill.as_deref() == Some(kind) {
            // Clearing and filling a hall again is as late as building it was.
            let late = slip + given.delay(kind);
            let refill = &scenario.hardware[kind];
            let calendar = given.calendar;
            let horizon = calendar.start.0 + (calendar.epochs as u64 * calendar.epoch_s) as i64;
            let mut refilled = from + first.life.0 as i64 + late;
            // The halls stay: what refills them is replaced in its turn.
            while refilled < horizon {
                stands.push(stand(refilled, refill));
                refilled += (refill.life.0 as i64 + late).max(DAY);
            }
        }
    }
    stands
}

/// Whole units over time: at every delivery, retirement and month, what stands times the share
/// left for the assistant, rounded down.
fn unit_changes(
    calendar: &Calendar,
    pool: usize,
    stands: &[Stand],
    share: &dyn Fn(FleetTime) -> f64,
) -> (Vec<CapacityChange>, u32) {
    let horizon = calendar.epochs as u64 * calendar.epoch_s;
    let edges = stands.iter().flat_map(|stand| [stand.from, stand.to]);
    let mut times: Vec<u64> = edges
        .map(|time| calendar.seconds(FleetTime(time)))
        .chain((0..calendar.spans.len()).map(|span| calendar.span_start(span)))
        .filter(|time| *time < horizon)
        .collect();
    times.sort_unstable();
    times.dedup();
    let (mut changes, mut held, mut most) = (Vec::new(), 0, 0);
    for time in times {
        let at = calendar.start.0 + time as i64;
        let standing = stands.iter().filter(|stand| stand.from <= at && at < stand.to);
        let total: f64 = standing.map(|stand| stand.units).sum();
        let units = if total > 0.0 { (total * share(FleetTime(at))) as u32 } else { 0 };
        if units != held {
            changes.push(CapacityChange { time, pool, units });
            held = units;
            most = most.max(units);
        }
    }
    (changes, most)
}
