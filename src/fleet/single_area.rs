//! Shortfalls of one area: independent two-state and firm units against an hourly load.
//!
//! The path that reliability test systems take. Between two changes of a unit the capacity stands
//! still, so that most hours are never looked at. Equal bit for bit to [`super::simulate`] on
//! [`World::of_system`] (a test holds it): the same streams, the same seconds, the same order of
//! subtraction, but for units that change many times in an hour (see [`Changes`]). Sites,
//! contracts, borrowing and deferrable work are in the general loop alone.

use super::changes::{Changes, NONE};
use super::world::World;
use crate::rng::StreamKey;
use crate::scenario::System;

/// Hours whose largest load is kept.
pub(super) const DAY: usize = 24;
/// A capacity may be this share larger than what the hour's own order of subtraction finds of it:
/// far beyond the rounding of some thousand terms.
pub(super) const ROUNDING: f64 = 1e-9;

/// A test system laid out for many samples.
#[derive(Debug, Clone)]
pub struct SingleArea {
    world: World,
    /// Names of the streams of the pools' failures.
    streams: Vec<String>,
    /// Pools whose capacity of a unit changes from hour to hour.
    varying: Vec<usize>,
    day_peaks: Vec<f64>,
    peak: f64,
}

impl SingleArea {
    /// A system.
    #[must_use]
    pub fn new(system: &System) -> Self {
        let world = World::of_system(system);
        let largest = |loads: &[f64]| loads.iter().copied().fold(0.0, f64::max);
        let load = &world.curves[0];
        let pools = world.pools.iter().enumerate();
        Self {
            streams: world.pools.iter().map(|pool| format!("failures/{}", pool.name)).collect(),
            varying: pools
                .filter(|(_, pool)| !pool.gpus_by_epoch.is_empty())
                .map(|(index, _)| index)
                .collect(),
            day_peaks: load.chunks(DAY).map(largest).collect(),
            peak: largest(load),
            world,
        }
    }

    /// Load of each hour.
    #[must_use]
    pub fn load(&self) -> &[f64] {
        &self.world.curves[0]
    }

    /// Tells the hours of one sample in which the load is not covered, in their order, and what is
    /// missing.
    pub fn shortfalls(
        &self,
        key: StreamKey,
        changes: &mut Changes,
        mut found: impl FnMut(usize, f64),
    ) {
        let hours = self.load().len();
        changes.begin(hours);
        let mut serving = Vec::new();
        for (index, pool) in self.world.pools.iter().enumerate() {
            let first = changes.draw((index, pool), &self.streams[index], hours, key);
            serving.push(first);
        }
        let pools = self.world.pools.iter().zip(&serving);
        changes.usable.extend(pools.map(|(pool, units)| f64::from(*units) * pool.gpus_per_unit));
        let mut hour = 0;
        while hour < hours {
            let until = changes.next(hour + 1, hours);
            if self.varying.is_empty() {
                self.look(hour..until, &changes.usable, &mut found);
            } else {
                for hour in hour..until {
                    for &pool in &self.varying {
                        let capacity = self.world.pools[pool].gpus_by_epoch[hour];
                        changes.usable[pool] = f64::from(serving[pool]) * capacity;
                    }
                    self.look(hour..hour + 1, &changes.usable, &mut found);
                }
            }
            let mut change = changes.last.get(until).copied().unwrap_or(NONE);
            while change != NONE {
                let (pool, units, before) = changes.list[change as usize];
                serving[pool as usize] = units;
                let capacity = self.world.pools[pool as usize].gpus_per_unit;
                changes.usable[pool as usize] = f64::from(units) * capacity;
                change = before;
            }
            hour = until;
        }
    }

    /// The hours of a range, in which no unit changes, that are not covered.
    #[inline]
    fn look(
        &self,
        hours: std::ops::Range<usize>,
        usable: &[f64],
        found: &mut impl FnMut(usize, f64),
    ) {
        let covered = usable.iter().sum::<f64>() * (1.0 - ROUNDING);
        if self.peak <= covered {
            return;
        }
        for day in hours.start / DAY..hours.end.div_ceil(DAY) {
            if self.day_peaks[day] <= covered {
                continue;
            }
            for hour in hours.start.max(day * DAY)..hours.end.min((day + 1) * DAY) {
                let load = self.load()[hour];
                if load > covered {
                    let missing = missing(load, usable);
                    if missing > 0.0 {
                        found(hour, missing);
                    }
                }
            }
        }
    }
}

