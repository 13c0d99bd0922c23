//! What is sent to a deployment: workloads, how their calls arrive, what users do when they wait
//! too long, and what follows a call that is done.

use rand::rngs::ChaCha8Rng;

use super::calls::NONE;
use super::curve::LatencyLimits;
use super::draws::{CallLaws, CallStreams, Lengths};
use super::load::CallShape;
use super::request::{Request, Retained};
use crate::demand::{ArrivalTimes, Gaps, Interarrival, LengthTable, RateProfile, TraceRow};
use crate::rng::{StreamKey, exponential, uniform};
use crate::time::EngineTime;
use crate::units::Seconds;

/// How long users wait for a first token, and what they do when it does not come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Time after which the user leaves: of everyone, or the mean of an exponential law. Nobody
    /// waits longer than 71 minutes (2^32 microseconds).
    pub timeout: Seconds,
    /// Whether it is exponential.
    pub exponential: bool,
    /// Share of those who leave that try again with the same call, as often as they leave. Below 1
    /// for a trace: where nobody is ever served in time, it would not end.
    pub retry: f64,
    /// Time until they do.
    pub retry_after: Seconds,
    /// Times that a call is tried at most, the first included; at least 1.
    pub attempts: u32,
}

/// One workload of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct CallClass {
    /// What it is called.
    pub name: String,
    /// Its share of the calls; shares are relative to each other.
    pub share: f64,
    /// Lengths of its calls.
    pub calls: CallShape,
    /// 0 is served first; below [`super::PRIORITIES`].
    pub priority: u8,
    /// Promises that a call is held to.
    pub limits: LatencyLimits,
    /// Patience of its users; `None` for never leaving.
    pub patience: Option<Patience>,
}

/// Sessions of several turns. A later turn's prompt is the whole conversation so far and some new
/// text; its context is found where the prefix cache still holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sessions {
    /// Mean number of turns (geometric), at least 1.
    pub turns: f64,
    /// Mean time from an answer to the next turn (exponential).
    pub think: Seconds,
    /// Tokens that a later turn adds to the conversation.
    pub added: LengthTable,
}

/// How calls arrive.
#[derive(Debug, Clone, PartialEq)]
// There is one for each run.
#[allow(clippy::large_enum_variant)]
pub enum Pattern {
    /// At a rate, whatever becomes of them. With sessions, the rate is that of their turns.
    Open {
        /// Calls per second to the whole cluster.
        calls_per_second: f64,
        /// Law of the gaps.
        gaps: Interarrival,
        /// How the rate moves; constant if left out.
        profile: Option<RateProfile>,
        /// Conversations; single calls if left out.
        sessions: Option<Sessions>,
    },
    /// A fixed number of users, each with one call at a time and the next one right after it.
    Closed {
        /// Calls in flight.
        concurrency: u32,
    },
}

/// What is sent to one cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    /// Workloads, at least one and at most 256.
    pub classes: Vec<CallClass>,
    /// How their calls arrive.
    pub pattern: Pattern,
    /// Calls in all.
    pub requests: u64,
    /// Shares of the calls at the beginning and at the end of the run that are not counted; where
    /// calls have a rate, those that it brings in the mean.
    pub not_counted: (f64, f64),
}

/// A call on its way through a cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Journey {
    /// As it came to the router; its lengths stay when it is tried again.
    pub(super) request: Request,
    /// Turns that follow.
    pub(super) turns: u32,
    /// Replica of the turn before.
    pub(super) replica: u32,
    /// Times that it has been tried before.
    pub(super) tries: u32,
}

struct ClassSource {
    laws: CallLaws,
    streams: CallStreams,
    priority: u8,
    patience: Option<Patience>,
}

/// Draws what is sent.
pub(super) struct Source<'a> {
    classes: Vec<ClassSource>,
    /// Cumulative shares.
    shares: Vec<f64>,
    choice: ChaCha8Rng,
    patience: ChaCha8Rng,
    thinking: ChaCha8Rng,
    pauses: ChaCha8Rng,
    retries: ChaCha8Rng,
    times: Option<ArrivalTimes>,
    trace: Option<&'a mut dyn Iterator<Item = TraceRow>>,
    sessions: Option<(Sessions, CallLaws, CallStreams)>,
    /// Users of a closed loop that have not begun.
    users: u32,
    left: u64,
    /// Counted arrivals: from here to before there.
    counted: (u64, u64),
    /// The same by the number of the call, where times are not known beforehand.
    counted_calls: Option<(u64, u64)>,
    drawn: u64,
    /// The next arrival that no earlier call brings about.
    next: Option<Journey>,
}

