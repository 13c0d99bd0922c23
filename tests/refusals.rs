//! Calls that find no free GPU, worked by hand: a smaller model that answers, and calls that are
//! asked again.

use sparkgap::fleet::{
    CapacityChange, Outcome, Policy, PoolKind, SurgeLaw, World, YearTally, simulate,
};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Level, Load, System};
use sparkgap::units::{Factor, Seconds, Uncertain};

/// 10 GPUs of our own and 1 of a contract; a call per second takes one GPU.
fn world(load: &[f64], policy: Policy) -> World {
    let mut world = World::of_system(&System {
        name: "refusals".to_owned(),
        description: String::new(),
        seed: 1,
        samples: 1,
        units: [].into(),
        firm: Level::Constant(10.0),
        load: Load::Hourly(load.to_vec()),
    });
    let mut pool = world.pools[0].clone();
    (pool.kind, pool.gpus_per_unit) = (PoolKind::Contract(0), 1.0);
    pool.name = "contract".to_owned();
    world.pools.push(pool);
    world.changes.push(CapacityChange { time: 0, pool: 1, units: 1 });
    world.merit[0][3] = vec![vec![1]];
    world.policies = vec![policy];
    world
}

fn run(world: &World) -> Outcome {
    simulate(world, StreamKey::inner(1, 0, 0))
}

/// Calls of an hour, from calls per second.
fn calls(tally: f64) -> f64 {
    tally / 3_600.0
}

#[test]
fn refused_calls_come_back_and_find_a_gpu_or_none() {
    let policy = Policy { returning: 0.5, returns_after: 1, ..Policy::default() };
    let outcome = run(&world(&[15.0, 10.0, 8.0, 11.0, 9.0, 13.0], policy));
    let year = &outcome.years[0];
    // Own capacity alone refuses 5 in hour 0, of which 2.5 come back and are refused in hour 1;
    // 1.25 of those find a GPU in hour 2. 1 is refused in hour 3, 3 in hour 5; half is lost each
    // time.
    assert_eq!(year.own.short_epochs, 4);
    assert_eq!(calls(year.own.calls), 2.5 + 1.25 + 0.5 + 1.5);
    // With the contract 4 are refused in hour 0, of which 2 come back: 1 is served, 1 refused in
    // hour 1; half of that is served in hour 2. 2 are refused in hour 5, 1 is still on its way.
    assert_eq!(year.with_contracts.short_epochs, 3);
    assert_eq!(calls(year.with_contracts.calls), 2.0 + 0.5 + 1.0);
    assert_eq!(calls(year.returned_calls), 2.0 + 0.5 + 1.0);
    assert_eq!(calls(outcome.returning_calls), 1.0);
    assert_eq!(calls(year.offered_calls), 66.0);
    // Margins are those of what is asked for the first time.
    assert_eq!(outcome.residuals.own, [5.0, 0.0, -2.0, 1.0, -1.0, 3.0]);
    assert_eq!(outcome.residuals.with_contracts, [4.0, -1.0, -3.0, 0.0, -2.0, 2.0]);
    // What is spare for deferrable work is what calls that came back leave.
    assert_eq!(outcome.residuals.own_spare, [0.0, 0.0, 0.75, 0.0, 0.5, 0.0]);
    assert_eq!(outcome.residuals.spare_with_contracts, [0.0, 0.0, 2.5, 0.0, 2.0, 0.0]);
    assert_eq!(outcome.residuals.returns, (0.5, 1));
}

#[test]
fn refused_calls_come_back_as_late_as_they_say() {
    let policy = Policy { returning: 0.5, returns_after: 3, ..Policy::default() };
    let outcome = run(&world(&[15.0, 11.0, 11.0, 11.0, 11.0, 11.0, 10.0, 0.0], policy));
    // 4 refused in hour 0, 2 of them in hour 3, 1 of those in hour 6, which has a GPU for it.
    assert_eq!(outcome.years[0].with_contracts.short_epochs, 2);
    assert_eq!(calls(outcome.years[0].with_contracts.calls), 2.0 + 1.0);
    assert_eq!(outcome.returning_calls, 0.0);
}

