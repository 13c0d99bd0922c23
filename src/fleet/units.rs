//! How many units of a pool serve: counts of units by state, with exact births and deaths.
//!
//! Racks of trays in pools of up to [`EXACT_RACKS`] are counted by every state of their chain.
//! Larger pools use a renewal form: racks drain at the chain's long-run rate, each stays out for
//! a time drawn from the chain itself, and rack failures stay exact. Its mean and the law of the
//! time out are those of the chain; what it drops is the memory of one or two trays down, which
//! the test below holds to the exact process. Pools with more than [`STEPPED_TRANSITIONS`] an
//! epoch take the same chain an epoch at a time, so that their cost does not grow with them.

use rand::rngs::ChaCha8Rng;

use super::stepped;
use crate::rng::{exponential, uniform};
use crate::supply::{TrayLaw, UnitLaw};

/// Largest pool whose racks are counted by every state of their chain.
pub const EXACT_RACKS: u32 = 24;

/// Transitions of a pool in an epoch, on average and at its largest, beyond which it is stepped:
/// about where following them costs more than a step does.
pub const STEPPED_TRANSITIONS: f64 = 2.0;

/// The law by which a pool of at most `units` units is counted in epochs of `epoch` seconds.
#[must_use]
pub fn counted_law(law: UnitLaw, units: u32, epoch: f64) -> UnitLaw {
    let often = law.transitions() * f64::from(units) * epoch > STEPPED_TRANSITIONS;
    if often { law.stepped(epoch) } else { law }
}

/// Counts of units by state.
#[derive(Debug, Clone, PartialEq)]
pub struct UnitCounts {
    form: Form,
    total: u32,
    /// Renewal form: units out as a whole and units drained. Whole form: units down.
    down: u32,
    drained: u32,
    /// Exact and stepped form: units by state of the chain.
    states: Vec<u32>,
    /// Stepped form: working memory.
    next: Vec<u32>,
    serving: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Firm,
    Whole,
    Exact,
    Renewal,
    Stepped,
}

/// Failures and repairs of trays after which a drained rack is given up on and comes back.
const MOST_REPAIRS: u32 = 20_000;

/// What a transition asks the simulation to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Consequence {
    /// Nothing more.
    None,
    /// A drained rack returns after this many seconds.
    ReturnAfter(f64),
}

impl UnitCounts {
    /// No units yet; the pool will hold `most` at its largest.
    #[must_use]
    pub fn new(law: &UnitLaw, most: u32) -> Self {
        let (form, states) = match law {
            UnitLaw::Firm => (Form::Firm, 0),
            UnitLaw::Whole { .. } => (Form::Whole, 0),
            UnitLaw::Trays(tray) if most <= EXACT_RACKS => (Form::Exact, tray.stationary.len()),
            UnitLaw::Trays(_) => (Form::Renewal, 0),
            UnitLaw::Stepped(steps) => (Form::Stepped, steps.rows.len()),
        };
        let next = if form == Form::Stepped { vec![0; states] } else { Vec::new() };
        Self { form, total: 0, down: 0, drained: 0, states: vec![0; states], next, serving: 0 }
    }

    /// Moves all units of the stepped form on by one step; nothing in any other form. Returns
    /// whether another number of them serves now.
    pub fn step(&mut self, law: &UnitLaw, random: &mut ChaCha8Rng) -> bool {
        let UnitLaw::Stepped(steps) = law else { return false };
        let before = self.serving;
        stepped::step(steps, &mut self.states, &mut self.next, random);
        self.recount(law);
        self.serving != before
    }

    /// Units that serve now.
    #[must_use]
    pub fn serving(&self) -> u32 {
        self.serving
    }

    /// Units in the pool, serving or not.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Adds units in the long-run mix of states, as they stand before the horizon begins.
    /// Returns the times, in seconds, after which drained racks of the renewal form return.
    pub fn add_stationary(
        &mut self,
        law: &UnitLaw,
        count: u32,
        random: &mut ChaCha8Rng,
    ) -> Vec<f64> {
        let mut returns = Vec::new();
        if let UnitLaw::Stepped(steps) = law {
            stepped::place(steps, count, random, &mut self.states);
            self.total += count;
            self.recount(law);
            return returns;
        }
        for _ in 0..count {
            let u = uniform(random);
            match law {
                UnitLaw::Firm | UnitLaw::Stepped(_) => {}
                UnitLaw::Whole { .. } => self.down += u32::from(u > law.availability()),
                UnitLaw::Trays(tray) => {
                    let state = state_at(tray, u);
                    if self.form == Form::Exact {
                        self.states[state] += 1;
                    } else if state == tray.whole_down() {
                        self.down += 1;
                    } else if state >= tray.serving_states() {
                        self.drained += 1;
                        let down = (state - tray.serving_states()) as u32 + 1;
                        returns.push(time_to_repair(tray, down, random));
                    }
                }
            }
            self.total += 1;
        }
        self.recount(law);
        returns
    }