impl<'a> Source<'a> {
    pub(super) fn new(traffic: &Traffic, key: StreamKey) -> Self {
        let mut source = Self::of_classes(&traffic.classes, key);
        source.left = traffic.requests;
        let (first, last) = traffic.not_counted;
        let place = |share: f64| (share * traffic.requests as f64) as u64;
        match &traffic.pattern {
            Pattern::Open { calls_per_second, gaps, profile, sessions } => {
                let turns = sessions.as_ref().map_or(1.0, |sessions| sessions.turns.max(1.0));
                let (stream, rate) = (key.stream("arrivals"), calls_per_second / turns);
                let gaps = Gaps::new(gaps);
                source.times = Some(ArrivalTimes::new(rate, gaps, profile.clone(), stream));
                let time = |share: f64| {
                    let steady = share * traffic.requests as f64 / calls_per_second;
                    let moving = profile.as_ref().map(|profile| profile.clock(steady));
                    EngineTime::from_seconds(moving.unwrap_or(steady)).0
                };
                source.counted = (time(first), time(1.0 - last));
                source.sessions = sessions.clone().map(|sessions| {
                    let shape =
                        CallShape { prompt: sessions.added.clone(), ..CallShape::fixed(1, 0.0, 1) };
                    let streams = CallStreams::new(key, " of later turns");
                    (sessions, CallLaws::new(&shape), streams)
                });
            }
            Pattern::Closed { concurrency } => {
                source.users = *concurrency;
                source.counted_calls = Some((place(first), place(1.0 - last)));
            }
        }
        source.draw();
        source
    }

    /// Calls of a recorded trace, all of the first class, all counted.
    pub(super) fn of_trace(
        class: &CallClass,
        rows: &'a mut dyn Iterator<Item = TraceRow>,
        key: StreamKey,
    ) -> Self {
        let mut source = Self::of_classes(std::slice::from_ref(class), key);
        source.trace = Some(rows);
        source.left = u64::MAX;
        source.draw();
        source
    }

    fn of_classes(classes: &[CallClass], key: StreamKey) -> Self {
        let mut sum = 0.0;
        let shares = classes.iter().map(|class| {
            sum += class.share;
            sum
        });
        let shares = shares.collect();
        let source = |(index, class): (usize, &CallClass)| ClassSource {
            laws: CallLaws::new(&class.calls),
            streams: match index {
                0 => CallStreams::new(key, ""),
                _ => CallStreams::new(key, &format!(" of workload {index}")),
            },
            priority: class.priority,
            patience: class.patience,
        };
        Self {
            classes: classes.iter().enumerate().map(source).collect(),
            shares,
            choice: key.stream("workloads"),
            patience: key.stream("patience"),
            thinking: key.stream("sessions"),
            pauses: key.stream("pauses of sessions"),
            retries: key.stream("retries"),
            times: None,
            trace: None,
            sessions: None,
            users: 0,
            left: 0,
            counted: (0, u64::MAX),
            counted_calls: None,
            drawn: 0,
            next: None,
        }
    }

    /// Instants between which arrivals are counted; `None` where calls are counted by number.
    pub(super) fn counted_times(&self) -> Option<(u64, u64)> {
        self.counted_calls.is_none().then_some(self.counted)
    }

    /// When the next call arrives that no earlier one brings about; `u64::MAX` for never.
    #[inline]
    pub(super) fn next_arrival(&self) -> u64 {
        self.next.as_ref().map_or(u64::MAX, |next| next.request.arrival.0)
    }

