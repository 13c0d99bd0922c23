//! Fleets that nobody plans but somebody will type: the loop runs through, nothing is lost or
//! infinite, and what must hold of dates holds.

use sparkgap::demand::Growth;
use sparkgap::fleet::{Draw, Outcome, simulate};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::Scenario;
use sparkgap::supply::{Amount, Site};
use sparkgap::time::FleetTime;
use sparkgap::units::{RequestsPerDay, Seconds, Share, Uncertain, Watts};

use super::{DAY, central, changes, date, draw, fixed, once, one_site, support};

const YEAR: f64 = 31_557_600.0;

fn run(scenario: &Scenario) -> Outcome {
    simulate(&central(scenario), StreamKey::inner(1, 0, 0))
}

fn site(scenario: &mut Scenario) -> &mut Site {
    scenario.sites.get_mut("prometheus").expect("one site")
}

/// Runs a fleet, checks what the loop leaves, and returns the mean GPUs of the last year.
fn sound(name: &str, scenario: &Scenario) -> f64 {
    let outcome = run(scenario);
    let hours = outcome.residuals.own.len();
    assert_eq!(hours, (365 * 2 + 366) * 24, "{name}");
    assert!(outcome.residuals.own.iter().all(|margin| margin.is_finite()), "{name}");
    for year in &outcome.years {
        assert!(year.own_capacity.is_finite() && year.own_capacity >= 0.0, "{name}");
        assert!(year.own.calls <= year.offered_calls * (1.0 + 1e-9), "{name}");
        assert!(year.with_contracts.calls <= year.own.calls, "{name}");
    }
    let plan = support::plan(scenario);
    for world in &plan.worlds {
        assert!(world.need_gpus.is_finite() && world.need_gpus >= 0.0, "{name}");
        assert!(world.gap_gpus.is_finite() && world.gap_gpus <= world.need_gpus, "{name}");
    }
    outcome.years[2].own_capacity / (366.0 * 24.0)
}

#[test]
fn odd_fleets_go_through_the_loop() {
    let mut none = one_site(72.0);
    none.sites.clear();
    assert_eq!(sound("no capacity of our own", &none), 0.0);

    // Less than a rack, and of nodes of one.
    assert_eq!(sound("one GPU of a rack", &one_site(1.0)), 0.0);
    let mut one = one_site(1.0);
    one.hardware.get_mut("gb300").expect("it ships").unit =
        sparkgap::hardware::Unit { gpus: 1, serving: 1 };
    let gpus = sound("one GPU", &one);
    assert!((0.9..=1.0).contains(&gpus), "{gpus}");

    for million in [1.0, 100.0] {
        let gpus = sound("a million GPUs", &one_site(million * 1e6)) / (million * 1e6);
        // 64 of 72 serve, a rack is out for about half a per cent of the time.
        assert!((0.880..0.889).contains(&gpus), "{gpus}");
    }

    let mut never = one_site(7_200.0);
    site(&mut never).slip = fixed(Seconds(900.0 * YEAR));
    assert_eq!(sound("a site that never arrives", &never), 0.0);

    let mut dark = one_site(7_200.0);
    site(&mut dark).phases[0].amount = Amount::FacilityPower(fixed(Watts(0.0)));
    assert_eq!(sound("a site without power", &dark), 0.0);
    let mut unpowered = one_site(7_200.0);
    site(&mut unpowered).usable_months = vec![Share(0.0); 12];
    assert_eq!(sound("a site that may use nothing", &unpowered), 0.0);

    let mut brief = one_site(7_200.0);
    brief.hardware.get_mut("gb300").expect("it ships").life = Seconds(1.0);
    assert_eq!(sound("racks that retire at once", &brief), 0.0);
    site(&mut brief).phases[0].refill = Some("gb300".to_owned());
    sound("halls that are always refilled", &brief);
    let mut past = one_site(7_200.0);
    site(&mut past).phases[0].on = date(2016, 1, 1);
    assert_eq!(sound("racks that retired before the horizon", &past), 0.0);

    let mut frail = one_site(720_000.0);
    let failures = sparkgap::hardware::Failures::Whole { mtbf: Seconds(60.0), mttr: Seconds(YEAR) };
    frail.hardware.get_mut("gb300").expect("it ships").failures = failures;
    let gpus = sound("racks that are always down", &frail);
    assert!(gpus < 100.0, "{gpus}");
}

