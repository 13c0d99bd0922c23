//! Contracts that slip together, are given up, or end with their provider.

use sparkgap::fleet::{Draw, DrawnWorld};
use sparkgap::scenario::Scenario;
use sparkgap::supply::{Contract, CounterpartyDefault, Prepay, Tranche};
use sparkgap::time::FleetTime;
use sparkgap::units::{Dollars, DollarsPerGpuHour, Seconds, Share, Uncertain};

use super::{DAY, MONTH, changes, date, day, draw, factor, fixed, one_site};

const POOL: &str = "deal/gb300/us_canada";
const YEAR: f64 = 31_557_600.0;

/// A contract of two tranches, all for the assistant, at 3 USD per GPU-hour.
fn deal(provider: &str) -> Contract {
    let tranche = |on: FleetTime| Tranche {
        on,
        share: Share(0.5),
        accelerator: "gb300".to_owned(),
        delivered: false,
    };
    Contract {
        label: "Deal".to_owned(),
        provider: provider.to_owned(),
        regions: [("us_canada".to_owned(), Share(1.0))].into(),
        value: fixed(Dollars(1e9)),
        price: fixed(DollarsPerGpuHour(3.0)),
        prepay: None,
        backstop: None,
        tranches: vec![tranche(date(2026, 7, 1)), tranche(date(2027, 1, 1))],
        end: date(2028, 7, 1),
        slip: fixed(Seconds(0.0)),
        slip_correlation: None,
        long_stop: None,
        default: None,
        assistant_share: fixed(Share(1.0)),
        availability: Share(1.0),
        source: "test".to_owned(),
        as_of: "2026-11".to_owned(),
    }
}

fn with(contracts: &[(&str, Contract)]) -> Scenario {
    let mut scenario = one_site(72.0);
    scenario.decide_on = date(2026, 7, 1);
    scenario.contracts =
        contracts.iter().map(|(name, deal)| ((*name).to_owned(), deal.clone())).collect();
    scenario
}

fn one(change: impl Fn(&mut Contract)) -> Scenario {
    let mut contract = deal("Provider");
    change(&mut contract);
    with(&[("deal", contract)])
}

fn central(scenario: &Scenario) -> DrawnWorld {
    draw(scenario, Draw::central())
}

fn dollars(drawn: &DrawnWorld) -> f64 {
    drawn.years.iter().map(|year| year.contract_dollars).sum()
}

/// GPUs of the contract when all of it stands.
fn full() -> f64 {
    let hours = |from: FleetTime| (date(2028, 7, 1).0 - from.0) as f64 / 3_600.0;
    1e9 / (3.0 * 0.5 * (hours(date(2026, 7, 1)) + hours(date(2027, 1, 1))))
}

/// A hazard whose median falls so many seconds after the decision.
fn median(seconds: f64) -> CounterpartyDefault {
    CounterpartyDefault {
        per_year: factor(2f64.ln() / (seconds / YEAR)),
        recovery: None,
        after: Seconds(0.0),
        source: "test".to_owned(),
        as_of: "2026-11".to_owned(),
    }
}

#[test]
fn a_default_ends_capacity_and_billing_and_what_was_prepaid_is_lost() {
    let half = full() / 2.0;
    // 300 days after the decision: both tranches stand.
    let fails = 300 * DAY;
    let scenario = one(|deal| deal.default = Some(median(fails as f64)));
    let drawn = central(&scenario);
    let first = day(date(2026, 7, 1));
    let units = [half as u32, (2.0 * half) as u32];
    let expected = [(first, units[0]), (day(date(2027, 1, 1)), units[1]), (first + 300, 0)];
    let found = changes(&drawn.world, POOL);
    // The median is found by logarithms: to a day.
    assert_eq!(found.iter().map(|change| change.1).collect::<Vec<u32>>(), [units[0], units[1], 0]);
    assert!((found[2].0 - expected[2].0).abs() <= 1, "{found:?}");
    assert_eq!(found[..2], expected[..2]);
    let hours = (300.0 + 300.0 - 184.0) * 24.0;
    assert!((dollars(&drawn) / (half * hours * 3.0) - 1.0).abs() < 1e-6);
    // A tenth paid at signature is not paid again, nor back: nine tenths of the hours are billed.
    let prepaid = one(|deal| {
        deal.default = Some(median(fails as f64));
        deal.prepay = Some(Prepay { signed: date(2026, 2, 1), share: fixed(Share(0.1)) });
    });
    let expected = 1e8 + 0.9 * half * hours * 3.0;
    assert!((dollars(&central(&prepaid)) / expected - 1.0).abs() < 1e-6);
}

