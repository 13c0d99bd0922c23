//! The epoch loop: see what is usable and what is asked, dispatch, record.

use super::dispatch::{Backlog, Dispatch, Merit, required_block};
use super::outcome::{Outcome, QuarterTally, Unserved, YearTally};
use super::state::FleetState;
use super::world::{CapacityChange, PoolKind, Span, World};
use crate::rng::StreamKey;

/// The rows of a span that the loop reads, laid out by class and by pool.
struct Levels<'w> {
    base: &'w [f64],
    /// Rates by accelerator and workload, for the market.
    market_rates: &'w [f64],
    /// Pools x workloads.
    rates: Vec<f64>,
    /// Candidate GPUs that a GPU of each pool is worth, for interactive work.
    live_worth: Vec<f64>,
    /// The same for deferrable work.
    deferrable_worth: Vec<f64>,
    reference_cost: &'w [f64],
    /// The same by class.
    class_cost: Vec<f64>,
    candidate_cost: &'w [f64],
    output_tokens: &'w [f64],
    deferrable_base: &'w [f64],
    merit: [Merit; 4],
}

/// What does not change from span to span, laid out for the loop.
struct Layout {
    /// Epochs after which the curves begin again, at least 1.
    period: usize,
    /// Period x classes: factors of the curves.
    shapes: Vec<f64>,
    /// Spans x pools: whether any unit stands in the span.
    present: Vec<bool>,
}

impl Layout {
    fn new(world: &World) -> Self {
        let period = world.curves.first().map_or(1, Vec::len).max(1);
        let shape = |position: usize| {
            world.classes.iter().map(move |class| world.curves[class.curve][position])
        };
        Self { period, shapes: (0..period).flat_map(shape).collect(), present: present(world) }
    }
}

/// Which pools hold a unit at any time of each span.
fn present(world: &World) -> Vec<bool> {
    let pools = world.pools.len();
    let mut present = vec![false; world.spans.len() * pools];
    let mut held = vec![false; pools];
    let mut changes = world.changes.iter().peekable();
    for (index, span) in world.spans.iter().enumerate() {
        let row = &mut present[index * pools..(index + 1) * pools];
        row.copy_from_slice(&held);
        let inside = |change: &&CapacityChange| change.time < world.epoch_start(span.end);
        while let Some(change) = changes.next_if(inside) {
            held[change.pool] = change.units > 0;
            row[change.pool] |= held[change.pool];
        }
    }
    present
}

fn levels<'w>(world: &'w World, layout: &Layout, index: usize, span: &Span) -> Levels<'w> {
    fn row(values: &[f64], index: usize, spans: usize) -> &[f64] {
        let width = values.len() / spans;
        &values[index * width..(index + 1) * width]
    }
    let spans = world.spans.len();
    let rates = row(&world.rates, index, spans);
    let live = row(&world.candidate_worth, index, spans);
    let deferrable = row(&world.deferrable_worth, index, spans);
    let reference_cost = row(&world.reference_cost, index, spans);
    let width = world.workloads;
    let kinds = world.pools.iter().map(|pool| pool.accelerator);
    let by_pool: Vec<f64> =
        kinds.clone().flat_map(|kind| &rates[kind * width..(kind + 1) * width]).copied().collect();
    let present = &layout.present[index * world.pools.len()..];
    let merit = |list: usize| {
        Merit::new(world, &world.merit[span.year][list], &by_pool, |pool| present[pool])
    };
    let merit = [0, 1, 2, 3].map(merit);
    Levels {
        base: row(&world.base, index, spans),
        market_rates: rates,
        rates: by_pool,
        live_worth: kinds.clone().map(|kind| live[kind]).collect(),
        deferrable_worth: kinds.map(|kind| deferrable[kind]).collect(),
        reference_cost,
        class_cost: world.classes.iter().map(|class| reference_cost[class.workload]).collect(),
        candidate_cost: row(&world.candidate_cost, index, spans),
        output_tokens: row(&world.output_tokens, index, spans),
        deferrable_base: row(&world.deferrable_base, index, spans),
        merit,
    }
}

