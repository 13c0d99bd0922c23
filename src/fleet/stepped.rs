//! Counts of units of a very large pool by state, taken over a step of time at once: how many
//! units leave each state and for where are binomial numbers, so that the counts at the ends of
//! the steps follow the law of the chain exactly, whatever the number of units.

use rand::rngs::ChaCha8Rng;

use crate::rng::{Chance, uniform};
use crate::supply::StepLaw;

/// Units that are sent to their states one by one; more of them are shared out by counts.
const ONE_BY_ONE: u32 = 6;

/// Adds `count` units in the long-run mix of states.
pub(super) fn place(law: &StepLaw, count: u32, random: &mut ChaCha8Rng, states: &mut [u32]) {
    let (mut left, mut rest) = (count, 1.0);
    for (state, probability) in law.stationary.iter().enumerate() {
        let last = state + 1 == law.stationary.len();
        let share = if last { 1.0 } else { (probability / rest).clamp(0.0, 1.0) };
        let here = Chance::new(share).count(left, random);
        states[state] += here;
        left -= here;
        rest = f64::max(rest - probability, f64::MIN_POSITIVE);
    }
}

/// Moves all units on by one step; `next` is working memory of the same length.
pub(super) fn step(law: &StepLaw, states: &mut [u32], next: &mut [u32], random: &mut ChaCha8Rng) {
    next.fill(0);
    for ((state, row), count) in law.rows.iter().enumerate().zip(states.iter()) {
        if *count == 0 {
            continue;
        }
        let mut leaving = row.leaves.count(*count, random);
        next[state] += count - leaving;
        if leaving <= ONE_BY_ONE {
            for _ in 0..leaving {
                next[target(&row.targets, random)] += 1;
            }
            continue;
        }
        for (to, share) in &row.targets {
            let there = share.count(leaving, random);
            next[*to] += there;
            leaving -= there;
            if leaving == 0 {
                break;
            }
        }
    }
    states.copy_from_slice(next);
}

/// The state that one unit leaves for.
fn target(targets: &[(usize, Chance)], random: &mut ChaCha8Rng) -> usize {
    let mut left = uniform(random);
    for (to, share) in targets {
        if left <= share.probability() {
            return *to;
        }
        // What is left of the number is uniform in what the state before did not take.
        left = (left - share.probability()) / (1.0 - share.probability());
    }
    targets.last().map_or(0, |to| to.0)
}
