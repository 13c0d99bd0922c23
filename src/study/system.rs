//! Loss of load of a reliability test system by sequential Monte Carlo: one area on the fleet's
//! path for it, several on that of linked areas. Means and errors are those of [`super::loss`].

use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;
use serde::Serialize;

use super::Watch;
use super::loss::{LossTally, Period, SystemAdequacy};
use crate::fleet::{AreaDraw, AreaHour, Changes, LinkedAreas, SingleArea};
use crate::rng::StreamKey;
use crate::scenario::{Network, System};
use crate::stats::Estimate;

/// Samples that one task simulates; fixed, so that sums do not depend on threads.
const BLOCK: u32 = 64;
/// Blocks whose sums are held at a time.
const WAVE: u32 = 64;

/// How a link was used over a period.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LinkUse {
    /// What flows forward less what flows backward, in the mean over all hours.
    pub flow: Estimate,
    /// What flows in the direction of the flow, over what the link could carry then, in the mean
    /// over all hours; 0 in an hour without flow.
    pub utilisation: Estimate,
    /// Hours of the period with a flow.
    pub hours_used: Estimate,
    /// Hours of the period in which it carries all that it can.
    pub hours_full: Estimate,
}

/// Risk of a system of one or several areas over its period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkAdequacy {
    /// The system: short where any area is; unserved is the sum; its days are those of the largest
    /// sum of loads.
    #[serde(flatten)]
    pub system: SystemAdequacy,
    /// Its areas by name; none where there is but one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub areas: BTreeMap<String, SystemAdequacy>,
    /// Its links by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, LinkUse>,
}

/// Simulates a system of one area `system.samples` times; `None` when `watch` stopped it.
pub fn assess_system(system: &System, watch: Watch<'_>) -> Option<SystemAdequacy> {
    let area = SingleArea::new(system);
    let period = Period::of(area.load());
    let begin = || (LossTally::of(&period), Changes::default());
    let sample = |(tally, changes): &mut (LossTally, Changes), number| {
        let key = StreamKey::inner(system.seed, 0, u64::from(number));
        area.shortfalls(key, changes, |hour, missing| tally.add(hour, missing, &period));
        tally.end_sample(&period);
    };
    let mut all = LossTally::of(&period);
    in_blocks(system.samples, watch, begin, sample, |(tally, _)| all.merge(tally))?;
    Some(all.adequacy(&period))
}

/// Simulates a system of any number of areas `network.samples` times; `None` when `watch` stopped
/// it. One area is simulated as by [`assess_system`].
pub fn assess_network(network: &Network, watch: Watch<'_>) -> Option<NetworkAdequacy> {
    if let Some(system) = network.single() {
        let system = assess_system(&system, watch)?;
        return Some(NetworkAdequacy { system, areas: BTreeMap::new(), links: BTreeMap::new() });
    }
    let linked = LinkedAreas::new(network);
    let periods = periods(&linked);
    let unchanged = linked.unchanged();
    let begin = || (NetworkTally::of(&periods, linked.links()), AreaDraw::default(), linked.scan());
    let sample = |state: &mut (NetworkTally, AreaDraw, _), number| {
        let (tally, draw, scan) = state;
        linked.draw(StreamKey::inner(network.seed, 0, u64::from(number)), draw);
        linked.shortfalls(draw, &unchanged, scan, |hour, areas| tally.add(hour, areas, &periods));
        tally.end_sample(&periods);
    };
    let mut all = NetworkTally::of(&periods, linked.links());
    in_blocks(network.samples, watch, begin, sample, |(tally, _, _)| all.merge(tally))?;
    let (system, areas) = all.losses.split_last()?;
    let areas = network.areas.keys().zip(areas).zip(&periods);
    let areas = areas.map(|((name, tally), period)| (name.clone(), tally.adequacy(period)));
    let links = network.links.keys().enumerate();
    Some(NetworkAdequacy {
        system: system.adequacy(periods.last()?),
        areas: areas.collect(),
        links: links.map(|(index, name)| (name.clone(), all.link_use(index, &periods))).collect(),
    })
}

