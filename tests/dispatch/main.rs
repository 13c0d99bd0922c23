//! The merit order against the best that any order could do: exact linear programs over the same
//! pools, classes and reach, on the default scenario.

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "nothing is planned here")]
mod support;

mod simplex;

use simplex::{Best, maximise};
use sparkgap::fleet::{
    CapacityChange, Draw, Outcome, Policy, PoolKind, Span, World, YearSpan, draw_world, simulate,
};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::Scenario;
use sparkgap::supply::UnitLaw;

/// One epoch of a world: the demand of a span's epoch and what stands in it without failures,
/// each pool multiplied by `scale`.
fn one_epoch(world: &World, span: usize, epoch: usize, scale: f64) -> World {
    fn row(values: &[f64], index: usize, spans: usize) -> Vec<f64> {
        let width = values.len() / spans;
        values[index * width..(index + 1) * width].to_vec()
    }
    let spans = world.spans.len();
    let at = world.epoch_start(epoch);
    let cut = |values: &[f64]| row(values, span, spans);
    let mut one = world.clone();
    let mut units = vec![0; world.pools.len()];
    for change in world.changes.iter().filter(|change| change.time <= at) {
        units[change.pool] = change.units;
    }
    for (pool, count) in one.pools.iter_mut().zip(&units) {
        pool.gpus_per_unit *= scale * f64::from(*count);
        pool.law = UnitLaw::Firm;
        pool.most = 1;
    }
    one.changes = (0..units.len()).map(|pool| CapacityChange { time: 0, pool, units: 1 }).collect();
    one.curves = world.curves.iter().map(|curve| vec![curve[epoch % curve.len()]]).collect();
    one.merit = vec![world.merit[world.spans[span].year].clone()];
    one.spans = vec![Span { first: 0, end: 1, year: 0, quarter: 0 }];
    one.years = vec![YearSpan { year: 2026, first: 0, end: 1 }];
    one.epochs = 1;
    one.base = cut(&world.base);
    one.deferrable_base = cut(&world.deferrable_base);
    one.rates = cut(&world.rates);
    one.reference_cost = cut(&world.reference_cost);
    one.candidate_cost = cut(&world.candidate_cost);
    one.reference_worth = cut(&world.reference_worth);
    one.candidate_worth = cut(&world.candidate_worth);
    one.deferrable_worth = cut(&world.deferrable_worth);
    one.output_tokens = cut(&world.output_tokens);
    one.sites.clear();
    for pool in &mut one.pools {
        pool.site = None;
    }
    // Borrowed GPUs are not the question here, nor what reloading costs.
    for pool in one.pools.iter_mut().filter(|pool| pool.kind == PoolKind::Borrowed) {
        pool.gpus_per_unit = 0.0;
    }
    (one.events, one.surges, one.reload_share) = (Vec::new(), Vec::new(), 0.0);
    // What is refused is lost: nobody asks again after the only epoch.
    one.policies = vec![Policy::default(); one.workloads];
    one
}

/// The program of one epoch: which class is served how much by which pool.
struct Program {
    /// Calls per second by class, then GPUs by pool.
    limits: Vec<f64>,
    rows: Vec<Vec<f64>>,
    /// Class and pool of each column.
    columns: Vec<(usize, usize)>,
}

impl Program {
    fn new(world: &World, lists: &[usize]) -> Self {
        let (classes, pools) = (world.classes.len(), world.pools.len());
        let asked = |class: usize| world.base[class] * world.curves[world.classes[class].curve][0];
        let held = |pool: usize| world.pools[pool].gpus_per_unit;
        let mut columns = Vec::new();
        for class in 0..classes {
            let reach = lists.iter().flat_map(|list| &world.merit[0][*list][class]);
            let open = reach.map(|pool| (class, usize::from(*pool)));
            columns.extend(open.filter(|(_, pool)| held(*pool) > 0.0));
        }
        let mut rows = vec![vec![0.0; columns.len()]; classes + pools];
        for (column, (class, pool)) in columns.iter().enumerate() {
            rows[*class][column] = 1.0;
            rows[classes + pool][column] = 1.0 / rate(world, *class, *pool);
        }
        let limits = (0..classes).map(asked).chain((0..pools).map(held)).collect();
        Self { limits, rows, columns }
    }

