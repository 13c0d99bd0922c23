//! One call to an engine, what becomes of it, and who watches.

use crate::stats::Histogram;
use crate::time::EngineTime;

/// Priorities that a replica knows: 0 (served first) to one less.
pub const PRIORITIES: usize = 4;

/// A ticket for the context that an earlier turn of a session left in a replica's prefix cache.
/// It is valid at that replica alone, and only until the context has been used or evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    pub(super) entry: u32,
    pub(super) stamp: u32,
}

impl Retained {
    /// Nothing was left.
    pub const NONE: Self = Self { entry: u32::MAX, stamp: 0 };
}

/// One call. Lengths are at least 1 token of prompt and of output; `cached < prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When it reaches the router.
    pub arrival: EngineTime,
    /// Prompt tokens, cached ones included.
    pub prompt: u32,
    /// Prompt tokens that the prefix cache holds for everyone: not computed again, but held in
    /// memory.
    pub cached: u32,
    /// Output tokens, thinking included.
    pub output: u32,
    /// Microseconds from arrival after which the user leaves if there is no first token yet;
    /// [`Request::PATIENT`] for never.
    pub patience: u32,
    /// What an earlier turn of its session left in the prefix cache of this replica.
    pub retained: Retained,
    /// Workload of the deployment that it belongs to; it decides nothing.
    pub class: u8,
    /// Below [`PRIORITIES`]; 0 is served first.
    pub priority: u8,
    /// Whether its context stays in the prefix cache when it is done.
    pub keep: bool,
    /// Whether its context comes from a prefill replica, so that nothing is left to prefill.
    pub handed: bool,
    /// Whether its latencies are counted (warm-up and tail of a run are not).
    pub counted: bool,
}

impl Request {
    /// Patience of a user who never leaves.
    pub const PATIENT: u32 = u32::MAX;

    /// A plain counted call of the first class with nothing cached.
    #[must_use]
    pub fn new(arrival: EngineTime, prompt: u32, output: u32) -> Self {
        Self {
            arrival,
            prompt,
            cached: 0,
            output,
            patience: Self::PATIENT,
            retained: Retained::NONE,
            class: 0,
            priority: 0,
            keep: false,
            handed: false,
            counted: true,
        }
    }

    /// When the user leaves without a first token.
    #[must_use]
    pub fn deadline(&self) -> EngineTime {
        match self.patience {
            Self::PATIENT => EngineTime(u64::MAX),
            patience => EngineTime(self.arrival.0 + u64::from(patience) * 1_000_000),
        }
    }
}

/// A call that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// The number it was handed over with.
    pub id: u32,
    /// Its workload.
    pub class: u8,
    /// Whether its latencies are counted.
    pub counted: bool,
    /// When it reached the router.
    pub arrival: EngineTime,
    /// When it had its first token.
    pub first_token: EngineTime,
    /// When it had its last token.
    pub finish: EngineTime,
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
    /// Its context in the prefix cache of the replica.
    pub retained: Retained,
}

impl Completion {
    /// From arrival to first token.
    #[must_use]
    pub fn ttft(&self) -> EngineTime {
        self.first_token - self.arrival
    }

    /// Mean time of the tokens after the first; none for a call of one token.
    #[inline]
    #[must_use]
    pub fn tpot(&self) -> Option<EngineTime> {
        let gaps = u64::from(self.output).checked_sub(1).filter(|gaps| *gaps > 0)?;
        Some(EngineTime((self.finish - self.first_token).0 / gaps))
    }
}

/// A user who left before the first token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abandonment {
    /// The number that the call was handed over with.
    pub id: u32,
    /// Its workload.
    pub class: u8,
    /// Whether its latencies are counted.
    pub counted: bool,
    /// When the user left.
    pub at: EngineTime,
}

/// What is told about the requests of a replica.
pub trait Observer {
    /// Whether it wants to know the gaps between tokens ([`Observer::decoded`]).
    const GAPS: bool = false;
    /// The request `id` has a place in memory for the first time: its wait in the line is over.
    #[inline]
    fn admitted(&mut self, _id: u32, _request: &Request, _at: EngineTime) {}
    /// The request `id` has its first token.
    #[inline]
    fn first_token(&mut self, _id: u32, _at: EngineTime) {}
    /// A request is done.
    fn finished(&mut self, done: &Completion);
    /// A user has left.
    #[inline]
    fn abandoned(&mut self, _gone: &Abandonment) {}
    /// A request could never fit into memory.
    #[inline]
    fn rejected(&mut self, _request: &Request) {}
    /// So many sequences had each a token after the first gap, and after each of the `steps - 1`
    /// that follow, all in 2^-16 picoseconds; every gap is longer than the one before by the second
    /// number. Gaps across a preemption are not told.
    #[inline]
    fn decoded(&mut self, _sequences: u64, _gaps: (u64, u64), _steps: u64) {}
    /// Whether the replica should stop after the present step: somebody must act on it first.
    #[inline]
    fn pause(&self) -> bool {
        false
    }
    /// Whether the run may stop: its answer is known.
    #[inline]
    fn enough(&self) -> bool {
        false
    }
}

/// Latency histograms, in picoseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Latencies {
    /// Time to first token.
    pub ttft: Histogram,
    /// Mean time per output token after the first, of requests with at least two.
    pub tpot: Histogram,
    /// Arrival to last token.
    pub e2e: Histogram,
}

impl Latencies {
    /// Adds the counts of others.
    pub fn merge(&mut self, other: &Self) {
        self.ttft.merge(&other.ttft);
        self.tpot.merge(&other.tpot);
        self.e2e.merge(&other.e2e);
    }
}

impl Observer for Latencies {
    #[inline]
    fn finished(&mut self, done: &Completion) {
        if !done.counted {
            return;
        }
        self.ttft.record(done.ttft().0);
        self.e2e.record((done.finish - done.arrival).0);
        if let Some(tpot) = done.tpot() {
            self.tpot.record(tpot.0);
        }
    }
}
