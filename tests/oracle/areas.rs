//! Areas with limited links, known exactly: every joint state of units and links is enumerated
//! here, and what the system cannot serve in it is the largest of all cuts (maximum flow, minimum
//! cut: Ford, Fulkerson 1956): over all sets of areas, their load less their capacity less what the
//! links into the set carry.

use sparkgap::fleet::JointStates;
use sparkgap::rng::{StreamKey, uniform};
use sparkgap::scenario::Network;
use sparkgap::stats::Estimate;
use sparkgap::study::{ExactNetworkRisk, NetworkAdequacy, Watch, assess_network, exact_areas};

/// Whether a unit or a link is up, what it gives forward and backward, where from and to.
#[derive(Clone, Copy)]
struct Component {
    down: f64,
    forward: f64,
    backward: f64,
    /// The area of a unit; the two areas of a link.
    from: usize,
    to: Option<usize>,
}

/// A small system: units and links one by one, and loads by area and hour.
struct Small {
    components: Vec<Component>,
    loads: Vec<Vec<f64>>,
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Probability of being short and what is missing in the mean, over the period.
type Risk = (f64, f64);

impl Small {
    fn text(&self, samples: u32) -> String {
        let law = |down: f64| format!("per_hour(failure: {down}, repair: {})", 1.0 - down);
        let mut areas = String::new();
        for (area, loads) in self.loads.iter().enumerate() {
            let mut units = String::new();
            for (index, unit) in self.components.iter().enumerate() {
                if unit.to.is_none() && unit.from == area {
                    units += &format!(
                        "\"u{index}\": (capacity: constant({}), count: 1, failures: {}),",
                        unit.forward,
                        law(unit.down)
                    );
                }
            }
            let loads: Vec<String> = loads.iter().map(f64::to_string).collect();
            areas += &format!(
                "\"{}\": (units: {{{units}}}, load: hourly([{}])),",
                NAMES[area],
                loads.join(", ")
            );
        }
        let mut links = String::new();
        for (index, link) in self.components.iter().enumerate() {
            if let Some(to) = link.to {
                let failures = match link.down > 0.0 {
                    true => format!(", failures: {}", law(link.down)),
                    false => String::new(),
                };
                links += &format!(
                    "\"l{index}\": (from: \"{}\", to: \"{}\", forward: constant({}), backward: \
                     constant({}){failures}),",
                    NAMES[link.from], NAMES[to], link.forward, link.backward
                );
            }
        }
        format!(
            "(name: \"small\", description: \"enumerated\", seed: 11, samples: {samples}, \
             areas: {{{areas}}}, links: {{{links}}})"
        )
    }

    fn network(&self, samples: u32) -> Network {
        let text = self.text(samples);
        Network::from_ron(&text, "small.ron").unwrap_or_else(|error| panic!("{error}"))
    }

