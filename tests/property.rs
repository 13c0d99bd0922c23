//! What must hold whatever the numbers: monotony, pooling, delivery dates, conservation, memory.

use proptest::prelude::*;
use sparkgap::demand::Shape;
use sparkgap::engine::{CallShape, Draws, Latencies, Prefill, Replica, Scheduler, scaled_table};
use sparkgap::fleet::{CapacityChange, Outcome, World, simulate};
use sparkgap::hardware::{Roofline, StepTime};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Level, Load, System, UnitFailures, Units};
use sparkgap::units::Seconds;

const HOURS: usize = 400;

/// A system of a few failing units against a wavy load.
fn system(units: u32, capacity: f64, mttr_h: f64, load: f64) -> System {
    let failures =
        UnitFailures::Times { mtbf: Seconds(100.0 * 3_600.0), mttr: Seconds(mttr_h * 3_600.0) };
    let unit = Units { capacity: Level::Constant(capacity), count: units, failures };
    let wave = |hour: usize| load * (1.0 + 0.4 * ((hour as f64) * 0.26).sin());
    System {
        name: "property".to_owned(),
        description: String::new(),
        seed: 1,
        samples: 1,
        units: [("unit".to_owned(), unit)].into(),
        firm: Level::Constant(0.0),
        load: Load::Hourly((0..HOURS).map(wave).collect()),
    }
}

fn run(world: &World, sample: u64) -> Outcome {
    simulate(world, StreamKey::inner(11, 0, sample))
}

fn lole(outcome: &Outcome) -> u64 {
    outcome.years.iter().map(|year| year.own.short_epochs).sum()
}

fn eue(outcome: &Outcome) -> f64 {
    outcome.years.iter().map(|year| year.own.calls).sum()
}

/// Two regions with a pool each; `pooled` lets each pool serve both.
fn two_regions(first: &World, load_b: &[f64], pooled: bool) -> World {
    let mut world = first.clone();
    world.regions = 2;
    let mut class = world.classes[0];
    (class.region, class.curve) = (1, 1);
    world.classes.push(class);
    world.curves.push(load_b.to_vec());
    world.base = vec![1.0, 1.0];
    let mut pool = world.pools[0].clone();
    pool.name = "other".to_owned();
    pool.region = 1;
    let units = pool.most;
    // The firm pool of the system is empty: the second region's pool takes its place.
    world.pools[1] = pool;
    world.changes[1] = CapacityChange { time: 0, pool: 1, units };
    let local = vec![vec![0u16], vec![1u16]];
    let remote = if pooled { vec![vec![1u16], vec![0u16]] } else { vec![vec![], vec![]] };
    world.merit = vec![[local, remote, vec![vec![], vec![]], vec![vec![], vec![]]]];
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn more_capacity_never_raises_lole_or_eue(
        units in 1u32..12, capacity in 1.0f64..20.0, mttr in 1.0f64..60.0,
        load in 5.0f64..150.0, more in 0.1f64..30.0, sample in 0u64..1_000,
    ) {
        let mut system = system(units, capacity, mttr, load);
        let before = run(&World::of_system(&system), sample);
        system.firm = Level::Constant(more);
        let after = run(&World::of_system(&system), sample);
        prop_assert!(lole(&after) <= lole(&before));
        prop_assert!(eue(&after) <= eue(&before) + 1e-9);
    }

    #[test]
    fn later_delivery_never_lowers_lole_or_eue(
        units in 1u32..8, load in 5.0f64..60.0, firm in 1u64..300, delay in 1u64..200,
        sample in 0u64..1_000,
    ) {
        // The failing units stand from the start; a firm block is delivered on time or late.
        let mut world = World::of_system(&system(units, 5.0, 10.0, load));
        let block = world.pools.iter().position(|pool| pool.name == "firm").expect("it has one");
        world.pools[block].gpus_per_unit = 10.0;
        let deliver = |world: &mut World, hour: u64| {
            let change = world.changes.iter_mut().find(|change| change.pool == block);
            change.expect("every pool is filled").time = hour * 3_600;
        };
        deliver(&mut world, firm);
        let planned = run(&world, sample);
        deliver(&mut world, firm + delay);
        let late = run(&world, sample);
        prop_assert!(lole(&late) >= lole(&planned));
        prop_assert!(eue(&late) >= eue(&planned) - 1e-9);
    }

    #[test]
    fn pooling_regions_never_raises_eue_or_short_hours(
        units in 1u32..8, load in 5.0f64..50.0, shift in 0usize..24, sample in 0u64..1_000,
    ) {
        let first = World::of_system(&system(units, 6.0, 20.0, load));
        let load_b: Vec<f64> =
            (0..HOURS).map(|hour| first.curves[0][(hour + shift) % HOURS]).collect();
        let apart = run(&two_regions(&first, &load_b, false), sample);
        let pooled = run(&two_regions(&first, &load_b, true), sample);
        prop_assert!(eue(&pooled) <= eue(&apart) + 1e-6);
        // Short hours of the regions one by one: an hour short in both counts twice.
        let alone = |region: usize| {
            let mut world = two_regions(&first, &load_b, false);
            world.base[1 - region] = 0.0;
            lole(&run(&world, sample))
        };
        prop_assert!(lole(&pooled) <= alone(0) + alone(1));
    }

    #[test]
    fn margins_say_what_a_firm_block_would_do(
        units in 1u32..8, load in 5.0f64..60.0, block in 0.0f64..40.0, sample in 0u64..1_000,
    ) {
        // Simulating with a firm block gives the short hours that the stored margins predict.
        let mut system = system(units, 5.0, 15.0, load);
        let margins = run(&World::of_system(&system), sample).residuals.own;
        let predicted = margins.iter().filter(|margin| **margin > block).count() as u64;
        system.firm = Level::Constant(block);
        let simulated = lole(&run(&World::of_system(&system), sample));
        // A margin within rounding of the block may fall on either side.
        let close = margins.iter().filter(|margin| (**margin - block).abs() < 1e-9).count() as u64;
        prop_assert!(simulated.abs_diff(predicted) <= close);
    }
}

