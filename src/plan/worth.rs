//! What a source of supply is worth to the plan: equivalent firm capacity, effective load carrying
//! capability and capacity credit of a site, a pool or a contract, at the criterion.
//!
//! Each world is simulated with the source and without it on the same streams. EFC is read from
//! the two arrays of margins without simulating again. ELCC is a bisection on the demand that is
//! carried (Garver 1966: the load that may be added until the risk is what it was): more demand
//! moves every margin in its own way, so that each trial is simulated.

use serde::Serialize;

use super::need::{Before, allowed_epochs, required_block, short_epochs};
use super::result::Provenance;
use crate::fleet::{Outcome, Residuals, ServingRate, World, simulate};
use crate::rng::StreamKey;
use crate::scenario::{Criterion, Scenario};
use crate::stats::{Estimate, Spread};
use crate::study::{Watch, WorldRun, replicate};

/// The demand that is carried is found to this share of it.
const NARROW: f64 = 2e-4;
/// Most and least demand that is tried, as a multiple of the scenario's.
const MOST: f64 = 1024.0;
const LEAST: f64 = 1.0 / 1024.0;
/// How much smaller than the gap the other block of the trace is, GPUs: the block that is too
/// small.
const BESIDE: f64 = 1.0;

/// What a source is worth, year by year.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worth {
    /// What it was computed from.
    pub provenance: Provenance,
    /// The source as it was asked for.
    pub source: String,
    /// Pools that belong to it.
    pub pools: Vec<String>,
    /// The risk at which it is valued.
    pub criterion: Criterion,
    /// By calendar year.
    pub years: Vec<YearWorth>,
    /// How the values of world 0 were found.
    pub trace: Vec<Trial>,
}

/// What a source is worth in one calendar year. Spreads are over worlds; means have the standard
/// error over worlds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct YearWorth {
    /// Calendar year.
    pub year: u16,
    /// What of it is delivered, failures not deducted, mean over the year, candidate GPUs.
    pub nameplate_gpus: Spread,
    /// Firm candidate GPUs that meet the criterion in its place.
    pub efc_gpus: Spread,
    /// Mean of that.
    pub efc_mean: Estimate,
    /// Mean EFC over mean nameplate; 0 where nothing is delivered.
    pub efc_credit: Estimate,
    /// Interactive demand that it lets the fleet carry at the criterion: reference GPUs in the
    /// busiest hour.
    pub elcc_reference_gpus: Spread,
    /// Mean of that.
    pub elcc_mean: Estimate,
    /// Mean ELCC over mean nameplate in reference GPUs; 0 where nothing is delivered.
    pub elcc_credit: Estimate,
    /// Demand that is carried with it, as a multiple of the scenario's: median of the brackets' low
    /// and high ends over worlds.
    pub carried_with: [f64; 2],
    /// The same without it.
    pub carried_without: [f64; 2],
    /// Interactive LOLE, h/yr, with it.
    pub lole_with: Estimate,
    /// Interactive LOLE, h/yr, without it.
    pub lole_without: Estimate,
}

/// One trial of the search in world 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Trial {
    /// Calendar year.
    pub year: u16,
    /// Whether the source stands.
    pub with_source: bool,
    /// Demand, as a multiple of the scenario's.
    pub demand: f64,
    /// Firm candidate block beside it, GPUs: the gap and a GPU less; negative is taken away.
    pub block_gpus: f64,
    /// Interactive LOLE, h/yr, mean over the inner samples.
    pub lole: f64,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWorth {
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
    /// Some work may be served by nothing but what is in hand.
    #[error(
        "in world {world} some work can be served by no candidate GPU, so that no firm capacity \
         is equivalent: let the candidate stand in a region from which it may be served"
    )]
    NoEquivalent {
        /// The world.
        world: u32,
    },
}

/// One world's values of one year.
#[derive(Debug, Clone, Copy, Default)]
struct Value {
    nameplate: f64,
    nameplate_reference: f64,
    efc: f64,
    elcc: f64,
    carried: [[f64; 2]; 2],
    lole: [f64; 2],
}

/// Names by which sources of a scenario may be asked for: sites, contracts, and the pools in them.
#[must_use]
pub fn sources(world: &World) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for pool in &world.pools {
        let whole = pool.name.split('/').next().unwrap_or_default();
        names.extend([whole.to_owned(), pool.name.clone()]);
    }
    names.sort();
    names.dedup();
    names
}