    /// Over all joint states and hours: the risk by what `unserved` says of the margins (capacity
    /// less load by area) and the links of a state.
    fn enumerate(&self, unserved: impl Fn(&[f64], &[Component]) -> f64) -> Risk {
        let mut risk = (0.0, 0.0);
        for state in 0..1_u32 << self.components.len() {
            let up = |index: usize| state >> index & 1 == 1;
            let mut probability = 1.0;
            let mut capacity = vec![0.0; self.loads.len()];
            let mut links = Vec::new();
            for (index, component) in self.components.iter().enumerate() {
                probability *= if up(index) { 1.0 - component.down } else { component.down };
                match component.to {
                    _ if !up(index) => {}
                    None => capacity[component.from] += component.forward,
                    Some(_) => links.push(*component),
                }
            }
            for hour in 0..self.loads[0].len() {
                let margins: Vec<f64> =
                    self.loads.iter().zip(&capacity).map(|(load, has)| has - load[hour]).collect();
                let missing = unserved(&margins, &links);
                if missing > 1e-9 {
                    risk = (risk.0 + probability, risk.1 + probability * missing);
                }
            }
        }
        risk
    }
}

/// The largest cut.
fn by_cuts(margins: &[f64], links: &[Component]) -> f64 {
    let cut = |set: u32| {
        let inside = |area: usize| set >> area & 1 == 1;
        let missing: f64 =
            margins.iter().enumerate().filter(|(a, _)| inside(*a)).map(|(_, m)| -m).sum();
        let into = |link: &Component| {
            let to = link.to.expect("a link");
            match (inside(link.from), inside(to)) {
                (false, true) => link.forward,
                (true, false) => link.backward,
                _ => 0.0,
            }
        };
        missing - links.iter().map(into).sum::<f64>()
    };
    (0..1_u32 << margins.len()).map(cut).fold(0.0, f64::max)
}

/// Of two areas with one link, what one misses: nobody but the other can help.
fn of_two(area: usize) -> impl Fn(&[f64], &[Component]) -> f64 {
    move |margins, links| {
        let into = |link: &Component| if link.from == area { link.backward } else { link.forward };
        let carried: f64 = links.iter().map(into).sum();
        (-margins[area]).max(0.0)
            - carried.min(margins[1 - area].max(0.0)).min((-margins[area]).max(0.0))
    }
}

/// A system of random units, links and loads.
fn random(number: u64, areas: usize, units: usize, links: &[(usize, usize)]) -> Small {
    let mut stream = StreamKey::world(17, number).stream("small systems");
    let mut between = |low: f64, high: f64| low + (high - low) * uniform(&mut stream);
    let mut components = Vec::new();
    for index in 0..units {
        let forward = between(3.0, 12.0).round();
        let down = (between(0.03, 0.25) * 100.0).round() / 100.0;
        let from = index % areas;
        components.push(Component { down, forward, backward: 0.0, from, to: None });
    }
    for (index, (from, to)) in links.iter().enumerate() {
        // Every other link fails.
        let down = if index % 2 == 0 { (between(0.05, 0.3) * 100.0).round() / 100.0 } else { 0.0 };
        let forward = between(0.0, 9.0).round();
        let backward = between(0.0, 9.0).round();
        components.push(Component { down, forward, backward, from: *from, to: Some(*to) });
    }
    let share = |area: usize| (units - area).div_ceil(areas) as f64;
    let loads = (0..areas)
        .map(|area| (0..5).map(|_| (between(2.5, 7.0) * share(area)).round()).collect())
        .collect();
    Small { components, loads }
}

fn systems() -> Vec<Small> {
    let row = [(0, 1), (1, 2)];
    let ring = [(0, 1), (1, 2), (2, 3), (3, 0)];
    let twice = [(0, 1), (1, 0), (1, 2), (0, 2)];
    vec![
        random(0, 2, 6, &[(0, 1)]),
        random(1, 2, 7, &[(1, 0)]),
        random(2, 3, 8, &row),
        random(3, 3, 7, &twice),
        random(4, 4, 8, &ring),
        random(5, 4, 9, &[(0, 1), (0, 2), (0, 3)]),
        random(6, 3, 6, &[]),
    ]
}

fn exact(network: &Network) -> ExactNetworkRisk {
    let joint = JointStates::new(network).expect("a small system");
    let none = vec![0.0; network.areas.len()];
    exact_areas(&joint, network, &none, Watch::nobody()).expect("nobody stops it")
}

fn assess(network: &Network) -> NetworkAdequacy {
    assess_network(network, Watch::nobody()).expect("nobody stops it")
}

#[track_caller]
fn agrees(estimate: Estimate, exact: f64, what: &str) {
    assert!(estimate.standard_error > 0.0, "{what} has no error");
    assert!(estimate.within(exact, 3.0), "{what}: {estimate:?}, exactly {exact}");
}

#[test]
fn joint_states_give_the_enumerated_risk() {
    for (index, small) in systems().iter().enumerate() {
        let found = exact(&small.network(1));
        let (lole, eue) = small.enumerate(by_cuts);
        assert!(lole > 0.01, "system {index} is never short");
        assert!((found.system.lole_hours - lole).abs() < 1e-9, "{index}: {found:?} {lole}");
        assert!((found.system.eue - eue).abs() < 1e-9, "{index}: {found:?} {eue}");
        // What areas miss is what the system misses.
        let areas: f64 = found.areas.values().map(|area| area.eue).sum();
        assert!((areas - eue).abs() < 1e-9, "{index}: {areas} {eue}");
        if small.loads.len() == 2 {
            for (area, name) in ["a", "b"].iter().enumerate() {
                let (lole, eue) = small.enumerate(of_two(area));
                let of_area = &found.areas[*name];
                assert!((of_area.lole_hours - lole).abs() < 1e-9, "{name}: {of_area:?} {lole}");
                assert!((of_area.eue - eue).abs() < 1e-9, "{name}: {of_area:?} {eue}");
            }
        }
    }
}

#[test]
fn simulated_areas_agree_with_the_enumeration() {
    for (index, small) in systems().iter().enumerate() {
        let found = assess(&small.network(20_000));
        let (lole, eue) = small.enumerate(by_cuts);
        agrees(found.system.lole_hours, lole, &format!("LOLE of system {index}"));
        agrees(found.system.eue, eue, &format!("EUE of system {index}"));
        if small.loads.len() == 2 {
            for (area, name) in ["a", "b"].iter().enumerate() {
                let (lole, eue) = small.enumerate(of_two(area));
                agrees(found.areas[*name].lole_hours, lole, &format!("LOLE of {index} {name}"));
                agrees(found.areas[*name].eue, eue, &format!("EUE of {index} {name}"));
            }
        }
        // Areas by the rule, which both engines share and the enumeration does not know.
        let exact = exact(&small.network(1));
        for (name, area) in &found.areas {
            let exact = &exact.areas[name];
            if exact.lole_hours > 1e-3 {
                agrees(area.lole_hours, exact.lole_hours, &format!("LOLE of {index} {name}"));
                agrees(area.eue, exact.eue, &format!("EUE of {index} {name}"));
            }
        }
    }
}

#[test]
fn the_shipped_areas_agree_with_their_joint_states() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/systems/three_areas.ron");
    let mut network = Network::load(path).unwrap_or_else(|error| panic!("{error}"));
    network.samples = 4_000;
    let (found, exact) = (assess(&network), exact(&network));
    agrees(found.system.lole_hours, exact.system.lole_hours, "LOLE h/yr");
    agrees(found.system.lole_days, exact.system.lole_days, "LOLE d/yr");
    agrees(found.system.eue, exact.system.eue, "EUE");
    for (name, area) in &found.areas {
        agrees(area.lole_hours, exact.areas[name].lole_hours, name);
        agrees(area.eue, exact.areas[name].eue, name);
    }
}
