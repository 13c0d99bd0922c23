//! The epoch loop: see what is usable and what is asked, dispatch, record.

use super::backlog::Backlog;
use super::block::required_block;
use super::dispatch::{Dispatch, Merit};
use super::measures::{Measures, ShortEpoch};
use super::outcome::{Outcome, QuarterTally, Unserved, YearTally};
use super::peak_loss::{PeakMonth, Peaks};
use super::refused::Shortage;
use super::state::FleetState;
use super::world::{CapacityChange, PoolKind, Span, World};
use crate::rng::StreamKey;

/// The rows of a span that the loop reads, laid out by class and by pool.
struct Levels<'w> {
    /// Month of the year, 0 to 11.
    month: usize,
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
    let mut changes: Vec<&CapacityChange> = world.changes.iter().collect();
    changes.sort_by_key(|change| change.time);
    let mut changes = changes.into_iter().peekable();
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
        // Spans are months from January on.
        month: index % 12,
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
    let mut backlog = Backlog::new(&world.deadlines);
    let mut arrivals = vec![0.0; world.deadlines.len()];
    let mut shortage = Shortage::new(world);
    let mut peaks = Peaks::new(world);
    let mut outcome = new_outcome(world);
    let mut supplied = vec![0.0; world.pools.len()];
    let mut year = None;
    let mut months = Vec::with_capacity(world.spans.len());
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
            peaks.look(world, epoch, asked.reference_gpus, &dispatch);
            for (sum, usable) in supplied.iter_mut().zip(&state.usable) {
                *sum += usable;
            }
            calls += asked.calls;
            peak = peak.max(asked.reference_gpus);
            let at = At { world, levels: &levels, epoch, year: span.year };
            serve_epoch(at, &mut dispatch, &mut shortage, &mut outcome);
            defer(at, &mut arrivals, &mut backlog, &mut outcome);
            // What stands as the horizon begins has its models: the first epoch loads none.
            let share = if epoch == 0 { 0.0 } else { world.reload_share };
            dispatch.reload(world, share);
        }
        let tally = &mut outcome.years[span.year];
        tally.offered_calls += calls * world.epoch_s as f64;
        tally.peak_demand = tally.peak_demand.max(peak);
        let quarter = &mut outcome.quarters[span.quarter];
        quarter.peak_demand = quarter.peak_demand.max(peak);
        record_supply(world, index, span, &supplied, &mut outcome);
        months.push(levels);
    }
    outcome.backlog = backlog.waiting() * world.epoch_hours();
    outcome.returning_calls = shortage.returns.waiting() * world.epoch_s as f64;
    outcome.measures.offer(world, &state.events);
    outcome.peak_losses = peaks.losses(world, |index| peak_month(world, &months[index], index));
    outcome
}

/// The levels of a span that [`Peaks::losses`] reads.
fn peak_month<'a>(world: &'a World, levels: &'a Levels<'_>, index: usize) -> PeakMonth<'a> {
    let accelerators = world.reference_worth.len() / world.spans.len();
    PeakMonth {
        reference_cost: levels.reference_cost,
        reference_worth: &world.reference_worth[index * accelerators..(index + 1) * accelerators],
        merit: &levels.merit,
    }
}

fn new_outcome(world: &World) -> Outcome {
    let quarters = world.spans.iter().map(|span| span.quarter + 1).max().unwrap_or(0);
    let quarter = QuarterTally { supply: vec![0.0; world.sources], ..QuarterTally::default() };
    let mut outcome = Outcome {
        years: vec![YearTally::default(); world.years.len()],
        quarters: vec![quarter; quarters],
        measures: Measures::new(world),
        ..Outcome::default()
    };
    let residuals = &mut outcome.residuals;
    for values in [
        &mut residuals.own,
        &mut residuals.with_contracts,
        &mut residuals.own_spare,
        &mut residuals.spare_with_contracts,
    ] {
        values.reserve_exact(world.epochs);
    }
    let returning = world.policies.iter().filter(|policy| policy.returning > 0.0);
    let share = returning.clone().map(|policy| policy.returning).fold(0.0, f64::max);
    residuals.returns = (share, returning.map(|policy| policy.returns_after).min().unwrap_or(1));
    residuals.deferrable.reserve_exact(world.epochs * world.deadlines.len());
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

/// An epoch and what is read in it.
#[derive(Clone, Copy)]
struct At<'a> {
    world: &'a World,
    levels: &'a Levels<'a>,
    epoch: usize,
    year: usize,
}

impl At<'_> {
    /// What [`Measures`] reads of an epoch with unserved work.
    fn short(&self) -> ShortEpoch<'_> {
        let Levels { month, reference_cost, output_tokens, .. } = *self.levels;
        ShortEpoch { epoch: self.epoch, year: self.year, month, reference_cost, output_tokens }
    }

    /// Free GPUs of own pools and of contracts, in candidate GPUs by their `worth`. What may be
    /// borrowed is no spare capacity: it trains.
    fn spare(self, dispatch: &Dispatch, worth: &[f64]) -> [f64; 2] {
        let (own, contracts) = (self.world.own_pools, self.world.borrowed().end);
        let free = &dispatch.free;
        [weighted(&free[..own], &worth[..own]), weighted(&free[contracts..], &worth[contracts..])]
    }
}

