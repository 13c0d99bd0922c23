//! Shortfalls of areas with limited links: independent two-state and firm units in each area
//! against its hourly load, and links that may fail like a unit.
//!
//! Between two changes nothing moves, and an hour in which every area covers itself is never looked
//! at. With one area it is equal bit for bit to [`super::SingleArea`], without links to a sum of
//! those (tests hold it). Who helps whom in an hour is in [`super::mutual_help`]; means and errors
//! over samples are on the floor above.

use std::ops::Range;

use super::changes::{Changes, NONE};
use super::mutual_help::{AreaHour, Ends};
use super::single_area::{DAY, ROUNDING, missing};
use super::system::failure_law;
use super::world::{Pool, World};
use crate::rng::StreamKey;
use crate::scenario::{Level, Network, System};

/// A system of areas laid out for many samples.
#[derive(Debug, Clone)]
pub struct LinkedAreas {
    areas: Vec<AreaFacts>,
    ends: Vec<Ends>,
    /// By link: what it carries forward and backward while it is up, and the pool that says whether
    /// it is.
    links: Vec<(Level, Level, Option<usize>)>,
    /// Units and firm capacity of the areas one after the other, then links that fail.
    pools: Vec<Pool>,
    streams: Vec<String>,
    hours: usize,
    /// Whether any capacity changes from hour to hour.
    varies: bool,
}

#[derive(Debug, Clone)]
struct AreaFacts {
    /// Its pools; the last is the firm one.
    pools: Range<usize>,
    load: Vec<f64>,
    day_peaks: Vec<f64>,
    peak: f64,
}

/// What is changed in a system while its draws stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct AreaVariant {
    /// By area: firm capacity that is added in every hour. Where less than nothing would be left of
    /// it, the rest is load.
    pub more: Vec<f64>,
    /// Units of a group, or a link, that are not there.
    pub without: Option<AreaPart>,
}

/// A part of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AreaPart {
    /// All units of a group.
    Units {
        /// Number of the area.
        area: usize,
        /// Number of the group in it.
        group: usize,
    },
    /// A link.
    Link(usize),
}

/// What one sample draws.
#[derive(Debug, Clone, Default)]
pub struct AreaDraw {
    changes: Changes,
    /// By pool: units that serve at first.
    first: Vec<u32>,
}

/// Working memory of reading a sample.
#[derive(Debug, Clone)]
pub struct AreaScan {
    hour: AreaHour,
    serving: Vec<u32>,
    /// By pool: what it gives; 0 or 1 for a link.
    usable: Vec<f64>,
    /// By area: what it surely covers.
    covered: Vec<f64>,
    /// By area: load that takes the place of firm capacity below nothing.
    extra: Vec<f64>,
}

impl LinkedAreas {
    /// A system.
    #[must_use]
    pub fn new(network: &Network) -> Self {
        let several = network.areas.len() > 1;
        let (mut areas, mut pools, mut streams) = (Vec::new(), Vec::new(), Vec::new());
        for (name, area) in &network.areas {
            let world = World::of_system(&System {
                name: name.clone(),
                description: String::new(),
                seed: network.seed,
                samples: network.samples,
                units: area.units.clone(),
                firm: area.firm.clone(),
                load: area.load.clone(),
            });
            let stream = |pool: &Pool| match several {
                true => format!("failures/{name}/{}", pool.name),
                false => format!("failures/{}", pool.name),
            };
            streams.extend(world.pools.iter().map(stream));
            let first = pools.len();
            pools.extend(world.pools);
            let load = world.curves.into_iter().next().unwrap_or_default();
            let largest = |loads: &[f64]| loads.iter().copied().fold(0.0, f64::max);
            areas.push(AreaFacts {
                pools: first..pools.len(),
                day_peaks: load.chunks(DAY).map(largest).collect(),
                peak: largest(&load),
                load,
            });
        }
        let number = |area: &String| network.areas.keys().position(|name| name == area);
        let (mut ends, mut links) = (Vec::new(), Vec::new());
        for (name, link) in &network.links {
            let (Some(from), Some(to)) = (number(&link.from), number(&link.to)) else { continue };
            ends.push(Ends { from: from as u32, to: to as u32 });
            let pool = link.failures.as_ref().map(|failures| {
                streams.push(format!("links/{name}"));
                let unit = Level::Constant(1.0);
                pools.push(super::system::pool(name, &unit, 1, failure_law(failures)));
                pools.len() - 1
            });
            links.push((link.forward.clone(), link.backward.clone(), pool));
        }
        let hourly = |level: &Level| matches!(level, Level::Hourly(_));
        Self {
            hours: areas.first().map_or(0, |area| area.load.len()),
            varies: pools.iter().any(|pool| !pool.gpus_by_epoch.is_empty())
                || links.iter().any(|(forward, backward, _)| hourly(forward) || hourly(backward)),
            areas,
            ends,
            links,
            pools,
            streams,
        }
    }

