//! Shortfalls in the measures of adequacy, by class, workload and region: small fleets worked by
//! hand, and what must hold on the whole loop whatever the numbers.

use proptest::prelude::*;
use sparkgap::fleet::{
    CapacityChange, Class, Measures, Outcome, PeakLoss, Pool, PoolKind, Scopes, Shortfall, SiteLaw,
    Span, WEEKS, World, YearSpan, simulate,
};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Level, Load, System};

/// What each year of a hand-made world has in common.
const KEY: (u64, u64, u64) = (1, 0, 0);

fn run(world: &World) -> Outcome {
    simulate(world, StreamKey::inner(KEY.0, KEY.1, KEY.2))
}

/// Firm pools of so many GPUs: own ones at sites of their own, then contracts.
fn pools(world: &mut World, own: &[f64], contracts: &[f64]) {
    let firm = world.pools[0].clone();
    let pool = |(index, gpus): (usize, &f64)| {
        let contract = index.checked_sub(own.len());
        Pool {
            name: format!("pool {index}"),
            kind: contract.map_or(PoolKind::Own, PoolKind::Contract),
            site: contract.is_none().then_some(index),
            gpus_per_unit: *gpus,
            ..firm.clone()
        }
    };
    world.pools = own.iter().chain(contracts).enumerate().map(pool).collect();
    world.own_pools = own.len();
    world.changes =
        (0..world.pools.len()).map(|pool| CapacityChange { time: 0, pool, units: 1 }).collect();
    let site = |index: usize| SiteLaw {
        name: format!("site {index}"),
        fail: 0.0,
        recover: 1.0,
        borrow_epochs: 0,
    };
    world.sites = (0..own.len()).map(site).collect();
}

/// One class, calls of one GPU-second, one year.
fn plain(load: Vec<f64>, own: &[f64], contracts: &[f64]) -> World {
    let mut world = World::of_system(&System {
        name: String::new(),
        description: String::new(),
        seed: 0,
        samples: 1,
        units: std::collections::BTreeMap::new(),
        firm: Level::Constant(0.0),
        load: Load::Hourly(load),
    });
    pools(&mut world, own, contracts);
    let bought = own.len() as u16..world.pools.len() as u16;
    let own = 0..own.len() as u16;
    world.merit = vec![[vec![own.collect()], vec![vec![]], vec![vec![]], vec![bought.collect()]]];
    world
}

/// Two regions with 10 and 5 GPUs of their own and a contract of 2 in the first; two workloads,
/// of which a GPU does 1 and 2 calls a second; two years of two days.
fn two_years() -> World {
    let mut east = vec![10.0; 96];
    (east[5], east[6], east[30], east[47], east[48]) = (12.0, 12.0, 14.0, 13.0, 13.0);
    let mut west = vec![8.0; 96];
    (west[6], west[70]) = (16.0, 11.0);
    let mut world = plain(east, &[10.0, 5.0], &[2.0]);
    (world.regions, world.workloads) = (2, 2);
    world.curves.push(west);
    let class = |region, workload| Class { region, workload, curve: region, candidate_reach: 1 };
    world.classes = vec![class(0, 0), class(1, 1)];
    let span = |year| Span { first: year * 48, end: (year + 1) * 48, year, quarter: 0 };
    world.spans = vec![span(0), span(1)];
    let year = |year: usize| YearSpan {
        year: 2_026 + year as u16,
        first: year * 48,
        end: (year + 1) * 48,
    };
    world.years = vec![year(0), year(1)];
    let lists = [vec![vec![0], vec![1]], vec![vec![]; 2], vec![vec![]; 2], vec![vec![2], vec![]]];
    world.merit = vec![lists; 2];
    world.base = vec![1.0; 4];
    world.policies = vec![world.policies[0]; 2];
    world.rates = vec![1.0, 2.0, 1.0, 2.0];
    world.reference_cost = vec![1.0, 0.5, 1.0, 0.5];
    world.candidate_cost = vec![1.0, 0.5, 1.0, 0.5];
    world.output_tokens = vec![10.0, 100.0, 10.0, 100.0];
    for worth in
        [&mut world.reference_worth, &mut world.candidate_worth, &mut world.deferrable_worth]
    {
        *worth = vec![1.0; 2];
    }
    world
}

/// Epochs, days, events, longest event; calls and GPUs at the deepest.
fn facts(row: &Shortfall) -> ([u64; 4], f64, f64) {
    let counts = [row.short_epochs, row.short_days, row.events, row.longest_epochs];
    (counts, row.calls / 3_600.0, row.deepest)
}