/// Own pools, borrowed ones, contracts, then the market; margins and unserved work on the way.
fn serve_epoch(
    at: At<'_>,
    dispatch: &mut Dispatch,
    shortage: &mut Shortage,
    outcome: &mut Outcome,
) {
    let At { world, levels, .. } = at;
    shortage.asked.copy_from_slice(&dispatch.residual);
    let back = shortage.begin(at.epoch);
    dispatch.serve(&levels.merit[0]);
    let mut short = dispatch.serve(&levels.merit[1]);
    if short && world.borrowed_pools > 0 {
        short = dispatch.borrow(world, &levels.merit[2]);
        let work = dispatch.borrowed_work(world, &levels.rates, levels.reference_cost);
        outcome.years[at.year].borrowed_gpu_hours += work * world.epoch_hours();
    }
    debug_assert!(dispatch.conserves(world, &levels.rates, &shortage.asked), "{}", at.epoch);
    if short | back {
        serve_short(at, short, dispatch, shortage, outcome);
    } else {
        let [own, contracts] = at.spare(dispatch, &levels.live_worth);
        let [own_later, contracts_later] = at.spare(dispatch, &levels.deferrable_worth);
        let residuals = &mut outcome.residuals;
        residuals.own.push(-own);
        residuals.with_contracts.push(-(own + contracts));
        residuals.own_spare.push(own_later);
        residuals.spare_with_contracts.push(own_later + contracts_later);
    }
    debug_assert_eq!(outcome.residuals.own.len(), at.epoch + 1);
}

/// The rest of an epoch in which own capacity is `short` or refused calls come back. Margins are
/// those of what is asked for the first time: a block that had served it would have refused
/// nothing. What comes back is served after it.
fn serve_short(
    at: At<'_>,
    short: bool,
    dispatch: &mut Dispatch,
    shortage: &mut Shortage,
    outcome: &mut Outcome,
) {
    let At { world, levels, .. } = at;
    let (tally, residuals) = (&mut outcome.years[at.year], &mut outcome.residuals);
    let [own, _] = at.spare(dispatch, &levels.live_worth);
    residuals.own.push(if short { required(at, shortage, &dispatch.residual) } else { -own });
    shortage.settle_own(world, at.epoch, dispatch, [&levels.merit[0], &levels.merit[1]]);
    let free = &shortage.free[..world.own_pools];
    residuals.own_spare.push(weighted(free, &levels.deferrable_worth[..world.own_pools]));
    record_unserved(at, &shortage.lost, &mut tally.own);
    outcome.measures.own.record(world, [&shortage.refused, &shortage.lost], at.short());
    shortage.serve_returns(dispatch, [&levels.merit[0], &levels.merit[1]]);
    let still_short = dispatch.serve(&levels.merit[3]);
    let [_, contracts] = at.spare(dispatch, &levels.live_worth);
    residuals.with_contracts.push(if still_short {
        required(at, shortage, &dispatch.residual)
    } else {
        -(own + contracts)
    });
    shortage.serve_returns(dispatch, [&levels.merit[3]]);
    let [own_later, contracts_later] = at.spare(dispatch, &levels.deferrable_worth);
    residuals.spare_with_contracts.push(own_later + contracts_later);
    let (degraded, returned) = shortage.settle(world, at.epoch, &dispatch.residual);
    tally.degraded_calls += degraded * world.epoch_s as f64;
    tally.returned_calls += returned * world.epoch_s as f64;
    record_unserved(at, &shortage.lost, &mut tally.with_contracts);
    outcome.measures.with_contracts.record(world, [&shortage.refused, &shortage.lost], at.short());
    buy_on_demand(at, &shortage.refused, tally);
}

/// The smallest candidate block that would serve what is left, the smaller model doing what it may.
fn required(at: At<'_>, shortage: &mut Shortage, residual: &[f64]) -> f64 {
    let At { world, levels, .. } = at;
    let missing = shortage.missing(world, residual);
    required_block(&world.classes, missing, levels.candidate_cost, &world.candidate_weights)
}

/// Books what is `lost` of each class, calls per second; none is none.
fn record_unserved(at: At<'_>, lost: &[f64], to: &mut Unserved) {
    if lost.iter().all(|calls| *calls <= 0.0) {
        return;
    }
    to.short_epochs += 1;
    let seconds = at.world.epoch_s as f64;
    for (class, left) in at.world.classes.iter().zip(lost) {
        let calls = left * seconds;
        to.calls += calls;
        to.output_tokens += calls * at.levels.output_tokens[class.workload];
        to.reference_gpu_hours += calls * at.levels.reference_cost[class.workload] / 3_600.0;
    }
}

/// Buys GPUs for what is refused, up to the limit of the market.
fn buy_on_demand(at: At<'_>, refused: &[f64], tally: &mut YearTally) {
    let At { world, levels, .. } = at;
    let Some(market) = &world.on_demand else { return };
    let mut left = market.limit;
    for (index, class) in world.classes.iter().enumerate() {
        let rate = levels.market_rates[market.accelerator * world.workloads + class.workload];
        if market.reach[index] && rate > 0.0 {
            let gpus = (refused[index] / rate).min(left);
            left -= gpus;
        }
    }
    tally.on_demand_gpu_hours += (market.limit - left) * world.epoch_hours();
}

/// Takes in deferrable work by deadline and does it with what is spare.
fn defer(at: At<'_>, arrivals: &mut [f64], backlog: &mut Backlog, outcome: &mut Outcome) {
    let At { world, levels, epoch, .. } = at;
    let position = epoch % world.curves.first().map_or(1, Vec::len);
    arrivals.fill(0.0);
    let classes = world.deferrables.iter().zip(levels.deferrable_base).zip(&world.deadline_of);
    for ((class, base), deadline) in classes {
        arrivals[*deadline] += base * world.curves[class.curve][position];
    }
    outcome.residuals.deferrable.extend_from_slice(arrivals);
    let step = backlog.step(arrivals, outcome.residuals.spare_with_contracts[epoch]);
    let tally = &mut outcome.years[at.year];
    tally.deferrable_arrived += arrivals.iter().sum::<f64>() * world.epoch_hours();
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