    /// Changes the number of units: new ones serve, and serving ones leave first.
    pub fn resize(&mut self, law: &UnitLaw, total: u32) {
        if total >= self.total {
            if let Some(first) = self.states.first_mut() {
                *first += total - self.total;
            }
        } else {
            self.remove(self.total - total);
        }
        self.total = total;
        self.recount(law);
    }

    fn remove(&mut self, count: u32) {
        let mut left = count;
        for state in &mut self.states {
            let taken = left.min(*state);
            *state -= taken;
            left -= taken;
        }
        if matches!(self.form, Form::Whole | Form::Renewal) {
            let beyond = count.saturating_sub(self.serving);
            let taken = beyond.min(self.down);
            self.down -= taken;
            self.drained -= (beyond - taken).min(self.drained);
        }
    }

    fn recount(&mut self, law: &UnitLaw) {
        self.serving = match (self.form, law) {
            (Form::Exact, UnitLaw::Trays(tray)) => {
                self.states[..tray.serving_states()].iter().sum()
            }
            (Form::Stepped, _) => self.states[0],
            _ => self.total - self.down - self.drained,
        };
    }

    /// Rate of the next transition, per second; 0 when nothing can happen.
    #[must_use]
    pub fn rate(&self, law: &UnitLaw) -> f64 {
        let (serving, down) = (f64::from(self.serving), f64::from(self.down));
        match (self.form, law) {
            (Form::Whole, UnitLaw::Whole { fail, repair }) => serving * fail + down * repair,
            (Form::Renewal, UnitLaw::Trays(tray)) => {
                serving * (tray.drain + tray.rack_fail) + down * tray.rack_repair
            }
            (Form::Exact, UnitLaw::Trays(tray)) => {
                let counted = self.states.iter().zip(&tray.leave);
                counted.map(|(count, rate)| f64::from(*count) * rate).sum()
            }
            _ => 0.0,
        }
    }

    /// Makes one transition, chosen in proportion to the rates.
    pub fn transition(&mut self, law: &UnitLaw, random: &mut ChaCha8Rng) -> Consequence {
        let mut left = uniform(random) * self.rate(law);
        let (serving, down) = (f64::from(self.serving), f64::from(self.down));
        let mut consequence = Consequence::None;
        match (self.form, law) {
            (Form::Whole, UnitLaw::Whole { fail, .. }) => {
                if left < serving * fail {
                    self.down += 1
                } else {
                    self.down -= 1
                }
            }
            (Form::Renewal, UnitLaw::Trays(tray)) => {
                if left < down * tray.rack_repair {
                    self.down -= 1;
                } else {
                    left -= down * tray.rack_repair;
                    if left < serving * tray.rack_fail {
                        self.down += 1;
                    } else {
                        self.drained += 1;
                        let out = time_to_repair(tray, tray.spare + 1, random);
                        consequence = Consequence::ReturnAfter(out);
                    }
                }
            }
            (Form::Exact, UnitLaw::Trays(tray)) => self.transition_exact(tray, left),
            _ => {}
        }
        self.recount(law);
        consequence
    }

    fn transition_exact(&mut self, tray: &TrayLaw, mut left: f64) {
        let mut chosen = None;
        for (state, count) in self.states.iter().enumerate().filter(|state| *state.1 > 0) {
            for &(target, rate) in &tray.moves[state] {
                chosen = Some((state, target));
                left -= f64::from(*count) * rate;
                if left < 0.0 {
                    break;
                }
            }
            if left < 0.0 {
                break;
            }
        }
        if let Some((from, to)) = chosen {
            self.states[from] -= 1;
            self.states[to] += 1;
        }
    }

    /// A drained rack of the renewal form comes back (unless it was removed meanwhile).
    pub fn return_drained(&mut self, law: &UnitLaw) {
        self.drained = self.drained.saturating_sub(1);
        self.recount(law);
    }
}

/// The state of a rack at the uniform number `u` of the long-run law.
fn state_at(tray: &TrayLaw, u: f64) -> usize {
    let mut left = u;
    for (state, probability) in tray.stationary.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return state;
        }
    }
    0
}

