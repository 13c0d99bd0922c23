//! The failure law of one unit (rack, node) as a small Markov chain: its states, its long-run
//! probabilities and the rate at which racks drain. Counting many units over time is the fleet's
//! work.

use super::step_law::StepLaw;
use crate::hardware::Failures;

/// Failure law of a unit; rates per second.
#[derive(Debug, Clone, PartialEq)]
pub enum UnitLaw {
    /// Never down.
    Firm,
    /// Up or down as a whole.
    Whole {
        /// Failures per second in service.
        fail: f64,
        /// Repairs per second while down.
        repair: f64,
    },
    /// A rack of trays.
    Trays(TrayLaw),
    /// Either of them in a very large pool, over steps of one length.
    Stepped(StepLaw),
}

/// Failure law of a rack of trays (see [`Failures::Trays`]).
#[derive(Debug, Clone, PartialEq)]
pub struct TrayLaw {
    /// Trays in the rack.
    pub trays: u32,
    /// Trays that may be down before it drains.
    pub spare: u32,
    /// Failures per second of one tray.
    pub tray_fail: f64,
    /// Repairs per second of one tray that is down.
    pub tray_repair: f64,
    /// Failures per second of the rack as a whole while it serves.
    pub rack_fail: f64,
    /// Repairs per second of the rack as a whole; all its trays come back with it.
    pub rack_repair: f64,
    /// Long-run probability of each state, in the order: serving with 0..=spare trays down,
    /// drained with 1..=trays trays down, down as a whole.
    pub stationary: Vec<f64>,
    /// Drains per second of a serving rack in the long run.
    pub drain: f64,
    /// Every transition out of each state: (target, rate per second).
    pub moves: Vec<Vec<(usize, f64)>>,
    /// Sum of the rates out of each state.
    pub leave: Vec<f64>,
}

impl TrayLaw {
    /// Number of serving states.
    #[must_use]
    pub fn serving_states(&self) -> usize {
        self.spare as usize + 1
    }

    /// Index of the state "drained with `down` trays down" (1 to `trays`).
    #[must_use]
    pub fn drained(&self, down: u32) -> usize {
        self.serving_states() + down as usize - 1
    }

    /// Index of the state "down as a whole", the last one.
    #[must_use]
    pub fn whole_down(&self) -> usize {
        self.serving_states() + self.trays as usize
    }

    fn transitions(&self, state: usize) -> Vec<(usize, f64)> {
        let serving = self.serving_states();
        if state == self.whole_down() {
            return vec![(0, self.rack_repair)];
        }
        let is_serving = state < serving;
        let down = if is_serving { state as u32 } else { (state - serving) as u32 + 1 };
        let mut out = Vec::with_capacity(3);
        if down < self.trays {
            let next = down + 1;
            let stays = is_serving && next <= self.spare;
            let target = if stays { next as usize } else { self.drained(next) };
            out.push((target, f64::from(self.trays - down) * self.tray_fail));
        }
        if down > 0 {
            let target = match (is_serving, down) {
                (true, _) => down as usize - 1,
                (false, 1) => 0,
                (false, _) => self.drained(down - 1),
            };
            out.push((target, f64::from(down) * self.tray_repair));
        }
        if is_serving {
            out.push((self.whole_down(), self.rack_fail));
        }
        out
    }

    /// Fills in the long-run probabilities (balance equations, Gaussian elimination) and the
    /// drain rate: the flow into the drained states per serving rack.
    fn solve(&mut self) {
        let states = self.whole_down() + 1;
        self.moves = (0..states).map(|state| self.transitions(state)).collect();
        self.leave = self.moves.iter().map(|moves| moves.iter().map(|to| to.1).sum()).collect();
        let mut matrix = vec![vec![0.0; states + 1]; states];
        for (from, moves) in self.moves.iter().enumerate() {
            for &(to, rate) in moves {
                matrix[to][from] += rate;
                matrix[from][from] -= rate;
            }
        }
        // One balance equation is redundant: the probabilities sum to 1 in its place.
        matrix[states - 1] = vec![1.0; states + 1];
        self.stationary = eliminate(matrix);
        let serving: f64 = self.stationary[..self.serving_states()].iter().sum();
        let edge = self.stationary[self.spare as usize];
        let rate = f64::from(self.trays - self.spare) * self.tray_fail;
        self.drain = edge * rate / serving;
    }
}

