//! Properties of areas with limited links: what must hold sample by sample, on the same streams.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sparkgap::fleet::{AreaDraw, Changes, LinkedAreas, SingleArea};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Area, Level, Link, Load, Network, System, UnitFailures, Units};
use sparkgap::units::Seconds;

const HOURS: usize = 240;
const NAMES: [&str; 3] = ["a", "b", "c"];

fn units(count: u32, capacity: f64, mttr_h: f64) -> Units {
    let failures = UnitFailures::Times {
        mtbf: Seconds(9.0 * mttr_h * 3_600.0),
        mttr: Seconds(mttr_h * 3_600.0),
    };
    Units { capacity: Level::Constant(capacity), count, failures }
}

/// A wave over the day that begins at another hour in each area.
fn wave(mean: f64, shift: usize) -> Vec<f64> {
    let at = |hour: usize| mean * (0.7 + ((hour + shift) * 7 % 24) as f64 / 40.0);
    (0..HOURS).map(at).collect()
}

/// Three areas with their units, loads and links.
fn network(counts: [u32; 3], loads: [f64; 3], firm: Level, links: &[Link]) -> Network {
    let area = |index: usize| {
        let (count, mttr) = (counts[index], 10.0 + 5.0 * index as f64);
        let named = [("gas", units(count, 5.0, mttr)), ("coal", units(count, 8.0, 2.0 * mttr))];
        let units = named.map(|(name, units)| (name.to_owned(), units)).into();
        Area { units, firm: firm.clone(), load: Load::Hourly(wave(loads[index], 8 * index)) }
    };
    let areas = (0..3).map(|index| (NAMES[index].to_owned(), area(index))).collect();
    let links = links.iter().enumerate().map(|(index, link)| (format!("l{index}"), link.clone()));
    Network {
        name: "three".to_owned(),
        description: String::new(),
        seed: 1,
        samples: 1,
        capacity_unit: None,
        areas,
        links: links.collect(),
    }
}

fn link(from: usize, to: usize, forward: f64, backward: f64, fails: bool) -> Link {
    let failures = fails.then(|| units(1, 0.0, 30.0).failures);
    let (from, to) = (NAMES[from].to_owned(), NAMES[to].to_owned());
    let (forward, backward) = (Level::Constant(forward), Level::Constant(backward));
    Link { from, to, forward, backward, failures }
}

/// By area and then of the whole: hours and load of the hours that are short, and what each hour
/// of each area misses.
type Told = (Vec<(usize, f64)>, Vec<Vec<(usize, f64)>>);

fn told(network: &Network, sample: u64) -> Told {
    let linked = LinkedAreas::new(network);
    let (mut draw, mut scan) = (AreaDraw::default(), linked.scan());
    linked.draw(StreamKey::inner(network.seed, 0, sample), &mut draw);
    let count = linked.areas();
    let (mut sums, mut hours) = (vec![(0, 0.0); count + 1], vec![Vec::new(); count]);
    linked.shortfalls(&draw, &linked.unchanged(), &mut scan, |hour, areas| {
        let all = areas.unserved().iter().copied().chain([areas.total()]);
        for (area, missing) in all.enumerate().filter(|(_, missing)| *missing > 0.0) {
            sums[area].0 += 1;
            sums[area].1 += missing;
            if area < count {
                hours[area].push((hour, missing));
            }
        }
    });
    (sums, hours)
}

/// The system of one area on the path for it.
fn alone(name: &str, area: &Area, prefix: &str, sample: u64) -> Vec<(usize, f64)> {
    let units = area.units.iter().map(|(unit, units)| (format!("{prefix}{unit}"), units.clone()));
    let system = System {
        name: name.to_owned(),
        description: String::new(),
        seed: 1,
        samples: 1,
        units: units.collect(),
        firm: area.firm.clone(),
        load: area.load.clone(),
    };
    let mut found = Vec::new();
    let key = StreamKey::inner(1, 0, sample);
    SingleArea::new(&system).shortfalls(key, &mut Changes::default(), |hour, missing| {
        found.push((hour, missing));
    });
    found
}