/// The periods of the areas, then that of the sum of their loads.
pub(super) fn periods(linked: &LinkedAreas) -> Vec<Period> {
    let areas = 0..linked.areas();
    let sum = |hour| areas.clone().map(|area| linked.load(area)[hour]).sum();
    let total: Vec<f64> = (0..linked.hours()).map(sum).collect();
    let of_areas = areas.clone().map(|area| Period::of(linked.load(area)));
    of_areas.chain([Period::of(&total)]).collect()
}

/// Runs samples in blocks of fixed size, many at a time, and hands each block on in its order.
/// `None` when `watch` stopped it.
pub(super) fn in_blocks<T: Send>(
    samples: u32,
    watch: Watch<'_>,
    begin: impl Fn() -> T + Sync,
    sample: impl Fn(&mut T, u32) + Sync,
    mut merge: impl FnMut(T),
) -> Option<()> {
    let count = samples.div_ceil(BLOCK);
    (watch.begun)(u64::from(count));
    for wave in 0..count.div_ceil(WAVE) {
        let blocks: Range<u32> = wave * WAVE..((wave + 1) * WAVE).min(count);
        let blocks: Option<Vec<T>> = blocks
            .into_par_iter()
            .map(|block| {
                let mut sums = begin();
                for number in block * BLOCK..(block + 1).saturating_mul(BLOCK).min(samples) {
                    if watch.stopped() {
                        return None;
                    }
                    sample(&mut sums, number);
                }
                (watch.done)();
                Some(sums)
            })
            .collect();
        blocks?.into_iter().for_each(&mut merge);
    }
    Some(())
}

/// What links carry in one sample: sum of flows, sum of shares, hours with a flow, hours full.
type Carried = [f64; 4];

/// Sums over some samples of a system of areas.
struct NetworkTally {
    /// By area, then of the whole.
    losses: Vec<LossTally>,
    /// By link, by sample.
    links: Vec<Vec<Carried>>,
    /// By link, of the present sample.
    now: Vec<Carried>,
}

impl NetworkTally {
    fn of(periods: &[Period], links: usize) -> Self {
        Self {
            losses: periods.iter().map(LossTally::of).collect(),
            links: vec![Vec::new(); links],
            now: vec![Carried::default(); links],
        }
    }

    /// An hour in which some area did not cover itself.
    fn add(&mut self, hour: usize, areas: &AreaHour, periods: &[Period]) {
        let mut total = 0.0;
        for (area, unserved) in areas.unserved().iter().enumerate() {
            if *unserved > 0.0 {
                self.losses[area].add(hour, *unserved, &periods[area]);
                total += unserved;
            }
        }
        let last = periods.len() - 1;
        if total > 0.0 {
            self.losses[last].add(hour, total, &periods[last]);
        }
        for (link, (now, flow)) in self.now.iter_mut().zip(areas.flows()).enumerate() {
            if *flow != 0.0 {
                let (much, limit) = (flow.abs(), areas.limit(link));
                now[0] += flow;
                now[1] += much / limit;
                now[2] += 1.0;
                now[3] += if much >= limit * (1.0 - 1e-12) { 1.0 } else { 0.0 };
            }
        }
    }

    fn end_sample(&mut self, periods: &[Period]) {
        for (losses, period) in self.losses.iter_mut().zip(periods) {
            losses.end_sample(period);
        }
        for (samples, now) in self.links.iter_mut().zip(&mut self.now) {
            samples.push(std::mem::take(now));
        }
    }

    fn merge(&mut self, later: Self) {
        for (mine, theirs) in self.losses.iter_mut().zip(later.losses) {
            mine.merge(theirs);
        }
        for (mine, theirs) in self.links.iter_mut().zip(later.links) {
            mine.extend(theirs);
        }
    }

    fn link_use(&self, link: usize, periods: &[Period]) -> LinkUse {
        let hours = periods.first().map_or(1, Period::hours).max(1) as f64;
        let mean = |part: usize, over: f64| {
            let values: Vec<f64> = self.links[link].iter().map(|now| now[part] / over).collect();
            Estimate::of(&values)
        };
        LinkUse {
            flow: mean(0, hours),
            utilisation: mean(1, hours),
            hours_used: mean(2, 1.0),
            hours_full: mean(3, 1.0),
        }
    }
}
