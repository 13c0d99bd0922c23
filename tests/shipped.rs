//! The scenarios that ship with the program hold what their headers expect: sign and order of the
//! effect against the default, world by world on the same random streams. Serving rates are the
//! fluid capacity at a fixed share, as in the acceptance tests: the orders that the headers name
//! must hold there too, and are no measurement.

mod support;

use std::sync::OnceLock;

use sparkgap::plan::{Answer, WorldYear};
use sparkgap::scenario::{Scenario, shipped_names, shipped_text};
use support::plan;

const WORLDS: u32 = 6;
/// Thousand GPUs.
const K: f64 = 1e3;

fn answer(name: &str) -> Answer {
    let mut scenario = Scenario::load(name).unwrap_or_else(|error| panic!("{error}"));
    scenario.sampling.worlds = WORLDS;
    scenario.sampling.inner_years = 1;
    plan(&scenario)
}

fn base() -> &'static Answer {
    static BASE: OnceLock<Answer> = OnceLock::new();
    BASE.get_or_init(|| answer("muse_spark"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// What a variant changes of one quantity in one year: the median over worlds.
fn change(variant: &Answer, year: u16, of: impl Fn(&WorldYear) -> f64) -> f64 {
    let pairs = variant.worlds.iter().zip(&base().worlds).filter(|(row, _)| row.year == year);
    median(pairs.map(|(row, before)| of(row) - of(before)).collect())
}

/// The changes of the gap by year in thousand GPUs, printed for the reader of a failure.
fn gap_changes(name: &str, variant: &Answer) -> Vec<f64> {
    let changes: Vec<f64> =
        (2026..=2032).map(|year| change(variant, year, |row| row.gap_gpus) / K).collect();
    println!("{name}: gap changes by {changes:.0?} k GPUs");
    changes
}

/// Every world and year of the two answers side by side.
fn pairs<'a>(one: &'a Answer, other: &'a Answer) -> impl Iterator<Item = [&'a WorldYear; 2]> {
    one.worlds.iter().zip(&other.worlds).map(|(one, other)| {
        assert_eq!((one.world, one.year), (other.world, other.year));
        [one, other]
    })
}

#[test]
fn every_shipped_scenario_is_sound_and_says_its_lesson() {
    assert_eq!(shipped_names().count(), 9);
    for name in shipped_names() {
        let scenario = Scenario::load(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(scenario.name, name);
        let text = shipped_text(name).expect("it ships");
        assert!(text.starts_with("// ") && text.contains("// Lesson."), "{name}");
        if name != "muse_spark" {
            assert!(text.contains("// Expected.") && !scenario.overrides.is_empty(), "{name}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{name}");
    }
}

#[test]
fn without_external_capacity_the_gap_is_the_need() {
    let alone = answer("no_external");
    let changes = gap_changes("no_external", &alone);
    for [without, with] in pairs(&alone, base()) {
        assert_eq!(without.need_gpus, with.need_gpus);
        assert!(without.gap_gpus >= with.gap_gpus, "{without:?} {with:?}");
        assert_eq!(without.gap_gpus.max(0.0), without.need_gpus);
        assert_eq!((without.cost_contracts, without.cost_on_demand), (0.0, 0.0));
    }
    assert!(changes[2..=4].iter().all(|change| (40.0..130.0).contains(change)));
}

#[test]
fn thirty_five_billion_dollars_buy_some_of_it() {
    let (bought, alone) = (answer("coreweave_35b"), answer("no_external"));
    gap_changes("coreweave_35b", &bought);
    for ([some, all], none) in pairs(&bought, base()).zip(&alone.worlds) {
        assert!(all.gap_gpus <= some.gap_gpus && some.gap_gpus <= none.gap_gpus, "{some:?}");
    }
    for year in &bought.years[2..=4] {
        let contracted = year.contracted_gpus.p50.value;
        assert!((120e3..250e3).contains(&contracted), "{contracted}");
        let dollars = year.cost.contracts.p50.value;
        assert!((5.5e9..7e9).contains(&dollars), "{dollars:e}");
        let firm = year.firm_contribution_gpus.p50.value;
        assert!((30e3..100e3).contains(&firm), "{firm}");
    }
}

#[test]
fn a_late_hyperion_is_missed_while_it_grows() {
    let late = answer("hyperion_late");
    let changes = gap_changes("hyperion_late", &late);
    assert_eq!(changes[..2], [0.0, 0.0]);
    assert!(changes[2] >= 0.0 && changes[3..].iter().all(|change| *change > 0.0));
    let most = changes.iter().copied().fold(0.0, f64::max);
    assert!((20.0..150.0).contains(&most));
}

#[test]
fn agents_may_exhaust_the_plan() {
    let boom = answer("agents_boom");
    let changes = gap_changes("agents_boom", &boom);
    assert!(changes[1..].iter().all(|change| *change > 0.0));
    assert!(changes[5..].iter().all(|change| (100.0..2_000.0).contains(change)));
    let (last, before) = (&boom.years[6], &base().years[6]);
    let tokens = last.tokens_in_per_day.p50.value / before.tokens_in_per_day.p50.value;
    let peak = last.peak_demand.p50.value / before.peak_demand.p50.value;
    println!("agents_boom: {tokens:.1} times the tokens, {peak:.1} times the peak of 2032");
    assert!((5.0..20.0).contains(&tokens) && (5.0..20.0).contains(&peak));
    let tenth = 400e12;
    assert!(boom.years[4].tokens_in_per_day.p50.value > tenth);
}

#[test]
fn a_late_generation_is_late_for_all_that_follow() {
    let late = answer("rubin_slips");
    let changes = gap_changes("rubin_slips", &late);
    assert_eq!(changes[0], 0.0);
    // The gap of 2027 is set by its first weeks, when little of it was due.
    assert!(changes[1] >= 0.0);
    assert!(changes[2..].iter().all(|change| (50.0..400.0).contains(change)));
    // The day to sign by moves by the delay.
    let (sign, before) = (&late.years[6].sign_by, &base().years[6].sign_by);
    assert!(sign < before && sign.starts_with("2029") == before.starts_with("2030"));
}

#[test]
fn own_silicon_that_works_lowers_the_gap() {
    let changes = gap_changes("mtia_succeeds", &answer("mtia_succeeds"));
    assert!(changes.iter().all(|change| *change <= 0.0));
    assert!(changes[2..].iter().all(|change| (-300.0..-20.0).contains(change)));
}

#[test]
fn a_surplus_is_paid_for_all_the_same() {
    let spare = answer("surplus");
    let changes = gap_changes("surplus", &spare);
    assert!(changes.iter().all(|change| *change < 0.0));
    for [after, before] in pairs(&spare, base()) {
        assert_eq!(after.cost_contracts, before.cost_contracts);
        assert!(after.year == 2026 || after.gap_gpus < 0.0);
    }
    for index in 2..=4 {
        let ratio = spare.years[index].gap_gpus.p50.value / base().years[index].gap_gpus.p50.value;
        println!("surplus: {ratio:.2} times the default's of {}", 2026 + index);
        assert!((1.1..1.7).contains(&ratio));
    }
}

#[test]
fn a_lost_region_is_missed_by_the_others() {
    let changes = gap_changes("region_loss", &answer("region_loss"));
    assert!(changes.iter().all(|change| (1.0..60.0).contains(change)));
}
