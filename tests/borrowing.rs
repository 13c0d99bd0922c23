//! GPUs borrowed from interruptible training, worked by hand: a reload of half an epoch, a cap of
//! epochs in a year, and where they stand between own capacity and contracts.

use sparkgap::fleet::{
    CapacityChange, Outcome, PoolKind, SiteLaw, Span, World, YearSpan, simulate,
};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Level, Load, System};

/// 10 GPUs of our own, and 6 of training that are borrowed for at most `borrow_epochs` in a year.
/// A call per second takes one GPU. In the first hour all of our own have their model; what
/// follows the second is hours 0 to 5 of the tests.
fn world(borrow_epochs: u64) -> World {
    let mut world = World::of_system(&System {
        name: "borrowing".to_owned(),
        description: String::new(),
        seed: 1,
        samples: 1,
        units: [].into(),
        firm: Level::Constant(10.0),
        load: Load::Hourly(vec![10.0, 0.0, 8.0, 14.0, 16.0, 20.0, 9.0, 13.0]),
    });
    add(&mut world, PoolKind::Borrowed, 6.0, 2);
    world.borrowed_pools = 1;
    world.pools[1].site = Some(0);
    world.sites.push(SiteLaw { name: "hall".to_owned(), fail: 0.0, recover: 1.0, borrow_epochs });
    world.reload_share = 0.5;
    world
}

fn add(world: &mut World, kind: PoolKind, gpus: f64, list: usize) {
    let index = world.pools.len();
    let mut pool = world.pools[0].clone();
    pool.name = format!("pool {index}");
    pool.kind = kind;
    pool.gpus_per_unit = gpus;
    world.pools.push(pool);
    world.changes.push(CapacityChange { time: 0, pool: index, units: 1 });
    world.merit[0][list] = vec![vec![index as u16]];
}

fn run(world: &World) -> Outcome {
    simulate(world, StreamKey::inner(1, 0, 0))
}

#[test]
fn borrowed_gpus_load_as_they_come_and_go_back() {
    let outcome = run(&world(10));
    // Hour 1: 4 are left, half of 6 GPUs' time serves 3. Hour 2: 6 are left; the 3 that served and
    // half of the other 3 make 4.5. Hour 3: 10 are left, 4.5 and 0.75 serve. Hour 4: none is
    // needed, all go back. Hour 5: 3 are left, 3 are served.
    assert_eq!(outcome.residuals.own, [0.0, -10.0, -2.0, 1.0, 1.5, 4.75, -1.0, 0.0]);
    assert_eq!(outcome.years[0].borrowed_gpu_hours, 3.0 + 4.5 + 5.25 + 3.0);
    assert_eq!(outcome.years[0].own.short_epochs, 3);
    // What may be borrowed is neither spare nor own capacity.
    assert_eq!(outcome.residuals.own_spare, [0.0, 10.0, 2.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(outcome.years[0].own_capacity, 80.0);
    assert_eq!(outcome.quarters[0].supply, [80.0]);
}

#[test]
fn offered_is_served_borrowed_or_unserved() {
    let without = run(&world(0));
    assert_eq!(without.residuals.own, [0.0, -10.0, -2.0, 4.0, 6.0, 10.0, -1.0, 3.0]);
    for epochs in 0..7 {
        let year = &run(&world(epochs)).years[0];
        let unserved = without.years[0].own.reference_gpu_hours;
        assert_eq!(year.own.reference_gpu_hours + year.borrowed_gpu_hours, unserved);
    }
}

#[test]
fn the_hours_of_a_year_are_spent_as_they_come_and_return_with_the_next() {
    // Two epochs a year: hours 1 and 2.
    assert_eq!(run(&world(2)).residuals.own, [0.0, -10.0, -2.0, 1.0, 1.5, 10.0, -1.0, 3.0]);
    // One a year, and a new year with hour 3: hours 1 and 3.
    let mut two_years = world(1);
    two_years.spans = vec![
        Span { first: 0, end: 5, year: 0, quarter: 0 },
        Span { first: 5, end: 8, year: 1, quarter: 4 },
    ];
    two_years.years =
        vec![YearSpan { year: 1, first: 0, end: 5 }, YearSpan { year: 2, first: 5, end: 8 }];
    for row in [
        &mut two_years.base,
        &mut two_years.rates,
        &mut two_years.reference_cost,
        &mut two_years.candidate_cost,
        &mut two_years.reference_worth,
        &mut two_years.candidate_worth,
        &mut two_years.deferrable_worth,
        &mut two_years.output_tokens,
    ] {
        row.push(1.0);
    }
    let merit = two_years.merit[0].clone();
    two_years.merit.push(merit);
    let outcome = run(&two_years);
    assert_eq!(outcome.residuals.own, [0.0, -10.0, -2.0, 1.0, 6.0, 7.0, -1.0, 3.0]);
    let borrowed = outcome.years.iter().map(|year| year.borrowed_gpu_hours);
    assert_eq!(borrowed.collect::<Vec<f64>>(), [3.0, 3.0]);
}

#[test]
fn training_lends_before_contracts_serve() {
    let mut world = world(10);
    add(&mut world, PoolKind::Contract(0), 5.0, 3);
    let outcome = run(&world);
    assert_eq!(outcome.residuals.own, [0.0, -10.0, -2.0, 1.0, 1.5, 4.75, -1.0, 0.0]);
    // The contract has 5 and serves the 1, 1.5 and 4.75 that are left after training; half of
    // the 1, 0.5 and 3.25 that come to load is lost an hour later: 4, 3, 0, 3.375 + 1 are spare.
    assert_eq!(
        outcome.residuals.with_contracts,
        [-5.0, -15.0, -7.0, -4.0, -3.0, 0.0, -4.375, -5.0]
    );
    assert_eq!(outcome.years[0].with_contracts.short_epochs, 0);
}