    /// Number of areas, in the order of their names.
    #[must_use]
    pub fn areas(&self) -> usize {
        self.areas.len()
    }

    /// Number of links, in the order of their names.
    #[must_use]
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// Hours of the period.
    #[must_use]
    pub fn hours(&self) -> usize {
        self.hours
    }

    /// Load of each hour of an area.
    #[must_use]
    pub fn load(&self, area: usize) -> &[f64] {
        &self.areas[area].load
    }

    /// The system as it is.
    #[must_use]
    pub fn unchanged(&self) -> AreaVariant {
        AreaVariant { more: vec![0.0; self.areas.len()], without: None }
    }

    /// Memory to read samples with.
    #[must_use]
    pub fn scan(&self) -> AreaScan {
        let areas = self.areas.len();
        AreaScan {
            hour: AreaHour::new(areas, self.links.len()),
            serving: Vec::with_capacity(self.pools.len()),
            usable: vec![0.0; self.pools.len()],
            covered: vec![0.0; areas],
            extra: vec![0.0; areas],
        }
    }

    /// Draws one sample.
    pub fn draw(&self, key: StreamKey, draw: &mut AreaDraw) {
        draw.changes.begin(self.hours);
        draw.first.clear();
        for (index, (pool, stream)) in self.pools.iter().zip(&self.streams).enumerate() {
            draw.first.push(draw.changes.draw((index, pool), stream, self.hours, key));
        }
    }

    /// Tells the hours of a sample in which an area does not cover itself, in their order, after
    /// the others have helped.
    pub fn shortfalls(
        &self,
        draw: &AreaDraw,
        variant: &AreaVariant,
        scan: &mut AreaScan,
        mut found: impl FnMut(usize, &AreaHour),
    ) {
        scan.serving.clear();
        scan.serving.extend(&draw.first);
        let away = self.away(variant);
        let mut hour = 0;
        self.fill(0..self.areas.len(), hour, variant, away, scan);
        // Links that never fail have no pool; those that do give 0 or 1.
        for pool in self.areas.last().map_or(0, |area| area.pools.end)..self.pools.len() {
            scan.usable[pool] = f64::from(scan.serving[pool]);
        }
        while hour < self.hours {
            let until = draw.changes.next(hour + 1, self.hours);
            if self.varies {
                for hour in hour..until {
                    self.fill(0..self.areas.len(), hour, variant, away, scan);
                    self.look(hour..hour + 1, variant, scan, &mut found);
                }
            } else {
                self.look(hour..until, variant, scan, &mut found);
            }
            let mut change = draw.changes.last.get(until).copied().unwrap_or(NONE);
            while change != NONE {
                let (pool, units, before) = draw.changes.list[change as usize];
                scan.serving[pool as usize] = units;
                let of = |facts: &AreaFacts| facts.pools.contains(&(pool as usize));
                match self.areas.iter().position(of) {
                    Some(area) => self.fill(area..area + 1, until, variant, away, scan),
                    None => scan.usable[pool as usize] = f64::from(units),
                }
                change = before;
            }
            hour = until;
        }
    }

