//! How fast sequences have decoded of late: what a call that starts may expect for its own pace.

/// Decode steps that the mean is taken over at least.
const STEPS: u32 = 32;

/// Two instants at which sequences began to decode, with the decode steps made by then; at least
/// [`STEPS`] of them lie between the two, and none before the batch was last empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    older: (u64, u32),
    newer: (u64, u32),
}

impl Pace {
    /// Sequences begin to decode at `now`, after `step` decode steps; `first` where no others do.
    pub(super) fn begin(&mut self, now: u64, step: u32, first: bool) {
        let mark = (now, step);
        if first {
            (self.older, self.newer) = (mark, mark);
        } else if step.wrapping_sub(self.newer.1) >= STEPS {
            (self.older, self.newer) = (self.newer, mark);
        }
    }

    /// Mean time of a decode step, what came between them included, picoseconds. Steps that are
    /// missing to [`STEPS`] count as long as one of the present batch, which `present` tells.
    pub(super) fn mean(&self, now: u64, step: u32, present: impl FnOnce() -> u64) -> f64 {
        let (time, steps) = (now - self.older.0, step.wrapping_sub(self.older.1));
        let missing = STEPS.saturating_sub(steps);
        let rest = if missing > 0 { f64::from(missing) * present() as f64 } else { 0.0 };
        (time as f64 + rest) / f64::from(steps + missing)
    }
}