/// Simulates one inner sample of a world over its whole horizon.
#[must_use]
pub fn simulate(world: &World, key: StreamKey) -> Outcome {
    let layout = Layout::new(world);
    let mut state = FleetState::new(world, key);
    let mut dispatch = Dispatch::new(world);
    let mut backlog = Backlog::new(world.deadline);
    let mut outcome = new_outcome(world);
    let mut supplied = vec![0.0; world.pools.len()];
    let mut year = None;
    for (index, span) in world.spans.iter().enumerate() {
        let levels = levels(world, &layout, index, span);
        supplied.fill(0.0);
        if year.replace(span.year) != Some(span.year) {
            dispatch.begin_year(world);
        }
        let (mut calls, mut peak) = (0.0, 0.0_f64);
        for epoch in span.first..span.end {
            state.advance(world.epoch_start(epoch));
            for &pool in &state.varying {
                let serving = f64::from(state.counts[pool].serving());
                state.usable[pool] = serving * world.pools[pool].gpus_by_epoch[epoch];
            }
            let asked = ask(world, &layout, &levels, epoch, &state, &mut dispatch.residual);
            dispatch.begin(&state.usable);
            for (sum, usable) in supplied.iter_mut().zip(&state.usable) {
                *sum += usable;
            }
            calls += asked.calls;
            peak = peak.max(asked.reference_gpus);
            serve_epoch(world, &levels, epoch, &mut dispatch, &mut outcome, span.year);
            defer(world, &levels, epoch, &mut backlog, &mut outcome, span.year);
            dispatch.reload(world, world.reload_share);
        }
        let tally = &mut outcome.years[span.year];
        tally.offered_calls += calls * world.epoch_s as f64;
        tally.peak_demand = tally.peak_demand.max(peak);
        let quarter = &mut outcome.quarters[span.quarter];
        quarter.peak_demand = quarter.peak_demand.max(peak);
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

/// Interactive demand of the epoch, left in `residual`.
fn ask(
    world: &World,
    layout: &Layout,
    levels: &Levels<'_>,
    epoch: usize,
    state: &FleetState<'_>,
    residual: &mut [f64],
) -> Asked {
    let classes = residual.len();
    let first = epoch % layout.period * classes;
    let shapes = &layout.shapes[first..first + classes];
    for ((calls, base), shape) in residual.iter_mut().zip(levels.base).zip(shapes) {
        *calls = base * shape;
    }
    if !state.calm {
        for (calls, class) in residual.iter_mut().zip(&world.classes) {
            *calls *= state.factor[class.region];
        }
    }
    Asked { calls: sum(residual), reference_gpus: weighted(residual, &levels.class_cost) }
}

/// A sum in four lanes: the same on every machine, and quick.
fn sum(values: &[f64]) -> f64 {
    let (quads, rest) = values.as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for quad in quads {
        for (lane, value) in lanes.iter_mut().zip(quad) {
            *lane += value;
        }
    }
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest.iter().sum::<f64>()
}

/// A sum of products, as [`sum`].
fn weighted(values: &[f64], weights: &[f64]) -> f64 {
    let (quads, rest) = values.as_chunks::<4>();
    let (weight_quads, last) = weights[..values.len()].as_chunks::<4>();
    let mut lanes = [0.0; 4];
    for (quad, weights) in quads.iter().zip(weight_quads) {
        for lane in 0..4 {
            lanes[lane] += quad[lane] * weights[lane];
        }
    }
    let rest: f64 = rest.iter().zip(last).map(|(value, weight)| value * weight).sum();
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
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
    dispatch.serve(&levels.merit[0]);
    let mut short = dispatch.serve(&levels.merit[1]);
    let tally = &mut outcome.years[year];
    if short && world.borrowed_pools > 0 {
        short = dispatch.borrow(world, &levels.merit[2]);
        let work = dispatch.borrowed_work(world, &levels.rates, levels.reference_cost);
        tally.borrowed_gpu_hours += work * world.epoch_hours();
    }
    let residuals = &mut outcome.residuals;
    // What may be borrowed is no spare capacity: it trains.
    let (own, contracts) = (0..world.own_pools, world.borrowed().end..world.pools.len());
    let own_spare = spare(dispatch, own.clone(), &levels.deferrable_worth);
    residuals.own_spare.push(own_spare);
    if !short {
        let own = spare(dispatch, own, &levels.live_worth);
        residuals.own.push(-own);
        let live = spare(dispatch, contracts.clone(), &levels.live_worth);
        residuals.with_contracts.push(-(own + live));
        let deferrable = spare(dispatch, contracts, &levels.deferrable_worth);
        residuals.spare_with_contracts.push(own_spare + deferrable);
        return;
    }
    record_unserved(world, levels, &dispatch.residual, &mut tally.own);
    residuals.own.push(required(world, levels, &dispatch.residual));
    let still_short = dispatch.serve(&levels.merit[3]);
    let deferrable = spare(dispatch, contracts.clone(), &levels.deferrable_worth);
    residuals.spare_with_contracts.push(own_spare + deferrable);
    if still_short {
        record_unserved(world, levels, &dispatch.residual, &mut tally.with_contracts);
        residuals.with_contracts.push(required(world, levels, &dispatch.residual));
    } else {
        let live = spare(dispatch, own, &levels.live_worth)
            + spare(dispatch, contracts, &levels.live_worth);
        residuals.with_contracts.push(-live);
    }
    debug_assert_eq!(outcome.residuals.own.len(), epoch + 1);
    if still_short {
        buy_on_demand(world, levels, &dispatch.residual, tally);
    }
}

/// Free GPUs of some pools in candidate GPUs.
fn spare(dispatch: &Dispatch, pools: std::ops::Range<usize>, worth: &[f64]) -> f64 {
    weighted(&dispatch.free[pools.clone()], &worth[pools])
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
