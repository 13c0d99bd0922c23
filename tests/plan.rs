//! What the plan must say about the default scenario whatever its draws: delays, take-or-pay,
//! lead times, retirement, prices. Serving rates are the fluid capacity at a fixed share here,
//! so that these tests measure nothing.

mod support;

use sparkgap::demand::Growth;
use sparkgap::fleet::{Draw, DrawnWorld, PoolKind, ServingInputs, YearTally, draw_world, simulate};
use sparkgap::plan::{Unanswered, required_external};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::Scenario;
use sparkgap::study::Watch;
use sparkgap::supply::{Backstop, Prepay};
use sparkgap::time::FleetTime;
use sparkgap::units::{Factor, Seconds, Share, Uncertain, Users};
use support::{plan, rate};

fn draw(scenario: &Scenario, draw: Draw<'_>) -> DrawnWorld {
    draw_world(scenario, draw, &|inputs| rate(scenario, inputs))
}

/// The default scenario on a few worlds and without a slip.
fn scenario(worlds: u32) -> Scenario {
    let mut scenario = Scenario::embedded();
    scenario.sampling.worlds = worlds;
    scenario.sampling.inner_years = 1;
    scenario
}

#[test]
fn late_delivery_shifts_a_contract_and_keeps_its_value() {
    let planned = scenario(1);
    let mut late = planned.clone();
    for contract in late.contracts.values_mut() {
        contract.slip = Uncertain::fixed(Seconds(90.0 * 86_400.0));
        // What was paid before the horizon is in no year.
        contract.prepay = None;
        // Within the horizon, so that all of it is billed.
        contract.end = FleetTime::start_of_year(2031);
    }
    let mut planned = planned;
    for (name, contract) in &mut planned.contracts {
        contract.slip = Uncertain::fixed(Seconds(0.0));
        contract.prepay = None;
        contract.end = late.contracts[name].end;
        for tranche in &mut contract.tranches {
            tranche.on = tranche.on.max(FleetTime::start_of_year(2026));
        }
        late.contracts
            .get_mut(name)
            .expect("the same ones")
            .tranches
            .clone_from(&contract.tranches);
    }
    let total = |scenario: &Scenario| -> (f64, f64) {
        let drawn = draw(scenario, Draw::central());
        let years: Vec<f64> = drawn.years.iter().map(|year| year.contract_dollars).collect();
        (years.iter().sum(), years[0])
    };
    let ((sum, first), (late_sum, late_first)) = (total(&planned), total(&late));
    let value: f64 = planned.contracts.values().map(|contract| contract.value.central().0).sum();
    // Half of the 15 B USD of Nebius II's backstop is taken at the median.
    let value = value + 7.5e9;
    assert!((sum / value - 1.0).abs() < 1e-9 && (late_sum / value - 1.0).abs() < 1e-9);
    assert!(late_first < first);
}

#[test]
fn delivered_racks_stay_until_they_retire() {
    let mut steady = scenario(1);
    for site in steady.sites.values_mut() {
        site.slip = Uncertain::fixed(Seconds(0.0));
        site.assistant_share = Growth::Constant(Uncertain::fixed(Share(0.2)));
    }
    let drawn = draw(&steady, Draw::central());
    let mut grown = 0;
    for (pool, facts) in drawn.world.pools.iter().enumerate() {
        if facts.kind != PoolKind::Own {
            continue;
        }
        let mut units: Vec<(u64, u32)> = drawn
            .world
            .changes
            .iter()
            .filter(|change| change.pool == pool)
            .map(|change| (change.time, change.units))
            .collect();
        units.dedup();
        let peak = units.iter().position(|change| change.1 == facts.most).expect("it has a most");
        // Up to the peak the number only grows, after it it only falls: nothing is lost between.
        assert!(units[..=peak].windows(2).all(|pair| pair[0].1 <= pair[1].1), "{}", facts.name);
        assert!(units[peak..].windows(2).all(|pair| pair[0].1 >= pair[1].1), "{}", facts.name);
        grown += peak;
    }
    assert!(grown > 10);
}

#[test]
fn one_unknown_is_drawn_once() {
    let mut shared: Uncertain<Share> = Uncertain::parse("uniform(10, 25) %").expect("a law");
    let alone = shared.clone();
    shared.draw = Some("fleet_share".to_owned());
    let draw = Draw::of_world(1, 0);
    assert_eq!(draw.value("sites/a", &shared), draw.value("sites/b", &shared));
    assert_ne!(draw.value("sites/a", &alone), draw.value("sites/b", &alone));
    let law = |value: &Uncertain<Share>| Growth::Constant(value.clone());
    assert_eq!(draw.growth("x", &law(&shared), 2030.0), draw.value("y", &shared));
}