    /// Takes that call.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Journey> {
        let taken = self.next.take();
        if taken.is_some() {
            self.draw();
        }
        taken
    }

    fn draw(&mut self) {
        self.next = self.generate();
    }

    /// The next call that no earlier one brings about.
    #[inline]
    fn generate(&mut self) -> Option<Journey> {
        if self.left == 0 {
            return None;
        }
        if let Some(times) = &mut self.times {
            let at = times.next()?;
            return Some(self.call(at));
        }
        if let Some(rows) = &mut self.trace {
            let row = rows.next()?;
            let lengths = Lengths { prompt: row.prompt, cached: row.cached, output: row.output };
            return Some(self.journey(0, row.arrival, lengths));
        }
        self.users = self.users.checked_sub(1)?;
        Some(self.call(EngineTime(0)))
    }

    /// A new call.
    #[inline]
    fn call(&mut self, at: EngineTime) -> Journey {
        let class = if self.classes.len() == 1 { 0 } else { self.class() };
        let chosen = &mut self.classes[class];
        let lengths = chosen.streams.next(&chosen.laws);
        let mut journey = self.journey(class as u8, at, lengths);
        if let Some((sessions, _, _)) = &self.sessions {
            journey.request.keep = true;
            journey.turns = geometric(uniform(&mut self.thinking), sessions.turns) - 1;
        }
        journey
    }

    fn class(&mut self) -> usize {
        let sum = self.shares.last().copied().unwrap_or(1.0);
        let place = uniform(&mut self.choice) * sum;
        self.shares.partition_point(|share| *share < place).min(self.classes.len() - 1)
    }

    #[inline]
    fn journey(&mut self, class: u8, at: EngineTime, lengths: Lengths) -> Journey {
        self.left -= 1;
        let number = self.drawn;
        self.drawn += 1;
        let ClassSource { priority, patience, .. } = self.classes[class as usize];
        let counted = match self.counted_calls {
            Some((from, to)) => (from..to).contains(&number),
            None => self.counts(at),
        };
        let patience = patience.map_or(Request::PATIENT, |patience| self.patience_of(patience));
        let Lengths { prompt, cached, output } = lengths;
        let plain = Request::new(at, prompt, output);
        let request = Request { cached, class, priority, patience, counted, ..plain };
        Journey { request, turns: 0, replica: NONE, tries: 0 }
    }

    /// Whether an arrival at this instant is counted.
    fn counts(&self, at: EngineTime) -> bool {
        (self.counted.0..self.counted.1).contains(&at.0)
    }

    /// Microseconds that a user waits.
    fn patience_of(&mut self, patience: Patience) -> u32 {
        let drawn = if patience.exponential { exponential(&mut self.patience) } else { 1.0 };
        let microseconds = (patience.timeout.0 * drawn * 1e6).round();
        (microseconds as u32).min(Request::PATIENT - 1)
    }

    /// What follows a call that is over at `at`: the next turn of its session, or the next call of
    /// a closed loop. `retained` is what it left in the prefix cache of its replica.
    pub(super) fn after(
        &mut self,
        over: &Journey,
        retained: Retained,
        at: EngineTime,
    ) -> Option<Journey> {
        if self.left == 0 {
            return None;
        }
        if over.turns == 0 {
            let closed = self.times.is_none() && self.trace.is_none();
            return closed.then(|| self.call(at));
        }
        let (sessions, laws, streams) = self.sessions.as_mut()?;
        let pause = Seconds(sessions.think.0 * exponential(&mut self.pauses));
        // Later turns come in an order that depends on what is done: they have streams of their
        // own, so that first turns are the same whatever serves them.
        let added = streams.next(laws).prompt;
        let class = over.request.class;
        let drawn = streams.next(&self.classes[class as usize].laws);
        let past = over.request.prompt.saturating_add(over.request.output);
        let prompt = past.saturating_add(added);
        let lengths = Lengths { prompt, cached: over.request.cached, output: drawn.output };
        let arrival = later(at, pause);
        let mut next = self.journey(class, arrival, lengths);
        next.request.keep = true;
        next.request.retained = retained;
        (next.turns, next.replica) = (over.turns - 1, over.replica);
        Some(next)
    }

    /// The same call again, if its user tries again after leaving at `at`. It is not one of the
    /// calls that were asked for: these go on arriving.
    pub(super) fn retry(&mut self, left: &Journey, at: EngineTime) -> Option<Journey> {
        let patience = self.classes[left.request.class as usize].patience?;
        let tries = left.tries + 1;
        if tries >= patience.attempts || uniform(&mut self.retries) >= patience.retry {
            return None;
        }
        let arrival = later(at, patience.retry_after);
        let counted = match self.counted_calls {
            Some(_) => left.request.counted,
            None => self.counts(arrival),
        };
        let patience = self.patience_of(patience);
        let request = Request { arrival, counted, patience, ..left.request };
        Some(Journey { request, tries, ..*left })
    }
}

/// Calls that arrive whatever becomes of the earlier ones.
impl Iterator for Source<'_> {
    type Item = Request;

    #[inline]
    fn next(&mut self) -> Option<Request> {
        // Who reads ahead does so outside.
        let drawn = self.next.take().or_else(|| self.generate());
        drawn.map(|journey| journey.request)
    }
}

/// An instant that much later. Nothing is put off beyond the last arrival of an open process, so
/// that what is served then still has a time.
pub(super) fn later(at: EngineTime, pause: Seconds) -> EngineTime {
    let then = at.0.saturating_add(EngineTime::from_seconds(pause.0).0);
    on_the_clock(at, EngineTime(then))
}

/// The instant `then` within what the clock holds, but not before `at`.
pub(super) fn on_the_clock(at: EngineTime, then: EngineTime) -> EngineTime {
    EngineTime(then.0.min(ArrivalTimes::LAST.0).max(at.0))
}

/// A geometric number, at least 1, of this mean.
fn geometric(u: f64, mean: f64) -> u32 {
    if mean <= 1.0 {
        return 1;
    }
    // P(more than n) = (1 - 1/mean)^n.
    let steps = libm::log(u) / libm::log1p(-1.0 / mean);
    1 + steps.min(1e6) as u32
}
