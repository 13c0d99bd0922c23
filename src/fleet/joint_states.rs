//! Exact risk of areas with limited links: every joint state of what the areas have and of the
//! links that may fail, against the loads of an hour. Nothing is drawn. The law of one area comes
//! from [`super::convolution`], who helps whom from [`super::mutual_help`].

use super::convolution::{Available, MOST_KEPT, SAME, available};
use super::mutual_help::{AreaHour, Ends};
use crate::scenario::{Level, Network};

/// Joint states that an hour may have at most.
pub const MOST_JOINT_STATES: f64 = (1_u64 << 20) as f64;
/// Joint states of all hours that may be looked at, hours of equal loads counted once.
pub const MOST_JOINT_WORK: f64 = (1_u64 << 29) as f64;

/// Probability that an hour is short, and what is missing in the mean.
pub type HourRisk = (f64, f64);

/// A system of areas whose laws are worked out.
#[derive(Debug, Clone)]
pub struct JointStates {
    /// By area, the law of each hour or one for all.
    laws: Vec<Vec<Available>>,
    loads: Vec<Vec<f64>>,
    ends: Vec<Ends>,
    /// By link: what it carries forward and backward, and how often it is down.
    links: Vec<(Level, Level, f64)>,
    /// Links that are sometimes down and sometimes up.
    failing: Vec<usize>,
    /// For each hour, the first hour that has the same loads and capacities.
    same_as: Vec<usize>,
}

/// Working memory of an hour.
#[derive(Debug, Clone)]
pub struct JointScan {
    hour: AreaHour,
    loads: Vec<f64>,
    at: Vec<usize>,
    /// By area, the states that are looked at: the first and the one after the last.
    states: Vec<(usize, usize)>,
    /// By area and then of the whole.
    risks: Vec<HourRisk>,
}

impl JointStates {
    /// Works out what each area has. `None` where that is more than
    /// [`super::MOST_CAPACITIES`] in an area or [`MOST_JOINT_STATES`] and [`MOST_JOINT_WORK`] in
    /// all.
    #[must_use]
    pub fn new(network: &Network) -> Option<Self> {
        let hourly = |level: &Level| matches!(level, Level::Hourly(_));
        let loads: Vec<Vec<f64>> = network.areas.values().map(|area| area.load.hours()).collect();
        let hours = loads.first().map_or(0, Vec::len);
        let (mut laws, mut kept) = (Vec::new(), 0);
        let mut moves = false;
        for area in network.areas.values() {
            let moving =
                hourly(&area.firm) || area.units.values().any(|units| hourly(&units.capacity));
            moves |= moving;
            let mut of_area = Vec::new();
            for hour in 0..if moving { hours } else { 1 } {
                let law = available(&area.units, &area.firm, hour)?;
                kept += law.capacities.len();
                if kept > MOST_KEPT {
                    return None;
                }
                of_area.push(law);
            }
            laws.push(of_area);
        }
        let number = |area: &String| network.areas.keys().position(|name| name == area);
        let (mut ends, mut links) = (Vec::new(), Vec::new());
        for link in network.links.values() {
            let (Some(from), Some(to)) = (number(&link.from), number(&link.to)) else { continue };
            ends.push(Ends { from: from as u32, to: to as u32 });
            let down = link.failures.as_ref().map_or(0.0, |law| law.unavailability());
            moves |= hourly(&link.forward) || hourly(&link.backward);
            links.push((link.forward.clone(), link.backward.clone(), down));
        }
        let some = |link: &usize| links[*link].2 > 0.0 && links[*link].2 < 1.0;
        let failing: Vec<usize> = (0..links.len()).filter(some).collect();
        let same_as = if moves { (0..hours).collect() } else { equal_hours(&loads) };
        let joint = Self { laws, loads, ends, links, failing, same_as };
        let most = (0..hours).map(|hour| joint.states(hour)).fold(0.0, f64::max);
        (most <= MOST_JOINT_STATES && joint.work() <= MOST_JOINT_WORK).then_some(joint)
    }

    /// Joint states of an hour.
    fn states(&self, hour: usize) -> f64 {
        let areas = (0..self.laws.len()).map(|area| self.law(area, hour).capacities.len() as f64);
        areas.product::<f64>() * libm::exp2(self.failing.len() as f64)
    }

    /// Joint states of all hours, equal ones counted once: what one answer costs.
    #[must_use]
    pub fn work(&self) -> f64 {
        self.distinct().map(|hour| self.states(hour)).sum()
    }

    /// Hours no two of which are equal.
    pub fn distinct(&self) -> impl Iterator<Item = usize> {
        self.same_as.iter().enumerate().filter(|(hour, same)| hour == *same).map(|(hour, _)| hour)
    }

    /// For each hour, the first one that is equal.
    #[must_use]
    pub fn same_as(&self) -> &[usize] {
        &self.same_as
    }

    /// Load of each hour of an area.
    #[must_use]
    pub fn load(&self, area: usize) -> &[f64] {
        &self.loads[area]
    }

    /// Number of areas, in the order of their names.
    #[must_use]
    pub fn areas(&self) -> usize {
        self.loads.len()
    }