#[test]
fn halls_are_refilled_with_the_power_that_they_have() {
    let mut one = scenario(1);
    one.sites.retain(|name, _| name == "prometheus");
    let site = one.sites.get_mut("prometheus").expect("it is shipped");
    site.slip = Uncertain::fixed(Seconds(0.0));
    site.assistant_share = Growth::Constant(Uncertain::fixed(Share(1.0)));
    site.phases.truncate(1);
    let (first, life) = (site.phases[0].clone(), one.hardware["gb300"].life.0 as i64);
    let refill = first.refill.clone().expect("a shipped phase has one");
    let world = draw(&one, Draw::central()).world;
    let start = FleetTime::start_of_year(2026).0;
    let retired = (first.on.0 + life - start) as u64;
    let megawatts = |name: &str, units: u32| {
        let accelerator = &one.hardware[name];
        f64::from(units * accelerator.unit.gpus) * accelerator.power.0 / 1e6
    };
    let changes = |name: &str| -> Vec<(u64, u32)> {
        let named = |pool: &usize| world.pools[*pool].name == format!("prometheus/{name}");
        let pool = (0..world.pools.len()).find(named).expect("a pool of it");
        let mine = world.changes.iter().filter(|change| change.pool == pool);
        mine.map(|change| (change.time, change.units)).collect()
    };
    let (old, new) = (changes("gb300"), changes(&refill));
    assert_eq!(old.last(), Some(&(retired, 0)));
    assert_eq!(new.first().map(|change| change.0), Some(retired));
    let (before, after) = (megawatts("gb300", old[0].1), megawatts(&refill, new[0].1));
    // To a rack of the larger kind.
    assert!((before - after).abs() < megawatts(&refill, 1), "{before} {after}");
    // The refill is replaced by its like: with a life of half a year its halls are never empty.
    let half = Seconds(0.5 * 31_557_600.0);
    one.hardware.get_mut(&refill).expect("it is used").life = half;
    let world = draw(&one, Draw::central()).world;
    let name = format!("prometheus/{refill}");
    let mine = world.changes.iter().filter(|change| world.pools[change.pool].name == name);
    let units: Vec<u32> = mine.map(|change| change.units).collect();
    assert_eq!(units, [new[0].1]);
}

#[test]
fn a_candidate_that_cannot_serve_is_an_error_and_not_infinity() {
    let scenario = scenario(2);
    let none = |inputs: &ServingInputs<'_>| {
        let candidate = inputs.accelerator == scenario.candidate.accelerator;
        if candidate && inputs.workload == "thinking" { 0.0 } else { rate(&scenario, inputs) }
    };
    let answer = required_external(&scenario, &none, Watch::nobody());
    assert_eq!(answer, Err(Unanswered::Unservable { unservable: 2, worlds: 2 }));
}

#[test]
fn capacity_has_a_worth_where_nobody_asks() {
    let mut idle = scenario(1);
    for surface in idle.surfaces.values_mut() {
        surface.daily_users = Growth::Constant(Uncertain::fixed(Users(0.0)));
    }
    let answer = plan(&idle);
    for world in &answer.worlds {
        assert!(world.own_capacity > 1e4 && world.gap_gpus < -1e4, "{world:?}");
        assert_eq!((world.peak_demand, world.need_gpus), (0.0, 0.0));
    }
}

#[test]
fn deferrable_work_is_done_missed_or_waiting() {
    let mut scarce = scenario(1);
    for site in scarce.sites.values_mut() {
        site.assistant_share = Growth::Constant(Uncertain::fixed(Share(0.004)));
    }
    scarce.contracts.clear();
    let drawn = draw(&scarce, Draw::central());
    let outcome = simulate(&drawn.world, StreamKey::inner(1, 0, 0));
    let sum = |part: fn(&YearTally) -> f64| outcome.years.iter().map(part).sum::<f64>();
    let arrived = sum(|year| year.deferrable_arrived);
    let gone = sum(|year| year.deferrable_done) + sum(|year| year.deferrable_missed);
    assert!((arrived / (gone + outcome.backlog) - 1.0).abs() < 1e-9);
    assert!(sum(|year| year.deferrable_missed) > 0.0, "nothing was scarce");
}

#[test]
fn five_minute_epochs_agree_with_hourly_ones_within_two_percent() {
    let mut hourly = scenario(4);
    hourly.horizon.last_year = 2027;
    hourly.contracts.clear();
    // Little of our own, so that the need is most of the demand and not a small difference.
    for site in hourly.sites.values_mut() {
        site.assistant_share = Growth::Constant(Uncertain::fixed(Share(0.001)));
    }
    let mut fine = hourly.clone();
    fine.horizon.epoch = Seconds(300.0);
    let (hourly, fine) = (plan(&hourly), plan(&fine));
    for year in [2026, 2027] {
        let [coarse, fine] = [&hourly, &fine].map(|answer| {
            let rows = answer.worlds.iter().filter(|world| world.year == year);
            rows.map(|world| world.need_gpus).sum::<f64>()
        });
        assert!(coarse > 0.0 && (fine / coarse - 1.0).abs() < 0.02, "{year}: {coarse} {fine}");
    }
}