/// What pools leave of a load, one after the other, as the general loop serves it.
pub(super) fn missing(load: f64, usable: &[f64]) -> f64 {
    // What rounding leaves of a sum that is exactly covered: equal is no loss.
    let sliver = load * 1e-12;
    let mut left = load;
    for capacity in usable {
        if *capacity >= left {
            return 0.0;
        }
        left -= capacity;
        if left <= sliver {
            return 0.0;
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fleet::simulate;
    use crate::scenario::{Level, Load, UnitFailures, Units};
    use crate::units::Seconds;

    /// The general loop and this one on some samples, hour by hour.
    fn agree(system: &System, samples: u64) -> usize {
        let (area, world) = (SingleArea::new(system), World::of_system(system));
        let (mut changes, mut all) = (Changes::default(), 0);
        for sample in 0..samples {
            let key = StreamKey::inner(system.seed, 0, sample);
            let mut found = Vec::new();
            area.shortfalls(key, &mut changes, |hour, missing| found.push((hour, missing)));
            let margins = simulate(&world, key).residuals.own;
            let short = margins.iter().enumerate().filter(|(_, margin)| **margin > 0.0);
            let short: Vec<(usize, f64)> = short.map(|(hour, margin)| (hour, *margin)).collect();
            assert!(found == short, "{} sample {sample}: {found:?} {short:?}", system.name);
            all += found.len();
        }
        all
    }

    #[test]
    fn every_shipped_system_is_as_in_the_general_loop() {
        for name in ["rbts", "rts79", "rack_test", "hourly_a", "hourly_b"] {
            let path = format!("{}/configs/systems/{name}.ron", env!("CARGO_MANIFEST_DIR"));
            let system = System::load(path).unwrap_or_else(|error| panic!("{error}"));
            assert!(agree(&system, 300) > 0, "{name} is never short");
        }
    }

    /// Units that come and go many times in an hour, several pools, capacities by the hour, a load
    /// that equals the capacity, a system of no units, and one of a single hour.
    #[test]
    fn odd_systems_are_as_in_the_general_loop() {
        let unit = |capacity, count, mtbf, mttr| Units {
            capacity,
            count,
            failures: UnitFailures::Times { mtbf: Seconds(mtbf), mttr: Seconds(mttr) },
        };
        let wave = |hours: usize, low: f64| -> Vec<f64> {
            (0..hours).map(|hour| low + (hour * 7 % 24) as f64 / 3.0).collect()
        };
        let quick = unit(Level::Constant(0.7), 9, 1_800.0, 600.0);
        let slow = unit(Level::Constant(3.0), 4, 9e5, 2e5);
        let hourly = unit(Level::Hourly(wave(200, 0.5)), 2, 4e4, 2e4);
        let dead = unit(Level::Constant(5.0), 1, 1.0, 1e12);
        let named = |units: &[(&str, &Units)]| -> BTreeMap<String, Units> {
            units.iter().map(|(name, units)| ((*name).to_owned(), (*units).clone())).collect()
        };
        let of = |units, firm, load| System {
            name: "odd".to_owned(),
            description: String::new(),
            seed: 7,
            samples: 1,
            units,
            firm,
            load: Load::Hourly(load),
        };
        let firm = Level::Constant(0.1);
        let cases = [
            of(named(&[("a", &quick), ("b", &slow)]), firm.clone(), wave(200, 8.0)),
            of(
                named(&[("b", &slow), ("c", &hourly)]),
                Level::Hourly(wave(200, 0.0)),
                wave(200, 9.0),
            ),
            of(named(&[("b", &slow)]), firm.clone(), vec![12.1; 77]),
            of(named(&[("d", &dead)]), firm.clone(), wave(200, 1.0)),
            of(BTreeMap::new(), firm.clone(), wave(25, 0.0)),
            of(named(&[("b", &slow)]), firm, vec![12.0]),
        ];
        let short: Vec<usize> = cases.iter().map(|system| agree(system, 40)).collect();
        assert!(short[..5].iter().all(|hours| *hours > 0), "{short:?}");
    }
}
