//! The gaps between the tokens of a sequence, for observers that ask for them: a decode step, and
//! what stalled the sequence before it.

use super::super::request::Observer;
use crate::hardware::{DecodeRun, TICK_BITS};

/// When the decoding sequences had their last tokens.
#[derive(Debug, Clone, Default)]
pub(super) struct Gaps {
    /// End of the last decode step.
    decoded_at: u64,
    /// Instants of first tokens since, and how many there were.
    fresh: Vec<(u64, u64)>,
}

impl Gaps {
    /// Sequences that decode from now on had a token at `now`.
    pub(super) fn start(&mut self, now: u64, sequences: u64) {
        match self.fresh.last_mut() {
            Some((at, count)) if *at == now => *count += sequences,
            _ => self.fresh.push((now, sequences)),
        }
    }

    /// Tells of decode steps of `sequences` sequences that begin at `now` and end at `end`.
    pub(super) fn tell<O: Observer>(
        &mut self,
        observer: &mut O,
        (now, end): (u64, u64),
        sequences: u64,
        run: &DecodeRun,
        steps: u64,
    ) {
        let smooth = self.decoded_at == now && self.fresh.iter().all(|(at, _)| *at == now);
        let told = if smooth {
            self.fresh.clear();
            0
        } else {
            self.tell_stalled(observer, now, sequences, run)
        };
        self.decoded_at = end;
        tell_run(observer, sequences, run, told, steps);
    }

    /// Tells of the first step of a run before which some sequences had to wait; steps told.
    fn tell_stalled<O: Observer>(
        &mut self,
        observer: &mut O,
        now: u64,
        sequences: u64,
        run: &DecodeRun,
    ) -> u64 {
        let first = run.progression().0;
        let mut old = sequences;
        let mut late = 0;
        let mut tell_late = |lag: u64, count: u64| {
            if lag > 0 && count > 0 {
                observer.decoded(count, (first.saturating_add(lag << TICK_BITS), 0), 1);
                late += count;
            }
        };
        for (at, count) in self.fresh.drain(..) {
            let count = count.min(old);
            old -= count;
            tell_late(now - at, count);
        }
        tell_late(now - self.decoded_at.min(now), old);
        if late == 0 {
            return 0;
        }
        observer.decoded(sequences - late, run.progression(), 1);
        1
    }
}

/// Tells of the steps of a run from step number `told` on.
#[inline]
fn tell_run<O: Observer>(
    observer: &mut O,
    sequences: u64,
    run: &DecodeRun,
    mut told: u64,
    steps: u64,
) {
    while told < steps {
        let rest = run.after(told);
        let straight = rest.same_side(steps - told);
        observer.decoded(sequences, rest.progression(), straight);
        told += straight;
    }
}