#[test]
fn a_year_with_nothing_of_our_own_needs_its_whole_demand() {
    let mut bare = scenario(1);
    bare.sites.clear();
    bare.contracts.clear();
    bare.market = None;
    let answer = plan(&bare);
    for (year, world) in answer.years.iter().zip(&answer.worlds) {
        assert_eq!(year.need_gpus.p50.value, year.gap_gpus.p50.value);
        assert!(world.need_gpus > 0.0 && world.lole_own > 8_000.0, "{world:?}");
        // All but the busiest hours of the year fit into the block.
        assert!(world.need_reference <= world.peak_demand * 1.02, "{world:?}");
        assert!(world.need_reference >= world.peak_demand * 0.5, "{world:?}");
    }
    assert!(
        answer.finding.starts_with("Short at the median in 2026 to 2032"),
        "{}",
        answer.finding
    );
}

#[test]
fn a_season_moves_calls_between_months() {
    let mut flat = scenario(1);
    for profile in flat.profiles.values_mut() {
        profile.months.clear();
    }
    let mut seasonal = flat.clone();
    for profile in seasonal.profiles.values_mut() {
        // Three halves in June, nine tenths in the rest: the mean of 1.5 and 11 x 0.9 is 0.95.
        profile.months = vec![0.9; 12];
        profile.months[5] = 1.5;
    }
    let (flat, seasonal) = (draw(&flat, Draw::central()), draw(&seasonal, Draw::central()));
    let classes = flat.world.classes.len();
    let deferrables = flat.world.deferrables.len();
    for (month, factor) in [(4, 0.9 / 0.95), (5, 1.5 / 0.95), (17, 1.5 / 0.95)] {
        let ratio = |of: fn(&DrawnWorld) -> &Vec<f64>, width: usize| {
            of(&seasonal)[month * width] / of(&flat)[month * width]
        };
        assert!((ratio(|drawn| &drawn.world.base, classes) - factor).abs() < 1e-12);
        let deferrable = ratio(|drawn| &drawn.world.deferrable_base, deferrables);
        assert!((deferrable - factor).abs() < 1e-12);
    }
    // The row of a year is a mean over its months: nearly that of the flat one.
    let calls = |drawn: &DrawnWorld| drawn.years[1].engine_calls_per_day;
    assert!((calls(&seasonal) / calls(&flat) - 1.0).abs() < 0.01);
}

#[test]
fn what_is_prepaid_is_credited_over_the_term() {
    let mut one = scenario(1);
    one.contracts.retain(|name, _| name == "nebius_2");
    let contract = one.contracts.get_mut("nebius_2").expect("it is shipped");
    // 1.2 B USD firm and a quarter of 1.6 B USD: 1.6 B USD over 2028 and 2029, 366 and 365 days.
    contract.value = Uncertain::parse("1.2B USD").expect("money");
    contract.price = Uncertain::parse("4 USD/gpu-h").expect("a price");
    contract.slip = Uncertain::fixed(Seconds(0.0));
    contract.tranches.truncate(1);
    contract.tranches[0].share = Share(1.0);
    contract.tranches[0].on = FleetTime::start_of_year(2028);
    contract.end = FleetTime::start_of_year(2030);
    contract.backstop = Some(Backstop {
        value: Uncertain::parse("1.6B USD").expect("money"),
        taken: Uncertain::fixed(Share(0.25)),
    });
    contract.prepay = Some(Prepay {
        signed: FleetTime::parse("2027-03-16").expect("a date"),
        share: Uncertain::fixed(Share(0.1)),
    });
    let years = draw(&one, Draw::central()).years;
    let gpus = 1.6e9 / 4.0 / (731.0 * 24.0);
    assert!((years[2].contracted_gpus / gpus - 1.0).abs() < 1e-9);
    // 0.12 B USD when signed; 1.48 B USD are left for 731 days.
    let paid = [0.0, 0.12e9, 1.48e9 * 366.0 / 731.0, 1.48e9 * 365.0 / 731.0, 0.0];
    for (year, paid) in years.iter().zip(paid) {
        assert!((year.contract_dollars - paid).abs() < 1.0, "{year:?} {paid}");
    }
}

