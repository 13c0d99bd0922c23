//! Adequacy of small systems, known exactly: enumeration and convolution done elsewhere. The
//! systems come from their files; the path for a single area simulates them, which is the fleet's
//! own loop bit for bit (`src/fleet/single_area.rs` holds that).

use sparkgap::plan::{allowed_epochs, order_statistic};
use sparkgap::scenario::{Criterion, Level, Load, System};
use sparkgap::stats::Estimate;
use sparkgap::study::{SystemAdequacy, Watch, assess_system};
use sparkgap::units::{HoursPerYear, Share};

fn system(name: &str, samples: u32) -> System {
    let path = format!("{}/configs/systems/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    let mut system = System::load(path).expect("a shipped system is sound");
    system.samples = samples;
    system
}

fn assess(system: &System) -> SystemAdequacy {
    assess_system(system, Watch::nobody()).expect("nobody stops it")
}

#[track_caller]
fn agrees(estimate: Estimate, exact: f64, what: &str) {
    assert!(estimate.standard_error > 0.0, "{what} has no error");
    assert!(estimate.within(exact, 3.0), "{what}: {estimate:?}, exactly {exact}");
}

#[test]
fn rack_test_has_its_binomial_answer() {
    let assessed = assess(&system("rack_test", 40_000));
    agrees(assessed.lole_hours, 0.352_751, "LOLP");
    agrees(assessed.eue, 0.661_950, "expected shortfall");
}

#[test]
fn rack_test_with_firm_racks_follows_the_table() {
    // With 1 to 7 more firm racks; beside the mean, Bernoulli errors for the rare ends.
    let exact = [0.182_145, 0.080_837, 0.031_228, 0.010_624, 0.003_216, 0.000_874, 0.000_215];
    for (index, exact) in exact.into_iter().enumerate() {
        let mut more = system("rack_test", 30_000);
        more.firm = Level::Constant((index + 1) as f64);
        let lolp = assess(&more).lole_hours.mean;
        let error = (exact * (1.0 - exact) / 30_000.0_f64).sqrt();
        assert!((lolp - exact).abs() <= 3.0 * error, "{} more: {lolp}, {exact}", index + 1);
    }
}

#[test]
fn one_percent_on_the_rack_test_takes_five_firm_racks() {
    // The order statistic over many one-hour samples is the plan's need.
    let mut racks = system("rack_test", 20_000);
    let Load::Hourly(load) = &racks.load else { panic!("an hourly load") };
    // Many independent hours in one sample: one margin each.
    let hours = 20_000;
    racks.load = Load::Hourly(vec![load[0]; hours]);
    let criterion = Criterion {
        interactive_lole: HoursPerYear(0.01 * hours as f64),
        deferrable_misses: Share(0.0),
    };
    let world = sparkgap::fleet::World::of_system(&racks);
    let mut margins = Vec::new();
    for sample in 0..12 {
        let key = sparkgap::rng::StreamKey::inner(7, 0, sample);
        margins.extend(sparkgap::fleet::simulate(&world, key).residuals.own);
    }
    let need = order_statistic(&mut margins, allowed_epochs(&criterion, 12, 1.0));
    assert_eq!(need, 5.0);
}

#[test]
fn hourly_system_a_has_its_enumerated_answer() {
    let assessed = assess(&system("hourly_a", 40_000));
    agrees(assessed.lole_hours, 0.355, "LOLE");
    agrees(assessed.eue, 1.59, "EUE");
    for (hour, exact) in [0.028, 0.271, 0.028, 0.028].into_iter().enumerate() {
        let error = (exact * (1.0 - exact) / 40_000.0_f64).sqrt();
        assert!((assessed.lolp[hour] - exact).abs() <= 3.0 * error, "hour {hour}");
    }
}

#[test]
fn hourly_system_b_has_its_enumerated_answer() {
    let assessed = assess(&system("hourly_b", 40_000));
    agrees(assessed.lole_hours, 0.96, "LOLE");
    agrees(assessed.eue, 7.11, "EUE");
}

#[test]
fn rbts_agrees_with_the_convolution() {
    let assessed = assess(&system("rbts", 40_000));
    agrees(assessed.lole_hours, 1.091_56, "LOLE h/yr");
    agrees(assessed.lole_days, 0.146_95, "LOLE d/yr");
    agrees(assessed.eue, 9.861, "EUE MWh/yr");
    agrees(assessed.neue_ppm, 9.931, "NEUE ppm");
}

#[test]
fn rbts_at_a_higher_peak_agrees_too() {
    let mut rbts = system("rbts", 20_000);
    let Load::Chronological(curve) = &mut rbts.load else { panic!("a chronological load") };
    curve.peak = 205.0;
    let assessed = assess(&rbts);
    agrees(assessed.lole_hours, 5.353_3, "LOLE h/yr");
    agrees(assessed.eue, 57.194, "EUE MWh/yr");
}

#[test]
fn the_ieee_system_has_its_published_answers() {
    let assessed = assess(&system("rts79", 20_000));
    // Billinton and Allan; the daily one is that of the task force's own papers.
    agrees(assessed.lole_hours, 9.394_18, "LOLE h/yr");
    agrees(assessed.lole_days, 1.368_86, "LOLE d/yr");
    agrees(assessed.eue, 1_176.3, "EUE MWh/yr");
}

#[test]
fn equal_is_no_loss_whatever_the_rounding() {
    // 0.7 of a unit that practically never fails and 0.1 of firm capacity cover 0.8 exactly.
    let text = "(name: \"equal\", description: \"0.7 and 0.1 against 0.8\", seed: 1, samples: 20,
        units: {\"unit\": (capacity: constant(0.7), count: 1,
            failures: times(mtbf: \"1e9 years\", mttr: \"1 s\"))},
        firm: constant(0.1), load: hourly([0.8, 0.8, 0.8, 0.8000001]))";
    let assessed = assess(&System::from_ron(text, "equal.ron").expect("a sound system"));
    assert_eq!(assessed.lolp, [0.0, 0.0, 0.0, 1.0]);
}
