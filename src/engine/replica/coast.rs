//! Decode steps in which nothing else can happen, all at once and exactly.

use super::super::request::Observer;
use super::{BELOW, Replica, wrapped};
use crate::hardware::{DecodeRun, TICK_BITS};

/// Runs of so many steps, each of so many ticks that grow by so many, in so many picoseconds, have
/// sums below 2^63.
const SHORT: u64 = 1 << 10;
const LONG_STEP: u64 = 1 << 52;
const LONG_GROWTH: u64 = 1 << 42;
const LONG: u64 = 1 << 47;

impl Replica<'_> {
    /// The instant until which nobody can join the batch and nobody can leave the line: steps that
    /// start before it need no look at the line. `None` when the next step must be planned.
    #[inline]
    pub(super) fn quiet_until(&mut self, until: u64) -> Option<u64> {
        if self.prefilling.is_some() || self.calls.decoding() == 0 {
            return None;
        }
        let next = self.line.next_arrival();
        if self.line.waiting() == 0 {
            return Some(until.min(next));
        }
        let deadline = self.line.next_deadline();
        if self.is_full() {
            return Some(until.min(deadline));
        }
        // A line that is blocked by its head is so until somebody ends, the head leaves, or
        // someone more urgent comes.
        let more_urgent = if self.line.mixed { next } else { u64::MAX };
        let head = self.line.head(&mut self.calls)?;
        (!self.fits(head)).then(|| until.min(deadline).min(more_urgent))
    }

    /// Decodes an unchanged batch until something may happen: a completion, a shortage of memory,
    /// or `stop`. Whether any step was made.
    #[inline]
    pub(super) fn coast<O: Observer>(&mut self, stop: u64, observer: &mut O) -> bool {
        let ahead = self.calls.steps_ahead(self.step);
        let affordable = self.affordable_steps(ahead);
        if affordable == 0 {
            return false;
        }
        let decode = u64::from(self.calls.decoding());
        let run = self.step_time.decode_run(decode, self.kv);
        let (steps, ticks) = self.run_until(&run, u64::from(affordable), stop - self.now);
        let growth = self.step_time.growth();
        self.take_blocks(self.claimed(steps as u32));
        let passed = (ticks >> TICK_BITS) as u64;
        self.below = ticks as u64 & BELOW;
        if O::GAPS {
            let times = (self.now, self.now + passed);
            self.gaps.tell(observer, times, decode, &run, steps);
        }
        self.now += passed;
        self.next_steps(steps as u32);
        let sums = &mut self.totals;
        sums.steps += steps;
        sums.decoded += steps * decode;
        let (pairs, grown) = (steps * (steps - 1) / 2, decode * growth);
        sums.context_read += if steps <= SHORT {
            u128::from(self.kv * steps + grown * pairs)
        } else {
            u128::from(self.kv) * u128::from(steps) + u128::from(grown) * u128::from(pairs)
        };
        self.kv += steps * decode * growth;
        if steps == u64::from(ahead) {
            self.complete_ended(observer);
        }
        true
    }

    /// Steps of a run that start within `room` picoseconds, `most` at most, and the ticks until
    /// their end, counted from the last whole picosecond.
    #[inline]
    fn run_until(&self, run: &DecodeRun, most: u64, room: u64) -> (u64, u128) {
        let (first, growth) = run.progression();
        let short = most <= SHORT && room < LONG && first < LONG_STEP && growth < LONG_GROWTH;
        if short && run.same_side(most) == most {
            // No sum leaves 64 bits. Steps only grow, so as many as fit at the length of the first
            // are enough, and hardly ever too many: nothing here is a branch to be guessed.
            let target = (room << TICK_BITS) - self.below;
            let sum = |steps: u64| first * steps + growth * (steps * (steps - 1) / 2);
            let mut steps = most.min(target / first.max(1) + 1);
            while steps > 1 && sum(steps - 1) >= target {
                steps -= 1;
            }
            return (steps, u128::from(self.below + sum(steps)));
        }
        let below = u128::from(self.below);
        let (ticks, room) = (below + run.sum(most), u128::from(room) << TICK_BITS);
        if ticks <= room {
            return (most, ticks);
        }
        let steps = run.steps_to(room - below, most);
        (steps, below + run.sum(steps))
    }

    /// Blocks that the batch claims in the next `steps` steps: every sequence one in each period.
    #[inline]
    fn claimed(&self, steps: u32) -> u64 {
        let period = self.blocks.period as u32;
        let (turns, rest) =
            if steps < period { (0, steps) } else { (steps / period, steps % period) };
        // All residues are looked at, for how many of them count cannot be foretold.
        let mut blocks = 0;
        for (residue, claims) in self.claims.iter().enumerate() {
            let residue = residue as u32;
            let turned = if residue < self.residue { period } else { 0 };
            let ahead = residue.wrapping_sub(self.residue).wrapping_add(turned);
            blocks += if ahead < rest { *claims } else { 0 };
        }
        u64::from(turns) * u64::from(self.calls.decoding()) + u64::from(blocks)
    }

    /// How many of the next `steps` steps find the blocks that they claim.
    #[inline]
    fn affordable_steps(&self, steps: u32) -> u32 {
        let decode = u64::from(self.calls.decoding());
        let period = self.blocks.period as u32;
        let available = self.available_blocks();
        // Enough for every sequence in each turn begun.
        let turns = if period == 16 { steps.div_ceil(16) } else { steps.div_ceil(period) };
        if u64::from(turns) * decode <= available {
            return steps;
        }
        self.affordable_exactly(steps, available)
    }

    #[cold]
    fn affordable_exactly(&self, steps: u32, available: u64) -> u32 {
        let period = self.blocks.period as u32;
        let turns = (available / u64::from(self.calls.decoding())).min(u64::from(steps / period));
        let mut left = available - turns * u64::from(self.calls.decoding());
        let mut found = turns as u32 * period;
        let mut residue = self.residue;
        while found < steps {
            let wanted = u64::from(self.claims[residue as usize]);
            if wanted > left {
                break;
            }
            left -= wanted;
            found += 1;
            residue = wrapped(residue + 1, period);
        }
        found
    }
}
