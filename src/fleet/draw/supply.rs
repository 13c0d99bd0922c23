//! What stands where and when, as pools whose unit counts change over time. Deliveries to sites
//! are in [`super::deliveries`], contracts in [`super::contracts`].

use super::rates::Rates;
use super::{Calendar, Draw, SourceName};
use crate::fleet::world::{CapacityChange, Pool, PoolKind, SiteLaw};
use crate::scenario::Scenario;
use crate::time::FleetTime;

/// Units that stand from one instant to another.
pub(super) struct Stand {
    pub from: i64,
    pub to: i64,
    pub units: f64,
}

/// What every pool is built from.
pub(super) struct Given<'a> {
    pub scenario: &'a Scenario,
    pub draw: Draw<'a>,
    pub calendar: &'a Calendar,
    pub rates: &'a Rates,
}

impl Given<'_> {
    /// Seconds by which every delivery of an accelerator comes late.
    pub fn delay(&self, kind: &str) -> i64 {
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

    /// Index of the layer of the chart.
    pub fn source(&self, name: &SourceName) -> usize {
        self.sources.iter().position(|known| known == name).unwrap_or(0)
    }
}

/// Whole units over time: at every delivery, retirement and month, what stands times the share
/// left for the assistant, rounded down.
pub(super) fn unit_changes(
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
        // Parts of a whole number of units may add up to a rounding less.
        let whole = |total: f64| (total * share(FleetTime(at)) * (1.0 + 1e-12)) as u32;
        let units = if total > 0.0 { whole(total) } else { 0 };
        if units != held {
            changes.push(CapacityChange { time, pool, units });
            held = units;
            most = most.max(units);
        }
    }
    (changes, most)
}
