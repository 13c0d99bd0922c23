//! The default scenario against the facts that it claims, and the reliability test systems.

use std::collections::BTreeMap;

use sparkgap::demand::{Growth, Volume};
use sparkgap::scenario::{Scenario, System};
use sparkgap::supply::Contract;
use sparkgap::time::{FleetTime, HOUR};
use sparkgap::units::Quantity;

/// Value of a growth law in the middle of a year, every part at its median.
fn central<Q: Quantity>(law: &Growth<Q>, year: u16) -> f64 {
    law.central(f64::from(year) + 0.5).base()
}

/// What the releases until the middle of a year multiply requests by.
fn released(scenario: &Scenario, year: u16) -> f64 {
    let middle = FleetTime::start_of_year(year).0 + 182 * 24 * HOUR;
    let out = scenario.releases.values().filter(|release| release.on.0 <= middle);
    out.map(|release| release.requests.central().0).product()
}

/// Assistant users a day, user requests a day.
fn people(scenario: &Scenario, year: u16) -> (f64, f64) {
    scenario.surfaces.values().fold((0.0, 0.0), |(users, requests), surface| {
        let here = central(&surface.daily_users, year) * central(&surface.adoption, year);
        let sent = here * central(&surface.requests, year) * released(scenario, year);
        (users + here, requests + sent)
    })
}

/// Engine calls a day by workload.
fn calls(scenario: &Scenario, year: u16) -> BTreeMap<&str, f64> {
    let mut calls: BTreeMap<&str, f64> = BTreeMap::new();
    for surface in scenario.surfaces.values() {
        let users = central(&surface.daily_users, year);
        let requests = users
            * central(&surface.adoption, year)
            * central(&surface.requests, year)
            * released(scenario, year);
        let offered = || surface.workloads.iter().map(|name| &scenario.workloads[name]);
        let taken: f64 = offered()
            .map(|workload| match &workload.volume {
                Volume::ShareOfRequests(share) => central(share, year),
                _ => 0.0,
            })
            .sum();
        for name in &surface.workloads {
            let workload = &scenario.workloads[name];
            let here = match &workload.volume {
                Volume::ShareOfRequests(share) => requests * central(share, year),
                Volume::Remainder => requests * (1.0 - taken),
                Volume::PerUserRequest(count) => requests * central(count, year),
                Volume::PerDailyUser(rate) => users * central(rate, year),
            };
            *calls.entry(name).or_default() += here * central(&workload.calls, year);
        }
    }
    calls
}

/// Tokens of a call, prompt, output and thinking.
fn tokens_of_call(scenario: &Scenario, workload: &str, year: u16) -> f64 {
    let workload = &scenario.workloads[workload];
    let thinking = workload.thinking.as_ref().map_or(0.0, |part| central(&part.mean, year));
    let images = workload.images.as_ref().map_or(0.0, |images| {
        let size = images.per_call.central().0 * images.tokens.central().0;
        central(&images.share, year) * size
    });
    images + central(&workload.prompt.mean, year) + central(&workload.output.mean, year) + thinking
}

fn tokens(scenario: &Scenario, year: u16) -> f64 {
    calls(scenario, year)
        .iter()
        .map(|(workload, calls)| calls * tokens_of_call(scenario, workload, year))
        .sum()
}

#[test]
fn the_default_is_sound_and_stands_alone() {
    let read = Scenario::from_ron(Scenario::embedded_text(), "configs/muse_spark.ron");
    let scenario = read.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(scenario, Scenario::embedded());
    let text = scenario.to_ron();
    let again = Scenario::from_ron(&text, "again.ron").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again, scenario);
    assert_eq!(again.to_ron(), text);
    assert_eq!(again.hash(), scenario.hash());
    assert!(scenario.hash().len() == 64 && scenario.hash().bytes().all(|b| b.is_ascii_hexdigit()));
    // Only what is used is kept, and all of it.
    assert!(scenario.hardware.contains_key("mtia_500") && !scenario.hardware.contains_key("h200"));
    assert!(
        scenario.models.contains_key("muse_base") && !scenario.models.contains_key("muse_next")
    );
    let mut reseeded = scenario.clone();
    reseeded.sampling.seed += 1;
    assert_ne!(reseeded.hash(), scenario.hash());
}