#[test]
fn a_contract_that_never_starts_is_never_paid() {
    let mut scenario = Scenario::embedded();
    once(&mut scenario);
    scenario.horizon.last_year = 2028;
    scenario.contracts.retain(|name, _| name == "coreweave_2");
    let contract = scenario.contracts.get_mut("coreweave_2").expect("it ships");
    contract.slip = fixed(Seconds(900.0 * YEAR));
    contract.slip_correlation = None;
    contract.prepay = None;
    scenario.sites.clear();
    scenario.sampling.worlds = 1;
    scenario.sampling.inner_years = 1;
    sound("a contract that never starts", &scenario);
    let drawn = draw(&scenario, Draw::of_world(1, 0));
    assert!(drawn.years.iter().all(|year| year.contract_dollars == 0.0));
    assert!(drawn.years.iter().all(|year| year.contracted_gpus == 0.0));
}

/// A site of 2,000 racks that never fail and a demand that outgrows them, or is flat.
fn growing(on: FleetTime, growth: bool) -> Scenario {
    let mut scenario = one_site(144_000.0);
    site(&mut scenario).phases[0].on = on;
    let failures =
        sparkgap::hardware::Failures::Whole { mtbf: Seconds(3.1e10), mttr: Seconds(1.0) };
    scenario.hardware.get_mut("gb300").expect("it ships").failures = failures;
    scenario.surges.clear();
    for surface in scenario.surfaces.values_mut() {
        let requests = |value: f64| Uncertain::fixed(RequestsPerDay(value));
        surface.requests = if growth {
            Growth::Exponential {
                start: requests(0.5),
                growth: Uncertain::parse("200 %/yr").expect("a growth"),
            }
        } else {
            Growth::Constant(requests(0.5))
        };
    }
    scenario
}

/// Short hours and unserved calls of all years on the same streams.
fn risk(scenario: &Scenario) -> (u64, f64) {
    let years = run(scenario).years;
    years.iter().fold((0, 0.0), |sum, year| (sum.0 + year.own.short_epochs, sum.1 + year.own.calls))
}

#[test]
fn a_later_site_never_lowers_risk() {
    let mut last = (0, 0.0);
    for months in [0, 2, 3, 7, 12, 20, 26] {
        let on = FleetTime(date(2026, 3, 1).0 + months * 30 * DAY);
        let found = risk(&growing(on, true));
        assert!(found.0 >= last.0 && found.1 >= last.1, "{months}: {found:?} {last:?}");
        last = found;
    }
    assert!(last.0 > 1_000, "{last:?}");
}

#[test]
fn a_spread_of_the_date_never_lowers_lole_where_risk_grows() {
    let middle = date(2027, 6, 1);
    let short = |days: i64| risk(&growing(FleetTime(middle.0 + days * DAY), true)).0;
    let planned = short(0);
    assert!(planned > 0);
    for spread in [30, 90, 200] {
        let mean = (short(-spread) + short(spread)) as f64 / 2.0;
        assert!(mean >= planned as f64, "{spread}: {mean} {planned}");
    }
}

#[test]
fn what_is_bought_in_one_year_is_there_in_the_next_until_it_retires() {
    let mut scenario = growing(date(2026, 7, 1), false);
    let given = |scenario: &Scenario| -> Vec<f64> {
        run(scenario).years.iter().map(|year| year.own_capacity).collect()
    };
    let full = 2_000.0 * 64.0;
    let years = given(&scenario);
    // 184 days of 2026, all 365 of 2027, 366 of 2028: a leap year.
    for (found, days) in years.iter().zip([184.0, 365.0, 366.0]) {
        assert!((found / (full * 24.0 * days) - 1.0).abs() < 1e-3, "{found} {days}");
    }
    // Retired on 28 June 2028, after 728 days.
    scenario.hardware.get_mut("gb300").expect("it ships").life = Seconds((728 * DAY) as f64);
    let years = given(&scenario);
    assert!((years[2] / (full * 24.0 * (728.0 - 549.0)) - 1.0).abs() < 1e-3, "{years:?}");
}

#[test]
fn a_slip_and_the_delay_of_a_kind_add_up() {
    let mut scenario = one_site(7_200.0);
    site(&mut scenario).slip = fixed(Seconds((40 * DAY) as f64));
    let first = changes(&central(&scenario), "prometheus/gb300")[0].0;
    assert_eq!(first, 181 + 40);
    let hardware = scenario.hardware.get_mut("gb300").expect("it ships");
    hardware.delay = Some(fixed(Seconds((100 * DAY) as f64)));
    assert_eq!(changes(&central(&scenario), "prometheus/gb300")[0].0, 181 + 140);
}
