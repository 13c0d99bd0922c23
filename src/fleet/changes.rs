//! When units of test systems go and come, hour by hour: drawn once for a sample, then read in
//! order of time. What that does to a load is in [`super::single_area`] and
//! [`super::linked_areas`].

use rand::rngs::ChaCha8Rng;

use super::state::ticks;
use super::world::Pool;
use crate::rng::{StreamKey, exponential, uniform};
use crate::supply::UnitLaw;

const HOUR_S: u64 = 3_600;
/// The end of a list of changes.
pub(super) const NONE: u32 = u32::MAX;
/// Rates of failure and repair in an hour beyond which the hours of a unit are independent: of the
/// state before, `exp(-14)` is left. Times between changes are whole seconds, too coarse then.
const FORGOTTEN: f64 = 14.0;

/// Changes of the units of a sample by the hour from which they count; working memory, to be used
/// again.
///
/// Times are continuous, in seconds; a change counts from the first hour that begins at it or after
/// it. Units that are repaired within some four minutes forget their state from one hour to the
/// next: those are drawn hour by hour.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// By change: the pool, its units that serve from then on, the change before it in its hour.
    pub(super) list: Vec<(u32, u32, u32)>,
    /// By hour: its last change.
    pub(super) last: Vec<u32>,
    /// A bit for each hour that has one.
    occupied: Vec<u64>,
    /// What each pool gives now.
    pub(super) usable: Vec<f64>,
}

impl Changes {
    /// Forgets the sample before.
    pub(super) fn begin(&mut self, hours: usize) {
        self.list.clear();
        self.usable.clear();
        self.last.resize(hours, NONE);
        self.occupied.clear();
        self.occupied.resize(hours.div_ceil(64), 0);
    }

    /// A pool has so many units that serve from an hour on. Pools come one after the other, each
    /// in the order of time.
    #[inline]
    fn note(&mut self, hour: usize, pool: u32, serving: u32) {
        let before = if self.occupied[hour / 64] >> (hour % 64) & 1 == 1 {
            let last = self.last[hour];
            let (of, units, _) = &mut self.list[last as usize];
            if *of == pool {
                *units = serving;
                return;
            }
            last
        } else {
            self.occupied[hour / 64] |= 1 << (hour % 64);
            NONE
        };
        self.last[hour] = self.list.len() as u32;
        self.list.push((pool, serving, before));
    }

    /// The first hour from `hour` on that has a change; `hours` where none has.
    #[inline]
    pub(super) fn next(&self, hour: usize, hours: usize) -> usize {
        let mut word = hour / 64;
        let Some(first) = self.occupied.get(word) else { return hours };
        let mut bits = first >> (hour % 64) << (hour % 64);
        while bits == 0 {
            word += 1;
            let Some(next) = self.occupied.get(word) else { return hours };
            bits = *next;
        }
        word * 64 + bits.trailing_zeros() as usize
    }

    /// Draws when units of a pool go and come over some hours; returns how many serve at first.
    #[inline]
    pub(super) fn draw(
        &mut self,
        (index, pool): (usize, &Pool),
        stream: &str,
        hours: usize,
        key: StreamKey,
    ) -> u32 {
        let total = pool.most;
        let UnitLaw::Whole { fail, repair } = pool.law else { return total };
        let mut random = key.stream(stream);
        let availability = pool.law.availability();
        if (fail + repair) * HOUR_S as f64 > FORGOTTEN {
            return self.draw_hourly((index, total), availability, hours, random);
        }
        let down = (0..total).filter(|_| uniform(&mut random) > availability).count() as u32;
        let (mut down, at_first, mut now) = (down, total - down, 0);
        loop {
            let failing = f64::from(total - down) * fail;
            let rate = failing + f64::from(down) * repair;
            if rate <= 0.0 {
                return at_first;
            }
            now += ticks(exponential(&mut random) / rate);
            let hour = now.div_ceil(HOUR_S) as usize;
            if hour >= hours {
                return at_first;
            }
            if uniform(&mut random) * rate < failing {
                down += 1
            } else {
                down -= 1
            }
            self.note(hour, index as u32, total - down);
        }
    }

    /// Draws every hour of units by itself.
    #[cold]
    fn draw_hourly(
        &mut self,
        (index, total): (usize, u32),
        availability: f64,
        hours: usize,
        mut random: ChaCha8Rng,
    ) -> u32 {
        let mut up = || (0..total).filter(|_| uniform(&mut random) <= availability).count() as u32;
        let at_first = up();
        let mut before = at_first;
        for hour in 1..hours {
            let serving = up();
            if serving != before {
                self.note(hour, index as u32, serving);
            }
            before = serving;
        }
        at_first
    }
}
