//! How capacity comes and goes: batches and power, first weeks and first months, seasons,
//! contracts that end early, odd fleets. Serving rates are a fixed share of the fluid capacity,
//! so that nothing is measured.

#[path = "../support/mod.rs"]
mod support;

mod contracts;
mod deliveries;
mod failures;
mod odd;

use sparkgap::demand::Growth;
use sparkgap::fleet::{Draw, DrawnWorld, World, draw_world};
use sparkgap::scenario::Scenario;
use sparkgap::supply::Amount;
use sparkgap::time::FleetTime;
use sparkgap::units::{Factor, GpuAmount, Quantity, Seconds, Share, Uncertain};

const DAY: i64 = 86_400;
/// A mean month, as durations are written in.
const MONTH: i64 = 2_629_800;

fn fixed<Q: Quantity>(value: Q) -> Uncertain<Q> {
    Uncertain::fixed(value)
}

fn date(year: i64, month: i64, day: i64) -> FleetTime {
    FleetTime::from_date(year, month, day).expect("a date")
}

/// One site of our own with one phase of `gpus` GB300 that come on 1 July 2026, all for the
/// assistant; no slip, no outages, no maintenance, no contract.
fn one_site(gpus: f64) -> Scenario {
    let mut scenario = Scenario::embedded();
    scenario.sampling.worlds = 1;
    scenario.sampling.inner_years = 1;
    scenario.horizon.last_year = 2028;
    once(&mut scenario);
    scenario.contracts.clear();
    scenario.sites.retain(|name, _| name == "prometheus");
    scenario.hardware.get_mut("gb300").expect("it ships").infancy = None;
    let site = scenario.sites.get_mut("prometheus").expect("it ships");
    site.assistant_share = Growth::Constant(fixed(Share(1.0)));
    site.training = None;
    site.slip = fixed(Seconds(0.0));
    site.outages.mtbf = Seconds(3.1e10);
    site.maintenance = Share(0.0);
    site.phases.truncate(1);
    let phase = &mut site.phases[0];
    phase.on = date(2026, 7, 1);
    phase.amount = Amount::Gpus(fixed(GpuAmount(gpus)));
    (phase.ramp, phase.power, phase.refill) = (None, None, None);
    scenario
}

/// Every call is asked once, and of one model: what is unserved is a part of what was offered.
fn once(scenario: &mut Scenario) {
    for workload in scenario.workloads.values_mut() {
        (workload.retries, workload.degraded) = (None, None);
    }
}

fn draw(scenario: &Scenario, draw: Draw<'_>) -> DrawnWorld {
    draw_world(scenario, draw, &|inputs| support::rate(scenario, inputs))
}

fn central(scenario: &Scenario) -> World {
    draw(scenario, Draw::central()).world
}

/// Days after the start of 2026 and units from then on, of the pool of a name.
fn changes(world: &World, name: &str) -> Vec<(i64, u32)> {
    let named = |pool: &usize| world.pools[*pool].name == name;
    let pool = (0..world.pools.len()).find(named).expect("a pool of that name");
    let mine = world.changes.iter().filter(|change| change.pool == pool);
    mine.map(|change| (change.time as i64 / DAY, change.units)).collect()
}

/// Day of the horizon of a date.
fn day(at: FleetTime) -> i64 {
    (at.0 - FleetTime::start_of_year(2026).0) / DAY
}

fn factor(value: f64) -> Uncertain<Factor> {
    fixed(Factor(value))
}