/// Pools that belong to a source: the pool of that name, or all of a site or contract.
fn pools_of(world: &World, source: &str) -> Vec<usize> {
    let inside = |name: &str| {
        name == source || name.strip_prefix(source).is_some_and(|rest| rest.starts_with('/'))
    };
    (0..world.pools.len()).filter(|pool| inside(&world.pools[*pool].name)).collect()
}

/// The worth of a source. `source` must be one of [`sources`]; another one is worth nothing.
///
/// # Errors
/// [`NoWorth`]: it was stopped, or the candidate cannot stand in for it.
pub fn worth(
    scenario: &Scenario,
    rate: &ServingRate<'_>,
    source: &str,
    watch: Watch<'_>,
) -> Result<Worth, NoWorth> {
    let worlds = replicate(scenario, rate, watch, |run| {
        let pools = pools_of(&run.drawn.world, source);
        let names = pools.iter().map(|pool| run.drawn.world.pools[*pool].name.clone());
        (value(scenario, run, &pools), names.collect::<Vec<String>>())
    })
    .ok_or(NoWorth::Stopped)?;
    for (number, ((values, _), _)) in worlds.iter().enumerate() {
        if values.iter().any(|value| !value.efc.is_finite()) {
            return Err(NoWorth::NoEquivalent { world: number as u32 });
        }
    }
    let years = (scenario.horizon.first_year..=scenario.horizon.last_year).enumerate();
    let of = |index: usize| worlds.iter().map(|((values, _), _)| values[index]).collect::<Vec<_>>();
    let (trace, pools) = worlds
        .first()
        .map_or_else(Default::default, |((_, trace), pools)| (trace.clone(), pools.clone()));
    Ok(Worth {
        provenance: Provenance::of(scenario, scenario.horizon.epoch.0 / 3_600.0),
        source: source.to_owned(),
        pools,
        criterion: scenario.criterion,
        years: years.map(|(index, year)| year_worth(year, &of(index))).collect(),
        trace,
    })
}

fn year_worth(year: u16, values: &[Value]) -> YearWorth {
    let all = |of: fn(&Value) -> f64| values.iter().map(of).collect::<Vec<f64>>();
    let median = |of: fn(&Value) -> f64| Spread::of(&all(of)).p50.value;
    YearWorth {
        year,
        nameplate_gpus: Spread::of(&all(|value| value.nameplate)),
        efc_gpus: Spread::of(&all(|value| value.efc)),
        efc_mean: Estimate::of(&all(|value| value.efc)),
        efc_credit: Estimate::of_ratio(&all(|value| value.efc), &all(|value| value.nameplate)),
        elcc_reference_gpus: Spread::of(&all(|value| value.elcc)),
        elcc_mean: Estimate::of(&all(|value| value.elcc)),
        elcc_credit: Estimate::of_ratio(
            &all(|value| value.elcc),
            &all(|value| value.nameplate_reference),
        ),
        carried_with: [median(|value| value.carried[0][0]), median(|value| value.carried[0][1])],
        carried_without: [median(|value| value.carried[1][0]), median(|value| value.carried[1][1])],
        lole_with: Estimate::of(&all(|value| value.lole[0])),
        lole_without: Estimate::of(&all(|value| value.lole[1])),
    }
}

