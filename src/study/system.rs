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
    /// Load that is not covered, capacity-hours.
    pub eue: Estimate,
    /// The same over all load, parts per million.
    pub neue_ppm: Estimate,
    /// Probability of loss of load in each hour of the period.
    pub lolp: Vec<f64>,
}

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
    let rows: Vec<&[f64; 3]> = blocks.iter().flat_map(|block| &block.rows).collect();
    let column = |index: usize, scale: f64| {
        let values: Vec<f64> = rows.iter().map(|row| row[index] * scale).collect();
        Estimate::of(&values)
    };
    let count = f64::from(samples);
    let short = |hour: usize| blocks.iter().map(|block| block.short[hour]).sum::<u64>() as f64;
    Some(SystemAdequacy {
        samples,
        hours,
        lole_hours: column(0, 1.0),
        lole_days: column(1, 1.0),
        eue: column(2, 1.0),
        neue_ppm: column(2, 1e6 / load.iter().sum::<f64>()),
        lolp: (0..hours).map(|hour| short(hour) / count).collect(),
    })
}

/// Sums over a block of samples.
struct Block {
    /// Samples short in each hour.
    short: Vec<u64>,
    /// Hours short, days short and unserved load of each sample.
    rows: Vec<[f64; 3]>,
}

impl Block {
    fn add(&mut self, area: &SingleArea, key: StreamKey, changes: &mut Changes, peaks: &[usize]) {
        let (mut hours, mut days, mut unserved) = (0.0, 0.0, 0.0);
        area.shortfalls(key, changes, |hour, missing| {
            self.short[hour] += 1;
            hours += 1.0;
            unserved += missing;
            if peaks[hour / 24] == hour {
                days += 1.0;
            }
        });
        self.rows.push([hours, days, unserved]);
    }
}