#[test]
fn an_entry_of_the_file_replaces_the_catalogues() {
    let mut scenario = Scenario::embedded();
    let entry = scenario.hardware.get_mut("gb300").unwrap();
    entry.label = "GB300, mine".to_owned();
    let text = scenario.to_ron();
    let again = Scenario::from_ron(&text, "own.ron").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.hardware["gb300"].label, "GB300, mine");
}

#[test]
fn users_follow_the_facts() {
    let scenario = Scenario::embedded();
    let (users, requests) = people(&scenario, 2026);
    println!("2026: {:.0} M users a day, {:.2} requests each", users / 1e6, requests / users);
    assert!((230e6..270e6).contains(&users));
    assert!((3.7..4.5).contains(&(requests / users)));
    let (users, requests) = people(&scenario, 2032);
    println!("2032: {:.0} M users a day, {:.2} requests each", users / 1e6, requests / users);
    assert!((0.85e9..1.15e9).contains(&users));
    // Between 5 and 30 % more requests a year.
    assert!((5.4..19.3).contains(&(requests / users)));
}

#[test]
fn releases_spend_a_part_of_what_gets_cheaper() {
    let scenario = Scenario::embedded();
    let instant = &scenario.workloads["instant"];
    let years = 6.0;
    let net = (1.0 + instant.work_per_token.central().0)
        * scenario
            .central_release_work("instant", FleetTime::start_of_year(2033))
            .powf(1.0 / years);
    // Between the fall of half and a quarter of the price decline at one quality.
    assert!((0.80..0.90).contains(&net), "{net}");
    let at = |work: &str, date: &str| {
        scenario.central_release_work(work, FleetTime::parse(date).expect("a date"))
    };
    assert_eq!(at("hidden", "2033"), 1.0);
    // Steps: nothing the day before, all of it from the day on.
    let step = scenario.releases["muse_spark_1_1"].work.central().0;
    assert_eq!((at("instant", "2026-07-08"), at("instant", "2026-07-09")), (1.0, step));
}

#[test]
fn token_volumes_stay_between_the_published_bounds() {
    let scenario = Scenario::embedded();
    for year in 2026..=2032 {
        let by_call = calls(&scenario, year);
        print!("{year}: {:.1} T tokens a day:", tokens(&scenario, year) / 1e12);
        for (workload, calls) in &by_call {
            let part = calls * tokens_of_call(&scenario, workload, year);
            print!(" {workload} {:.2} B calls {:.1} T", calls / 1e9, part / 1e12);
        }
        println!();
    }
    let first = tokens(&scenario, 2026);
    assert!((1e12..40e12).contains(&first), "{first:e}");
    // A tenth of 120 quadrillion a month.
    let later = tokens(&scenario, 2030);
    assert!((first..400e12).contains(&later), "{later:e}");
}

#[test]
fn proactive_calls_are_three_tenths_per_family_user() {
    let calls = calls(&Scenario::embedded(), 2026)["proactive"];
    assert!((calls / 3.56e9 - 0.3).abs() < 0.02, "{calls:e}");
}

/// Peak over mean and weekend over weekday of an hourly week.
fn shape(week: &[f64]) -> (f64, f64) {
    let mean = |hours: &[f64]| hours.iter().sum::<f64>() / hours.len() as f64;
    let peak = week.iter().copied().fold(0.0, f64::max);
    (peak / mean(week), mean(&week[120..]) / mean(&week[..120]))
}

