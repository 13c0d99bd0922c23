//! The same bytes for any number of threads, worlds or cached points, and draws that belong to
//! what they are the draws of: more supply leaves demand alone.

use std::path::Path;

use sparkgap::fleet::{Draw, DrawnWorld, draw_world, simulate};
use sparkgap::plan::{Answer, required_external};
use sparkgap::report::summary_json;
use sparkgap::rng::StreamKey;
use sparkgap::scenario::Scenario;
use sparkgap::study::{ServingTable, Watch, characterise};

fn small() -> Scenario {
    Scenario::from_ron(include_str!("data/small.ron"), "small.ron").expect("it is sound")
}

fn measured(scenario: &Scenario, cache: Option<&Path>) -> ServingTable {
    characterise(scenario, cache, Watch::nobody()).expect("nobody stops it")
}

fn answer(scenario: &Scenario, table: &ServingTable) -> Answer {
    required_external(scenario, &table.rates(scenario), Watch::nobody()).expect("nobody stops it")
}

/// The whole study in a pool of its own.
fn summary(threads: usize, cache: Option<&Path>) -> String {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| {
        let scenario = small();
        summary_json(&answer(&scenario, &measured(&scenario, cache)))
    })
}

#[test]
fn threads_and_caches_leave_no_trace() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = Some(folder.path());
    let alone = summary(1, None);
    assert!(alone.len() > 10_000);
    for threads in [1, 2, 7] {
        assert!(summary(threads, None) == alone, "{threads} threads");
        // The first of these fills the cache, the others read it.
        assert!(summary(threads, cache) == alone, "{threads} threads, with a cache");
    }
    let points = std::fs::read_dir(folder.path()).expect("the cache").count();
    assert_eq!(points, 4, "one workload on two accelerators in two years");
    let mut other = small();
    other.sampling.seed += 1;
    let other = summary_json(&answer(&other, &measured(&other, cache)));
    assert!(other != alone, "another seed is another answer");
}

#[test]
fn a_world_does_not_depend_on_how_many_there_are() {
    let mut scenario = small();
    let table = measured(&scenario, None);
    scenario.sampling.worlds = 5;
    let five = answer(&scenario, &table).worlds;
    for worlds in [1, 2] {
        scenario.sampling.worlds = worlds;
        let fewer = answer(&scenario, &table).worlds;
        assert_eq!(fewer.len(), 7 * worlds as usize);
        assert_eq!(fewer[..], five[..fewer.len()]);
    }
    // The worlds are not all one.
    assert_ne!(five[0].peak_demand, five[7].peak_demand);
}

/// Levels by month, of interactive and of deferrable work, curves, and facts by year.
type Demand<'a> = (&'a [f64], &'a [f64], &'a [Vec<f64>], Vec<[f64; 6]>);

/// What a world asks for.
fn demand(drawn: &DrawnWorld) -> Demand<'_> {
    let world = &drawn.world;
    let facts = drawn.years.iter().map(|year| {
        [
            year.daily_users,
            year.user_requests_per_day,
            year.engine_calls_per_day,
            year.tokens_in_per_day,
            year.tokens_cached_per_day,
            year.tokens_out_per_day,
        ]
    });
    (&world.base, &world.deferrable_base, &world.curves, facts.collect())
}

#[test]
fn another_site_leaves_the_demand_of_every_world_alone() {
    let before = small();
    let table = measured(&before, None);
    let mut after = before.clone();
    let annex = before.sites["hall"].clone();
    // Its name comes first, so that no draw may hang on the order of the sites.
    after.sites.insert("annex".to_owned(), annex);
    let (mut capacity, seed) = (Vec::new(), before.sampling.seed);
    for world in 0..4 {
        let drawn =
            |scenario| draw_world(scenario, Draw::of_world(seed, world), &table.rates(&before));
        let (first, second) = (drawn(&before), drawn(&after));
        assert_eq!(demand(&first), demand(&second));
        let key = StreamKey::inner(seed, world, 0);
        let (first, second) = (simulate(&first.world, key), simulate(&second.world, key));
        for (first, second) in first.years.iter().zip(&second.years) {
            // Surges are drawn in the inner sample.
            assert_eq!(first.offered_calls, second.offered_calls);
            assert_eq!(first.peak_demand, second.peak_demand);
            capacity.push(second.own_capacity / first.own_capacity);
        }
        assert!(
            second
                .years
                .iter()
                .zip(&first.years)
                .all(|(two, one)| { two.own.short_epochs <= one.own.short_epochs })
        );
    }
    assert!(capacity.iter().all(|ratio| *ratio > 1.2), "{capacity:?}");
}