/// Seconds until every tray of a drained rack is repaired, other trays failing meanwhile.
fn time_to_repair(tray: &TrayLaw, mut down: u32, random: &mut ChaCha8Rng) -> f64 {
    let mut elapsed = 0.0;
    // Trays that fail faster than they are repaired never come back all: then it is out for long,
    // whatever the number.
    for _ in 0..MOST_REPAIRS {
        if down == 0 {
            break;
        }
        let fail = f64::from(tray.trays - down) * tray.tray_fail;
        let repair = f64::from(down) * tray.tray_repair;
        elapsed += exponential(random) / (fail + repair);
        if uniform(random) * (fail + repair) < fail { down += 1 } else { down -= 1 }
    }
    elapsed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::Failures;
    use crate::rng::StreamKey;
    use crate::stats::Estimate;
    use crate::units::Seconds;

    /// A frail rack, so that drains are common enough to measure.
    fn frail() -> UnitLaw {
        UnitLaw::new(&Failures::Trays {
            trays: 18,
            spare_trays: 2,
            tray_mtbf: Seconds(40.0),
            tray_mttr: Seconds(1.0),
            rack_mtbf: Seconds(25.0),
            rack_mttr: Seconds(1.0),
        })
    }

    /// Serving units sampled every `step` seconds, by running the counts alone.
    fn path(law: &UnitLaw, units: u32, most: u32, step: f64, samples: usize) -> Vec<f64> {
        let mut random = StreamKey::inner(5, 0, u64::from(most)).stream("failures");
        let mut counts = UnitCounts::new(law, most);
        let mut returns = counts.add_stationary(law, units, &mut random);
        let (mut now, mut next) = (0.0, 0.0);
        let mut values = Vec::with_capacity(samples);
        let mut due = exponential(&mut random) / counts.rate(law);
        while values.len() < samples {
            returns.sort_by(|a, b| b.total_cmp(a));
            let returning = returns.last().copied().unwrap_or(f64::MAX);
            let event = due.min(returning);
            while next <= event && values.len() < samples {
                values.push(f64::from(counts.serving()));
                next += step;
            }
            now = f64::max(now, event);
            if returning <= due {
                returns.pop();
                counts.return_drained(law);
            } else if let Consequence::ReturnAfter(out) = counts.transition(law, &mut random) {
                returns.push(now + out);
            }
            due = now + exponential(&mut random) / counts.rate(law);
        }
        values
    }

    #[test]
    fn exact_counts_keep_the_long_run_availability() {
        let law = frail();
        let values = path(&law, 20, EXACT_RACKS, 40.0, 4_000);
        let shares: Vec<f64> = values.iter().map(|serving| serving / 20.0).collect();
        let estimate = Estimate::of(&shares);
        assert!(estimate.within(law.availability(), 3.0), "{estimate:?} {}", law.availability());
    }

    #[test]
    fn renewal_form_has_the_mean_variance_and_memory_of_the_exact_one() {
        let law = frail();
        let moments = |most: u32| {
            let values = path(&law, 20, most, 2.0, 40_000);
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance =
                values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64;
            let lagged = values.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum::<f64>();
            (mean, variance, lagged / values.len() as f64 / variance)
        };
        let (exact, renewal) = (moments(EXACT_RACKS), moments(EXACT_RACKS + 1));
        assert!((exact.0 / renewal.0 - 1.0).abs() < 0.01, "{exact:?} {renewal:?}");
        assert!((exact.1 / renewal.1 - 1.0).abs() < 0.06, "{exact:?} {renewal:?}");
        assert!((exact.2 - renewal.2).abs() < 0.03, "{exact:?} {renewal:?}");
    }

    #[test]
    fn counts_never_lose_a_unit() {
        let whole = UnitLaw::Whole { fail: 0.1, repair: 0.2 };
        let laws = [frail(), frail(), whole.clone(), frail().stepped(2.0), whole.stepped(2.0)];
        for (law, most) in laws.into_iter().zip([10, 100, 100, 100, 100]) {
            let mut random = StreamKey::inner(9, 0, 0).stream("failures");
            let mut counts = UnitCounts::new(&law, most);
            counts.add_stationary(&law, 8, &mut random);
            for step in 0..5_000u32 {
                if counts.rate(&law) > 0.0 {
                    let _ = counts.transition(&law, &mut random);
                }
                counts.step(&law, &mut random);
                if step % 50 == 0 {
                    counts.resize(&law, 3 + step % 7);
                    assert_eq!(counts.total(), 3 + step % 7);
                }
                assert!(counts.serving() <= counts.total());
                let counted: u32 = counts.states.iter().sum();
                assert!(counts.states.is_empty() || counted == counts.total());
            }
        }
    }
}
