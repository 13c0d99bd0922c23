//! The first months of a kind of unit, and pools that are stepped, through the whole loop.

use sparkgap::fleet::{CapacityChange, Outcome, World, Young, simulate};
use sparkgap::hardware::Failures;
use sparkgap::hardware::Infancy;
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Level, Load, Scenario, System};
use sparkgap::stats::Estimate;
use sparkgap::supply::UnitLaw;
use sparkgap::units::{Seconds, Uncertain};

use super::{DAY, central, date, factor, one_site};

const HOUR: f64 = 3_600.0;

/// `count` units of one GPU each with a load that they never meet: unserved is what is down.
fn pool(count: u32, hours: usize, law: UnitLaw, young: Option<Young>) -> World {
    let mut world = World::of_system(&System {
        name: "pool".to_owned(),
        description: String::new(),
        seed: 1,
        samples: 1,
        units: [].into(),
        firm: Level::Constant(1.0),
        load: Load::Hourly(vec![f64::from(count); hours]),
    });
    world.pools[0].law = law;
    world.pools[0].most = count;
    world.pools[0].young = young;
    world.changes[0] = CapacityChange { time: 0, pool: 0, units: count };
    world
}

fn run(world: &World, sample: u64) -> Outcome {
    simulate(world, StreamKey::inner(4, 0, sample))
}

/// Units down in each hour, the mean over samples.
fn down(world: &World, hours: std::ops::Range<usize>, samples: u64) -> Estimate {
    let of = |sample: u64| {
        let margins = run(world, sample).residuals.own;
        let units: f64 = hours.clone().map(|hour| margins[hour].max(0.0)).sum();
        units / hours.len() as f64
    };
    Estimate::of(&(0..samples).map(of).collect::<Vec<f64>>())
}

fn node(mtbf_h: f64) -> UnitLaw {
    UnitLaw::new(&Failures::Whole { mtbf: Seconds(mtbf_h * HOUR), mttr: Seconds(24.0 * HOUR) })
}

#[test]
fn a_new_kind_fails_more_often_and_settles_as_its_chain_says() {
    // Down shares 24/(216+24) = 0.1 while young, 24/(456+24) = 0.05 later; what was down at the
    // change is forgotten at the rates of the later law, 1/456 + 1/24 an hour.
    let (young, later) = (node(216.0), node(456.0));
    let until = 500;
    for stepped in [false, true] {
        let form = |law: &UnitLaw| if stepped { law.stepped(HOUR) } else { law.clone() };
        let first = Young { until: until * 3_600, law: form(&young) };
        let world = pool(400, 1_500, form(&later), Some(first));
        let before = down(&world, 0..500, 60);
        assert!(before.within(40.0, 3.0), "{stepped}: {before:?}");
        let rate = 1.0 / 456.0 + 1.0 / 24.0;
        let of_hour = |hour: usize| 20.0 + 20.0 * (-rate * (hour as f64 - 500.0)).exp();
        for hours in [500..512, 520..540, 560..600] {
            let expected = hours.clone().map(of_hour).sum::<f64>() / hours.len() as f64;
            let found = down(&world, hours.clone(), 200);
            assert!(found.within(expected, 3.0), "{stepped} {hours:?}: {found:?} {expected}");
        }
        let after = down(&world, 800..1_500, 60);
        assert!(after.within(20.0, 3.0), "{stepped}: {after:?}");
    }
}