/// Solves a square linear system given with its right-hand side as the last column.
fn eliminate(mut matrix: Vec<Vec<f64>>) -> Vec<f64> {
    let size = matrix.len();
    for column in 0..size {
        let larger =
            |a: &usize, b: &usize| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs());
        let pivot = (column..size).max_by(larger).unwrap_or(column);
        matrix.swap(column, pivot);
        let lead = matrix[column].clone();
        for row in (0..size).filter(|row| *row != column) {
            let factor = matrix[row][column] / lead[column];
            if factor != 0.0 {
                for (value, above) in matrix[row].iter_mut().zip(&lead) {
                    *value -= factor * above;
                }
            }
        }
    }
    (0..size).map(|row| matrix[row][size] / matrix[row][row]).collect()
}

impl UnitLaw {
    /// The law of a unit that fails as described.
    #[must_use]
    pub fn new(failures: &Failures) -> Self {
        match failures {
            Failures::Whole { mtbf, mttr } => {
                Self::Whole { fail: 1.0 / mtbf.0, repair: 1.0 / mttr.0 }
            }
            Failures::Trays { trays, spare_trays, tray_mtbf, tray_mttr, rack_mtbf, rack_mttr } => {
                let mut law = TrayLaw {
                    trays: *trays,
                    spare: *spare_trays,
                    tray_fail: 1.0 / tray_mtbf.0,
                    tray_repair: 1.0 / tray_mttr.0,
                    rack_fail: 1.0 / rack_mtbf.0,
                    rack_repair: 1.0 / rack_mttr.0,
                    stationary: Vec::new(),
                    drain: 0.0,
                    moves: Vec::new(),
                    leave: Vec::new(),
                };
                law.solve();
                Self::Trays(law)
            }
        }
    }

    /// Long-run share of units that serve.
    #[must_use]
    pub fn availability(&self) -> f64 {
        match self {
            Self::Firm => 1.0,
            Self::Whole { fail, repair } => repair / (fail + repair),
            Self::Trays(law) => law.stationary[..law.serving_states()].iter().sum(),
            Self::Stepped(law) => law.stationary[0],
        }
    }

    /// Transitions of one unit per second in the long run, where racks go out of service and come
    /// back (what a large pool follows); none of a law that is stepped.
    #[must_use]
    pub fn transitions(&self) -> f64 {
        match self {
            Self::Firm | Self::Stepped(_) => 0.0,
            Self::Whole { fail, .. } => 2.0 * self.availability() * fail,
            Self::Trays(law) => 2.0 * self.availability() * (law.rack_fail + law.drain),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Seconds;

    fn rack(spare_trays: u32, rack_mtbf: f64) -> UnitLaw {
        UnitLaw::new(&Failures::Trays {
            trays: 18,
            spare_trays,
            tray_mtbf: Seconds(400.0),
            tray_mttr: Seconds(2.0),
            rack_mtbf: Seconds(rack_mtbf),
            rack_mttr: Seconds(1.0),
        })
    }

    #[test]
    fn a_whole_unit_is_up_mtbf_over_mtbf_plus_mttr() {
        let law = UnitLaw::new(&Failures::Whole { mtbf: Seconds(970.0), mttr: Seconds(30.0) });
        assert!((law.availability() - 0.97).abs() < 1e-12);
    }

    #[test]
    fn a_rack_that_tolerates_all_its_trays_is_up_as_its_switches_are() {
        // With every tray spare the rack never drains: only rack events count, 1/(99 + 1) down.
        let law = rack(18, 99.0);
        assert!((law.availability() - 0.99).abs() < 1e-9);
    }

    #[test]
    fn a_rack_drains_as_its_third_tray_fails() {
        // Without rack events the serving states are a birth-death chain; by hand for small
        // rates: P(2 down) ~ C(18,2) q^2 and drains happen at 16 tray rates from there.
        let UnitLaw::Trays(law) = rack(2, 1e18) else { panic!("a tray law") };
        assert!((law.stationary.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let q = 2.0 / 400.0;
        let by_hand = 153.0 * q * q * 16.0 / 400.0;
        assert!((law.drain / by_hand - 1.0).abs() < 0.15, "{} {by_hand}", law.drain);
        // Drained racks wait for all trays: from 3 down about 2 (1/3 + 1/2 + 1) seconds.
        let drained = 1.0 - rack(2, 1e18).availability();
        assert!((drained / (by_hand * 11.0 / 3.0) - 1.0).abs() < 0.2, "{drained}");
    }
}
