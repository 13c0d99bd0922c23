//! Reliability test systems on the fleet's loop: two-state units against an hourly load, in one
//! area, as a world with one region, one workload and one call per second and GPU. A megawatt of
//! the system is a GPU here.

use super::world::{CapacityChange, Class, Policy, Pool, PoolKind, Span, World, YearSpan};
use crate::scenario::{Level, System, UnitFailures};
use crate::supply::UnitLaw;

/// Hours in which the state of a unit given by hourly probabilities is forgotten at the fastest.
const FORGETTING: f64 = 1e-6;

/// The law in continuous time of a unit of a test system. Hourly probabilities become rates with
/// the same unavailability and the same correlation from hour to hour.
pub(super) fn failure_law(failures: &UnitFailures) -> UnitLaw {
    match failures {
        UnitFailures::Times { mtbf, mttr } => {
            UnitLaw::Whole { fail: 1.0 / mtbf.0, repair: 1.0 / mttr.0 }
        }
        UnitFailures::PerHour { failure, repair } => {
            let kept = (1.0 - failure - repair).max(FORGETTING);
            let total = -libm::log(kept) / 3_600.0;
            let down = failures.unavailability();
            UnitLaw::Whole { fail: total * down, repair: total * (1.0 - down) }
        }
    }
}

impl World {
    /// The world of a test system.
    #[must_use]
    pub fn of_system(system: &System) -> Self {
        let load = system.hourly_load();
        let hours = load.len();
        let firm = pool("firm", &system.firm, 1, UnitLaw::Firm);
        let failing = system.units.iter().map(|(name, units)| {
            pool(name, &units.capacity, units.count, failure_law(&units.failures))
        });
        let pools: Vec<Pool> = failing.chain([firm]).collect();
        let stand = |(index, pool): (usize, &Pool)| CapacityChange {
            time: 0,
            pool: index,
            units: pool.most,
        };
        let changes = pools.iter().enumerate().map(stand).collect();
        let everyone: Vec<u16> = (0..pools.len() as u16).collect();
        Self {
            epoch_s: 3_600,
            epochs: hours,
            spans: vec![Span { first: 0, end: hours, year: 0, quarter: 0 }],
            years: vec![YearSpan { year: 0, first: 0, end: hours }],
            regions: 1,
            workloads: 1,
            classes: vec![Class { region: 0, workload: 0, curve: 0, candidate_reach: 1 }],
            base: vec![1.0],
            curves: vec![load],
            deferrables: Vec::new(),
            deferrable_base: Vec::new(),
            deadlines: Vec::new(),
            deadline_of: Vec::new(),
            policies: vec![Policy::default()],
            rates: vec![1.0],
            reference_cost: vec![1.0],
            candidate_cost: vec![1.0],
            reference_worth: vec![1.0],
            candidate_worth: vec![1.0],
            deferrable_worth: vec![1.0],
            output_tokens: vec![1.0],
            candidate_weights: vec![1.0],
            own_pools: pools.len(),
            borrowed_pools: 0,
            pools,
            merit: vec![[vec![everyone], vec![Vec::new()], vec![Vec::new()], vec![Vec::new()]]],
            changes,
            sites: Vec::new(),
            events: Vec::new(),
            surges: Vec::new(),
            on_demand: None,
            // One workload: no unit ever changes hands.
            reload_share: 0.0,
            sources: 1,
        }
    }
}

/// A pool of a test system.
pub(super) fn pool(name: &str, capacity: &Level, count: u32, law: UnitLaw) -> Pool {
    let (gpus_per_unit, gpus_by_epoch) = match capacity {
        Level::Constant(capacity) => (*capacity, Vec::new()),
        Level::Hourly(capacities) => (0.0, capacities.clone()),
    };
    Pool {
        name: name.to_owned(),
        kind: PoolKind::Own,
        site: None,
        region: 0,
        accelerator: 0,
        source: 0,
        law,
        gpus_per_unit,
        gpus_by_epoch,
        most: count,
        young: None,
        by_span: Vec::new(),
    }
}
