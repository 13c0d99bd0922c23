//! One simulated world reduced to what the answer needs of it, so that its arrays can be freed.

use super::measures::WorldMeasures;
use super::need::{Before, allowed_epochs, required_block};
use super::result::{CandidateFacts, WorldYear};
use crate::fleet::{Outcome, Residuals, YearFacts};
use crate::scenario::Scenario;
use crate::stats::Estimate;
use crate::study::WorldRun;

/// Most margins that are kept of a world and year for the reading over all worlds. A world of
/// which more would be needed makes that reading unresolved.
pub(super) const MOST_KEPT: usize = 2_000;

/// What is kept of a world.
#[derive(Debug, Clone)]
pub(super) struct WorldResult {
    /// Whether the candidate and the reference serve every workload in this world; without that
    /// nothing else here has a meaning.
    pub servable: bool,
    pub years: Vec<WorldYear>,
    /// By year: need before it is cut at zero, and the firm contribution.
    pub signed_need: Vec<f64>,
    /// By year: the largest margins with own capacity only, falling, all inner samples pooled.
    pub tails: Vec<Vec<f64>>,
    pub quarters: Vec<WorldQuarter>,
    pub measures: WorldMeasures,
}

/// One world in one quarter, reference GPUs, mean over inner samples.
#[derive(Debug, Clone)]
pub(super) struct WorldQuarter {
    pub supply: Vec<f64>,
    pub demand: f64,
}

/// Reduces one world.
pub(super) fn reduce(
    scenario: &Scenario,
    candidate: &CandidateFacts,
    own_sources: usize,
    run: &WorldRun,
) -> WorldResult {
    let world = &run.drawn.world;
    let samples: Vec<&Residuals> = run.outcomes.iter().map(|o| &o.residuals).collect();
    let criterion = &scenario.criterion;
    let hours = world.epoch_hours();
    let allowed =
        allowed_epochs(criterion, samples.len() * scenario.sampling.worlds as usize, hours);
    let tail = (allowed + 1).min(MOST_KEPT);
    let costs = [&world.candidate_cost, &world.reference_cost];
    let mut result = WorldResult {
        servable: costs.iter().all(|costs| costs.iter().all(|cost| cost.is_finite())),
        years: Vec::new(),
        signed_need: Vec::new(),
        tails: Vec::new(),
        quarters: Vec::new(),
        measures: WorldMeasures::default(),
    };
    let years = if result.servable { world.years.as_slice() } else { &[] };
    for (index, span) in years.iter().enumerate() {
        let epochs = span.first..span.end;
        let block = |before| {
            required_block(&samples, epochs.clone(), before, criterion, &world.deadlines, hours)
        };
        let (need, gap) = (block(Before::Own), block(Before::Contracts));
        let mut row = tallies(run, index, hours);
        let facts = &run.drawn.years[index];
        fill_facts(&mut row, facts);
        row.need_gpus = need.max(0.0);
        row.need_reference = row.need_gpus * facts.reference_per_candidate;
        row.gap_gpus = gap;
        let racks = (gap.max(0.0) / candidate.firm_gpus_per_rack).ceil();
        let year_hours = (span.end - span.first) as f64 * hours;
        row.cost_gap =
            racks * f64::from(candidate.gpus_per_rack) * run.drawn.candidate_price * year_hours;
        result.years.push(row);
        result.signed_need.push(need);
        result.tails.push(largest(&samples, epochs, tail));
    }
    if result.servable {
        result.quarters = quarters(run, own_sources);
        result.measures = WorldMeasures::of(run);
    }
    result
}

fn fill_facts(row: &mut WorldYear, facts: &YearFacts) {
    row.daily_users = facts.daily_users;
    row.user_requests_per_day = facts.user_requests_per_day;
    row.engine_calls_per_day = facts.engine_calls_per_day;
    row.tokens_in_per_day = facts.tokens_in_per_day;
    row.tokens_cached_per_day = facts.tokens_cached_per_day;
    row.tokens_out_per_day = facts.tokens_out_per_day;
    row.contracted_gpus = facts.contracted_gpus;
    row.contracted_for_assistant_gpus = facts.assistant_gpus;
    row.reference_per_candidate = facts.reference_per_candidate;
    row.cost_contracts = facts.contract_dollars;
}