/// The values of one world by year, and how they were found.
fn value(scenario: &Scenario, run: &WorldRun, pools: &[usize]) -> (Vec<Value>, Vec<Trial>) {
    let world = &run.drawn.world;
    let mut without = world.clone();
    without.changes.retain(|change| !pools.contains(&change.pool));
    let keys: Vec<StreamKey> = (0..scenario.sampling.inner_years)
        .map(|inner| {
            StreamKey::inner(scenario.sampling.seed, u64::from(run.world), u64::from(inner))
        })
        .collect();
    let outcomes: Vec<Outcome> = keys.iter().map(|key| simulate(&without, *key)).collect();
    let mut trace = Vec::new();
    let carried = [(world, true), (&without, false)]
        .map(|(world, stands)| carried(world, &keys, &scenario.criterion, stands, &mut trace));
    let hours = world.epoch_hours();
    let both = [&run.outcomes, &outcomes];
    let mut values = Vec::with_capacity(world.years.len());
    for (year, span) in world.years.iter().enumerate() {
        let block = |outcomes: &[Outcome]| {
            let samples: Vec<&Residuals> = outcomes.iter().map(|o| &o.residuals).collect();
            let epochs = span.first..span.end;
            let criterion = &scenario.criterion;
            required_block(&samples, epochs, Before::Contracts, criterion, &world.deadlines, hours)
        };
        let count = run.outcomes.len() as f64;
        let lole = both.map(|outcomes| {
            let short = outcomes.iter().map(|o| o.years[year].with_contracts.short_epochs);
            short.sum::<u64>() as f64 / count * hours
        });
        let peak = run.outcomes.iter().map(|o| o.years[year].peak_demand).sum::<f64>() / count;
        let at = |side: usize| match carried[side][year] {
            [low, high] if high.is_finite() => f64::midpoint(low, high),
            [low, _] => low,
        };
        let gaps = both.map(|outcomes| block(outcomes));
        let efc = gaps[1] - gaps[0];
        let value = Value {
            nameplate: nameplate(world, pools, year, &world.candidate_worth),
            nameplate_reference: nameplate(world, pools, year, &world.reference_worth),
            efc,
            elcc: (at(0) - at(1)) * peak,
            carried: [carried[0][year], carried[1][year]],
            lole,
        };
        for (side, gap) in gaps.into_iter().enumerate().filter(|(_, gap)| gap.is_finite()) {
            for block_gpus in [gap - BESIDE, gap] {
                let short = both[side].iter().map(|outcome| {
                    let margins = &outcome.residuals.with_contracts[span.first..span.end];
                    short_epochs(margins, outcome.residuals.returns, block_gpus)
                });
                let lole = short.sum::<usize>() as f64 / count * hours;
                let with_source = side == 0;
                trace.push(Trial { year: span.year, with_source, demand: 1.0, block_gpus, lole });
            }
        }
        values.push(value);
    }
    (values, trace)
}

/// Mean over a year of what stands of some pools, at the worth of their accelerators.
fn nameplate(world: &World, pools: &[usize], year: usize, worth: &[f64]) -> f64 {
    let accelerators = worth.len() / world.spans.len();
    let mut sum = 0.0;
    for &pool in pools {
        let facts = &world.pools[pool];
        let mut changes = world.changes.iter().filter(|change| change.pool == pool).peekable();
        let mut units = 0;
        for (index, span) in world.spans.iter().enumerate() {
            for epoch in span.first..span.end {
                while let Some(change) =
                    changes.next_if(|change| change.time <= world.epoch_start(epoch))
                {
                    units = change.units;
                }
                if span.year == year {
                    let worth = worth[index * accelerators + facts.accelerator];
                    sum += f64::from(units) * facts.gpus_per_unit * worth;
                }
            }
        }
    }
    let span = world.years[year];
    sum / (span.end - span.first).max(1) as f64
}

/// By year, the largest demand that meets the criterion and the smallest that does not, as
/// multiples of the world's: all years are searched at once, each with its own multiple.
fn carried(
    world: &World,
    keys: &[StreamKey],
    criterion: &Criterion,
    with_source: bool,
    trace: &mut Vec<Trial>,
) -> Vec<[f64; 2]> {
    let hours = world.epoch_hours();
    let allowed = allowed_epochs(criterion, keys.len(), hours) as u64;
    let mut brackets = vec![[0.0, f64::INFINITY]; world.years.len()];
    let mut demand = vec![1.0; world.years.len()];
    let mut trial = world.clone();
    let classes = world.classes.len();
    let open = |[low, high]: &[f64; 2]| {
        high - low > NARROW * low.max(LEAST) && *low < MOST && *high > LEAST
    };
    while brackets.iter().any(open) {
        for (index, span) in world.spans.iter().enumerate() {
            let cells = index * classes..(index + 1) * classes;
            for (tried, calls) in trial.base[cells.clone()].iter_mut().zip(&world.base[cells]) {
                *tried = calls * demand[span.year];
            }
        }
        let outcomes: Vec<Outcome> = keys.iter().map(|key| simulate(&trial, *key)).collect();
        for (year, bracket) in brackets.iter_mut().enumerate() {
            if !open(bracket) {
                continue;
            }
            let short: u64 =
                outcomes.iter().map(|o| o.years[year].with_contracts.short_epochs).sum();
            trace.push(Trial {
                year: world.years[year].year,
                with_source,
                demand: demand[year],
                block_gpus: 0.0,
                lole: short as f64 / keys.len() as f64 * hours,
            });
            bracket[usize::from(short > allowed)] = demand[year];
            demand[year] = match *bracket {
                [low, high] if high.is_infinite() => low * 2.0,
                [low, high] if low <= 0.0 && high > LEAST => high / 2.0,
                [low, high] => f64::midpoint(low, high),
            };
        }
    }
    brackets
}
