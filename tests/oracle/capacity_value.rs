//! Firm capacity for a risk and the worth of units: by hand, put in again, and from samples against
//! the exact answer.

use sparkgap::fleet::ExactSystem;
use sparkgap::scenario::{Area, Level, Load, Network, UnitFailures, Units};
use sparkgap::study::{
    CapacityStudy, CapacityValue, Crossing, Method, NoCrossing, RiskMeasure, ValuedPart, Watch,
    assess_network,
};

fn network(name: &str) -> Network {
    let path = format!("{}/configs/systems/{name}.ron", env!("CARGO_MANIFEST_DIR"));
    Network::load(path).unwrap_or_else(|error| panic!("{error}"))
}

/// One area with units of (capacity, count, unavailability).
fn of(units: &[(f64, u32, f64)], firm: f64, load: Vec<f64>) -> Network {
    let unit = |(capacity, count, down): &(f64, u32, f64)| Units {
        capacity: Level::Constant(*capacity),
        count: *count,
        failures: UnitFailures::PerHour { failure: *down, repair: 1.0 - down },
    };
    let named = units.iter().enumerate();
    let units = named.map(|(index, group)| (format!("u{index}"), unit(group))).collect();
    let area = Area { units, firm: Level::Constant(firm), load: Load::Hourly(load) };
    Network {
        name: "by hand".to_owned(),
        description: String::new(),
        seed: 1,
        samples: 2_000,
        capacity_unit: None,
        areas: [("by hand".to_owned(), area)].into(),
        links: [].into(),
    }
}

fn study<'a>(network: &'a Network, method: Method, area: Option<&str>) -> CapacityStudy<'a> {
    CapacityStudy::new(network, method, area, Watch::nobody())
}

fn units(network: &Network, group: &str, all: bool) -> ValuedPart {
    let holds = |(_, area): &(&String, &Area)| area.units.contains_key(group);
    let (area, _) = network.areas.iter().find(holds).expect("an area has them");
    ValuedPart::Units { area: area.clone(), group: group.to_owned(), all }
}

fn value(network: &Network, method: Method, part: &ValuedPart) -> CapacityValue {
    let home = match part {
        ValuedPart::Units { area, .. } => area.clone(),
        ValuedPart::Link(name) => network.links[name].to.clone(),
    };
    let found = study(network, method, Some(&home)).value(part);
    found.expect("it is found").expect("it is there")
}

/// An interval of two standard errors, half as wide again: three.
#[track_caller]
fn holds(found: &Crossing, answer: f64, exact: f64, what: &str) {
    let from = found.from.unwrap_or(f64::NEG_INFINITY);
    let to = found.to.unwrap_or(f64::INFINITY);
    let (low, high) = (answer + 1.5 * (from - answer), answer + 1.5 * (to - answer));
    assert!(low <= exact && exact <= high, "{what}: {low} to {high}, exactly {exact}");
    assert!(from <= answer && answer <= to, "{what}: {from} {answer} {to}");
}

