//! The law of one unit over a step of fixed length: what very large pools are counted by, whose
//! transitions come too often to be followed one at a time. Drawing how many units move is the
//! fleet's work.

use super::failure::{TrayLaw, UnitLaw};
use crate::rng::Chance;

/// Mean transitions within a step up to which the law is summed in one go; longer steps are
/// halved until they are as short and then squared.
const SHORT: f64 = 64.0;

/// Where a unit is one step later, by where it is now. State 0 serves, all others do not.
#[derive(Debug, Clone, PartialEq)]
pub struct StepLaw {
    /// Long-run probability of each state.
    pub stationary: Vec<f64>,
    /// By state: who leaves it within the step, and for where.
    pub rows: Vec<StepRow>,
}

/// What happens within a step to the units of one state.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// Chance of a unit to be in another state at the end.
    pub leaves: Chance,
    /// Which state that is, most likely first; a chance is that of the units that are not in one
    /// of the states before, and the last one takes all that are left.
    pub targets: Vec<(usize, Chance)>,
}

impl StepLaw {
    /// The law of a unit that is up or down as a whole.
    #[must_use]
    pub fn whole(fail: f64, repair: f64, step: f64) -> Self {
        let down = fail / (fail + repair);
        Self::new(vec![1.0 - down, down], vec![vec![(1, fail)], vec![(0, repair)]], step)
    }

    /// The law of a rack of trays without the memory of one or two trays down: it drains at its
    /// long-run rate. States: serving, down as a whole, drained with 1 up to all trays down.
    #[must_use]
    pub fn trays(law: &TrayLaw, step: f64) -> Self {
        let serving = law.serving_states();
        let drained = |down: u32| 1 + down as usize;
        let mut stationary =
            vec![law.stationary[..serving].iter().sum(), law.stationary[law.whole_down()]];
        stationary.extend(&law.stationary[serving..law.whole_down()]);
        let mut moves = vec![
            vec![(1, law.rack_fail), (drained(law.spare + 1), law.drain)],
            vec![(0, law.rack_repair)],
        ];
        for down in 1..=law.trays {
            let fewer = if down == 1 { 0 } else { drained(down - 1) };
            let mut out = vec![(fewer, f64::from(down) * law.tray_repair)];
            if down < law.trays {
                out.push((drained(down + 1), f64::from(law.trays - down) * law.tray_fail));
            }
            moves.push(out);
        }
        Self::new(stationary, moves, step)
    }

    fn new(stationary: Vec<f64>, moves: Vec<Vec<(usize, f64)>>, step: f64) -> Self {
        let rows = over(&moves, step);
        let rows = rows.iter().enumerate().map(|(from, row)| StepRow::new(from, row)).collect();
        Self { stationary, rows }
    }
}

impl StepRow {
    fn new(from: usize, row: &[f64]) -> Self {
        let mut others: Vec<(usize, f64)> =
            row.iter().copied().enumerate().filter(|to| to.0 != from && to.1 > 0.0).collect();
        others.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let leaves: f64 = others.iter().map(|to| to.1).sum();
        let mut left = leaves;
        let mut targets = Vec::with_capacity(others.len());
        for (index, (to, probability)) in others.iter().enumerate() {
            let last = index + 1 == others.len();
            let share = if last { 1.0 } else { (probability / left).min(1.0) };
            targets.push((*to, Chance::new(share)));
            left = (left - probability).max(f64::MIN_POSITIVE);
        }
        Self { leaves: Chance::new(leaves.min(1.0)), targets }
    }
}

impl UnitLaw {
    /// The same law over steps of `step` seconds, where it is one that can be stepped.
    #[must_use]
    pub fn stepped(&self, step: f64) -> Self {
        match self {
            Self::Whole { fail, repair } => Self::Stepped(StepLaw::whole(*fail, *repair, step)),
            Self::Trays(law) => Self::Stepped(StepLaw::trays(law, step)),
            Self::Firm | Self::Stepped(_) => self.clone(),
        }
    }
}