/// What the simulation tallied in a year, mean over inner samples.
fn tallies(run: &WorldRun, index: usize, hours: f64) -> WorldYear {
    let count = run.outcomes.len() as f64;
    let mean = |value: &dyn Fn(&Outcome) -> f64| -> f64 {
        run.outcomes.iter().map(value).sum::<f64>() / count
    };
    let span = run.drawn.world.years[index];
    let epochs = (span.end - span.first) as f64;
    let arrived = mean(&|o| o.years[index].deferrable_arrived);
    let missed = mean(&|o| o.years[index].deferrable_missed);
    let on_demand = mean(&|o| o.years[index].on_demand_gpu_hours);
    WorldYear {
        world: run.world,
        year: span.year,
        peak_demand: mean(&|o| o.years[index].peak_demand),
        own_capacity: mean(&|o| o.years[index].own_capacity) / epochs,
        cost_on_demand: on_demand * run.drawn.on_demand_price,
        lole_own: mean(&|o| o.years[index].own.short_epochs as f64) * hours,
        lole_with_contracts: mean(&|o| o.years[index].with_contracts.short_epochs as f64) * hours,
        unserved_calls_own: mean(&|o| o.years[index].own.calls),
        unserved_output_tokens_own: mean(&|o| o.years[index].own.output_tokens),
        unserved_gpu_hours_own: mean(&|o| o.years[index].own.reference_gpu_hours),
        unserved_calls: mean(&|o| o.years[index].with_contracts.calls),
        unserved_output_tokens: mean(&|o| o.years[index].with_contracts.output_tokens),
        unserved_gpu_hours: mean(&|o| o.years[index].with_contracts.reference_gpu_hours),
        borrowed_gpu_hours: mean(&|o| o.years[index].borrowed_gpu_hours),
        degraded_calls: mean(&|o| o.years[index].degraded_calls),
        returned_calls: mean(&|o| o.years[index].returned_calls),
        deferrable_misses: if arrived > 0.0 { missed / arrived } else { 0.0 },
        ..WorldYear::default()
    }
}

/// The `count` largest margins of a year with own capacity only, falling.
fn largest(samples: &[&Residuals], epochs: std::ops::Range<usize>, count: usize) -> Vec<f64> {
    let mut pooled: Vec<f64> =
        samples.iter().flat_map(|residuals| &residuals.own[epochs.clone()]).copied().collect();
    if pooled.len() > count {
        pooled.select_nth_unstable_by(count, |a, b| b.total_cmp(a));
        pooled.truncate(count);
        // A whole year of margins would else be held for every world.
        pooled.shrink_to_fit();
    }
    pooled.sort_by(|a, b| b.total_cmp(a));
    pooled
}

fn quarters(run: &WorldRun, own_sources: usize) -> Vec<WorldQuarter> {
    debug_assert!(own_sources <= run.drawn.world.sources);
    let count = run.outcomes.len() as f64;
    let quarter = |index: usize| {
        let mut supply = vec![0.0; run.drawn.world.sources];
        let mut demand = 0.0;
        for outcome in &run.outcomes {
            let tally = &outcome.quarters[index];
            demand += tally.peak_demand / count;
            for (sum, value) in supply.iter_mut().zip(&tally.supply) {
                *sum += value / tally.epochs.max(1) as f64 / count;
            }
        }
        WorldQuarter { supply, demand }
    };
    (0..run.drawn.world.years.len() * 4).map(quarter).collect()
}

/// Mean and standard error over worlds of one column.
pub(super) fn estimate(rows: &[&WorldYear], value: impl Fn(&WorldYear) -> f64) -> Estimate {
    let samples: Vec<f64> = rows.iter().map(|row| value(row)).collect();
    Estimate::of(&samples)
}