#[test]
fn what_own_capacity_alone_refuses_depends_on_no_contract() {
    let policy = Policy { returning: 0.8, returns_after: 2, ..Policy::default() };
    let load = [15.0, 10.0, 8.0, 11.0, 9.0, 13.0, 14.0, 6.0, 12.0];
    let with = world(&load, policy);
    let mut without = with.clone();
    without.changes.retain(|change| change.pool == 0);
    let [with, without] = [run(&with), run(&without)];
    assert_eq!(with.years[0].own, without.years[0].own);
    assert_eq!(with.residuals.own, without.residuals.own);
    assert_eq!(with.residuals.own_spare, without.residuals.own_spare);
    // Without any contract both readings are one.
    assert_eq!(without.years[0].own, without.years[0].with_contracts);
    assert!(with.years[0].with_contracts.calls < without.years[0].with_contracts.calls);
}

#[test]
fn a_smaller_model_answers_before_a_call_is_refused() {
    let policy = Policy { degraded_work: 0.25, most_degraded: 0.5, ..Policy::default() };
    let outcome = run(&world(&[14.0, 20.0, 11.0, 10.0], policy));
    let year = &outcome.years[0];
    // Hour 0: 3 of 14 find no GPU; 4 answered in small make room for 3. Hour 1: 9 of 20; 10 at
    // most make room for 7.5, 1.5 are refused. Own only: 4 of 14 as well; 10 of 20, 2.5 refused.
    assert_eq!(year.with_contracts.short_epochs, 1);
    assert_eq!(calls(year.with_contracts.calls), 1.5);
    assert_eq!(calls(year.degraded_calls), 14.0);
    assert_eq!((year.own.short_epochs, calls(year.own.calls)), (1, 2.5));
    // What the smaller model can take over needs no block, and is no surplus.
    assert_eq!(outcome.residuals.own, [0.0, 2.5, 0.0, 0.0]);
    assert_eq!(outcome.residuals.with_contracts, [0.0, 1.5, 0.0, -1.0]);
    // Conservation: asked, less refused, is served in full or in small.
    let full = 11.0 - 4.0 * 0.25 + 11.0 - 10.0 * 0.25 + 11.0 + 10.0;
    let served = full + calls(year.degraded_calls);
    assert_eq!(served + calls(year.with_contracts.calls), calls(year.offered_calls));
}

#[test]
fn neither_changes_a_year_without_shortage() {
    let load = [9.0, 10.0, 3.0];
    let both = Policy { degraded_work: 0.25, most_degraded: 0.5, returning: 0.5, returns_after: 1 };
    let mut with = run(&world(&load, both));
    with.residuals.returns = (0.0, 1);
    assert_eq!(with, run(&world(&load, Policy::default())));
}

/// Years in which a surge of twice the demand touches both of two regions.
fn both_touched(spread: Option<f64>, samples: u64) -> (u64, u64) {
    let mut world = world(&[1.0; 24], Policy::default());
    world.regions = 2;
    let mut other = world.classes[0];
    other.region = 1;
    world.classes.push(other);
    world.base = vec![1.0, 1_000.0];
    world.merit[0] = [vec![vec![0]; 2], vec![vec![]; 2], vec![vec![]; 2], vec![vec![1]; 2]];
    world.surges = vec![SurgeLaw {
        name: "surge".to_owned(),
        rate: 1.0 / 43_200.0,
        lasts: Uncertain::fixed(Seconds(3_600.0)),
        factor: Uncertain::fixed(Factor(2.0)),
        regions: 0b11,
        spread,
    }];
    let (mut touched, mut both) = (0, 0);
    for sample in 0..samples {
        let outcome = simulate(&world, StreamKey::inner(3, 0, sample));
        // 1,001 calls per second in a quiet hour; 1 more, 1,000 more or both.
        let more = |year: &YearTally| (calls(year.offered_calls) - 24.0 * 1_001.0).round() as u64;
        let more = more(&outcome.years[0]);
        touched += u64::from(more > 0);
        both += u64::from(more > 0 && more % 1_001 == 0);
    }
    (touched, both)
}

#[test]
fn a_surge_spreads_by_chance() {
    let (touched, both) = both_touched(None, 200);
    assert!(touched > 100 && both == touched, "{touched} {both}");
    let (touched, both) = both_touched(Some(0.0), 200);
    // Two surges in different regions of one day look alike: few years.
    assert!(touched > 100 && both < touched / 2, "{touched} {both}");
    let (touched, both) = both_touched(Some(1.0), 200);
    assert!(touched > 100 && both == touched, "{touched} {both}");
}
