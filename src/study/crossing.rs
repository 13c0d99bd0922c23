//! Where a risk crosses what it is to be, as capacity is added: bracketed, with the interval that
//! the error of the risk leaves. How the risk at a capacity is found is said by the caller.

use serde::Serialize;

use crate::stats::Estimate;

/// Standard errors of the risk that an interval allows for, to either side.
const ERRORS: f64 = 2.0;
/// Risks that differ by this share of the target are one: sums in another order.
const SAME: f64 = 1e-12;
/// Rounds in which a bracket may grow, and shrink.
const ROUNDS: usize = 64;

/// A capacity that was tried.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tried {
    /// Capacity that is added; negative is taken away.
    pub capacity: f64,
    /// The risk with it.
    pub risk: Estimate,
    /// The risk less what it is to be; the error is that of the difference, on the same streams.
    pub excess: Estimate,
}

/// Where the crossing lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Crossing {
    /// Largest capacity that was tried below the answer and is too little.
    pub low: f64,
    /// Smallest capacity that was tried and suffices: the answer.
    pub high: f64,
    /// At this capacity the risk is still two standard errors above what it is to be; where the
    /// search ends before that, none.
    pub from: Option<f64>,
    /// From this capacity on it is two standard errors below; none as before.
    pub to: Option<f64>,
    /// The bracket as it shrank: its ends after each round.
    pub trace: Vec<(Tried, Tried)>,
    /// Capacities that were tried.
    pub tried: usize,
}

impl Crossing {
    /// The same in capacity that is taken away: `low` is the answer then.
    pub(super) fn negated(self) -> Self {
        let turn = |tried: Tried| Tried { capacity: -tried.capacity, ..tried };
        let back = |capacity: f64| -capacity;
        Self {
            low: -self.high,
            high: -self.low,
            from: self.to.map(back),
            to: self.from.map(back),
            trace: self.trace.into_iter().map(|(low, high)| (turn(high), turn(low))).collect(),
            tried: self.tried,
        }
    }
}

/// What is searched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    /// Where to begin: an answer is expected between these.
    pub begin: (f64, f64),
    /// Where to end: no answer is looked for beyond these.
    pub limits: (f64, f64),
    /// How narrow the bracket of the answer is to be.
    pub fine: f64,
    /// How narrow those of the interval are to be.
    pub coarse: f64,
}

/// Why there is no crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCrossing {
    /// It was stopped.
    Stopped,
    /// Not even the largest capacity suffices.
    NeverMet,
    /// There are too many states for an exact answer.
    TooLarge,
}

/// A bracket of one of the three crossings: of the risk with errors added, as it is, and with
/// errors taken off.
#[derive(Debug, Clone, Copy)]
struct Side {
    errors: f64,
    low: f64,
    high: f64,
    /// Whether both ends are what they are called.
    closed: bool,
}

impl Search {
    /// Finds where the excess falls to 0. `evaluate` says it at some capacities; it must not rise
    /// with capacity but for noise in its error.
    pub fn run(
        &self,
        mut evaluate: impl FnMut(&[f64]) -> Option<Vec<Tried>>,
    ) -> Result<Crossing, NoCrossing> {
        let mut known: Vec<Tried> = Vec::new();
        let mut ask = |known: &mut Vec<Tried>, points: Vec<f64>| -> Result<(), NoCrossing> {
            let mut new = points;
            new.retain(|point| !known.iter().any(|tried| tried.capacity == *point));
            new.sort_by(f64::total_cmp);
            new.dedup();
            if !new.is_empty() {
                known.extend(evaluate(&new).ok_or(NoCrossing::Stopped)?);
                known.sort_by(|a, b| a.capacity.total_cmp(&b.capacity));
            }
            Ok(())
        };
        let clip = |capacity: f64| capacity.clamp(self.limits.0, self.limits.1);
        let (mut low, mut high) = (clip(self.begin.0), clip(self.begin.1));
        ask(&mut known, vec![low, high])?;
        for _ in 0..ROUNDS {
            let wide = (high - low).max(self.coarse);
            let (first, last) = (known[0], known[known.len() - 1]);
            let below = holds(&first, -ERRORS) && low > self.limits.0;
            let above = !holds(&last, ERRORS) && high < self.limits.1;
            if !below && !above {
                break;
            }
            low = if below { clip(low - 2.0 * wide) } else { low };
            high = if above { clip(high + 2.0 * wide) } else { high };
            ask(&mut known, vec![low, high])?;
        }
        if !holds(&known[known.len() - 1], 0.0) {
            return Err(NoCrossing::NeverMet);
        }
        let mut trace = Vec::new();
        for round in 0..ROUNDS {
            let sides = [0.0, ERRORS, -ERRORS].map(|errors| side(&known, errors));
            let answer = &sides[0];
            trace.push((at(&known, answer.low), at(&known, answer.high)));
            let open = |side: &&Side| {
                let narrow = if side.errors == 0.0 { self.fine } else { self.coarse };
                side.closed && side.high - side.low > narrow
            };
            let points: Vec<f64> = sides.iter().filter(open).flat_map(Side::inside).collect();
            if points.is_empty() || round + 1 == ROUNDS {
                return Ok(Crossing {
                    low: answer.low,
                    high: answer.high,
                    from: sides[2].closed.then_some(sides[2].low),
                    to: sides[1].closed.then_some(sides[1].high),
                    tried: known.len(),
                    trace,
                });
            }
            ask(&mut known, points)?;
        }
        Err(NoCrossing::NeverMet)
    }
}