    fn best(&self, value: impl Fn(usize, usize) -> f64) -> Best {
        let values: Vec<f64> = self.columns.iter().map(|(c, p)| value(*c, *p)).collect();
        let best = maximise(&values, &self.rows, &self.limits);
        best.prove(&values, &self.rows, &self.limits);
        best
    }
}

fn rate(world: &World, class: usize, pool: usize) -> f64 {
    world.rates[world.pools[pool].accelerator * world.workloads + world.classes[class].workload]
}

/// Spans, and epochs in them: the seventh hour UTC of a Thursday and three later ones.
fn cases(world: &World) -> Vec<(usize, usize)> {
    [5, 17, 42, 66, 83]
        .into_iter()
        .flat_map(|span| [7, 13, 18, 22].map(|hour| (span, world.spans[span].first + 24 + hour)))
        .collect()
}

fn central() -> World {
    let scenario = Scenario::embedded();
    draw_world(&scenario, Draw::central(), &|inputs| support::rate(&scenario, inputs)).world
}

fn run(world: &World) -> Outcome {
    simulate(world, StreamKey::inner(1, 0, 0))
}

#[test]
fn spare_capacity_is_within_a_percent_of_the_best_that_any_dispatch_leaves() {
    let world = central();
    let mut worst: f64 = 0.0;
    for (span, epoch) in cases(&world) {
        let one = one_epoch(&world, span, epoch, 1.0);
        let outcome = run(&one);
        let spare = -outcome.residuals.own[0];
        assert!(spare > 0.0, "own capacity suffices in the central world: {span} {epoch}");
        let worth = |pool: usize| one.candidate_worth[one.pools[pool].accelerator];
        // Every call is worth more than all that it could take; what it takes counts against it.
        let dearest = (0..one.pools.len())
            .flat_map(|pool| (0..one.classes.len()).map(move |class| (class, pool)))
            .filter(|(class, pool)| rate(&one, *class, *pool) > 0.0)
            .map(|(class, pool)| worth(pool) / rate(&one, class, pool))
            .fold(0.0, f64::max);
        let program = Program::new(&one, &[0, 1]);
        let best =
            program.best(|class, pool| 2.0 * dearest - worth(pool) / rate(&one, class, pool));
        let served: f64 = best.taken.iter().sum();
        let asked: f64 = program.limits[..one.classes.len()].iter().sum();
        assert!((served / asked - 1.0).abs() < 1e-6, "the best dispatch serves everything");
        let all: f64 = (0..one.own_pools).map(|p| one.pools[p].gpus_per_unit * worth(p)).sum();
        let used = 2.0 * dearest * served - best.value;
        let most = all - used;
        assert!(most >= spare * (1.0 - 1e-9), "no dispatch beats the best one: {most} {spare}");
        worst = worst.max(1.0 - spare / most);
    }
    println!("spare capacity: at worst {:.2} % below the best", worst * 100.0);
    assert!(worst < 0.01, "{worst}");
}

#[test]
fn what_is_served_in_a_shortage_is_close_to_the_most_that_any_dispatch_serves() {
    let world = central();
    let (mut worst, mut tight) = (0.0_f64, 0);
    for (span, epoch) in cases(&world) {
        // Capacity cut to what is about needed, and to less and more.
        let whole = one_epoch(&world, span, epoch, 1.0);
        let year = &run(&whole).years[0];
        let held: f64 = whole
            .pools
            .iter()
            .map(|pool| pool.gpus_per_unit * whole.reference_worth[pool.accelerator])
            .sum();
        for part in [0.6, 0.9, 1.1] {
            let one = one_epoch(&world, span, epoch, part * year.peak_demand / held);
            let outcome = run(&one);
            let cost = |class: usize| one.reference_cost[one.classes[class].workload];
            let program = Program::new(&one, &[0, 1, 3]);
            let best = program.best(|class, _| cost(class));
            let unserved = outcome.years[0].with_contracts.reference_gpu_hours;
            let asked = outcome.years[0].peak_demand;
            let served = asked - unserved;
            assert!(served <= best.value * (1.0 + 1e-9), "{served} {}", best.value);
            tight += u32::from(unserved > 0.01 * asked);
            worst = worst.max((best.value - served) / asked);
        }
    }
    println!("served: at worst {:.2} % of what is asked below the most", worst * 100.0);
    assert!(tight >= 20, "only {tight} cases were short");
    // Not a percent: serving the tightest promise first costs up to 3 % of the work when a third of
    // it is not served. The default scenario is not there.
    assert!(worst < 0.03, "{worst}");
}
