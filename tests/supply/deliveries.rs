//! Batches, power before racks and racks before power, burn-in, retirement, seasons.

use sparkgap::fleet::{Draw, simulate};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::Scenario;
use sparkgap::supply::{BurnIn, Energised, Phase, Ramp, Site};
use sparkgap::time::FleetTime;
use sparkgap::units::{Seconds, Share};

use super::{DAY, central, changes, date, day, draw, fixed, one_site};

const POOL: &str = "prometheus/gb300";
/// GPUs of a rack.
const RACK: f64 = 72.0;

fn with_phase(racks: f64, change: impl Fn(&mut Phase)) -> Scenario {
    let mut scenario = one_site(racks * RACK);
    change(&mut scenario.sites.get_mut("prometheus").expect("one site").phases[0]);
    scenario
}

fn with_site(racks: f64, change: impl Fn(&mut Site)) -> Scenario {
    let mut scenario = one_site(racks * RACK);
    change(scenario.sites.get_mut("prometheus").expect("one site"));
    scenario
}

fn ramp(batches: u32, days: i64) -> Option<Ramp> {
    Some(Ramp { batches, over: Seconds((days * DAY) as f64) })
}

fn power(on: FleetTime, slip_days: i64, ramp: Option<Ramp>) -> Option<Energised> {
    Some(Energised { on, slip: fixed(Seconds((slip_days * DAY) as f64)), ramp })
}

#[test]
fn batches_come_from_the_date_on_at_equal_distances() {
    let first = day(date(2026, 7, 1));
    let whole = with_phase(90.0, |_| {});
    assert_eq!(changes(&central(&whole), POOL), [(first, 90)]);
    let parts = with_phase(90.0, |phase| phase.ramp = ramp(4, 90));
    // 22.5 racks each, rounded down as they add up.
    let expected = [(first, 22), (first + 30, 45), (first + 60, 67), (first + 90, 90)];
    assert_eq!(changes(&central(&parts), POOL), expected);
    let single = with_phase(90.0, |phase| phase.ramp = ramp(1, 90));
    assert_eq!(changes(&central(&single), POOL), [(first, 90)]);
}

#[test]
fn a_part_serves_when_both_its_racks_and_its_power_are_there() {
    let racks = date(2026, 7, 1);
    let first = day(racks);
    // Power before racks changes nothing; racks wait for power that is late.
    let early = with_phase(90.0, |phase| phase.power = power(date(2026, 5, 1), 30, None));
    assert_eq!(changes(&central(&early), POOL), [(first, 90)]);
    let late = with_phase(90.0, |phase| phase.power = power(racks, 45, None));
    assert_eq!(changes(&central(&late), POOL), [(first + 45, 90)]);
    // Three batches of racks 30 days apart against two halves of the power 80 days apart: 30
    // racks on day 0; of the next 30 half has power on day 30, the rest on day 80; 30 on day 80.
    let both = with_phase(90.0, |phase| {
        phase.ramp = ramp(3, 60);
        phase.power = power(racks, 0, ramp(2, 80));
    });
    let expected = [(first, 30), (first + 30, 45), (first + 80, 90)];
    assert_eq!(changes(&central(&both), POOL), expected);
    // Racks that stand wait for power too.
    let stand = with_phase(90.0, |phase| {
        (phase.on, phase.delivered) = (date(2026, 3, 1), true);
        phase.power = power(racks, 10, None);
    });
    assert_eq!(changes(&central(&stand), POOL), [(first + 10, 90)]);
}

#[test]
fn no_more_serves_than_has_racks_and_power_at_any_time() {
    for (batches, steps, rack_days, power_days) in
        [(6, 4, 180, 90), (1, 7, 0, 300), (5, 1, 200, 0), (8, 8, 100, 140), (7, 3, 0, 365)]
    {
        let scenario = with_phase(840.0, |phase| {
            phase.ramp = ramp(batches, rack_days);
            phase.power = power(date(2026, 8, 15), 0, ramp(steps, power_days));
        });
        let so_far = |from: i64, count: u32, days: i64, now: i64| {
            let apart = if count > 1 { days as f64 / f64::from(count - 1) } else { 0.0 };
            let there = |part: &u32| from as f64 + apart * f64::from(*part) <= now as f64;
            (0..count).filter(there).count() as f64 / f64::from(count)
        };
        let world = central(&scenario);
        let steps_of = changes(&world, POOL);
        for now in day(date(2026, 7, 1))..day(date(2027, 12, 1)) {
            let units = steps_of.iter().rfind(|change| change.0 <= now).map_or(0, |c| c.1);
            let racks = so_far(day(date(2026, 7, 1)), batches, rack_days, now + 1);
            let powered = so_far(day(date(2026, 8, 15)), steps, power_days, now + 1);
            // To the racks of a day and to a rounding.
            assert!(f64::from(units) <= 840.0 * racks.min(powered) + 1.0, "{now}: {units}");
            let racks = so_far(day(date(2026, 7, 1)), batches, rack_days, now);
            let powered = so_far(day(date(2026, 8, 15)), steps, power_days, now);
            assert!(f64::from(units) >= 840.0 * racks.min(powered) - 1.0, "{now}: {units}");
        }
    }
}

