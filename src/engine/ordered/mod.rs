//! A cluster in which what comes next depends on what is done: closed loops, sessions, retries,
//! and prefill replicas that hand contexts to decode replicas.
//!
//! Replicas run in the order of the instants at which their next steps start, one step at a time
//! unless nothing can come between. Whatever a step brings about happens after that step began,
//! and so after the begin of every other step in flight: no replica ever runs past a request that
//! it should have seen. Slower than windows of time, and equal to them bit for bit where both
//! apply. Contexts that are handed over to decode replicas from which nothing comes back are in
//! [`onward`].

mod onward;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::rngs::ChaCha8Rng;

use super::calls::NONE;
use super::cluster::Cluster;
use super::first_token::FirstToken;
use super::replica::Replica;
use super::request::{Abandonment, Completion, Observer, Request, Retained};
use super::router::Routing;
use super::simulation::Transfer;
use super::tally::Tally;
use super::totals::Totals;
use super::traffic::{Journey, Source, later, on_the_clock};
use crate::rng::StreamKey;
use crate::time::EngineTime;

/// One kind of replicas and their router.
struct Pool<'a> {
    replicas: Vec<Replica<'a>>,
    routing: Routing,
    /// When the next load reports are due; `u64::MAX` where nobody reads them.
    reports_due: u64,
    age: u64,
}

impl<'a> Pool<'a> {
    fn new(cluster: &Cluster<'a>, choice: ChaCha8Rng) -> Self {
        let routing = Routing::new(&cluster.model.router, cluster.replicas, choice);
        let age = routing.report_age();
        Self {
            replicas: (0..cluster.replicas).map(|_| cluster.replica()).collect(),
            routing,
            reports_due: age.map_or(u64::MAX, |age| if age.0 == 0 { u64::MAX } else { 0 }),
            age: age.map_or(u64::MAX, |age| age.0),
        }
    }

    /// The replica for a request that has no place yet.
    fn choose(&mut self) -> usize {
        if self.age == 0 {
            self.read_loads();
        }
        self.routing.choose()
    }

    fn read_loads(&mut self) {
        for (replica, load) in self.replicas.iter().zip(&mut self.routing.loads) {
            *load = replica.load() as u32;
        }
    }

    /// Reads the loads, if new reports have come by `now`.
    fn read_reports(&mut self, now: u64) {
        if now < self.reports_due {
            return;
        }
        self.read_loads();
        self.reports_due = now - now % self.age + self.age;
    }
}

/// Watches one replica for what must be acted on at once.
struct Seen<'t> {
    tally: &'t mut Tally,
    /// Whether calls end here, or are handed on.
    last: bool,
    /// Whether calls begin here.
    first: bool,
    journeys: &'t [Journey],
    done: Vec<Completion>,
    gone: Vec<Abandonment>,
}

impl Observer for Seen<'_> {
    const GAPS: bool = true;

    fn admitted(&mut self, id: u32, request: &Request, at: EngineTime) {
        if self.first {
            self.tally.admitted(id, request, at);
        }
    }

    fn finished(&mut self, done: &Completion) {
        if self.last {
            let Request { arrival, prompt, .. } = self.journeys[done.id as usize].request;
            self.tally.finished(&Completion { arrival, prompt, ..*done });
        }
        self.done.push(*done);
    }

    fn abandoned(&mut self, gone: &Abandonment) {
        self.tally.abandoned(gone);
        self.gone.push(*gone);
    }

    fn decoded(&mut self, sequences: u64, gaps: (u64, u64), steps: u64) {
        if self.last {
            self.tally.decoded(sequences, gaps, steps);
        }
    }

    fn pause(&self) -> bool {
        !self.done.is_empty() || !self.gone.is_empty()
    }
}

/// What is going on in the cluster.
pub(super) struct Ordered<'a, 's, 't> {
    entry: Pool<'a>,
    decode: Option<(Pool<'a>, Transfer)>,
    /// When the outgoing link of each prefill replica is free.
    links: Vec<EngineTime>,
    source: &'t mut Source<'s>,
    tally: &'t mut Tally,
    journeys: Vec<Journey>,
    free: Vec<u32>,
    /// What users wait for a first token, and so for the last one, beyond the replicas.
    first_token: FirstToken,
    /// Whether what is done on a replica brings new calls about.
    feedback: bool,
    /// By pool, (start of the next step, replica) of every replica that has something to do; the
    /// replicas of the second pool come after those of the first.
    edges: [BinaryHeap<Reverse<(u64, u32)>>; 2],
    scheduled: Vec<bool>,
    /// (arrival, journey, whether at the second pool).
    coming: BinaryHeap<Reverse<(u64, u32, bool)>>,
    done: Vec<Completion>,
    gone: Vec<Abandonment>,
}

