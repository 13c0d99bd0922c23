//! Adequacy of small systems, known exactly: enumeration and convolution done elsewhere. The
//! systems come from their files; the path for a single area simulates them, which is the fleet's
//! own loop bit for bit (`src/fleet/single_area.rs` holds that).

use sparkgap::fleet::{ExactRisk, ExactSystem};
use sparkgap::plan::{allowed_epochs, order_statistic};
use sparkgap::rng::{StreamKey, exponential};
use sparkgap::scenario::{Criterion, Level, Load, System};
use sparkgap::stats::Estimate;
use sparkgap::study::{LolpBy, SystemAdequacy, Watch, assess_system, exact_lolp_by};
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
        three_part: None,
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

/// The convolution knows each hour; hours, weeks and months are means of it. Standard errors must
/// say how far the samples are off: one in eighty figures is beyond 2.5 of them. Figures that rest
/// on few events have no normal law.
#[test]
fn lolp_by_hour_week_and_month_agrees_with_the_convolution() {
    let mut rbts = system("rbts", 20_000);
    let Load::Chronological(curve) = &mut rbts.load else { panic!("a chronological load") };
    curve.peak = 205.0;
    let (assessed, exact) = (assess(&rbts), whole(&rbts));
    let (mut told, mut far) = (0, 0);
    for (by, count) in [(LolpBy::Hour, 24), (LolpBy::Week, 52), (LolpBy::Month, 12)] {
        let (found, exact) = (assessed.lolp_by(by), exact_lolp_by(&exact.lolp, by));
        assert_eq!((found.len(), exact.len()), (count, count));
        for (found, exact) in found.iter().zip(&exact).filter(|(_, exact)| exact.mean > 3e-4) {
            told += 1;
            far += usize::from(!found.within(exact.mean, 2.5));
            assert!(found.within(exact.mean, 4.5), "{by:?}: {found:?}, exactly {exact:?}");
        }
    }
    assert!(told > 25 && far <= 3, "{far} of {told}");
    // Hours of the day are equally many: their mean is LOLE over the hours.
    let mean = assessed.lolp_by_hour.iter().map(|lolp| lolp.mean).sum::<f64>() / 24.0;
    assert!((mean * 8_736.0 / assessed.lole_hours.mean - 1.0).abs() < 1e-12);
    // A period of 26 hours: two hours of the day come twice; one week, no months.
    let text =
        "(name: \"day\", description: \"\", seed: 1, samples: 2, load: hourly([9, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]))";
    let day = assess(&System::from_ron(text, "day.ron").unwrap_or_else(|error| panic!("{error}")));
    let means: Vec<f64> = day.lolp_by_hour.iter().map(|lolp| lolp.mean).collect();
    assert_eq!((means[0], means[1], means[2], means.len()), (0.5, 0.5, 0.0, 24));
    assert_eq!((day.lolp_by_week.len(), day.lolp_by_month.len()), (1, 0));
    assert_eq!(day.lolp_by_week[0].mean, 2.0 / 26.0);
    // The last hour of January, the first of February, the last of February and of December; the
    // same in a leap year.
    for (days, february) in [(365, 28.0), (366, 29.0)] {
        let mut year = day_of_nothing();
        let last = (31.0 + february) * 24.0 - 1.0;
        let mut load = vec![0.0; days * 24];
        for hour in [743, 744, last as usize, days * 24 - 1] {
            load[hour] = 1.0;
        }
        year.load = Load::Hourly(load);
        let months: Vec<f64> = assess(&year).lolp_by_month.iter().map(|lolp| lolp.mean).collect();
        assert_eq!(months[..3], [1.0 / 744.0, 2.0 / (24.0 * february), 0.0]);
        assert_eq!((months.len(), months[11]), (12, 1.0 / 744.0));
    }
}

/// A system without units.
fn day_of_nothing() -> System {
    let text = "(name: \"none\", description: \"\", seed: 1, samples: 2, load: hourly([1]))";
    System::from_ron(text, "none.ron").unwrap_or_else(|error| panic!("{error}"))
}

fn whole(system: &System) -> ExactRisk {
    ExactSystem::new(system).expect("few capacities").whole()
}