#[test]
fn pooling_flattens_the_demand_of_the_regions() {
    let scenario = Scenario::embedded();
    let mut global = vec![0.0; 168];
    for (name, region) in &scenario.regions {
        let mut here = vec![0.0; 168];
        for surface in scenario.surfaces.values() {
            let users = central(&surface.daily_users, 2026) * central(&surface.adoption, 2026);
            let requests = users * central(&surface.requests, 2026) * surface.regions[name].0;
            // What people ask for directly.
            let week = scenario.profiles[&scenario.workloads["instant"].profile].week();
            for (offset, share) in &region.time_zones {
                for (hour, sum) in here.iter_mut().enumerate() {
                    let local = (hour as f64 + offset.0 / 3600.0).rem_euclid(168.0) as usize;
                    *sum += requests * share * week[local];
                }
            }
        }
        let (peak, weekend) = shape(&here);
        println!("{name}: peak {peak:.2}, weekend {weekend:.2}");
        assert!((1.5..2.4).contains(&peak) && (0.55..1.05).contains(&weekend));
        global.iter_mut().zip(&here).for_each(|(sum, part)| *sum += part);
    }
    let (peak, weekend) = shape(&global);
    println!("all: peak {peak:.2}, weekend {weekend:.2}");
    assert!((1.15..1.6).contains(&peak) && (0.55..1.05).contains(&weekend));
}

fn hours(from: FleetTime, to: FleetTime) -> f64 {
    (to.0 - from.0).max(0) as f64 / HOUR as f64
}

/// GPUs of a contract at its median price, from its value.
fn gpus(contract: &Contract) -> f64 {
    let share_hours: f64 = contract
        .tranches
        .iter()
        .map(|tranche| tranche.share.0 * hours(tranche.on, contract.end))
        .sum();
    contract.value.central().0 / (contract.price.central().0 * share_hours)
}

/// Dollars of a contract in a year with planned dates.
fn spend(contract: &Contract, year: u16) -> f64 {
    let (start, next) = (FleetTime::start_of_year(year), FleetTime::start_of_year(year + 1));
    let share_hours: f64 = contract
        .tranches
        .iter()
        .map(|part| part.share.0 * hours(part.on.max(start), contract.end.min(next)))
        .sum();
    gpus(contract) * contract.price.central().0 * share_hours
}

#[test]
fn the_coreweave_contracts_pay_out_their_value() {
    let scenario = Scenario::embedded();
    let pair = [&scenario.contracts["coreweave_1"], &scenario.contracts["coreweave_2"]];
    for (contract, value) in pair.iter().zip([14.2e9, 21.0e9]) {
        let total: f64 = (2025..=2033).map(|year| spend(contract, year)).sum();
        assert!((total - value).abs() < 0.1e9, "{total:e}");
        assert!(contract.tranches.iter().map(|part| part.share.0).sum::<f64>() == 1.0);
    }
    for year in 2026..=2032 {
        let both: f64 = pair.iter().map(|contract| spend(contract, year)).sum();
        println!("{year}: {:.2} B USD", both / 1e9);
        if (2028..=2030).contains(&year) {
            assert!((6e9..7e9).contains(&both), "{both:e}");
        }
    }
    let all: f64 = pair.iter().map(|contract| gpus(contract)).sum();
    println!("{:.0} + {:.0} GPUs", gpus(pair[0]), gpus(pair[1]));
    assert!((120e3..250e3).contains(&all), "{all}");
}

#[test]
fn every_uncertain_quantity_names_its_source() {
    for line in Scenario::embedded_text().lines() {
        let uncertain = ["triangular(", "uniform(", "lognormal(", "normal(", "choice("];
        let code = line.split("//").next().unwrap_or_default();
        if uncertain.iter().any(|law| code.contains(law)) {
            assert!(code.trim_start().starts_with("value: "), "no source: {line}");
        }
        assert!(line.chars().count() <= 100, "too long: {line}");
    }
}