fn hourly(firm: bool) -> Level {
    match firm {
        true => Level::Hourly((0..HOURS).map(|hour| (hour % 5) as f64).collect()),
        false => Level::Constant(1.5),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn areas_without_links_are_single_areas_bit_for_bit(
        counts in [1_u32..4, 1_u32..4, 1_u32..4], loads in [8.0..40.0, 8.0..40.0, 8.0..40.0],
        moves in any::<bool>(), sample in 0_u64..1_000,
    ) {
        // A link of capacity 0 is none.
        for links in [vec![], vec![link(0, 1, 0.0, 0.0, false)]] {
            let network = network(counts, loads, hourly(moves), &links);
            let (sums, hours) = told(&network, sample);
            let mut all = 0.0;
            for (index, (name, area)) in network.areas.iter().enumerate() {
                let single = alone(name, area, &format!("{name}/"), sample);
                prop_assert!(single == hours[index], "area {name}");
                all += single.iter().map(|(_, missing)| missing).sum::<f64>();
            }
            prop_assert!((sums[3].1 - all).abs() < 1e-9);
            // One area of the same form.
            let mut one = network.clone();
            one.areas.retain(|name, _| name == "a");
            one.links = BTreeMap::new();
            let single = alone("a", &one.areas["a"], "", sample);
            prop_assert!(single == told(&one, sample).1[0]);
        }
    }

    #[test]
    fn more_link_capacity_never_raises_eue_or_lole(
        counts in [1_u32..4, 1_u32..4, 1_u32..4], loads in [8.0..40.0, 8.0..40.0, 8.0..40.0],
        limits in [0.0..10.0, 0.0..10.0, 0.0..10.0], more in [0.0..10.0, 0.0..10.0, 0.0..10.0],
        fails in any::<bool>(), moves in any::<bool>(), sample in 0_u64..1_000,
    ) {
        let with = |more: [f64; 3]| {
            let links = [
                link(0, 1, limits[0] + more[0], limits[1], fails),
                link(2, 1, limits[1], limits[2] + more[1], fails),
                link(0, 2, limits[2] + more[2], limits[0] + more[2], false),
            ];
            told(&network(counts, loads, hourly(moves), &links), sample).0[3]
        };
        let (none, some) = (with([0.0; 3]), with(more));
        prop_assert!(some.0 <= none.0 && some.1 <= none.1 + 1e-9, "{some:?} {none:?}");
    }

    #[test]
    fn unlimited_links_make_one_pool(
        counts in [1_u32..4, 1_u32..4, 1_u32..4], loads in [8.0..40.0, 8.0..40.0, 8.0..40.0],
        moves in any::<bool>(), sample in 0_u64..1_000,
    ) {
        let wide = [link(0, 1, 1e6, 1e6, false), link(1, 2, 1e6, 1e6, false)];
        let network = network(counts, loads, hourly(moves), &wide);
        let (linked, _) = told(&network, sample);
        let mut pool = Area {
            units: BTreeMap::new(),
            firm: Level::Hourly(vec![0.0; HOURS]),
            load: Load::Hourly(vec![0.0; HOURS]),
        };
        for (name, area) in &network.areas {
            let named = area.units.iter().map(|(unit, u)| (format!("{name}/{unit}"), u.clone()));
            pool.units.extend(named);
            let (Level::Hourly(firm), Load::Hourly(load)) = (&mut pool.firm, &mut pool.load) else {
                unreachable!("as made above")
            };
            for hour in 0..HOURS {
                firm[hour] += area.firm.at(hour);
                load[hour] += area.load.hours()[hour];
            }
        }
        let pooled = alone("pool", &pool, "", sample);
        let eue: f64 = pooled.iter().map(|(_, missing)| missing).sum();
        prop_assert_eq!(pooled.len(), linked[3].0);
        prop_assert!((eue - linked[3].1).abs() < 1e-6, "{eue} {linked:?}");
        // At the summed capacity the pool is short for fewer hours and misses less.
        let mut apart = network.clone();
        apart.links = BTreeMap::new();
        let (apart, _) = told(&apart, sample);
        let hours: usize = apart[..3].iter().map(|area| area.0).sum();
        let missing: f64 = apart[..3].iter().map(|area| area.1).sum();
        prop_assert!(linked[3].0 <= hours && linked[3].1 <= missing + 1e-9);
    }
}