/// Ten hours of 10 to 19, a unit of 20 that is down one time in ten, firm 3.
#[test]
fn firm_capacity_and_values_by_hand() {
    let system = of(&[(20.0, 1, 0.1)], 3.0, (10..20).map(f64::from).collect());
    let firm = |measure, target| {
        study(&system, Method::Exact, None).firm_for(measure, target).expect("there is one")
    };
    let near = |found: &Crossing, exact: f64| {
        assert!((found.high - exact).abs() < 1e-6 && found.high - found.low < 1e-6, "{found:?}");
    };
    // Every hour is short while the unit is down: one hour of the ten. For half of it, five hours
    // must be covered without the unit, those up to 14.
    near(&firm(RiskMeasure::LoleHours, 0.5), 11.0);
    // One hour as now: up to the load of 10, of which 7 are missing, nothing is gained; 4 of the 23
    // may go before the unit does not cover 19 any more.
    near(&firm(RiskMeasure::LoleHours, 1.0), -4.0);
    // Nothing ever: all of the 19 beside the 3. The day's peak is that hour too.
    near(&firm(RiskMeasure::LoleHours, 0.0), 16.0);
    near(&firm(RiskMeasure::LoleDays, 0.0), 16.0);
    // While the unit is down, 7 to 16 are missing: 11.5 in the mean of each of ten hours, one time
    // in ten. With 6 more, 1 to 10 are: 5.5.
    near(&firm(RiskMeasure::Eue, 5.5), 6.0);
    // The load is 145.
    near(&firm(RiskMeasure::NeuePpm, 5.5e6 / 145.0), 6.0);
    // Without the unit all ten hours are short; one hour remains with firm capacity up to 18.
    let part = units(&system, "u0", false);
    let worth = value(&system, Method::Exact, &part);
    assert!((worth.lole_with.mean - 1.0).abs() < 1e-12 && worth.nameplate == 20.0);
    assert!((worth.lole_without.mean - 10.0).abs() < 1e-12);
    near(&worth.efc, 15.0);
    // With it all hours are short as soon as 23 do not cover 10 any more.
    assert!(worth.elcc.low >= 13.0 - 1e-6, "{worth:?}");
    let nobody = ValuedPart::Link("none".to_owned());
    assert_eq!(study(&system, Method::Exact, None).value(&nobody), Ok(None));
    // The same from samples, whose risk is a count of hours.
    let sampled = study(&system, Method::MonteCarlo, None).firm_for(RiskMeasure::LoleHours, 0.5);
    holds(sampled.as_ref().expect("there is one"), sampled.as_ref().unwrap().high, 11.0, "half");
}

/// Firm capacity takes the place of load: at a peak of 195 MW the convolution has 2.5154 h/yr, but
/// a constant is taken from every hour, not a share of the peak. So the answer is put in again.
#[test]
fn firm_capacity_that_is_asked_for_gives_the_risk_that_was_asked() {
    let rbts = network("rbts");
    for target in [0.05, 1.0, 2.4, 20.0] {
        let found = study(&rbts, Method::Exact, None).firm_for(RiskMeasure::LoleHours, target);
        let found = found.expect("it can be reached");
        let lole = |firm: f64| {
            let mut more = rbts.single().expect("one area");
            // A load that is larger by 100 in every hour, beside 100 of firm capacity.
            more.load = Load::Hourly(more.hourly_load().iter().map(|load| load + 100.0).collect());
            more.firm = Level::Constant(100.0 + firm);
            ExactSystem::new(&more).expect("few capacities").whole().lole_hours
        };
        assert!(lole(found.high) <= target * (1.0 + 1e-9) && lole(found.low) > target, "{found:?}");
        assert!(found.high - found.low < 1e-6, "{found:?}");
        // More than LOLE allows now is negative: it may go.
        assert_eq!(found.high < 0.0, target > 1.1, "{target}: {found:?}");
    }
}

/// Every unit is worth something and at most itself; the EFC put in its place gives its LOLE.
#[test]
fn values_of_units_lie_between_nothing_and_nameplate() {
    let rbts = network("rbts");
    let area = &rbts.areas["rbts"];
    for (name, group) in &area.units {
        let worth = value(&rbts, Method::Exact, &units(&rbts, name, false));
        assert!(worth.lole_with.mean < worth.lole_without.mean, "{name}");
        for found in [&worth.elcc, &worth.efc] {
            assert!(found.low > 0.0 && found.high <= worth.nameplate, "{name}: {worth:?}");
        }
        let mut firm = rbts.single().expect("one area");
        firm.units.get_mut(name).expect("it is there").count -= 1;
        firm.firm = Level::Constant(worth.efc.high);
        let lole = ExactSystem::new(&firm).expect("few capacities").whole().lole_hours;
        assert!(lole <= worth.lole_with.mean * (1.0 + 1e-9), "{name}");
        assert_eq!(group.capacity, Level::Constant(worth.nameplate));
    }
    // All four of 20 are worth more than one of them four times: the last ones are needed most.
    let one = value(&rbts, Method::Exact, &units(&rbts, "hydro_20", false));
    let all = value(&rbts, Method::Exact, &units(&rbts, "hydro_20", true));
    assert_eq!(all.nameplate, 80.0);
    assert!(all.efc.high < 80.0 && all.efc.high > one.efc.high, "{all:?}");
}