    /// The pool that a variant goes without.
    fn away(&self, variant: &AreaVariant) -> Option<usize> {
        match variant.without? {
            AreaPart::Units { area, group } => Some(self.areas[area].pools.start + group),
            AreaPart::Link(_) => None,
        }
    }

    /// Works out what areas have in an hour.
    fn fill(
        &self,
        areas: Range<usize>,
        hour: usize,
        variant: &AreaVariant,
        away: Option<usize>,
        scan: &mut AreaScan,
    ) {
        for area in areas {
            let range = self.areas[area].pools.clone();
            for pool in range.clone() {
                let facts = &self.pools[pool];
                let hourly = facts.gpus_by_epoch.get(hour).copied();
                let capacity = hourly.unwrap_or(facts.gpus_per_unit);
                let units = if away == Some(pool) { 0 } else { scan.serving[pool] };
                scan.usable[pool] = f64::from(units) * capacity;
            }
            let firm = &mut scan.usable[range.end - 1];
            *firm += variant.more[area];
            scan.extra[area] = (-*firm).max(0.0);
            *firm = firm.max(0.0);
            let sum = scan.usable[range].iter().sum::<f64>();
            scan.covered[area] = sum * (1.0 - ROUNDING) - scan.extra[area];
        }
    }

    /// The hours of a range, in which nothing changes, that some area does not cover.
    fn look(
        &self,
        hours: Range<usize>,
        variant: &AreaVariant,
        scan: &mut AreaScan,
        found: &mut impl FnMut(usize, &AreaHour),
    ) {
        let areas = || self.areas.iter().enumerate();
        if areas().all(|(index, area)| area.peak <= scan.covered[index]) {
            return;
        }
        for day in hours.start / DAY..hours.end.div_ceil(DAY) {
            if areas().all(|(index, area)| area.day_peaks[day] <= scan.covered[index]) {
                continue;
            }
            for hour in hours.start.max(day * DAY)..hours.end.min((day + 1) * DAY) {
                if areas().any(|(index, area)| area.load[hour] > scan.covered[index])
                    && self.short(hour, variant, scan)
                {
                    found(hour, &scan.hour);
                }
            }
        }
    }

    /// Serves an hour; whether any area did not cover itself.
    fn short(&self, hour: usize, variant: &AreaVariant, scan: &mut AreaScan) -> bool {
        let mut any = false;
        for (index, area) in self.areas.iter().enumerate() {
            let load = area.load[hour] + scan.extra[index];
            let usable = &scan.usable[area.pools.clone()];
            let left = if load > scan.covered[index] { missing(load, usable) } else { 0.0 };
            scan.hour.load[index] = load;
            scan.hour.unserved[index] = left;
            any |= left > 0.0;
        }
        if !any {
            return false;
        }
        for (index, area) in self.areas.iter().enumerate() {
            let whole = scan.usable[area.pools.clone()].iter().sum::<f64>();
            let spare = whole - scan.hour.load[index];
            // What rounding leaves of a sum is nothing to spare.
            let spares = scan.hour.unserved[index] == 0.0 && spare > whole * 1e-12;
            scan.hour.surplus[index] = if spares { spare } else { 0.0 };
        }
        for (index, (forward, backward, pool)) in self.links.iter().enumerate() {
            let gone = variant.without == Some(AreaPart::Link(index));
            let up = if gone { 0.0 } else { pool.map_or(1.0, |pool| scan.usable[pool]) };
            scan.hour.limits[index] = [up * forward.at(hour), up * backward.at(hour)];
        }
        scan.hour.serve(&self.ends);
        true
    }
}