#[test]
fn what_somebody_takes_over_comes_back_later_at_the_price() {
    let half = full() / 2.0;
    let scenario = one(|deal| {
        let mut law = median((100 * DAY) as f64);
        law.recovery = Some(fixed(Share(0.5)));
        law.after = Seconds((200 * DAY) as f64);
        deal.default = Some(law);
    });
    let drawn = central(&scenario);
    let first = day(date(2026, 7, 1));
    let found = changes(&drawn.world, POOL);
    // One tranche for 100 days, nothing for 200, then half of both: the second was to come
    // meanwhile.
    let expected = [(first, half), (first + 100, 0.0), (first + 300, half), (first + 731, 0.0)];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!((found.0 - expected.0).abs() <= 1 && found.1 == expected.1 as u32, "{found:?}");
    }
    let hours = (100.0 + (731.0 - 300.0)) * 24.0;
    assert!((dollars(&drawn) / (half * hours * 3.0) - 1.0).abs() < 1e-6);
    // Nobody fails before the decision, and no rate is never.
    let never = one(|deal| deal.default = Some(median(1e30)));
    assert!((dollars(&central(&never)) / 1e9 - 1.0).abs() < 1e-9);
}

#[test]
fn providers_fail_at_their_hazard_and_with_all_their_contracts() {
    let law = CounterpartyDefault { per_year: factor(0.5), ..median(1.0) };
    let contract = |provider: &str| Contract { default: Some(law.clone()), ..deal(provider) };
    let scenario = with(&[
        ("deal", contract("Provider")),
        ("same", contract("Provider")),
        ("other", contract("Another")),
    ]);
    let lost = |world: u64, name: &str| {
        let world = draw(&scenario, Draw::of_world(9, world)).world;
        let found = changes(&world, &format!("{name}/gb300/us_canada"));
        let last = found.last().expect("some capacity").0;
        (last < day(date(2028, 7, 1))).then_some(last)
    };
    let (mut failed, mut together) = (Vec::new(), 0);
    for world in 0..150 {
        let first = lost(world, "deal");
        assert_eq!(first, lost(world, "same"));
        together += u32::from(first.is_some() && first == lost(world, "other"));
        failed.push(f64::from(u8::from(first.is_some())));
    }
    // Two years at 0.5 a year.
    let expected = 1.0 - (-0.5 * (731.0 * DAY as f64 / YEAR)).exp();
    let found = sparkgap::stats::Estimate::of(&failed);
    assert!(found.within(expected, 3.0), "{found:?} {expected}");
    assert_eq!(together, 0, "two providers on one day");
}

#[test]
fn a_tranche_beyond_the_long_stop_is_ended_and_not_paid() {
    let late = |stop: Option<i64>| {
        one(|deal| {
            deal.slip = fixed(Seconds((4 * MONTH) as f64));
            deal.long_stop = stop.map(|months| Seconds((months * MONTH) as f64));
            // The first stands: it is not late.
            deal.tranches[0].delivered = true;
        })
    };
    let half = full() / 2.0;
    let last = |scenario: &Scenario| {
        let found = changes(&central(scenario).world, POOL);
        found.iter().map(|change| change.1).max().expect("some capacity")
    };
    for (stop, tranches) in [(None, 2.0), (Some(6), 2.0), (Some(4), 2.0), (Some(3), 1.0)] {
        let scenario = late(stop);
        assert_eq!(last(&scenario), (tranches * half) as u32, "{stop:?}");
    }
    // Half of the GPUs for two of three and a half years in all: the rest is not paid.
    let hours = |from: FleetTime| (date(2028, 7, 1).0 - from.0) as f64;
    let (first, second) = (hours(date(2026, 7, 1)), hours(date(2027, 1, 1)));
    let part = first / (first + second);
    let mut scenario = late(Some(3));
    assert!((dollars(&central(&scenario)) / (1e9 * part) - 1.0).abs() < 1e-9);
    // What was prepaid for it comes back on the day it is ended.
    scenario.contracts.get_mut("deal").expect("one").prepay =
        Some(Prepay { signed: date(2026, 2, 1), share: fixed(Share(0.2)) });
    let drawn = central(&scenario);
    assert!((dollars(&drawn) / (1e9 * part) - 1.0).abs() < 1e-9);
    let planned = central(&late(None));
    assert!(drawn.years[0].contract_dollars > planned.years[0].contract_dollars);
}

#[test]
fn tranches_slip_together_as_far_as_is_stated() {
    let scenario = |correlation: Option<f64>| {
        one(|deal| {
            deal.slip = Uncertain::parse("uniform(0, 100) days").expect("a law");
            deal.slip_correlation = correlation.map(Share);
        })
    };
    let apart = |correlation: Option<f64>, world: u64| {
        let drawn = draw(&scenario(correlation), Draw::of_world(3, world)).world;
        let found = changes(&drawn, POOL);
        let second = found.iter().position(|change| change.1 > found[0].1).expect("both come");
        (found[second].0 - found[0].0 - 184).abs()
    };
    let mean = |correlation: Option<f64>| {
        let days: Vec<f64> = (0..60).map(|world| apart(correlation, world) as f64).collect();
        sparkgap::stats::Estimate::of(&days)
    };
    // Two independent uniform dates lie a third of the range apart.
    assert!(mean(None).within(100.0 / 3.0, 3.0), "{:?}", mean(None));
    assert!(mean(Some(0.0)).within(100.0 / 3.0, 3.0), "{:?}", mean(Some(0.0)));
    assert!(mean(Some(1.0)).mean <= 1.0, "{:?}", mean(Some(1.0)));
    // Half a correlation of the scores lies between.
    let half = mean(Some(0.5)).mean;
    assert!((5.0..31.0).contains(&half), "{half}");
}