#[test]
fn stepping_a_pool_changes_neither_its_mean_nor_its_bad_hours() {
    let racks = UnitLaw::new(&Failures::Trays {
        trays: 18,
        spare_trays: 2,
        tray_mtbf: Seconds(100.0 * 24.0 * HOUR),
        tray_mttr: Seconds(48.0 * HOUR),
        rack_mtbf: Seconds(60.0 * 24.0 * HOUR),
        rack_mttr: Seconds(24.0 * HOUR),
    });
    for law in [racks, node(456.0)] {
        let count = 200;
        let out = f64::from(count) * (1.0 - law.availability());
        let line = out + 1.5 * out.sqrt();
        let moments = |world: &World| {
            let mut each = [const { Vec::new() }; 2];
            for sample in 0..120 {
                let margins = run(world, sample).residuals.own;
                let hours = margins.len() as f64;
                each[0].push(margins.iter().map(|margin| margin.max(0.0)).sum::<f64>() / hours);
                let bad = margins.iter().filter(|margin| **margin > line).count();
                each[1].push(bad as f64 / hours);
            }
            each.map(|values| Estimate::of(&values))
        };
        let followed = moments(&pool(count, 2_000, law.clone(), None));
        let stepped = moments(&pool(count, 2_000, law.stepped(HOUR), None));
        assert!(followed[1].mean > 0.02, "{followed:?}");
        for (followed, stepped) in followed.iter().zip(&stepped) {
            let error = followed.standard_error.hypot(stepped.standard_error);
            assert!((followed.mean - stepped.mean).abs() < 3.0 * error, "{followed:?} {stepped:?}");
        }
    }
}

/// The one site with two kinds of racks, one of them young for so long.
fn with_infancy(months: f64, times: f64) -> Scenario {
    let mut scenario = one_site(72.0 * 400.0);
    let phases = &mut scenario.sites.get_mut("prometheus").expect("one site").phases;
    let mut other = phases[0].clone();
    other.accelerator = "gb200".to_owned();
    phases.push(other);
    for kind in ["gb200", "gb300"] {
        scenario.hardware.get_mut(kind).expect("it ships").infancy = None;
    }
    let hardware = scenario.hardware.get_mut("gb300").expect("it ships");
    hardware.available = date(2026, 6, 1);
    hardware.infancy = Some(Infancy {
        lasts: Seconds(months * 2_629_800.0),
        factor: factor(times),
        source: "test".to_owned(),
        as_of: "2026-11".to_owned(),
    });
    scenario
}

#[test]
fn infancy_counts_from_the_first_day_of_the_kind_with_its_delay() {
    let mut scenario = with_infancy(9.0, 2.0);
    let until = |scenario: &Scenario| -> Vec<Option<u64>> {
        central(scenario).pools.iter().map(|pool| pool.young.as_ref().map(|y| y.until)).collect()
    };
    let start = date(2026, 1, 1).0;
    let first = (date(2026, 6, 1).0 + 9 * 2_629_800 - start) as u64;
    assert_eq!(until(&scenario), [None, Some(first)]);
    let hardware = scenario.hardware.get_mut("gb300").expect("it ships");
    hardware.delay = Some(Uncertain::fixed(Seconds((50 * DAY) as f64)));
    assert_eq!(until(&scenario), [None, Some(first + 50 * 86_400)]);
    // A kind that is older than that as the horizon begins.
    let hardware = scenario.hardware.get_mut("gb300").expect("it ships");
    (hardware.delay, hardware.available) = (None, date(2025, 3, 1));
    assert_eq!(until(&scenario), [None, None]);
}

#[test]
fn infancy_takes_capacity_and_leaves_every_other_kind_alone() {
    let supply = |scenario: &Scenario| {
        let world = central(scenario);
        let quarters = run(&world, 0).quarters;
        let sources: Vec<Vec<f64>> = quarters.iter().map(|q| q.supply.clone()).collect();
        sources
    };
    let (without, with) = (supply(&with_infancy(9.0, 1.0)), supply(&with_infancy(9.0, 3.0)));
    let gone = supply(&with_infancy(0.0, 3.0));
    for (quarter, (without, with)) in without.iter().zip(&with).enumerate() {
        // Own accelerators by first availability: GB200, then GB300. The streams of the first are
        // the same whatever the other does.
        assert_eq!(without[0], with[0], "{quarter}");
        if (2..4).contains(&quarter) {
            // Three times as many racks out of service: 1.6 to 3 % of them.
            let lost = 1.0 - with[1] / without[1];
            assert!((0.002..0.06).contains(&lost), "{quarter}: {lost}");
        }
    }
    // A factor of 1 draws new times where it ends; infancy that is over at once changes nothing
    // before the first delivery.
    assert_eq!(without[..2], gone[..2]);
}