/// Probabilities of every state after `step` seconds by state now, from rates of moves: the chain
/// looked at at the times of a Poisson process (uniformisation), so that nothing is ever negative.
fn over(moves: &[Vec<(usize, f64)>], step: f64) -> Vec<Vec<f64>> {
    let states = moves.len();
    let leave: Vec<f64> = moves.iter().map(|to| to.iter().map(|to| to.1).sum()).collect();
    let fastest = leave.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let (mut mean, mut halvings) = (fastest * step, 0);
    while mean > SHORT {
        mean /= 2.0;
        halvings += 1;
    }
    let terms = (mean + 10.0 * mean.sqrt()) as u32 + 20;
    let mut rows = Vec::with_capacity(states);
    for from in 0..states {
        let mut here = vec![0.0; states];
        here[from] = 1.0;
        let mut weight = libm::exp(-mean);
        let mut sum: Vec<f64> = here.iter().map(|part| part * weight).collect();
        for term in 1..=terms {
            let mut next = vec![0.0; states];
            for (state, part) in here.iter().enumerate().filter(|state| *state.1 > 0.0) {
                next[state] += part * (1.0 - leave[state] / fastest);
                for &(to, rate) in &moves[state] {
                    next[to] += part * rate / fastest;
                }
            }
            here = next;
            weight *= mean / f64::from(term);
            sum.iter_mut().zip(&here).for_each(|(sum, part)| *sum += weight * part);
        }
        rows.push(sum);
    }
    for _ in 0..halvings {
        rows = squared(&rows);
    }
    for row in &mut rows {
        let whole: f64 = row.iter().sum();
        row.iter_mut().for_each(|part| *part /= whole);
    }
    rows
}

fn squared(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let product = |row: &Vec<f64>, to: usize| row.iter().zip(rows).map(|(p, by)| p * by[to]).sum();
    rows.iter().map(|row| (0..rows.len()).map(|to| product(row, to)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Failures;
    use crate::units::Seconds;

    #[test]
    fn a_unit_is_down_after_a_step_as_its_two_states_say() {
        // p(up -> down, t) = q (1 - exp(-(fail + repair) t)), q = fail / (fail + repair).
        for (fail, repair, step) in [(0.3, 0.7, 1.0), (1e-6, 1e-4, 3_600.0), (0.1, 2.0, 900.0)] {
            let law = StepLaw::whole(fail, repair, step);
            let (rate, down) = (fail + repair, fail / (fail + repair));
            let forgotten = 1.0 - libm::exp(-rate * step);
            for (row, expected) in law.rows.iter().zip([down * forgotten, (1.0 - down) * forgotten])
            {
                let found = row.leaves.probability();
                assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
            }
        }
    }

    #[test]
    fn the_long_run_of_a_rack_is_left_alone_by_a_step() {
        let law = UnitLaw::new(&Failures::Trays {
            trays: 18,
            spare_trays: 2,
            tray_mtbf: Seconds(40.0),
            tray_mttr: Seconds(1.0),
            rack_mtbf: Seconds(25.0),
            rack_mttr: Seconds(1.0),
        });
        let UnitLaw::Trays(trays) = &law else { panic!("a tray law") };
        for step in [0.01, 1.0, 300.0] {
            let law = StepLaw::trays(trays, step);
            let mut after = law.stationary.clone();
            for (from, row) in law.rows.iter().enumerate() {
                let mut left = law.stationary[from] * row.leaves.probability();
                after[from] -= left;
                for (to, share) in &row.targets {
                    let part = left * share.probability();
                    after[*to] += part;
                    left -= part;
                }
            }
            for (before, after) in law.stationary.iter().zip(&after) {
                assert!((before - after).abs() < 1e-12, "{step}: {before} {after}");
            }
        }
    }
}
