//! The epoch loop: see what is usable and what is asked, dispatch, record.

use super::dispatch::{Backlog, Dispatch, required_block};
use super::outcome::{Outcome, QuarterTally, Unserved, YearTally};
use super::state::FleetState;
use super::world::{PoolKind, Span, World};
use crate::rng::StreamKey;

/// The rows of a span that the loop reads, those of accelerators laid out by pool.
struct Levels<'w> {
    base: &'w [f64],
    /// Rates by accelerator and workload, for the market.
    market_rates: &'w [f64],
    /// Pools x workloads.
    rates: Vec<f64>,
    /// Candidate GPUs that a GPU of each pool is worth, for interactive and deferrable work.
    worth: Vec<[f64; 2]>,
    reference_cost: &'w [f64],
    candidate_cost: &'w [f64],
    output_tokens: &'w [f64],
    deferrable_base: &'w [f64],
    merit: &'w [Vec<Vec<u16>>; 4],
}

fn levels<'w>(world: &'w World, index: usize, span: &Span) -> Levels<'w> {
    fn row(values: &[f64], index: usize, spans: usize) -> &[f64] {
        let width = values.len() / spans;
        &values[index * width..(index + 1) * width]
    }
    let spans = world.spans.len();
    let rates = row(&world.rates, index, spans);
    let live = row(&world.candidate_worth, index, spans);
    let deferrable = row(&world.deferrable_worth, index, spans);
    let width = world.workloads;
    let kinds = world.pools.iter().map(|pool| pool.accelerator);
    Levels {
        base: row(&world.base, index, spans),
        market_rates: rates,
        rates: kinds
            .clone()
            .flat_map(|kind| &rates[kind * width..(kind + 1) * width])
            .copied()
            .collect(),
        worth: kinds.map(|kind| [live[kind], deferrable[kind]]).collect(),
        reference_cost: row(&world.reference_cost, index, spans),
        candidate_cost: row(&world.candidate_cost, index, spans),
        output_tokens: row(&world.output_tokens, index, spans),
        deferrable_base: row(&world.deferrable_base, index, spans),
        merit: &world.merit[span.year],
    }
}

/// Simulates one inner sample of a world over its whole horizon.
#[must_use]
pub fn simulate(world: &World, key: StreamKey) -> Outcome {
    let mut simulation = FleetState::new(world, key);
    let mut dispatch = Dispatch::new(world);
    let mut backlog = Backlog::new(world.deadline);
    let mut outcome = new_outcome(world);
    let mut supplied = vec![0.0; world.pools.len()];
    let mut year = None;
    for (index, span) in world.spans.iter().enumerate() {
        let levels = levels(world, index, span);
        supplied.fill(0.0);
        if year.replace(span.year) != Some(span.year) {
            dispatch.begin_year(world);
        }
        for epoch in span.first..span.end {
            simulation.advance(world.epoch_start(epoch));
            for &pool in &simulation.varying {
                let serving = f64::from(simulation.counts[pool].serving());
                simulation.usable[pool] = serving * world.pools[pool].gpus_by_epoch[epoch];
            }
            let asked = ask(world, &levels, epoch, &simulation.factor, &mut dispatch);
            dispatch.begin(&simulation.usable);
            for (sum, usable) in supplied.iter_mut().zip(&simulation.usable) {
                *sum += usable;
            }
            let tally = &mut outcome.years[span.year];
            tally.offered_calls += asked.calls * world.epoch_s as f64;
            tally.peak_demand = tally.peak_demand.max(asked.reference_gpus);
            serve_epoch(world, &levels, epoch, &mut dispatch, &mut outcome, span.year);
            defer(world, &levels, epoch, &mut backlog, &mut outcome, span.year);
            dispatch.reload(world, world.reload_share);
            let quarter = &mut outcome.quarters[span.quarter];
            quarter.peak_demand = quarter.peak_demand.max(asked.reference_gpus);
        }
        record_supply(world, index, span, &supplied, &mut outcome);
    }
    outcome.backlog = backlog.waiting() * world.epoch_hours();
    outcome
}

fn new_outcome(world: &World) -> Outcome {
    let quarters = world.spans.iter().map(|span| span.quarter + 1).max().unwrap_or(0);
    let quarter = QuarterTally { supply: vec![0.0; world.sources], ..QuarterTally::default() };
    let mut outcome = Outcome {
        years: vec![YearTally::default(); world.years.len()],
        quarters: vec![quarter; quarters],
        ..Outcome::default()
    };
    let residuals = &mut outcome.residuals;
    for values in [
        &mut residuals.own,
        &mut residuals.with_contracts,
        &mut residuals.own_spare,
        &mut residuals.spare_with_contracts,
        &mut residuals.deferrable,
    ] {
        values.reserve_exact(world.epochs);
    }
    outcome
}

struct Asked {
    calls: f64,
    reference_gpus: f64,
}

/// Interactive demand of the epoch, left in `dispatch.residual`.
fn ask(
    world: &World,
    levels: &Levels<'_>,
    epoch: usize,
    factor: &[f64],
    dispatch: &mut Dispatch,
) -> Asked {
    let mut asked = Asked { calls: 0.0, reference_gpus: 0.0 };
    let position = world.curves.first().map_or(0, |curve| epoch % curve.len());
    for (index, class) in world.classes.iter().enumerate() {
        let calls = levels.base[index] * world.curves[class.curve][position] * factor[class.region];
        dispatch.residual[index] = calls;
        asked.calls += calls;
        asked.reference_gpus += calls * levels.reference_cost[class.workload];
    }
    asked
}