#[test]
fn two_years_of_two_regions_worked_by_hand() {
    let Measures { scopes, own, with_contracts, offered } = run(&two_years()).measures;
    assert_eq!(scopes, Scopes { regions: 2, workloads: 2, classes: 2 });
    // The first region is short of 2, 2, 4, 3 calls per second in hours 5, 6, 30, 47 and of 3 in
    // hour 48: an event of an hour on either side of New Year.
    let east = [([4, 2, 3, 2], 11.0, 4.0), ([1, 1, 1, 1], 3.0, 3.0)];
    // The second one of 6 calls (3 GPUs) in hour 6 and of 1 in hour 70.
    let west = [([1, 1, 1, 1], 6.0, 3.0), ([1, 1, 1, 1], 1.0, 0.5)];
    // Together: hour 6 is short of 2 + 3 GPUs; hours 48 and 70 are of one day.
    let all = [([4, 2, 3, 2], 17.0, 5.0), ([2, 1, 2, 1], 4.0, 3.0)];
    for year in 0..2 {
        let rows = own.year(year);
        assert_eq!(facts(&rows[0]), all[year], "{year}");
        for (index, wanted) in [east, west].iter().enumerate() {
            for scope in [scopes.region(index), scopes.workload(index), scopes.class(index)] {
                assert_eq!(facts(&rows[scope]), wanted[year], "{year} {scope}");
            }
        }
    }
    // Tokens and GPU-hours are those of the workload.
    assert_eq!(own.year(0)[0].output_tokens, (11.0 * 10.0 + 6.0 * 100.0) * 3_600.0);
    assert_eq!(own.year(0)[0].reference_gpu_hours, 11.0 + 3.0);
    // The contract covers two calls in the first region: 2 are left in hour 30, 1 in 47 and 48.
    let rows = [with_contracts.year(0)[0], with_contracts.year(1)[0]];
    assert_eq!(facts(&rows[0]), ([3, 2, 3, 1], 9.0, 3.0));
    assert_eq!(facts(&rows[1]), ([2, 1, 2, 1], 2.0, 1.0));
    // Hours of the day by month: hour 30 is the sixth of its day.
    let cells = |month: usize, year: usize| -> Vec<u32> {
        own.cells[year * 288 + month * 24..][..24].to_vec()
    };
    let short = |hours: &[usize]| {
        let count = |hour| hours.iter().filter(|short| **short == hour).count() as u32;
        (0..24).map(count).collect::<Vec<u32>>()
    };
    assert_eq!((cells(0, 0), cells(1, 1)), (short(&[5, 6, 6, 23]), short(&[0, 22])));
    assert_eq!(own.cells.iter().sum::<u32>(), 6);
    // 48 hours of 10 and 11 more; 48 of 8 and 8 more; then 3 and 3 more.
    let hours: Vec<f64> = offered.iter().map(|calls| calls / 3_600.0).collect();
    let count = scopes.count();
    assert_eq!(hours[..count], [883.0, 491.0, 392.0, 491.0, 392.0, 491.0, 392.0]);
    assert_eq!(hours[count..], [870.0, 483.0, 387.0, 483.0, 387.0, 483.0, 387.0]);
}

#[test]
fn the_largest_site_is_lost_at_the_peak_of_a_week() {
    // Three weeks with peaks of 9, 12 and 5 beside 10 and 6 GPUs and 3 contracted ones.
    let mut load = vec![4.0; 3 * 168];
    (load[100], load[168], load[503]) = (9.0, 12.0, 5.0);
    let mut world = plain(load, &[10.0, 6.0], &[3.0]);
    let losses = run(&world).peak_losses;
    let rest = WEEKS as u32 - 3;
    // The 6 GPUs left are 3 and 6 too few; with the contract 0 and 3.
    let loss = |survived: u32, missing: f64| PeakLoss {
        survived: survived + rest,
        missing,
        worst: Some(0),
        lost: vec![3, 0],
    };
    assert_eq!(losses.own_site, [loss(1, 6.0)]);
    assert_eq!(losses.site, [loss(2, 3.0)]);
    // Without the contract nobody is missed.
    let none = PeakLoss { survived: 3 + rest, missing: 0.0, worst: None, lost: vec![3] };
    assert_eq!(losses.contract, [none]);
    // A smaller model that may answer half of the calls at a quarter of the work: 3 too few cost 4
    // calls their full answer, 6 too few all 6 that may, which makes room for 4.5.
    (world.policies[0].degraded_work, world.policies[0].most_degraded) = (0.25, 0.5);
    let losses = run(&world).peak_losses;
    assert_eq!(losses.own_site, [loss(2, 1.5)]);
    assert_eq!(losses.site[0].survived, WEEKS as u32);
    // A peak of 18 is 2 more than the own ones together.
    world.policies[0].most_degraded = 0.0;
    world.curves[0][168] = 18.0;
    let lost = &run(&world).peak_losses.contract[0];
    let facts = (lost.survived, lost.missing, lost.worst);
    assert_eq!(facts, (WEEKS as u32 - 1, 2.0, Some(0)));
    // Each week has what stands then: the second site comes with the third week.
    world.curves[0][168] = 12.0;
    world.changes[1].time = 2 * 168 * 3_600;
    assert_eq!(run(&world).peak_losses.own_site, [loss(1, 12.0)]);
}