#[test]
fn what_is_delivered_comes_neither_late_nor_again() {
    let mut drawn = scenario(1);
    let contract = drawn.contracts.get_mut("coreweave_1").expect("it is shipped");
    contract.slip = Uncertain::parse("9 months").expect("a duration");
    let tranche = contract.tranches[0].clone();
    contract.tranches = vec![tranche];
    contract.tranches[0].share = Share(1.0);
    let first = |scenario: &Scenario| {
        let world = draw(scenario, Draw::central()).world;
        let mine = |pool: usize| world.pools[pool].name.starts_with("coreweave_1/");
        let times = world.changes.iter().filter(|change| mine(change.pool)).map(|c| c.time);
        times.min().expect("it delivers")
    };
    let planned = first(&drawn);
    drawn.contracts.get_mut("coreweave_1").expect("it is shipped").tranches[0].delivered = true;
    let delay = Uncertain::parse("5 years").expect("a duration");
    drawn.hardware.get_mut("gb300").expect("it is used").delay = Some(delay);
    let nine_months = 9 * 2_629_800;
    assert_eq!(first(&drawn) + nine_months, planned);
}

#[test]
fn a_late_accelerator_is_late_for_everyone() {
    let planned = scenario(1);
    let mut late = planned.clone();
    let delay = Uncertain::parse("400 d").expect("a duration");
    late.hardware.get_mut("vera_rubin").expect("it is used").delay = Some(delay);
    let changes = |scenario: &Scenario| {
        let drawn = draw(scenario, Draw::central());
        let kind = |pool: usize| drawn.world.pools[pool].name.contains("vera_rubin");
        let first = |of_rubin: bool| {
            let changes = drawn.world.changes.iter();
            let mut first = std::collections::BTreeMap::new();
            for change in changes.filter(|change| kind(change.pool) == of_rubin) {
                let name = drawn.world.pools[change.pool].name.clone();
                first.entry(name).or_insert(change.time);
            }
            first
        };
        (first(true), first(false))
    };
    let (before, after) = (changes(&planned), changes(&late));
    assert_eq!(before.1, after.1);
    assert!(before.0.len() >= 3);
    for (pool, time) in &before.0 {
        assert_eq!(after.0.get(pool), Some(&(time + 400 * 86_400)), "{pool}");
    }
}

#[test]
fn a_release_is_a_step_in_the_month_of_its_slipped_date() {
    let mut plain = scenario(1);
    plain.releases.retain(|name, _| name == "generation_2027");
    let mut stepped = plain.clone();
    plain.releases.clear();
    let release = stepped.releases.get_mut("generation_2027").expect("it is shipped");
    release.on = FleetTime::parse("2027-03-10").expect("a date");
    release.work = Uncertain::fixed(Factor(2.0));
    release.requests = Uncertain::fixed(Factor(1.5));
    release.workloads = vec!["thinking".to_owned()];
    for (days, month) in [(0.0, 14), (21.0, 14), (22.0, 15)] {
        let release = stepped.releases.get_mut("generation_2027").expect("it is shipped");
        release.slip = Uncertain::fixed(Seconds(days * 86_400.0));
        // A GPU that serves in proportion to its speed: twice the work is half the rate.
        let [plain, stepped] = [&plain, &stepped]
            .map(|scenario| draw_world(scenario, Draw::central(), &|inputs| inputs.speed).world);
        // By name: agentic, background, contemplating, hidden, instant, proactive, thinking.
        let (proactive, thinking) = (5, 6);
        for span in 0..plain.spans.len() {
            let out = span >= month;
            let step = if out { 2.0 } else { 1.0 };
            for workload in 0..plain.workloads {
                let cell = span * plain.workloads + workload;
                let ratio = stepped.reference_cost[cell] / plain.reference_cost[cell];
                let expected = if workload == thinking { step } else { 1.0 };
                assert!((ratio / expected - 1.0).abs() < 1e-12, "{span} {workload}: {ratio}");
            }
            for (index, class) in plain.classes.iter().enumerate() {
                let cell = span * plain.classes.len() + index;
                let ratio = stepped.base[cell] / plain.base[cell];
                // Proactive calls follow users, not requests.
                let expected = if out && class.workload != proactive { 1.5 } else { 1.0 };
                assert!((ratio / expected - 1.0).abs() < 1e-12, "{span} {class:?}: {ratio}");
            }
        }
    }
}

#[test]
fn a_candidate_without_terms_has_those_of_its_accelerator() {
    let mut stated = scenario(1);
    let mut bare = stated.clone();
    (bare.candidate.price, bare.candidate.lead_time) = (None, None);
    let accelerator = stated.hardware["vera_rubin"].clone();
    stated.candidate.price = Some(accelerator.rent);
    stated.candidate.lead_time = Some(accelerator.lead_time);
    let (stated, bare) = (plan(&stated), plan(&bare));
    assert_eq!(bare.candidate, stated.candidate);
    assert_eq!((&bare.years, &bare.worlds), (&stated.years, &stated.worlds));
    assert_ne!(bare.years[1].sign_by, plan(&scenario(1)).years[1].sign_by);
}
