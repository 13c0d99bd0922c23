//! Drives a replica of the engine through turns of sessions, in jumps or step by step, and holds
//! what it says of every request against the slow reference.

use sparkgap::engine::{
    Abandonment, Completion, FirstToken, Observer, Replica, Request, Retained, Scheduler, Totals,
};
use sparkgap::hardware::{Roofline, StepTime};
use sparkgap::time::EngineTime;

use crate::naive::{Naive, Setting};
use crate::naive_state::{Fate, Outcome, Turn};

/// A run that three engines must agree on.
#[derive(Debug, Clone)]
pub struct Case {
    pub roofline: Roofline,
    pub limits: Scheduler,
    pub kv_tokens: u64,
    /// What users wait for a first token beyond the replica.
    pub first_token: FirstToken,
    /// In order of arrival.
    pub turns: Vec<Turn>,
    /// Requests are handed over at whole multiples of this many picoseconds, all that arrive until
    /// the next one together; 0 hands every one over when it arrives.
    pub window: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As far as the engine likes to go.
    Jumps,
    /// A call for every step.
    Steps,
    /// Stopped by the observer whenever a request is done or gone.
    Pauses,
}

/// What the engine says of a case.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub fates: Vec<Fate>,
    /// The requests in the order in which they were done.
    pub done: Vec<usize>,
    /// The earlier turn whose ticket each request was given.
    pub follows: Vec<Option<usize>>,
    pub totals: Totals,
    /// What the replica said of its load and sums whenever requests were handed over.
    pub reports: Vec<(u64, Totals)>,
    /// End of every step: filled step by step only.
    pub edges: Vec<u64>,
}

/// Keeps what an engine says, and checks that it says it once and in a possible order.
struct Recorder<'a> {
    turns: &'a [Turn],
    fates: Vec<Fate>,
    done: Vec<usize>,
    tickets: Vec<Retained>,
    pauses: bool,
    paused: bool,
}

impl Observer for Recorder<'_> {
    fn admitted(&mut self, id: u32, request: &Request, at: EngineTime) {
        let fate = &mut self.fates[id as usize];
        assert!(
            at >= request.arrival && request.arrival == self.turns[id as usize].request.arrival
        );
        assert_eq!((fate.admitted.replace(at.0), fate.first_token, fate.left), (None, None, None));
    }

    fn first_token(&mut self, id: u32, at: EngineTime) {
        let fate = &mut self.fates[id as usize];
        assert!(fate.admitted.is_some_and(|admitted| admitted <= at.0), "{fate:?}");
        assert_eq!((fate.first_token.replace(at.0), fate.left), (None, None));
        assert!(at <= self.turns[id as usize].request.deadline());
    }

    fn finished(&mut self, done: &Completion) {
        let id = done.id as usize;
        let request = &self.turns[id].request;
        let fate = &mut self.fates[id];
        assert_eq!(fate.first_token, Some(done.first_token.0));
        assert!(fate.finish.replace(done.finish.0).is_none());
        let told = (done.arrival, done.prompt, done.output, done.class, done.counted);
        let given =
            (request.arrival, request.prompt, request.output, request.class, request.counted);
        assert_eq!(told, given);
        assert!(request.keep || done.retained == Retained::NONE);
        self.paused = self.pauses;
        self.done.push(id);
        self.tickets[id] = done.retained;
    }

    fn abandoned(&mut self, gone: &Abandonment) {
        self.paused = self.pauses;
        let request = &self.turns[gone.id as usize].request;
        let fate = &mut self.fates[gone.id as usize];
        assert_eq!((fate.first_token, fate.left.replace(gone.at.0)), (None, None));
        assert_eq!((gone.at, gone.class), (request.deadline(), request.class));
    }

    fn pause(&self) -> bool {
        self.paused
    }
}

/// Every gap between two tokens of a sequence, in 2^-16 ps.
struct Gaps(Vec<u64>);

impl Observer for Gaps {
    const GAPS: bool = true;
    fn finished(&mut self, _done: &Completion) {}
    fn decoded(&mut self, sequences: u64, (first, growth): (u64, u64), steps: u64) {
        for step in 0..steps {
            let gap = first + step * growth;
            self.0.extend(std::iter::repeat_n(gap, sequences as usize));
        }
    }
}

/// Advances in spite of pauses.
fn advance(replica: &mut Replica<'_>, until: u64, seen: &mut Recorder<'_>) {
    loop {
        seen.paused = false;
        replica.advance(EngineTime(until), seen);
        if !seen.paused {
            return;
        }
    }
}

