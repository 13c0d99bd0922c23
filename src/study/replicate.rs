//! Worlds on all cores: each is drawn, simulated and reduced by one thread, and the reductions
//! are collected in order of world number.

use rayon::prelude::*;
use serde::Serialize;

use super::Watch;
use crate::fleet::{Draw, DrawnWorld, Outcome, ServingRate, draw_world, simulate};
use crate::rng::StreamKey;
use crate::scenario::Scenario;
use crate::stats::Estimate;

/// One world, simulated.
#[derive(Debug, Clone)]
pub struct WorldRun {
    /// World number.
    pub world: u32,
    /// What was drawn.
    pub drawn: DrawnWorld,
    /// One outcome for each inner sample.
    pub outcomes: Vec<Outcome>,
}

/// Draws, simulates and reduces every world of a scenario. `None` when it was stopped.
///
/// A world depends on the seed and its own number only: not on how many worlds there are, on
/// which thread it runs or on the others.
pub fn replicate<T: Send>(
    scenario: &Scenario,
    rate: &ServingRate<'_>,
    watch: Watch<'_>,
    reduce: impl Fn(&WorldRun) -> T + Sync,
) -> Option<Vec<T>> {
    let sampling = scenario.sampling;
    (watch.begun)(u64::from(sampling.worlds));
    (0..sampling.worlds)
        .into_par_iter()
        .map(|world| {
            if watch.stopped() {
                return None;
            }
            let draw = Draw::of_world(sampling.seed, u64::from(world));
            let drawn = draw_world(scenario, draw, rate);
            let outcomes = (0..sampling.inner_years)
                .map(|inner| {
                    let key = StreamKey::inner(sampling.seed, u64::from(world), u64::from(inner));
                    simulate(&drawn.world, key)
                })
                .collect();
            let reduced = reduce(&WorldRun { world, drawn, outcomes });
            (watch.done)();
            Some(reduced)
        })
        .collect()
}

/// Adequacy of one calendar year.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct YearAdequacy {
    /// Calendar year.
    pub year: u16,
    /// Interactive LOLE, h/yr, with own capacity only.
    pub lole_own: Estimate,
    /// Interactive LOLE, h/yr, with contracts.
    pub lole_with_contracts: Estimate,
    /// Unserved reference GPU-hours a year, with own capacity only.
    pub eue_own: Estimate,
    /// Unserved reference GPU-hours a year, with contracts.
    pub eue_with_contracts: Estimate,
}

/// How adequate the fleet of a scenario is, year by year.
#[must_use]
pub fn assess(scenario: &Scenario, rate: &ServingRate<'_>) -> Vec<YearAdequacy> {
    let worlds = replicate(scenario, rate, Watch::nobody(), |run| {
        let hours = run.drawn.world.epoch_hours();
        let count = run.outcomes.len() as f64;
        let years = 0..run.drawn.world.years.len();
        let mean = |value: &dyn Fn(&Outcome) -> f64| -> f64 {
            run.outcomes.iter().map(value).sum::<f64>() / count
        };
        let year = |index: usize| {
            [
                mean(&|o| o.years[index].own.short_epochs as f64 * hours),
                mean(&|o| o.years[index].with_contracts.short_epochs as f64 * hours),
                mean(&|o| o.years[index].own.reference_gpu_hours),
                mean(&|o| o.years[index].with_contracts.reference_gpu_hours),
            ]
        };
        years.map(year).collect::<Vec<_>>()
    })
    .unwrap_or_default();
    (scenario.horizon.first_year..=scenario.horizon.last_year)
        .enumerate()
        .map(|(index, year)| {
            let of = |part: usize| {
                let samples: Vec<f64> = worlds.iter().map(|world| world[index][part]).collect();
                Estimate::of(&samples)
            };
            YearAdequacy {
                year,
                lole_own: of(0),
                lole_with_contracts: of(1),
                eue_own: of(2),
                eue_with_contracts: of(3),
            }
        })
        .collect()
}
