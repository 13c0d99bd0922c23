//! Reliability test systems on the fleet's loop: two-state units against an hourly load, in one
//! area, as a world with one region, one workload and one call per second and GPU. A megawatt of
//! the system is a GPU here.

use super::world::{CapacityChange, Class, Pool, PoolKind, Span, World, YearSpan};
use crate::supply::UnitLaw;

/// Identical units of a test system.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemUnits {
    /// Name of their random stream.
    pub name: String,
    /// Capacity of one unit: one value, or one for each hour.
    pub capacity: Vec<f64>,
    /// How many.
    pub count: u32,
    /// How each fails.
    pub law: UnitLaw,
}

impl World {
    /// The world of a test system with an hourly load; every list of capacities has one value or
    /// as many as the load.
    #[must_use]
    pub fn of_system(units: &[SystemUnits], load: &[f64]) -> Self {
        let hours = load.len();
        let pools: Vec<Pool> = units.iter().map(|unit| pool(unit, hours)).collect();
        let changes = (0..pools.len())
            .map(|pool| CapacityChange { time: 0, pool, units: units[pool].count })
            .collect();
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
            curves: vec![load.to_vec()],
            deferrables: Vec::new(),
            deferrable_base: Vec::new(),
            deadline: 1,
            rates: vec![1.0],
            reference_cost: vec![1.0],
            candidate_cost: vec![1.0],
            reference_worth: vec![1.0],
            candidate_worth: vec![1.0],
            deferrable_worth: vec![1.0],
            output_tokens: vec![1.0],
            candidate_weights: vec![1.0],
            own_pools: pools.len(),
            pools,
            merit: vec![[vec![everyone], vec![Vec::new()], vec![Vec::new()]]],
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

fn pool(unit: &SystemUnits, hours: usize) -> Pool {
    let varies = unit.capacity.len() > 1;
    debug_assert!(!varies || unit.capacity.len() == hours);
    Pool {
        name: unit.name.clone(),
        kind: PoolKind::Own,
        site: None,
        region: 0,
        accelerator: 0,
        source: 0,
        law: unit.law.clone(),
        gpus_per_unit: unit.capacity.first().copied().unwrap_or(0.0),
        gpus_by_epoch: if varies { unit.capacity.clone() } else { Vec::new() },
        most: unit.count,
    }
}