    fn law(&self, area: usize, hour: usize) -> &Available {
        let laws = &self.laws[area];
        if laws.len() == 1 { &laws[0] } else { &laws[hour] }
    }

    /// Memory to look at hours with.
    #[must_use]
    pub fn scan(&self) -> JointScan {
        let areas = self.areas();
        JointScan {
            hour: AreaHour::new(areas, self.links.len()),
            loads: vec![0.0; areas],
            at: vec![0; areas],
            states: vec![(0, 0); areas],
            risks: vec![(0.0, 0.0); areas + 1],
        }
    }

    /// Risks of the areas in an hour and then of the whole, with so much more firm capacity in each
    /// area (load where it is negative).
    pub fn hour<'s>(&self, hour: usize, more: &[f64], scan: &'s mut JointScan) -> &'s [HourRisk] {
        scan.risks.fill((0.0, 0.0));
        for (load, (loads, more)) in scan.loads.iter_mut().zip(self.loads.iter().zip(more)) {
            *load = loads[hour] - more;
        }
        // States in which area `first` is the first that does not cover itself: states in which all
        // do are never looked at.
        for first in 0..self.areas() {
            for area in 0..self.areas() {
                let capacities = &self.law(area, hour).capacities;
                let load = scan.loads[area];
                let short = capacities.partition_point(|capacity| is_short(load, *capacity));
                scan.states[area] = match area.cmp(&first) {
                    std::cmp::Ordering::Less => (short, capacities.len()),
                    std::cmp::Ordering::Equal => (0, short),
                    std::cmp::Ordering::Greater => (0, capacities.len()),
                };
                scan.at[area] = scan.states[area].0;
            }
            if scan.states.iter().all(|(begin, end)| begin < end) {
                while {
                    self.state(hour, scan);
                    next(&mut scan.at, &scan.states)
                } {}
            }
        }
        &scan.risks
    }

    /// One state of the areas, with all states of the links.
    fn state(&self, hour: usize, scan: &mut JointScan) {
        let mut probability = 1.0;
        let mut spare = false;
        for (area, at) in scan.at.iter().enumerate() {
            let law = self.law(area, hour);
            probability *= law.probabilities[*at];
            spare |= !is_short(scan.loads[area], law.capacities[*at]);
        }
        let failing = if spare { self.failing.len() } else { 0 };
        for down in 0..1_usize << failing {
            let mut likely = probability;
            for (index, (forward, backward, unavailable)) in self.links.iter().enumerate() {
                let up = if *unavailable < 1.0 { 1.0 } else { 0.0 };
                scan.hour.limits[index] = [up * forward.at(hour), up * backward.at(hour)];
            }
            for (bit, link) in self.failing[..failing].iter().enumerate() {
                let unavailable = self.links[*link].2;
                if down >> bit & 1 == 1 {
                    likely *= unavailable;
                    scan.hour.limits[*link] = [0.0, 0.0];
                } else {
                    likely *= 1.0 - unavailable;
                }
            }
            self.serve(hour, likely, spare, scan);
        }
    }

    fn serve(&self, hour: usize, likely: f64, spare: bool, scan: &mut JointScan) {
        for area in 0..self.areas() {
            let (load, capacity) =
                (scan.loads[area], self.law(area, hour).capacities[scan.at[area]]);
            let short = is_short(load, capacity);
            scan.hour.load[area] = load.abs();
            scan.hour.unserved[area] = if short { load - capacity } else { 0.0 };
            let left = capacity - load;
            let spares = !short && left > capacity.max(load.abs()) * SAME;
            scan.hour.surplus[area] = if spares { left } else { 0.0 };
        }
        if spare {
            scan.hour.serve(&self.ends);
        }
        let mut total = 0.0;
        for (risk, unserved) in scan.risks.iter_mut().zip(scan.hour.unserved()) {
            if *unserved > 0.0 {
                *risk = (risk.0 + likely, risk.1 + likely * unserved);
                total += unserved;
            }
        }
        if let Some(risk) = scan.risks.last_mut()
            && total > 0.0
        {
            *risk = (risk.0 + likely, risk.1 + likely * total);
        }
    }
}

/// Whether a capacity does not cover a load; equal is no loss.
fn is_short(load: f64, capacity: f64) -> bool {
    load - capacity > load * SAME
}

/// The next state; whether there is one.
fn next(at: &mut [usize], states: &[(usize, usize)]) -> bool {
    for (at, (begin, end)) in at.iter_mut().zip(states) {
        *at += 1;
        if *at < *end {
            return true;
        }
        *at = *begin;
    }
    false
}

/// For each hour, the first hour whose loads are the same in every area.
fn equal_hours(loads: &[Vec<f64>]) -> Vec<usize> {
    let mut first = std::collections::BTreeMap::new();
    let hours = 0..loads.first().map_or(0, Vec::len);
    hours
        .map(|hour| {
            let key: Vec<u64> = loads.iter().map(|load| load[hour].to_bits()).collect();
            *first.entry(key).or_insert(hour)
        })
        .collect()
}