#[test]
fn losses_leave_no_trace_in_the_loop() {
    // Two workloads whose demand changes places by the hour, so that GPUs are always loading.
    let mut world = two_years();
    world.reload_share = 0.5;
    world.merit = vec![
        [
            vec![vec![0, 1], vec![1, 0]],
            vec![vec![]; 2],
            vec![vec![]; 2],
            vec![vec![2], vec![2]]
        ];
        2
    ];
    for (index, curve) in world.curves.iter_mut().enumerate() {
        for (hour, value) in curve.iter_mut().enumerate() {
            *value += ((hour * 7 + index * 5) % 11) as f64;
        }
    }
    let watched = run(&world);
    assert!(watched.peak_losses.site.iter().any(|year| year.survived < WEEKS as u32));
    assert!(watched.years[0].with_contracts.short_epochs > 0);
    // With nothing that could be lost, nothing is tried: the contract becomes a pool like others.
    for pool in &mut world.pools {
        (pool.site, pool.kind) = (None, PoolKind::Own);
    }
    let blind = run(&world);
    assert!(blind.peak_losses.site.is_empty());
    assert_eq!(watched.residuals, blind.residuals);
    assert_eq!(watched.measures, blind.measures);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two regions that serve themselves first and each other then, in whole numbers, against a
    /// plain account of who is served by what.
    #[test]
    fn offered_is_served_plus_unserved_and_capacity_never_hurts(
        loads in prop::collection::vec((0u8..16, 0u8..16), 96),
        own in (0u8..20, 0u8..20), contract in 0u8..8, more in 0u8..8, which in 0usize..3,
    ) {
        let mut world = two_years();
        world.curves = vec![
            loads.iter().map(|load| f64::from(load.0)).collect(),
            loads.iter().map(|load| f64::from(load.1)).collect(),
        ];
        let gpus = [f64::from(own.0), f64::from(own.1), f64::from(contract)];
        let lists =
            [vec![vec![0], vec![1]], vec![vec![1], vec![0]], vec![vec![]; 2], vec![vec![2]; 2]];
        world.merit = vec![lists; 2];
        for (pool, gpus) in world.pools.iter_mut().zip(gpus) {
            pool.gpus_per_unit = gpus;
        }
        let before = run(&world).measures;
        for class in 0..2 {
            let mut served = [0.0; 2];
            for (epoch, load) in loads.iter().enumerate() {
                served[epoch / 48] += account([load.0, load.1], gpus)[class];
            }
            for (year, served) in served.iter().enumerate() {
                let scope = before.scopes.class(class);
                let offered = before.offered[year * before.scopes.count() + scope];
                let unserved = before.with_contracts.year(year)[scope].calls;
                // Halves at most: every sum is exact.
                prop_assert_eq!(offered, served * 3_600.0 + unserved);
            }
        }
        world.pools[which].gpus_per_unit += f64::from(more);
        let after = run(&world).measures;
        for (before, after) in
            [(&before.own, &after.own), (&before.with_contracts, &after.with_contracts)]
        {
            for (before, after) in before.rows.iter().zip(&after.rows) {
                prop_assert!(after.short_epochs <= before.short_epochs);
                prop_assert!(after.short_days <= before.short_days);
                prop_assert!(after.calls <= before.calls);
                prop_assert!(after.deepest <= before.deepest);
                prop_assert!(after.longest_epochs <= before.longest_epochs || after.events > 0);
            }
        }
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Calls per second served of both classes: at home, then abroad, then by the contract.
fn account(load: [u8; 2], mut gpus: [f64; 3]) -> [f64; 2] {
    let rates = [1.0, 2.0];
    let mut left = load.map(f64::from);
    for pools in [[0, 1], [1, 0], [2, 2]] {
        for class in 0..2 {
            let pool = pools[class];
            let calls = left[class].min(gpus[pool] * rates[class]);
            left[class] -= calls;
            gpus[pool] -= calls / rates[class];
        }
    }
    [f64::from(load[0]) - left[0], f64::from(load[1]) - left[1]]
}

#[test]
fn five_minutes_that_make_an_hour_count_like_it() {
    // The same demand in epochs of five minutes: twelve times the epochs, the same work.
    let world = two_years();
    let mut fine = world.clone();
    fine.epoch_s = 300;
    fine.epochs *= 12;
    for span in &mut fine.spans {
        (span.first, span.end) = (span.first * 12, span.end * 12);
    }
    for year in &mut fine.years {
        (year.first, year.end) = (year.first * 12, year.end * 12);
    }
    for curve in &mut fine.curves {
        *curve = curve.iter().flat_map(|value| [*value; 12]).collect();
    }
    let (coarse, fine) = (run(&world).measures, run(&fine).measures);
    for (coarse, fine) in coarse.own.rows.iter().zip(&fine.own.rows) {
        assert_eq!(fine.short_epochs, coarse.short_epochs * 12);
        assert_eq!(fine.longest_epochs, coarse.longest_epochs * 12);
        assert_eq!((fine.short_days, fine.events), (coarse.short_days, coarse.events));
        assert!(near(fine.reference_gpu_hours, coarse.reference_gpu_hours));
        assert_eq!(fine.deepest, coarse.deepest);
    }
    let twelvefold = coarse.own.cells.iter().map(|count| count * 12);
    assert!(twelvefold.eq(fine.own.cells.iter().copied()));
}
