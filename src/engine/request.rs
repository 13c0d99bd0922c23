//! One call to an engine, and who watches what becomes of it.

use crate::stats::Histogram;
use crate::time::EngineTime;

/// One call. Lengths are at least 1 token of prompt and of output; `cached < prompt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// When it reaches the router.
    pub arrival: EngineTime,
    /// Prompt tokens, cached ones included.
    pub prompt: u32,
    /// Prompt tokens that the prefix cache holds: not computed again, but held in memory.
    pub cached: u32,
    /// Output tokens, thinking included.
    pub output: u32,
    /// Whether its latencies are counted (warm-up and tail of a run are not).
    pub counted: bool,
}

/// What is told about the requests of a replica.
pub trait Observer {
    /// The request `id` has its first token.
    fn first_token(&mut self, id: u32, at: EngineTime);
    /// The request `id` is done.
    fn finished(&mut self, id: u32, request: &Request, first_token: EngineTime, at: EngineTime);
    /// Whether the run may stop: its answer is known.
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
    fn first_token(&mut self, _id: u32, _at: EngineTime) {}

    #[inline]
    fn finished(&mut self, _id: u32, request: &Request, first_token: EngineTime, at: EngineTime) {
        if !request.counted {
            return;
        }
        self.ttft.record((first_token - request.arrival).0);
        self.e2e.record((at - request.arrival).0);
        if request.output > 1 {
            self.tpot.record((at - first_token).0 / u64::from(request.output - 1));
        }
    }
}
