//! The default scenario as a file, and the reliability test systems. What it claims is in
//! `acceptance.rs`.

use sparkgap::scenario::{Scenario, System};
use sparkgap::time::FleetTime;

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
    assert!(
        scenario.hardware.contains_key("mtia_500") && !scenario.hardware.contains_key("mi355x")
    );
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