impl<'a, 's, 't> Ordered<'a, 's, 't> {
    pub(super) fn new(
        entry: &Cluster<'a>,
        decode: Option<(&Cluster<'a>, Transfer)>,
        feedback: bool,
        (source, tally): (&'t mut Source<'s>, &'t mut Tally),
        key: StreamKey,
    ) -> Self {
        let second = decode.as_ref().map_or(0, |(pool, _)| pool.replicas);
        let count = entry.replicas + second;
        let first_token = decode.as_ref().map_or(entry, |(pool, _)| pool).model.first_token;
        let edges = |count: u32| BinaryHeap::with_capacity(count as usize);
        Self {
            entry: Pool::new(entry, key.stream("routing")),
            decode: decode
                .map(|(pool, transfer)| (Pool::new(pool, key.stream("decode routing")), transfer)),
            links: vec![EngineTime(0); entry.replicas as usize],
            source,
            tally,
            journeys: Vec::new(),
            free: Vec::new(),
            first_token,
            feedback,
            edges: [edges(entry.replicas), edges(second)],
            scheduled: vec![false; count as usize],
            coming: BinaryHeap::new(),
            done: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Runs until nobody has anything left to do; the sums of the two pools and the end.
    ///
    /// # Panics
    /// When the books of a replica do not balance: a defect of the engine.
    pub(super) fn run(mut self) -> (Totals, Totals, EngineTime) {
        if !self.feedback && self.decode.is_some() {
            return self.run_onward();
        }
        loop {
            let edges = [self.edge(0), self.edge(1)];
            let edge = edges[0].min(edges[1]);
            let coming = self.coming.peek().map_or(u64::MAX, |Reverse((at, _, _))| *at);
            let fresh = self.source.next_arrival();
            let arrival = coming.min(fresh);
            if edge == u64::MAX && arrival == u64::MAX {
                return self.balance();
            }
            let now = edge.min(arrival);
            self.entry.read_reports(now);
            if let Some((pool, _)) = &mut self.decode {
                pool.read_reports(now);
            }
            if edge < arrival {
                self.step(usize::from(edges[1] < edges[0]), arrival);
            } else if fresh <= coming {
                if let Some(journey) = self.source.take() {
                    let index = self.add(journey);
                    self.arrive(index);
                }
            } else if let Some(Reverse((at, index, second))) = self.coming.pop() {
                if second { self.hand_over(index, at) } else { self.arrive(index) }
            }
        }
    }

    /// When the next step of a pool starts.
    fn edge(&self, pool: usize) -> u64 {
        self.edges[pool].peek().map_or(u64::MAX, |Reverse((at, _))| *at)
    }

    fn balance(self) -> (Totals, Totals, EngineTime) {
        let sum = |pool: &Pool<'_>| {
            let (mut totals, mut end) = (Totals::default(), 0);
            for replica in &pool.replicas {
                replica.balance();
                totals.add(&replica.totals());
                end = end.max(replica.now().0);
            }
            (totals, end)
        };
        let (first, end) = sum(&self.entry);
        match &self.decode {
            None => (first, Totals::default(), EngineTime(end)),
            Some((pool, _)) => {
                let (second, later) = sum(pool);
                (first, second, EngineTime(end.max(later)))
            }
        }
    }

    fn add(&mut self, journey: Journey) -> u32 {
        if let Some(index) = self.free.pop() {
            self.journeys[index as usize] = journey;
            return index;
        }
        self.journeys.push(journey);
        (self.journeys.len() - 1) as u32
    }

    /// Something new that arrives later.
    fn expect(&mut self, next: Option<Journey>) {
        if let Some(journey) = next {
            let at = journey.request.arrival.0;
            let index = self.add(journey);
            self.coming.push(Reverse((at, index, false)));
        }
    }

    /// A call reaches the router.
    fn arrive(&mut self, index: u32) {
        let Journey { mut request, replica, .. } = self.journeys[index as usize];
        let stays = replica != NONE && self.entry.routing.keeps_sessions();
        let chosen =
            if stays { self.entry.routing.send(replica as usize) } else { self.entry.choose() };
        if replica != chosen as u32 {
            request.retained = Retained::NONE;
        }
        // Also for when it is tried again: a ticket is good at its own replica alone.
        let journey = &mut self.journeys[index as usize];
        (journey.replica, journey.request.retained) = (chosen as u32, request.retained);
        if self.decode.is_some() {
            request.output = 1;
        }
        let at = request.arrival.0;
        if self.entry.replicas[chosen].enqueue(index, request) {
            self.schedule(chosen as u32, at);
        } else {
            self.entry.routing.loads[chosen] -= 1;
            self.refuse(index, at);
        }
    }

    /// A context reaches the decode replicas.
    fn hand_over(&mut self, index: u32, at: u64) {
        let sent = self.journeys[index as usize].request;
        let deadline = sent.deadline().0;
        if deadline <= at {
            // Nobody takes the context of a user who is gone; noticed when it is there.
            let Request { class, counted, .. } = sent;
            let at = EngineTime(at);
            self.tally.abandoned(&Abandonment { id: index, class, counted, at });
            self.leave(index, at);
            return;
        }
        let Some((pool, _)) = &mut self.decode else { return };
        let chosen = pool.choose();
        let patience = match sent.patience {
            Request::PATIENT => Request::PATIENT,
            // Rounded up: the user is there until the deadline.
            _ => (deadline - at).div_ceil(1_000_000) as u32,
        };
        let request = Request {
            arrival: EngineTime(at),
            patience,
            retained: Retained::NONE,
            keep: false,
            handed: true,
            ..sent
        };
        if pool.replicas[chosen].enqueue(index, request) {
            let place = self.entry.replicas.len() + chosen;
            self.schedule(place as u32, at);
        } else {
            pool.routing.loads[chosen] -= 1;
            self.refuse(index, at);
        }
    }

    /// A call that no memory could ever hold.
    fn refuse(&mut self, index: u32, at: u64) {
        let journey = self.journeys[index as usize];
        self.tally.rejected(&journey.request);
        self.free.push(index);
        let over = Journey { turns: 0, ..journey };
        let next = self.source.after(&over, Retained::NONE, EngineTime(at));
        self.expect(next);
    }

    fn schedule(&mut self, replica: u32, at: u64) {
        if !std::mem::replace(&mut self.scheduled[replica as usize], true) {
            let second = replica as usize >= self.entry.replicas.len();
            self.edges[usize::from(second)].push(Reverse((at, replica)));
        }
    }

    /// Lets the replica whose step starts first run, at most until the next arrival.
    fn step(&mut self, pool: usize, arrival: u64) {
        let Some(place) = self.take_edge(pool) else { return };
        // Others may bring something about as soon as their next steps have begun.
        let others = self.edge(0).min(self.edge(1)).saturating_add(1);
        let reports = self.decode.as_ref().map_or(u64::MAX, |(pool, _)| pool.reports_due);
        self.advance(place, others.min(arrival).min(reports).min(self.entry.reports_due));
    }

    /// The replica of a pool whose step starts first.
    fn take_edge(&mut self, pool: usize) -> Option<u32> {
        let Reverse((_, place)) = self.edges[pool].pop()?;
        self.scheduled[place as usize] = false;
        Some(place)
    }

    /// Lets a replica run every step that starts before `until`, or until something is done.
    fn advance(&mut self, place: u32, until: u64) {
        let until = EngineTime(until);
        let count = self.entry.replicas.len();
        let first = (place as usize) < count;
        let mut seen = Seen {
            tally: self.tally,
            last: !first || self.decode.is_none(),
            first,
            journeys: &self.journeys,
            done: std::mem::take(&mut self.done),
            gone: std::mem::take(&mut self.gone),
        };
        let next = match &mut self.decode {
            Some((pool, _)) if !first => {
                let replica = &mut pool.replicas[place as usize - count];
                replica.advance(until, &mut seen);
                replica.next_step_at()
            }
            _ => {
                let replica = &mut self.entry.replicas[place as usize];
                replica.advance(until, &mut seen);
                replica.next_step_at()
            }
        };
        let (last, mut done, mut gone) = (seen.last, seen.done, seen.gone);
        if let Some(at) = next {
            self.schedule(place, at.0);
        }
        for completion in done.drain(..) {
            self.settle(&completion, place, last);
        }
        for left in gone.drain(..) {
            self.leave(left.id, left.at);
        }
        (self.done, self.gone) = (done, gone);
    }

    /// What follows a call that is done on a replica.
    fn settle(&mut self, done: &Completion, place: u32, last: bool) {
        let index = done.id as usize;
        if !last {
            self.transfer(done, place);
            return;
        }
        let journey = self.journeys[index];
        // With prefill replicas, the cache that counts is theirs.
        let retained = if self.decode.is_some() { journey.request.retained } else { done.retained };
        self.free.push(done.id);
        // Users go on when they have seen the last token.
        let seen = self.first_token.seen(done).finish;
        let next = self.source.after(&journey, retained, on_the_clock(done.finish, seen));
        self.expect(next);
    }

    /// Sends the context of a prompt to the decode replicas, behind what its replica still sends.
    fn transfer(&mut self, done: &Completion, place: u32) {
        let Some((_, transfer)) = &self.decode else { return };
        let link = &mut self.links[place as usize];
        let begun = done.finish.max(*link);
        *link = later(begun, transfer.occupies(done.prompt));
        let at = later(*link, transfer.latency).0;
        self.journeys[done.id as usize].request.retained = done.retained;
        self.coming.push(Reverse((at, done.id, true)));
    }

    /// What follows a user who has left.
    fn leave(&mut self, id: u32, at: EngineTime) {
        let journey = self.journeys[id as usize];
        self.free.push(id);
        if let Some(again) = self.source.retry(&journey, at) {
            self.tally.retry(&again.request);
            self.expect(Some(again));
            return;
        }
        let over = Journey { turns: 0, ..journey };
        let next = self.source.after(&over, Retained::NONE, at);
        self.expect(next);
    }
}

#[cfg(test)]
mod tests;