/// Makes every step that starts before `until` in a call of its own.
fn step_until(
    replica: &mut Replica<'_>,
    until: u64,
    arrivals: &mut impl Iterator<Item = u64>,
    run: &mut (Recorder<'_>, Vec<u64>),
) {
    loop {
        let now = replica.now().0;
        replica.advance(EngineTime((now + 1).min(until)), &mut run.0);
        if replica.now().0 == now {
            // Idle: on to the next arrival.
            let Some(next) = arrivals.find(|arrival| *arrival > now) else { return };
            replica.advance(EngineTime(next + 1), &mut run.0);
        }
        if run.1.last() != Some(&replica.now().0) {
            run.1.push(replica.now().0);
        }
    }
}

impl Case {
    pub fn step_time(&self) -> StepTime {
        StepTime::new(&self.roofline)
    }

    /// Runs the engine to the end.
    pub fn drive(&self, pace: Pace) -> Run {
        let step_time = self.step_time();
        let replica = Replica::new(&step_time, &self.limits, self.kv_tokens);
        let mut replica = replica.behind(self.first_token);
        let count = self.turns.len();
        let fates = vec![Fate::default(); count];
        let tickets = vec![Retained::NONE; count];
        let pauses = pace == Pace::Pauses;
        let (done, turns) = (Vec::new(), &self.turns[..]);
        let recorder = Recorder { turns, fates, done, tickets, pauses, paused: false };
        let mut state = (recorder, Vec::new());
        let (mut follows, mut reports) = (vec![None; count], Vec::new());
        let mut next = 0;
        while next < count {
            let arrival = self.turns[next].request.arrival.0;
            let start = arrival - arrival.checked_rem(self.window).unwrap_or(0);
            let end = start + self.window.max(1);
            if pace == Pace::Steps {
                let known = self.turns[..next].iter().map(|turn| turn.request.arrival.0);
                step_until(&mut replica, start, &mut known.filter(|at| *at < start), &mut state);
            } else {
                advance(&mut replica, start, &mut state.0);
            }
            reports.push((replica.load(), replica.totals()));
            while let Some(turn) = self.turns.get(next).filter(|t| t.request.arrival.0 < end) {
                let mut request = turn.request;
                // Only what is known when the request is handed over, and done when it comes.
                follows[next] = turn.follows.filter(|earlier| {
                    let finish = state.0.fates[*earlier].finish;
                    finish.is_some_and(|finish| finish <= request.arrival.0)
                });
                request.retained =
                    follows[next].map_or(Retained::NONE, |earlier| state.0.tickets[earlier]);
                replica.enqueue(next as u32, request);
                next += 1;
            }
        }
        if pace == Pace::Steps {
            let mut known = self.turns.iter().map(|turn| turn.request.arrival.0);
            step_until(&mut replica, u64::MAX, &mut known, &mut state);
        }
        advance(&mut replica, u64::MAX, &mut state.0);
        replica.finish(&mut state.0);
        assert_eq!(replica.load(), 0);
        let (Recorder { fates, done, .. }, edges) = state;
        Run { fates, done, follows, totals: replica.totals(), reports, edges }
    }

    /// Every gap between tokens that the engine tells of, the shortest first, picoseconds. Without
    /// tickets.
    pub fn gaps(&self) -> Vec<f64> {
        let step_time = self.step_time();
        let replica = Replica::new(&step_time, &self.limits, self.kv_tokens);
        let mut replica = replica.behind(self.first_token);
        let mut gaps = Gaps(Vec::new());
        for (id, turn) in self.turns.iter().enumerate() {
            replica.advance(turn.request.arrival, &mut gaps);
            replica.enqueue(id as u32, turn.request);
        }
        replica.finish(&mut gaps);
        gaps.0.sort_unstable();
        gaps.0.iter().map(|gap| *gap as f64 / 65_536.0).collect()
    }

    /// Asserts that jumps, steps and the slow reference agree on everything, bit for bit.
    pub fn agree(&self) -> Outcome {
        let jumps = self.drive(Pace::Jumps);
        for pace in [Pace::Steps, Pace::Pauses] {
            let run = self.drive(pace);
            assert_eq!((&jumps.fates, &jumps.done), (&run.fates, &run.done), "jumps, {pace:?}");
            assert_eq!((&jumps.follows, jumps.totals), (&run.follows, run.totals), "{pace:?}");
            assert!(jumps.reports == run.reports, "reports of jumps, {pace:?}");
        }
        let mut order = vec![0; self.turns.len()];
        for (place, id) in jumps.done.iter().enumerate() {
            order[*id] = place;
        }
        let step_time = self.step_time();
        let setting = Setting {
            step_time: &step_time,
            scheduler: &self.limits,
            first_token: self.first_token,
            kv_tokens: self.kv_tokens,
            growth: (self.roofline.tokens_per_step * 256.0).round() as u64,
            order: &order,
        };
        let mut naive = Naive::new(setting, self.turns.len());
        for (id, (turn, follows)) in self.turns.iter().zip(&jumps.follows).enumerate() {
            naive.push(id, Turn { request: turn.request, follows: *follows });
        }
        let expected = naive.finish();
        for (id, (told, fate)) in jumps.fates.iter().zip(&expected.fates).enumerate() {
            assert_eq!(told, fate, "request {id}: the engine and the slow reference");
        }
        assert_eq!(jumps.totals, expected.totals);
        self.add_up(&expected);
        expected
    }

    /// Every request is done, gone or refused at the door.
    fn add_up(&self, outcome: &Outcome) {
        let count = |is: fn(&Fate) -> bool| outcome.fates.iter().filter(|f| is(f)).count() as u64;
        let done = count(|fate| fate.finish.is_some());
        let left = count(|fate| fate.left.is_some());
        let totals = &outcome.totals;
        assert_eq!((totals.completed, totals.abandoned), (done, left));
        assert_eq!(totals.arrived, totals.completed + totals.abandoned);
        assert_eq!(totals.arrived + totals.rejected, self.turns.len() as u64);
        assert_eq!(totals.decoded + totals.recomputed_steps, totals.owed_steps);
        let computed = totals.owed_prefill + totals.recomputed_prefill;
        assert_eq!(totals.prefilled + totals.found, computed);
    }
}