#[test]
fn samples_give_the_exact_capacities_of_rbts() {
    let mut rbts = network("rbts");
    rbts.samples = 2_000;
    for (measure, target) in [
        (RiskMeasure::LoleHours, 2.4),
        (RiskMeasure::LoleDays, 0.1),
        (RiskMeasure::Eue, 20.0),
        (RiskMeasure::NeuePpm, 5.0),
    ] {
        let exact = study(&rbts, Method::Exact, None).firm_for(measure, target).expect("exact");
        let found = study(&rbts, Method::MonteCarlo, None).firm_for(measure, target);
        let found = found.expect("it can be reached");
        holds(&found, found.high, exact.high, &format!("{measure:?}"));
        assert!(found.to.unwrap() - found.from.unwrap() < 15.0, "{found:?}");
    }
    for (name, all) in [("hydro_20", false), ("lignite_40", true)] {
        let part = units(&rbts, name, all);
        let (exact, found) =
            (value(&rbts, Method::Exact, &part), value(&rbts, Method::MonteCarlo, &part));
        holds(&found.elcc, found.elcc.low, exact.elcc.low, &format!("ELCC of {name}"));
        holds(&found.efc, found.efc.high, exact.efc.high, &format!("EFC of {name}"));
        assert!(found.lole_with.within(exact.lole_with.mean, 3.0), "{found:?}");
        assert!(found.lole_without.within(exact.lole_without.mean, 3.0), "{found:?}");
        assert_eq!(found.nameplate, exact.nameplate);
    }
    // LOLEv is only known from samples; the capacity that was found gives what was asked for.
    let found = study(&rbts, Method::MonteCarlo, None).firm_for(RiskMeasure::Lolev, 0.1);
    let mut firm = rbts.clone();
    let area = firm.areas.get_mut("rbts").expect("its area");
    area.firm = Level::Constant(found.expect("it can be reached").high);
    let again = assess_network(&firm, Watch::nobody()).expect("nobody stops it");
    assert!(again.system.lolev.mean <= 0.1 && again.system.lolev.mean > 0.09, "{again:?}");
}

/// Two areas, a load of 10 in each, all hours alike. In `a` a unit of 20 that is down one time in
/// ten, in `b` nothing: with a link of 10 both are short then, without it `b` is always short.
#[test]
fn a_link_is_worth_what_it_brings_by_hand() {
    let text = "(name: \"pair\", description: \"a link\", seed: 3, samples: 500, areas: {
        \"a\": (units: {\"u\": (capacity: constant(20), count: 1,
            failures: per_hour(failure: 0.1, repair: 0.9))}, load: hourly([10, 10])),
        \"b\": (load: hourly([10, 10]))},
        links: {\"line\": (from: \"a\", to: \"b\", forward: constant(10), backward: constant(5))})";
    let pair = Network::from_ron(text, "pair.ron").unwrap_or_else(|error| panic!("{error}"));
    let line = ValuedPart::Link("line".to_owned());
    for method in [Method::Exact, Method::MonteCarlo] {
        let worth = value(&pair, method, &line);
        let near = |found: f64, exact: f64| {
            assert!((found - exact).abs() < 1e-4, "{method:?}: {worth:?}");
        };
        near(worth.lole_without.mean, 2.0);
        near(worth.nameplate, 10.0);
        // Firm capacity in `b`: with 10 of it, only `a` is short, one time in ten.
        near(worth.efc.high, 10.0);
        assert!(worth.elcc.low >= 0.0);
        // With 10 more in `b`, `a` needs 10 when its unit is down: `b` may send at most 5. With 20
        // in `a` and nothing in `b`, nobody is short.
        let firm = |area| study(&pair, method, Some(area)).firm_for(RiskMeasure::LoleHours, 0.0);
        assert_eq!(firm("b"), Err(NoCrossing::NeverMet));
        near(firm("a").expect("it can be reached").high, 20.0);
        // In proportion: 10 in each.
        let both = study(&pair, method, None).firm_for(RiskMeasure::LoleHours, 0.0);
        near(both.expect("it can be reached").high, 20.0);
    }
}
