//! What the calls of a run experienced, workload by workload.

use super::curve::LatencyLimits;
use super::first_token::FirstToken;
use super::request::{Abandonment, Completion, Latencies, Observer, Request};
use super::traffic::CallClass;
use crate::hardware::TICK_BITS;
use crate::stats::Histogram;
use crate::time::EngineTime;

/// What the counted calls of one workload experienced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassTally {
    /// TTFT, TPOT and E2E of the calls that were done.
    pub latencies: Latencies,
    /// From arrival to the first token of work on the prompt.
    pub queue_wait: Histogram,
    /// Calls done within the promises for their TTFT and TPOT.
    pub attained: u64,
    /// Counted calls beyond the promise for their TTFT; those that were left or that never fit are
    /// not among them.
    pub late: u64,
    /// Counted calls beyond the promise for their TPOT.
    pub slow: u64,
    /// Calls whose users left before the first token.
    pub abandoned: u64,
    /// Calls that could never fit into memory.
    pub rejected: u64,
    /// Calls that tried again after their users had left once.
    pub retried: u64,
    /// Output tokens of the calls that were done in the measured time.
    pub output_tokens: u64,
    /// Prompt tokens of these.
    pub prompt_tokens: u64,
    /// Calls that were done in the measured time.
    pub done: u64,
    /// Of these, calls within their promises.
    pub done_attained: u64,
}

impl ClassTally {
    /// Calls counted, done or not.
    #[must_use]
    pub fn counted(&self) -> u64 {
        self.latencies.e2e.count() + self.abandoned + self.rejected
    }

    /// Share of the counted calls that were done within the promises.
    #[must_use]
    pub fn attainment(&self) -> f64 {
        let counted = self.counted();
        if counted == 0 { 0.0 } else { self.attained as f64 / counted as f64 }
    }

    /// Adds what others experienced.
    pub fn merge(&mut self, other: &Self) {
        self.latencies.merge(&other.latencies);
        self.queue_wait.merge(&other.queue_wait);
        self.attained += other.attained;
        self.late += other.late;
        self.slow += other.slow;
        self.abandoned += other.abandoned;
        self.rejected += other.rejected;
        self.retried += other.retried;
        self.output_tokens += other.output_tokens;
        self.prompt_tokens += other.prompt_tokens;
        self.done += other.done;
        self.done_attained += other.done_attained;
    }
}

/// Which completions make up the throughput.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    /// Those from one instant to another, picoseconds.
    Times(u64, u64),
    /// Those after the first number of calls that are over, done or not, up to the second.
    Calls(u64, u64),
}

/// The observer that fills the tallies.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) classes: Vec<ClassTally>,
    limits: Vec<(u64, u64)>,
    first_token: FirstToken,
    /// Gaps between the steps that give a sequence tokens.
    pub(super) gaps: Histogram,
    measured: Measured,
    /// Calls that are over.
    over: u64,
    /// Begin and end of the measured time.
    pub(super) window: (u64, u64),
}

impl Tally {
    pub(super) fn new(classes: &[CallClass], first_token: FirstToken, measured: Measured) -> Self {
        let picoseconds = |limits: &LatencyLimits| {
            let of = |seconds: f64| EngineTime::from_seconds(seconds).0;
            (of(limits.ttft_p99.0), of(limits.tpot_p99.0))
        };
        Self {
            classes: vec![ClassTally::default(); classes.len()],
            limits: classes.iter().map(|class| picoseconds(&class.limits)).collect(),
            first_token,
            gaps: Histogram::default(),
            measured,
            over: 0,
            window: match measured {
                Measured::Times(from, to) => (from, to),
                Measured::Calls(..) => (0, 0),
            },
        }
    }

    /// Whether the end of a call falls into the measured time.
    #[inline]
    fn measures(&mut self, at: u64) -> bool {
        self.over += 1;
        match self.measured {
            Measured::Times(from, to) => from <= at && at < to,
            Measured::Calls(first, last) => {
                if self.over <= first {
                    // Calls end in the order of the steps that end them.
                    let begin = self.window.0.max(at);
                    self.window = (begin, begin);
                    return false;
                }
                if self.over > last {
                    return false;
                }
                self.window.1 = self.window.1.max(at);
                true
            }
        }
    }

    pub(super) fn retry(&mut self, request: &Request) {
        self.classes[request.class as usize].retried += u64::from(request.counted);
    }
}

impl Observer for Tally {
    const GAPS: bool = true;

    #[inline]
    fn admitted(&mut self, _id: u32, request: &Request, at: EngineTime) {
        if request.counted {
            let wait = (at - request.arrival).0;
            self.classes[request.class as usize].queue_wait.record(wait);
        }
    }

    #[inline]
    fn finished(&mut self, done: &Completion) {
        let measured = self.measures(done.finish.0);
        let done = &self.first_token.seen(done);
        let (ttft, tpot) = self.limits[done.class as usize];
        let late = done.ttft().0 > ttft;
        let slow = done.tpot().is_some_and(|time| time.0 > tpot);
        let within = !late && !slow;
        let tally = &mut self.classes[done.class as usize];
        if measured {
            tally.done += 1;
            tally.done_attained += u64::from(within);
            tally.output_tokens += u64::from(done.output);
            tally.prompt_tokens += u64::from(done.prompt);
        }
        tally.attained += u64::from(within && done.counted);
        tally.late += u64::from(late && done.counted);
        tally.slow += u64::from(slow && done.counted);
        tally.latencies.finished(done);
    }

    fn rejected(&mut self, request: &Request) {
        self.measures(request.arrival.0);
        self.classes[request.class as usize].rejected += u64::from(request.counted);
    }

    fn abandoned(&mut self, gone: &Abandonment) {
        self.measures(gone.at.0);
        self.classes[gone.class as usize].abandoned += u64::from(gone.counted);
    }

    #[inline]
    fn decoded(&mut self, sequences: u64, gaps: (u64, u64), steps: u64) {
        self.gaps.record_progression(gaps, steps, sequences, TICK_BITS);
    }
}
