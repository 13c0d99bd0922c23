//! Loss of load of a reliability test system by sequential Monte Carlo on the fleet's single area.

use rayon::prelude::*;
use serde::Serialize;

use super::Watch;
use crate::fleet::{Changes, SingleArea};
use crate::rng::StreamKey;
use crate::scenario::System;
use crate::stats::Estimate;

/// Samples that one task simulates; fixed, so that sums do not depend on threads.
const BLOCK: u32 = 64;

/// Risk of a system over its period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SystemAdequacy {
    /// Samples of the whole period.
    pub samples: u32,
    /// Hours of the period.
    pub hours: usize,
    /// Hours of the period in which load is not covered: available < load.
    pub lole_hours: Estimate,
    /// Days of the period whose hour of largest load is not covered.
    pub lole_days: Estimate,
    /// Times that hours without cover begin (LOLEv): hours in a row are one event.
    pub lolev: Estimate,
    /// Load that is not covered, capacity-hours.
    pub eue: Estimate,
    /// The same over all load, parts per million.
    pub neue_ppm: Estimate,
    /// Load that is not covered in the worst twentieth of the samples (CVaR at 95 %),
    /// capacity-hours.
    pub cvar_95: Estimate,
    /// Hours of the longest event of a sample, 0 where it has none; and of the longest of all.
    pub longest: Estimate,
    /// The longest event of all samples, hours.
    pub longest_of_all: f64,
    /// Largest load that is not covered in an hour of a sample, 0 where all is.
    pub deepest: Estimate,
    /// The largest of all samples.
    pub deepest_of_all: f64,
    /// Probability of loss of load in each hour of the period.
    pub lolp: Vec<f64>,
}

/// Share of the samples in the tail of [`SystemAdequacy::cvar_95`].
const TAIL: f64 = 0.05;

/// Simulates a system `system.samples` times; `None` when `watch` stopped it.
pub fn assess_system(system: &System, watch: Watch<'_>) -> Option<SystemAdequacy> {
    let area = SingleArea::new(system);
    let (samples, seed) = (system.samples, system.seed);
    let load = area.load();
    let hours = load.len();
    let peaks: Vec<usize> = (0..hours.div_ceil(24))
        .map(|day| {
            let of_day = day * 24..((day + 1) * 24).min(hours);
            of_day.max_by(|a, b| load[*a].total_cmp(&load[*b]).then(b.cmp(a))).unwrap_or(0)
        })
        .collect();
    let count = samples.div_ceil(BLOCK);
    (watch.begun)(u64::from(count));
    let blocks: Option<Vec<Block>> = (0..count)
        .into_par_iter()
        .map(|block| {
            if watch.stopped() {
                return None;
            }
            let numbers = block * BLOCK..((block + 1) * BLOCK).min(samples);
            let mut sums = Block { short: vec![0; hours], rows: Vec::new() };
            let mut changes = Changes::default();
            for sample in numbers {
                let key = StreamKey::inner(seed, 0, u64::from(sample));
                sums.add(&area, key, &mut changes, &peaks);
            }
            (watch.done)();
            Some(sums)
        })
        .collect();
    let blocks = blocks?;
    let rows: Vec<&Year> = blocks.iter().flat_map(|block| &block.rows).collect();
    let values = |of: fn(&Year) -> f64| rows.iter().map(|row| of(row)).collect::<Vec<f64>>();
    let mean = |of: fn(&Year) -> f64| Estimate::of(&values(of));
    let largest = |of: fn(&Year) -> f64| values(of).into_iter().fold(0.0, f64::max);
    let all: f64 = load.iter().sum();
    let eue = mean(|year| year.unserved);
    let ppm = if all > 0.0 { 1e6 / all } else { 0.0 };
    let count = f64::from(samples);
    let short = |hour: usize| blocks.iter().map(|block| block.short[hour]).sum::<u64>() as f64;
    Some(SystemAdequacy {
        samples,
        hours,
        lole_hours: mean(|year| year.hours),
        lole_days: mean(|year| year.days),
        lolev: mean(|year| year.events),
        eue,
        neue_ppm: Estimate { mean: eue.mean * ppm, standard_error: eue.standard_error * ppm },
        cvar_95: Estimate::of_tail(&values(|year| year.unserved), TAIL),
        longest: mean(|year| year.longest),
        longest_of_all: largest(|year| year.longest),
        deepest: mean(|year| year.deepest),
        deepest_of_all: largest(|year| year.deepest),
        lolp: (0..hours).map(|hour| short(hour) / count).collect(),
    })
}

/// Sums over a block of samples.
struct Block {
    /// Samples short in each hour.
    short: Vec<u64>,
    rows: Vec<Year>,
}

/// What one sample has lost.
#[derive(Debug, Clone, Copy, Default)]
struct Year {
    hours: f64,
    days: f64,
    events: f64,
    unserved: f64,
    longest: f64,
    deepest: f64,
}

impl Block {
    fn add(&mut self, area: &SingleArea, key: StreamKey, changes: &mut Changes, peaks: &[usize]) {
        let mut year = Year::default();
        // The hour after the last one that was short, and how many were so in a row.
        let (mut next, mut run) = (usize::MAX, 0.0);
        area.shortfalls(key, changes, |hour, missing| {
            self.short[hour] += 1;
            year.hours += 1.0;
            year.unserved += missing;
            year.deepest = year.deepest.max(missing);
            if peaks[hour / 24] == hour {
                year.days += 1.0;
            }
            if hour != next {
                year.events += 1.0;
                run = 0.0;
            }
            (next, run) = (hour + 1, run + 1.0);
            year.longest = year.longest.max(run);
        });
        self.rows.push(year);
    }
}