/// Own pools, borrowed ones, contracts, then the market; margins and unserved work on the way.
fn serve_epoch(
    world: &World,
    levels: &Levels<'_>,
    epoch: usize,
    dispatch: &mut Dispatch,
    outcome: &mut Outcome,
    year: usize,
) {
    dispatch.serve(world, &levels.rates, &levels.merit[0]);
    let mut short = dispatch.serve(world, &levels.rates, &levels.merit[1]);
    let tally = &mut outcome.years[year];
    if short && world.borrowed_pools > 0 {
        short = dispatch.borrow(world, &levels.rates, &levels.merit[2]);
        let work = dispatch.borrowed_work(world, &levels.rates, levels.reference_cost);
        tally.borrowed_gpu_hours += work * world.epoch_hours();
    }
    let residuals = &mut outcome.residuals;
    // What may be borrowed is no spare capacity: it trains.
    let first_contract = world.borrowed().end;
    let (own, contracts) = (&dispatch.free[..world.own_pools], &dispatch.free[first_contract..]);
    let contract_worth = &levels.worth[first_contract..];
    let own = spare(own, &levels.worth[..world.own_pools]);
    residuals.own_spare.push(own[1]);
    if !short {
        let contracts = spare(contracts, contract_worth);
        residuals.own.push(-own[0]);
        residuals.with_contracts.push(-(own[0] + contracts[0]));
        residuals.spare_with_contracts.push(own[1] + contracts[1]);
        return;
    }
    record_unserved(world, levels, &dispatch.residual, &mut tally.own);
    residuals.own.push(required(world, levels, &dispatch.residual));
    let still_short = dispatch.serve(world, &levels.rates, &levels.merit[3]);
    let contracts = spare(&dispatch.free[first_contract..], contract_worth);
    residuals.spare_with_contracts.push(own[1] + contracts[1]);
    if still_short {
        record_unserved(world, levels, &dispatch.residual, &mut tally.with_contracts);
        residuals.with_contracts.push(required(world, levels, &dispatch.residual));
    } else {
        residuals.with_contracts.push(-(own[0] + contracts[0]));
    }
    debug_assert_eq!(outcome.residuals.own.len(), epoch + 1);
    if still_short {
        buy_on_demand(world, levels, &dispatch.residual, tally);
    }
}

/// Free GPUs in candidate GPUs, for interactive and for deferrable work.
fn spare(free: &[f64], worth: &[[f64; 2]]) -> [f64; 2] {
    let mut sum = [0.0; 2];
    for (gpus, worth) in free.iter().zip(worth) {
        sum[0] += gpus * worth[0];
        sum[1] += gpus * worth[1];
    }
    sum
}

fn required(world: &World, levels: &Levels<'_>, residual: &[f64]) -> f64 {
    required_block(&world.classes, residual, levels.candidate_cost, &world.candidate_weights)
}

fn record_unserved(world: &World, levels: &Levels<'_>, residual: &[f64], to: &mut Unserved) {
    to.short_epochs += 1;
    let seconds = world.epoch_s as f64;
    for (class, left) in world.classes.iter().zip(residual) {
        let calls = left * seconds;
        to.calls += calls;
        to.output_tokens += calls * levels.output_tokens[class.workload];
        to.reference_gpu_hours += calls * levels.reference_cost[class.workload] / 3_600.0;
    }
}

fn buy_on_demand(world: &World, levels: &Levels<'_>, residual: &[f64], tally: &mut YearTally) {
    let Some(market) = &world.on_demand else { return };
    let mut left = market.limit;
    for (index, class) in world.classes.iter().enumerate() {
        let rate = levels.market_rates[market.accelerator * world.workloads + class.workload];
        if market.reach[index] && rate > 0.0 {
            let gpus = (residual[index] / rate).min(left);
            left -= gpus;
        }
    }
    tally.on_demand_gpu_hours += (market.limit - left) * world.epoch_hours();
}

fn defer(
    world: &World,
    levels: &Levels<'_>,
    epoch: usize,
    backlog: &mut Backlog,
    outcome: &mut Outcome,
    year: usize,
) {
    let position = epoch % world.curves.first().map_or(1, Vec::len);
    let classes = world.deferrables.iter().zip(levels.deferrable_base);
    let arrivals = classes.map(|(class, base)| base * world.curves[class.curve][position]).sum();
    outcome.residuals.deferrable.push(arrivals);
    let step = backlog.step(arrivals, outcome.residuals.spare_with_contracts[epoch]);
    let tally = &mut outcome.years[year];
    tally.deferrable_arrived += arrivals * world.epoch_hours();
    tally.deferrable_done += step.done * world.epoch_hours();
    tally.deferrable_missed += step.missed * world.epoch_hours();
}

/// Books the usable GPUs of a span, summed over its epochs.
fn record_supply(
    world: &World,
    index: usize,
    span: &Span,
    supplied: &[f64],
    outcome: &mut Outcome,
) {
    let accelerators = world.reference_worth.len() / world.spans.len();
    let quarter = &mut outcome.quarters[span.quarter];
    quarter.epochs += (span.end - span.first) as u64;
    for (pool, gpus) in world.pools.iter().zip(supplied) {
        if pool.kind == PoolKind::Borrowed {
            continue;
        }
        let worth = gpus * world.reference_worth[index * accelerators + pool.accelerator];
        quarter.supply[pool.source] += worth;
        if pool.kind == PoolKind::Own {
            outcome.years[span.year].own_capacity += worth;
        }
    }
}