#[test]
fn a_spread_of_the_delivery_date_does_not_lower_lole_when_risk_grows() {
    // Load grows over time: risk without the block does not decrease. Delivery in the middle
    // against delivery 100 hours early or late with equal chance.
    let growing: Vec<f64> = (0..HOURS).map(|hour| 20.0 + 0.1 * hour as f64).collect();
    let mut system = system(8, 5.0, 20.0, 30.0);
    system.load = Load::Hourly(growing);
    let mut world = World::of_system(&system);
    let block = world.pools.iter().position(|pool| pool.name == "firm").expect("it has one");
    world.pools[block].gpus_per_unit = 20.0;
    let mut short = |hour: u64| -> u64 {
        let change = world.changes.iter_mut().find(|change| change.pool == block);
        change.expect("every pool is filled").time = hour * 3_600;
        (0..200).map(|sample| lole(&run(&world, sample))).sum()
    };
    let (planned, early, late) = (short(200), short(100), short(300));
    assert!(planned > 0 && early + late >= 2 * planned, "{planned} {early} {late}");
}

/// Bytes of a replica after so many calls, and the most that it ever held at one time.
fn memory_after(count: u32, rate: f64) -> (u64, u64) {
    let table = |sigma, mean| scaled_table(&Shape::Lognormal(sigma), mean).unwrap();
    let (prompt, output) = (table(1.0, 1_000.0), table(0.8, 400.0));
    let calls = CallShape { prompt, output, ..CallShape::fixed(1, 0.0, 1) };
    let step_time = StepTime::new(&Roofline::affine(10e-3, 10e-6, 3e-9, 4e-6));
    let prefill = Prefill::Chunked;
    let scheduler = Scheduler { max_sequences: 2_048, token_budget: 2_048, prefill };
    let mut replica = Replica::new(&step_time, &scheduler, 4_000_000);
    let mut latencies = Latencies::default();
    let draws = Draws::new(&calls, count, (0, count), StreamKey::world(2, 0));
    let mut most = 0;
    for (id, request) in draws.at_rate(rate).enumerate() {
        replica.advance(request.arrival, &mut latencies);
        replica.enqueue(id as u32, request);
        most = most.max(replica.load());
    }
    replica.finish(&mut latencies);
    (replica.bytes() as u64, most)
}

#[test]
fn a_call_in_flight_takes_at_most_128_bytes_however_many_there_were() {
    for rate in [10.0, 47.0] {
        let (bytes, most) = memory_after(60_000, rate);
        assert!(most > 60, "{most}");
        assert!(bytes <= 128 * most + 3_000, "{bytes} for {most}");
        let (later, held) = memory_after(240_000, rate);
        assert!(later <= bytes * held / most + bytes / 3, "{bytes} {most} {later} {held}");
    }
}