impl Side {
    /// Three capacities between its ends, none where there is no room.
    fn inside(&self) -> Vec<f64> {
        let at = |quarter: f64| self.low + (self.high - self.low) * quarter;
        let inside = |point: &f64| *point > self.low && *point < self.high;
        [0.25, 0.5, 0.75].map(at).into_iter().filter(inside).collect()
    }
}

/// Whether a capacity suffices with so many errors added to its risk.
fn holds(tried: &Tried, errors: f64) -> bool {
    let slack = SAME * tried.risk.mean.abs();
    tried.excess.mean + errors * tried.excess.standard_error <= slack
}

/// The bracket of a crossing among capacities in their order.
fn side(known: &[Tried], errors: f64) -> Side {
    let first = known.iter().position(|tried| holds(tried, errors));
    let first = first.unwrap_or(known.len() - 1);
    let closed = first > 0 && holds(&known[first], errors);
    let low = known[first.saturating_sub(1)].capacity;
    let high = known[first].capacity;
    Side { errors, low: if closed { low } else { high }, high, closed }
}

fn at(known: &[Tried], capacity: f64) -> Tried {
    let index = known.partition_point(|tried| tried.capacity < capacity);
    known[index.min(known.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(capacity: f64, mean: f64, standard_error: f64) -> Tried {
        let risk = Estimate { mean: 10.0 + mean, standard_error };
        Tried { capacity, risk, excess: Estimate { mean, standard_error } }
    }

    const SEARCH: Search =
        Search { begin: (0.0, 1.0), limits: (-100.0, 100.0), fine: 1e-6, coarse: 1e-3 };

    /// A straight line that crosses at 7.3, with an error of 0.5 of risk: two errors are 0.5 of
    /// capacity at a slope of 2.
    #[test]
    fn a_line_is_crossed_where_it_is() {
        let line =
            |points: &[f64]| Some(points.iter().map(|x| tried(*x, 2.0 * (7.3 - x), 0.5)).collect());
        let found = SEARCH.run(line).expect("it crosses");
        assert!(found.high - found.low <= 1e-6 && found.low < 7.3 && found.high >= 7.3);
        let (from, to) = (found.from.expect("within"), found.to.expect("within"));
        assert!((from - 6.8).abs() <= 1e-3 && from <= 6.8, "{from}");
        assert!((to - 7.8).abs() <= 1e-3 && to >= 7.8, "{to}");
        assert!(found.tried < 100 && found.trace.len() > 5, "{}", found.tried);
        let widths: Vec<f64> =
            found.trace.iter().map(|(low, high)| high.capacity - low.capacity).collect();
        assert!(widths.windows(2).all(|pair| pair[1] <= pair[0]), "{widths:?}");
    }

    #[test]
    fn steps_without_errors_are_bracketed() {
        // Integers of risk: crossed where 3 becomes 2, that is at -4.
        let steps = |points: &[f64]| {
            Some(points.iter().map(|x| tried(*x, (-x).ceil() - 4.0, 0.0)).collect())
        };
        let found = SEARCH.run(steps).expect("it crosses");
        assert!(found.low < -4.0 && found.high >= -4.0 && found.high < -4.0 + 1e-6, "{found:?}");
        assert_eq!((found.from, found.to), (Some(found.low), Some(found.high)));
    }

    #[test]
    fn limits_end_the_search() {
        let flat = |mean: f64, error: f64| {
            SEARCH.run(move |points: &[f64]| {
                Some(points.iter().map(|x| tried(*x, mean, error)).collect())
            })
        };
        assert_eq!(flat(1.0, 0.0), Err(NoCrossing::NeverMet));
        // Everything suffices: the least capacity of all.
        let found = flat(-1.0, 0.0).expect("it holds");
        assert_eq!((found.low, found.high, found.from), (-100.0, -100.0, None));
        // Nothing is known within the errors.
        let found = flat(-1.0, 2.0).expect("it holds");
        assert_eq!((found.high, found.from, found.to), (-100.0, None, None));
        assert_eq!(SEARCH.run(|_: &[f64]| None), Err(NoCrossing::Stopped));
    }
}
