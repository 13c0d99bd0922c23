//! Test systems that users will try: nothing in them, one hour, units that change all the time,
//! thousands of units, a century of hours. No panic, and the right numbers.

use proptest::prelude::*;
use sparkgap::scenario::{Level, Network};
use sparkgap::study::{
    CapacityStudy, Method, NetworkAdequacy, RiskMeasure, Watch, assess_network, is_exact,
};

fn network(body: &str, samples: u32) -> Network {
    let text = format!("(name: \"odd\", description: \"\", seed: 1, samples: {samples}, {body})");
    Network::from_ron(&text, "odd.ron").unwrap_or_else(|error| panic!("{error}"))
}

fn assess(network: &Network) -> NetworkAdequacy {
    assess_network(network, Watch::nobody()).expect("nobody stops it")
}

fn unit(capacity: &str, count: u32, mtbf: &str, mttr: &str) -> String {
    format!(
        "(capacity: {capacity}, count: {count}, failures: times(mtbf: \"{mtbf}\", mttr: \
         \"{mttr}\"))"
    )
}

#[test]
fn systems_with_nothing_in_them() {
    // No units: short in every hour with a load.
    let none = assess(&network("load: hourly([1, 0, 2])", 5));
    assert_eq!((none.system.lole_hours.mean, none.system.eue.mean), (2.0, 3.0));
    assert_eq!((none.system.lolev.mean, none.system.neue_ppm.mean), (2.0, 1e6));
    // No load: never.
    let body =
        format!("units: {{\"u\": {}}}, load: hourly([0, 0])", unit("constant(0)", 1, "1 h", "1 h"));
    let none = assess(&network(&body, 5));
    assert_eq!((none.system.lole_hours.mean, none.system.neue_ppm.mean), (0.0, 0.0));
    assert_eq!(none.system.lolp_by_hour.len(), 2);
    // Units without capacity give nothing; one hour is a period.
    let body =
        format!("units: {{\"u\": {}}}, load: hourly([7])", unit("constant(0)", 3, "1 h", "1 h"));
    let one = assess(&network(&body, 5));
    assert_eq!((one.system.lole_hours.mean, one.system.deepest.mean), (1.0, 7.0));
    // An area with nothing in it lives on the other.
    let body = "areas: {\"a\": (firm: constant(10), load: hourly([2, 9])),
        \"b\": (load: hourly([5, 5])), \"c\": (load: hourly([0, 0]))},
        links: {\"l\": (from: \"a\", to: \"b\", forward: constant(4), backward: constant(0))}";
    let pair = assess(&network(body, 3));
    let eue = |name: &str| pair.areas[name].eue.mean;
    assert_eq!((eue("a"), eue("b"), eue("c")), (0.0, 1.0 + 4.0, 0.0));
    let link = &pair.links["l"];
    assert_eq!((link.flow.mean, link.utilisation.mean), (2.5, 0.625));
    assert_eq!((link.hours_used.mean, link.hours_full.mean), (2.0, 1.0));
}

/// Units that change thousands of times in an hour are up for their share of the hours, however
/// fine the seconds are; each hour is independent of the one before.
#[test]
fn units_that_change_all_the_time_keep_their_share() {
    let hours = 500;
    let load = vec!["1"; hours].join(", ");
    for (mtbf, mttr, down) in [
        ("9 s", "1 s", 0.1),
        ("0.9 ms", "0.1 ms", 0.1),
        ("3 min", "1 min", 0.25),
        ("1 h", "1 ms", 1e-3 / 3_600.001),
        ("1 ms", "1 h", 3_600.0 / 3_600.001),
    ] {
        let units = unit("constant(1)", 1, mtbf, mttr);
        let body = format!("units: {{\"u\": {units}}}, load: hourly([{load}])");
        let found = assess(&network(&body, 400)).system;
        let exact = down * hours as f64;
        let error = (down * (1.0 - down) / (400.0 * hours as f64)).sqrt() * hours as f64;
        let lole = found.lole_hours;
        assert!((lole.mean - exact).abs() <= 3.0 * error + 1e-3, "{mtbf}: {lole:?} {exact}");
        let events = down + (hours - 1) as f64 * down * (1.0 - down);
        assert!((found.lolev.mean / events - 1.0).abs() < 0.05 || events < 1.0, "{found:?}");
    }
}

/// Ten thousand units of 1 that are down one time in ten, against 8,950: the normal law with a
/// correction for whole units.
#[test]
fn ten_thousand_units_follow_the_normal_law() {
    let units = unit("constant(1)", 10_000, "900 h", "100 h");
    let body = format!("units: {{\"u\": {units}}}, load: hourly([8950])");
    let network = network(&body, 4_000);
    let found = assess(&network).system.lole_hours;
    // P(available <= 8949): (8949.5 - 9000) / 30 = -1.683 standard deviations: 0.0462.
    assert!((found.mean - 0.0462).abs() < 3.0 * found.standard_error, "{found:?}");
    assert!(is_exact(&network, RiskMeasure::LoleHours));
    let study = CapacityStudy::new(&network, Method::Exact, None, Watch::nobody());
    let firm = study.firm_for(RiskMeasure::LoleHours, 0.0462).expect("it is met");
    assert!(firm.high.abs() <= 2.0, "{} {}", firm.low, firm.high);
    // As many groups of one unit, over a day.
    let many: Vec<String> = (0..10_000)
        .map(|index| {
            format!("\"u{index}\": {units}", units = unit("constant(1)", 1, "900 h", "100 h"))
        })
        .collect();
    let load = vec!["8950"; 24].join(", ");
    let body = format!("units: {{{}}}, load: hourly([{load}])", many.join(", "));
    let found = assess(&self::network(&body, 40)).system.lole_hours;
    assert!(found.mean > 0.0 && found.mean < 10.0, "{found:?}");
}

#[test]
fn a_century_of_hours_is_a_period() {
    let hours = 880_000;
    let body = format!(
        "units: {{\"u\": {}}}, firm: constant(0.5), load: hourly([1])",
        unit("constant(1)", 1, "900 h", "100 h")
    );
    let mut network = network(&body, 20);
    let area = network.areas.values_mut().next().expect("one area");
    area.load = sparkgap::scenario::Load::Hourly(vec![1.0; hours]);
    let found = assess(&network).system;
    assert!(found.lole_hours.within(0.1 * hours as f64, 3.0), "{:?}", found.lole_hours);
    assert!(found.eue.mean == 0.5 * found.lole_hours.mean);
    assert_eq!((found.lolp.len(), found.lolp_by_week.len()), (hours, 5_239));
    assert!(found.lolp_by_hour.iter().all(|lolp| lolp.within(0.1, 4.0)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Anything that is let in at the door has numbers for answers.
    #[test]
    fn any_small_system_has_an_answer(
        capacities in prop::collection::vec(prop_oneof![Just(0.0), 0.1..9.0, Just(1e15)], 0..4),
        loads in prop::collection::vec(prop_oneof![Just(0.0), 0.1..20.0, Just(1e15)], 1..4),
        hours in 1_usize..30, limits in prop_oneof![Just(0.0), 0.1..9.0, Just(1e15)],
        times in (1e-3..1e9, 1e-3..1e9), ring in any::<bool>(),
    ) {
        let mut areas = String::new();
        for (index, load) in loads.iter().enumerate() {
            let mut units = String::new();
            for (number, capacity) in capacities.iter().enumerate() {
                let (mtbf, mttr) = (format!("{} s", times.0), format!("{} s", times.1));
                units += &format!(
                    "\"u{number}\": {},",
                    unit(&format!("constant({capacity})"), 1 + index as u32, &mtbf, &mttr)
                );
            }
            let load = vec![load.to_string(); hours].join(", ");
            areas += &format!("\"a{index}\": (units: {{{units}}}, load: hourly([{load}])),");
        }
        let mut links = String::new();
        for index in 0..loads.len() {
            let to = (index + 1) % loads.len();
            if to != index && (ring || to != 0) {
                links += &format!(
                    "\"l{index}\": (from: \"a{index}\", to: \"a{to}\", forward: \
                     constant({limits}), backward: constant(1)),"
                );
            }
        }
        let network = network(&format!("areas: {{{areas}}}, links: {{{links}}}"), 3);
        let found = assess(&network);
        let risk = &found.system;
        prop_assert!(risk.lole_hours.mean >= 0.0 && risk.lole_hours.mean <= hours as f64);
        prop_assert!(risk.eue.mean.is_finite() && risk.eue.mean >= 0.0);
        let load: f64 = loads.iter().sum::<f64>() * hours as f64;
        prop_assert!(risk.eue.mean <= load * (1.0 + 1e-9), "{} {load}", risk.eue.mean);
        prop_assert!(risk.neue_ppm.mean.is_finite() && risk.neue_ppm.mean <= 1e6 * (1.0 + 1e-9));
        for link in found.links.values() {
            prop_assert!((0.0..=1.0 + 1e-9).contains(&link.utilisation.mean), "{link:?}");
        }
        for (measure, target) in [(RiskMeasure::LoleHours, 0.5), (RiskMeasure::Eue, 1.0)] {
            for method in [Method::Exact, Method::MonteCarlo] {
                if method == Method::MonteCarlo || is_exact(&network, measure) {
                    let study = CapacityStudy::new(&network, method, None, Watch::nobody());
                    if let Ok(found) = study.firm_for(measure, target) {
                        prop_assert!(found.low.is_finite() && found.low <= found.high);
                    }
                }
            }
        }
    }
}

#[test]
fn capacities_by_the_hour_move_links_too() {
    let body = "areas: {\"a\": (firm: hourly([9, 1]), load: hourly([1, 1])),
        \"b\": (load: hourly([5, 5]))},
        links: {\"l\": (from: \"a\", to: \"b\", forward: hourly([3, 9]), backward: constant(0))}";
    let mut pair = network(body, 2);
    assert_eq!(assess(&pair).areas["b"].eue.mean, 2.0 + 5.0);
    pair.links.get_mut("l").expect("it is there").forward = Level::Hourly(vec![9.0, 0.0]);
    assert_eq!(assess(&pair).areas["b"].eue.mean, 0.0 + 5.0);
}
