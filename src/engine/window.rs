//! Requests of one window of time, dealt to replicas: between two load reports every replica runs
//! alone through its own requests, so that its state is fetched from memory once.

use std::iter::Peekable;

use super::replica::Replica;
use super::request::Request;
use super::router::Routing;
use crate::time::EngineTime;

/// Requests per replica that are dealt at a time at most, so that a window of any length and load
/// fits into little memory.
const DEALT: usize = 32;
/// The same for a whole small cluster.
const DEALT_AT_LEAST: usize = 2_048;

/// A window and the requests that arrive in it.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Age of the load reports; `None` where nobody reads them.
    age: Option<u64>,
    most: usize,
    pub(super) start: EngineTime,
    pub(super) end: EngineTime,
    /// When the next reports are due; beyond `end` where the window had to be cut.
    reports_due: u64,
    fresh: bool,
    requests: Vec<Request>,
    /// Replica of each request.
    targets: Vec<u32>,
    /// Requests in order of their replicas, and where each replica's begin.
    order: Vec<u32>,
    begins: Vec<u32>,
}

impl Window {
    pub(super) fn new(age: Option<EngineTime>, replicas: u32) -> Self {
        Self {
            age: age.map(|age| age.0),
            most: (DEALT * replicas as usize).max(DEALT_AT_LEAST),
            start: EngineTime(0),
            end: EngineTime(0),
            reports_due: 0,
            fresh: true,
            requests: Vec::new(),
            targets: Vec::new(),
            order: Vec::new(),
            begins: vec![0; replicas as usize + 1],
        }
    }

    /// Collects the requests of the next window that has any; `false` where none are left.
    ///
    /// Reports are made at whole multiples of their age; age 0 is a fresh report for each request.
    pub(super) fn open(&mut self, requests: &mut Peekable<impl Iterator<Item = Request>>) -> bool {
        let Some(next) = requests.peek() else { return false };
        let arrival = next.arrival.0;
        let last = self.end;
        self.start = last;
        match self.age {
            Some(age) if arrival >= self.reports_due => {
                let start = arrival - arrival.checked_rem(age).unwrap_or(0);
                self.start = EngineTime(start);
                self.reports_due = start.saturating_add(age.max(1));
            }
            Some(_) => {}
            None => self.reports_due = u64::MAX,
        }
        self.fresh = self.start == last;
        self.requests.clear();
        while self.requests.len() < self.most {
            let due = self.reports_due;
            let Some(request) = requests.next_if(|request| request.arrival.0 < due) else { break };
            self.requests.push(request);
        }
        let next = requests.peek().map_or(u64::MAX, |request| request.arrival.0);
        // Nobody has to run ahead of a request that is still to come.
        self.end = EngineTime(self.reports_due.min(next));
        if next == u64::MAX && self.age.is_none() {
            self.end = self.requests.last().map_or(self.start, |request| request.arrival);
        }
        true
    }

    /// Whether the loads that the router knows are older than the window.
    pub(super) fn needs_reports(&self) -> bool {
        self.age.is_some() && !self.fresh
    }

    /// Whether the loads at its end are the next reports.
    pub(super) fn ends_with_reports(&self) -> bool {
        self.age.is_some() && self.end.0 == self.reports_due
    }

    /// Lets the router choose a replica for each request. What no memory could hold is not counted
    /// as sent.
    pub(super) fn route(&mut self, any: &Replica<'_>, routing: &mut Routing) {
        self.targets.clear();
        self.begins.fill(0);
        for request in &self.requests {
            let target = routing.choose();
            if !any.could_hold(request) {
                routing.loads[target] -= 1;
            }
            self.targets.push(target as u32);
            self.begins[target + 1] += 1;
        }
        for place in 1..self.begins.len() {
            self.begins[place] += self.begins[place - 1];
        }
        self.order.resize(self.requests.len(), 0);
        for (index, target) in self.targets.iter().enumerate() {
            let begin = &mut self.begins[*target as usize];
            self.order[*begin as usize] = index as u32;
            *begin += 1;
        }
    }

    /// How many requests there are.
    pub(super) fn len(&self) -> u32 {
        self.requests.len() as u32
    }

    /// The requests of a replica in order of arrival, with their places in the window.
    pub(super) fn of_replica(&self, place: usize) -> impl Iterator<Item = (u32, Request)> {
        // Every begin has moved to its end while the order was filled.
        let from = if place == 0 { 0 } else { self.begins[place - 1] };
        let order = &self.order[from as usize..self.begins[place] as usize];
        order.iter().map(|index| (*index, self.requests[*index as usize]))
    }
}
