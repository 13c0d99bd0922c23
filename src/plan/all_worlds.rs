//! The reading over all worlds at once: the block for which the LOLE expected over worlds meets
//! the criterion, with a bootstrap interval, and whether it rests on a single world.

use super::need::order_statistic;
use super::result::AllWorlds;
use super::world_year::MOST_KEPT;
use crate::rng::{StreamKey, uniform};

/// Resamples of the worlds.
const RESAMPLES: usize = 100;

/// Reads the block from each world's largest margins; `allowed` epochs over all worlds and inner
/// samples may be short.
pub(super) fn all_worlds(tails: &[&Vec<f64>], allowed: usize, key: StreamKey) -> AllWorlds {
    let mut scratch = Vec::new();
    let mut block = |worlds: &[usize]| {
        scratch.clear();
        for world in worlds {
            scratch.extend_from_slice(tails[*world]);
        }
        order_statistic(&mut scratch, allowed).max(0.0)
    };
    let everyone: Vec<usize> = (0..tails.len()).collect();
    let gpus = block(&everyone);
    let mut random = key.stream("bootstrap");
    let mut resampled: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let count = tails.len();
            let pick = |_| (uniform(&mut random) * count as f64) as usize;
            let worlds: Vec<usize> = (0..count).map(pick).collect();
            block(&worlds)
        })
        .collect();
    resampled.sort_by(f64::total_cmp);
    let short = |tail: &Vec<f64>| tail.iter().filter(|margin| **margin > gpus).count();
    let counts: Vec<usize> = tails.iter().map(|tail| short(tail)).collect();
    let total: usize = counts.iter().sum();
    let most = counts.iter().max().copied().unwrap_or(0);
    // A world that was cut short above the block hides short hours: then nothing is resolved.
    let cut = |tail: &&Vec<f64>| tail.len() >= MOST_KEPT && tail.last().is_some_and(|v| *v > gpus);
    let hidden = tails.iter().any(cut);
    let largest_world_share = if total > 0 { most as f64 / total as f64 } else { 0.0 };
    AllWorlds {
        gpus,
        low: resampled[RESAMPLES / 20],
        high: resampled[RESAMPLES - 1 - RESAMPLES / 20],
        largest_world_share,
        // No block at all is plain where even all short hours together are within the criterion.
        resolved: gpus <= 0.0 || (largest_world_share <= 0.25 && !hidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_rests_on_one_world_is_not_resolved() {
        let calm = vec![1.0, 0.5, 0.2, 0.1];
        let wild = vec![900.0, 800.0, 700.0, 600.0];
        let tails = vec![&calm, &wild, &calm, &calm];
        let read = all_worlds(&tails, 3, StreamKey::world(1, 0));
        assert_eq!(read.gpus, 600.0);
        assert!(!read.resolved && read.largest_world_share == 1.0);
        assert!(read.low <= read.gpus && read.gpus <= read.high);
    }
}