#[test]
fn convolution_gives_every_exact_answer() {
    let exact = |name: &str| whole(&system(name, 1));
    let near = |found: f64, exact: f64, digits: f64, what: &str| {
        assert!((found - exact).abs() <= digits, "{what}: {found}, exactly {exact}");
    };
    let rbts = exact("rbts");
    near(rbts.lole_hours, 1.091_56, 5e-6, "RBTS LOLE h/yr");
    near(rbts.lole_days, 0.146_95, 5e-6, "RBTS LOLE d/yr");
    near(rbts.eue, 9.861, 5e-4, "RBTS EUE");
    near(rbts.neue_ppm, 9.931, 5e-4, "RBTS NEUE");
    let ieee = exact("rts79");
    near(ieee.lole_hours, 9.394_18, 5e-6, "IEEE LOLE h/yr");
    near(ieee.lole_days, 1.368_86, 5e-6, "IEEE LOLE d/yr");
    let racks = exact("rack_test");
    near(racks.lole_hours, 0.352_751, 5e-7, "racks LOLP");
    near(racks.eue, 0.661_950, 5e-7, "racks shortfall");
    let hourly = exact("hourly_a");
    near(hourly.lole_hours, 0.355, 1e-9, "A LOLE");
    near(hourly.eue, 1.59, 1e-9, "A EUE");
    for (found, exact) in hourly.lolp.iter().zip([0.028, 0.271, 0.028, 0.028]) {
        near(*found, exact, 1e-9, "A by hour");
    }
    let hourly = exact("hourly_b");
    near(hourly.lole_hours, 0.96, 1e-9, "B LOLE");
    for (found, exact) in hourly.lolp.iter().zip([0.19, 0.19, 0.19, 0.1, 0.1, 0.19]) {
        near(*found, exact, 1e-9, "B by hour");
    }
    near(hourly.eue, 7.11, 1e-9, "B EUE");
    // At other peaks.
    for (peak, lole, eue) in [
        (165.0, 0.1527, 1.327),
        (175.0, 0.4117, 3.658),
        (195.0, 2.5154, 24.884),
        (205.0, 5.3533, 57.194),
    ] {
        let mut rbts = system("rbts", 1);
        let Load::Chronological(curve) = &mut rbts.load else { panic!("a chronological load") };
        curve.peak = peak;
        let risk = whole(&rbts);
        near(risk.lole_hours, lole, 5e-5, "RBTS LOLE at another peak");
        near(risk.eue, eue, 5e-4, "RBTS EUE at another peak");
    }
}

/// One unit of 1 that is up `a` of the time against a load of 1: an hour is short while it is down.
/// Events begin in the first hour or where it is down in an hour and was up in the one before:
/// `q + (H - 1) a q (1 - exp(-(lambda + mu)))`. A sample's worst hour misses 1 or nothing.
#[test]
fn events_of_a_single_unit_are_those_of_its_chain() {
    let hours = 200;
    let load = vec!["1"; hours].join(", ");
    let text = format!(
        "(name: \"unit\", description: \"one unit\", seed: 5, samples: 20000, units: {{\"unit\": \
         (capacity: constant(1), count: 1, failures: times(mtbf: \"40 h\", mttr: \"10 h\"))}}, \
         firm: constant(0), load: hourly([{load}]))"
    );
    let unit = System::from_ron(&text, "unit.ron").unwrap_or_else(|error| panic!("{error}"));
    let assessed = assess(&unit);
    let (down, forgotten) = (0.2, 1.0 - (-(1.0 / 40.0 + 1.0 / 10.0_f64)).exp());
    let events = down + (hours - 1) as f64 * 0.8 * down * forgotten;
    agrees(assessed.lolev, events, "LOLEv");
    agrees(assessed.lole_hours, down * hours as f64, "LOLE");
    // Up all the time, hour by hour: what is left is a worst hour of 1.
    let never = 0.8 * (1.0 - down * forgotten).powi(hours as i32 - 1);
    agrees(assessed.deepest, 1.0 - never, "worst hour");
    assert_eq!(assessed.deepest_of_all, 1.0);
    assert!(assessed.longest.mean > 10.0 && assessed.longest_of_all <= hours as f64);
    // Hours short and load missing are the same here; the worst twentieth has more of both.
    assert_eq!(assessed.eue, assessed.lole_hours);
    assert!(assessed.cvar_95.mean > assessed.eue.mean);
}

/// Beyond its 95th percentile an exponential law is 1 longer in the mean: 1 + ln 20.
#[test]
fn the_worst_twentieth_of_an_exponential_law() {
    let exact = 1.0 + 20.0_f64.ln();
    let (count, runs) = (4_000, 50);
    let mut means = Vec::new();
    for run in 0..runs {
        let mut random = StreamKey::world(3, run).stream("tail");
        let samples: Vec<f64> = (0..count).map(|_| exponential(&mut random)).collect();
        let tail = Estimate::of_tail(&samples, 0.05);
        // Variance 1 in the tail, 0.95 of its begin, over 200 samples.
        assert!((tail.standard_error / (1.95_f64 / 200.0).sqrt() - 1.0).abs() < 0.3, "{tail:?}");
        means.push(tail.mean);
    }
    let all = Estimate::of(&means);
    assert!(all.within(exact, 3.0), "{all:?} {exact}");
    // The means scatter as their errors say.
    let scatter = all.standard_error * (runs as f64).sqrt();
    assert!((scatter / (1.95_f64 / 200.0).sqrt() - 1.0).abs() < 0.3, "{scatter}");
    assert_eq!(Estimate::of_tail(&[], 0.05), Estimate::default());
    assert_eq!(Estimate::of_tail(&[3.0, 1.0], 0.05).mean, 3.0);
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