#[test]
fn the_rbts_load_is_a_year_of_weeks() {
    let system = System::load("configs/systems/rbts.ron").unwrap_or_else(|e| panic!("{e}"));
    let load = system.hourly_load();
    assert_eq!(load.len(), 8736);
    assert_eq!(load.iter().copied().fold(0.0, f64::max), 185.0);
    // Week 51, Tuesday, the hour from 17 to 18: the peak. Week 1, Monday, midnight.
    assert_eq!(load[50 * 168 + 24 + 17], 185.0);
    assert!((load[0] - 185.0 * 0.862 * 0.93 * 0.67).abs() < 1e-9);
    // Week 9 is spring, week 52 winter; both Sundays at noon.
    assert!((load[8 * 168 + 6 * 24 + 12] - 185.0 * 0.740 * 0.75 * 0.91).abs() < 1e-9);
    assert!((load[51 * 168 + 6 * 24 + 12] - 185.0 * 0.952 * 0.75 * 0.90).abs() < 1e-9);
    let units: u32 = system.units.values().map(|units| units.count).sum();
    let installed: f64 =
        system.units.values().map(|units| units.capacity.at(0) * f64::from(units.count)).sum();
    assert_eq!((units, installed), (11, 240.0));
    let rates = [("lignite_40", 0.03), ("hydro_20", 0.015), ("hydro_5", 0.01)];
    for (name, rate) in rates {
        let q = system.units[name].failures.unavailability();
        assert!((q - rate).abs() < 1e-9, "{name}: {q}");
    }
}

/// Exact LOLE and EUE of a system by enumerating the states of its units, hour by hour.
fn enumerate(system: &System) -> (f64, f64) {
    let (mut lole, mut eue) = (0.0, 0.0);
    for (hour, load) in system.hourly_load().into_iter().enumerate() {
        let mut states = vec![(1.0, system.firm.at(hour))];
        for units in system.units.values() {
            let q = units.failures.unavailability();
            for _ in 0..units.count {
                let down = states.iter().map(|(p, capacity)| (p * q, *capacity));
                let up = |(p, c): &(f64, f64)| (p * (1.0 - q), c + units.capacity.at(hour));
                states = down.chain(states.iter().map(up)).collect();
            }
        }
        for (p, capacity) in states.into_iter().filter(|state| state.1 < load) {
            lole += p;
            eue += p * (load - capacity);
        }
    }
    (lole, eue)
}

#[test]
fn the_hourly_systems_have_their_exact_answers() {
    for (file, lole, eue) in [("hourly_a", 0.355, 1.59), ("hourly_b", 0.96, 7.11)] {
        let path = format!("configs/systems/{file}.ron");
        let system = System::load(path).unwrap_or_else(|error| panic!("{error}"));
        let (found_lole, found_eue) = enumerate(&system);
        assert!((found_lole - lole).abs() < 1e-9, "{file}: {found_lole}");
        assert!((found_eue - eue).abs() < 1e-9, "{file}: {found_eue}");
    }
    let rack = System::load("configs/systems/rack_test.ron").unwrap_or_else(|e| panic!("{e}"));
    assert!((rack.units["rack"].failures.unavailability() - 0.03).abs() < 1e-12);
    assert_eq!((rack.units["rack"].count, rack.hourly_load()), (100, vec![97.0]));
}

#[test]
fn every_entry_of_the_default_names_the_source_of_its_plain_numbers() {
    let scenario = Scenario::embedded();
    let mut stated: Vec<(&str, &Option<String>, &Option<String>)> = Vec::new();
    macro_rules! entries {
        ($($section:ident),+) => {$(
            for entry in scenario.$section.values() {
                stated.push((stringify!($section), &entry.source, &entry.as_of));
            }
        )+};
    }
    entries!(regions, surfaces, workloads, events, surges, deployments, sites);
    stated.push(("candidate", &scenario.candidate.source, &scenario.candidate.as_of));
    stated.push(("reload", &scenario.reload.source, &scenario.reload.as_of));
    let market = scenario.market.as_ref().expect("the default has one");
    stated.push(("market", &market.source, &market.as_of));
    for (section, source, as_of) in stated {
        assert!(source.is_some() && as_of.is_some(), "an entry of {section} names no source");
    }
}