#[test]
fn a_part_of_a_batch_serves_while_it_is_burnt_in() {
    let first = day(date(2026, 7, 1));
    let burn_in = Some(BurnIn { lasts: Seconds((28 * DAY) as f64), usable: Share(0.6) });
    let scenario = with_site(100.0, |site| {
        site.burn_in.clone_from(&burn_in);
        site.phases[0].ramp = ramp(2, 100);
    });
    let expected = [(first, 30), (first + 28, 50), (first + 100, 80), (first + 128, 100)];
    assert_eq!(changes(&central(&scenario), POOL), expected);
    // What stands is past it.
    let stands = with_site(100.0, |site| {
        site.burn_in.clone_from(&burn_in);
        (site.phases[0].on, site.phases[0].delivered) = (date(2026, 3, 1), true);
    });
    assert_eq!(changes(&central(&stands), POOL), [(day(date(2026, 3, 1)), 100)]);
}

#[test]
fn every_batch_retires_after_its_own_life_and_is_refilled() {
    let first = day(date(2026, 7, 1));
    let mut scenario = with_phase(90.0, |phase| phase.ramp = ramp(3, 60));
    scenario.hardware.get_mut("gb300").expect("it ships").life = Seconds((400 * DAY) as f64);
    let out = [(first + 400, 60), (first + 430, 30), (first + 460, 0)];
    assert_eq!(changes(&central(&scenario), POOL)[3..], out);
    let site = scenario.sites.get_mut("prometheus").expect("one site");
    site.phases[0].refill = Some("gb300".to_owned());
    // Cleared and filled in no time: the halls stay full.
    let stay = [(first, 30), (first + 30, 60), (first + 60, 90)];
    assert_eq!(changes(&central(&scenario), POOL), stay);
    // As late again as it was built: each batch is gone for the 45 days of its slip.
    scenario.sites.get_mut("prometheus").expect("one site").slip =
        fixed(Seconds((45 * DAY) as f64));
    let first = first + 45;
    let gone = [
        (first, 30),
        (first + 30, 60),
        (first + 60, 90),
        (first + 400, 60),
        (first + 430, 30),
        (first + 445, 60),
        (first + 460, 30),
        (first + 475, 60),
        (first + 505, 90),
    ];
    assert_eq!(changes(&central(&scenario), POOL)[..9], gone);
}

#[test]
fn slips_of_power_and_racks_of_a_site_are_correlated_as_stated() {
    let mut scenario = with_phase(90.0, |phase| {
        phase.power = power(date(2026, 7, 1), 0, None);
    });
    let site = scenario.sites.get_mut("prometheus").expect("one site");
    let law = sparkgap::units::Uncertain::parse("uniform(0, 200) days").expect("a law");
    site.slip = law.clone();
    site.phases[0].power.as_mut().expect("given").slip = law;
    let start = |correlation: f64, world: u64| {
        let mut scenario = scenario.clone();
        scenario.sites.get_mut("prometheus").expect("one site").slip_correlation =
            Share(correlation);
        let world = draw(&scenario, Draw::of_world(5, world)).world;
        (changes(&world, POOL)[0].0 - day(date(2026, 7, 1))) as f64
    };
    // The later of two uniform dates: 2/3 of the range if independent, 1/2 if they are one.
    let mean = |correlation: f64| {
        let starts: Vec<f64> = (0..60).map(|world| start(correlation, world)).collect();
        sparkgap::stats::Estimate::of(&starts)
    };
    assert!(mean(0.0).within(200.0 * 2.0 / 3.0, 3.0), "{:?}", mean(0.0));
    assert!(mean(1.0).within(100.0, 3.0), "{:?}", mean(1.0));
}

#[test]
fn months_move_maintenance_and_cap_the_capacity() {
    let mut scenario = with_site(90.0, |site| {
        site.maintenance = Share(0.02);
        site.maintenance_months = vec![0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0];
        site.usable_months = vec![Share(1.0); 12];
        site.usable_months[6] = Share(0.9);
        site.phases[0].on = FleetTime::start_of_year(2026);
    });
    // Racks that never fail.
    let hardware = scenario.hardware.get_mut("gb300").expect("it ships");
    hardware.failures =
        sparkgap::hardware::Failures::Whole { mtbf: Seconds(3.1e10), mttr: Seconds(1.0) };
    let world = central(&scenario);
    let outcome = simulate(&world, StreamKey::inner(1, 0, 0));
    // 12 factors of 1 on average; in July there is power for nine tenths, maintained ones among the
    // rest.
    let spring = [0.96, 0.96, 0.96, 0.9, 0.96];
    let shares = [&[1.0, 0.98, 0.98], &spring[..], &[1.0; 4]].concat();
    for quarter in 0..4 {
        let hours = |span: usize| (world.spans[span].end - world.spans[span].first) as f64;
        let months = quarter * 3..quarter * 3 + 3;
        // A GB300 is the reference: 64 of 72 of each rack serve.
        let given: f64 = months.map(|span| 90.0 * 64.0 * shares[span] * hours(span)).sum();
        let supply: f64 = outcome.quarters[quarter].supply.iter().sum();
        assert!((supply / given - 1.0).abs() < 1e-9, "{quarter}: {supply} {given}");
    }
    // The year is the same as with maintenance spread evenly, but for the lengths of months.
    let site = &scenario.sites["prometheus"];
    let mean = (0..12).map(|month| site.maintained(month)).sum::<f64>() / 12.0;
    assert!((mean - 0.02).abs() < 1e-12);
}
