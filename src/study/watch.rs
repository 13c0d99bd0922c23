//! Watching a study from outside: progress and stopping.

use std::sync::atomic::{AtomicBool, Ordering};

/// What a caller may watch and stop while a study runs.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Called once with the number of pieces of work.
    pub begun: &'a (dyn Fn(u64) + Sync),
    /// Called after each piece, from any thread.
    pub done: &'a (dyn Fn() + Sync),
    /// When set, pieces that have not begun are given up and the study returns nothing.
    pub stop: &'a AtomicBool,
}

/// Never set.
static NEVER: AtomicBool = AtomicBool::new(false);

impl Watch<'_> {
    /// Nobody watches and nobody stops.
    #[must_use]
    pub fn nobody() -> Self {
        Watch { begun: &|_| {}, done: &|| {}, stop: &NEVER }
    }

    /// Whether the study was asked to stop.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
