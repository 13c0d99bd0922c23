//! A cluster of equal replicas behind a router.
//!
//! Routers that do not look at load split the requests beforehand, and replicas run one after
//! another. Routers that do look act on load reports of a physical age: between two reports every
//! replica runs alone through the window. A router adds what it has itself sent since the report.

use rand::rngs::ChaCha8Rng;

use super::curve::{LatencyLimits, SloLimit};
use super::load::{Draws, Load};
use super::model::ReplicaModel;
use super::replica::{Replica, Totals};
use super::request::{Latencies, Observer, Request};
use super::{Router, Scheduler};
use crate::hardware::StepTime;
use crate::rng::{StreamKey, uniform};
use crate::time::EngineTime;

/// Requests per replica that are handed over at a time when nobody looks at load.
const CATCH_UP: u32 = 1_024;

/// What a run of a cluster leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterOutcome {
    /// Latencies of the counted requests.
    pub latencies: Latencies,
    /// Sums over all replicas and all requests.
    pub totals: Totals,
    /// From time zero to the end of the last request.
    pub span: EngineTime,
}

/// Simulates a cluster of `replicas` replicas under a Poisson load until all of `requests`
/// requests are done; the first third and the last tenth of them are not counted.
///
/// # Panics
/// When the books of a replica do not balance: a defect of the engine.
#[must_use]
pub fn simulate_cluster(
    model: &ReplicaModel,
    replicas: u32,
    load: &Load,
    requests: u32,
    key: StreamKey,
) -> ClusterOutcome {
    let draws = Draws::new(&load.calls, requests, (requests / 3, requests - requests / 10), key);
    let step_time = StepTime::new(&model.roofline);
    let mut latencies = Latencies::default();
    let cluster = Cluster { step_time: &step_time, model, replicas };
    let (totals, span) = cluster.run(&draws, load.calls_per_second, key, &mut latencies);
    ClusterOutcome { latencies, totals, span }
}

/// Latencies with limits: knows when more than 1 % of the counted requests have missed one, so
/// that a run that has failed need not go on.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) latencies: Latencies,
    ttft: u64,
    tpot: u64,
    allowed: u64,
    late: u64,
    slow: u64,
}

impl Watch {
    pub(super) fn new(limits: LatencyLimits, counted: u64) -> Self {
        Self {
            latencies: Latencies::default(),
            ttft: EngineTime::from_seconds(limits.ttft_p99.0).0,
            tpot: EngineTime::from_seconds(limits.tpot_p99.0).0,
            allowed: counted / 100,
            late: 0,
            slow: 0,
        }
    }

    /// Requests that could not be served at all miss their first token too.
    pub(super) fn reject(&mut self, count: u64) {
        self.late += count;
    }

    /// The promise that was broken.
    pub(super) fn broken(&self) -> SloLimit {
        if self.late > self.allowed {
            SloLimit::Ttft
        } else if self.slow > self.allowed {
            SloLimit::Tpot
        } else {
            SloLimit::None
        }
    }
}

impl Observer for Watch {
    fn first_token(&mut self, _id: u32, _at: EngineTime) {}

    #[inline]
    fn finished(&mut self, id: u32, request: &Request, first_token: EngineTime, at: EngineTime) {
        if !request.counted {
            return;
        }
        self.late += u64::from((first_token - request.arrival).0 > self.ttft);
        if request.output > 1 {
            let tpot = (at - first_token).0 / u64::from(request.output - 1);
            self.slow += u64::from(tpot > self.tpot);
        }
        self.latencies.finished(id, request, first_token, at);
    }

    fn enough(&self) -> bool {
        self.broken() != SloLimit::None
    }
}

/// A cluster ready to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster<'a> {
    pub(super) step_time: &'a StepTime,
    pub(super) model: &'a ReplicaModel,
    pub(super) replicas: u32,
}

impl Cluster<'_> {
    fn replica(&self) -> Replica<'_> {
        let scheduler: &Scheduler = &self.model.scheduler;
        Replica::new(self.step_time, scheduler, self.model.kv_tokens)
    }

    /// Runs the draws at a rate, to the end or until the observer has seen enough.
    pub(super) fn run<O: Observer>(
        &self,
        draws: &Draws,
        rate: f64,
        key: StreamKey,
        observer: &mut O,
    ) -> (Totals, EngineTime) {
        let mut choice = key.stream("routing");
        match &self.model.router {
            Router::RoundRobin => self
                .run_split(draws, rate, observer, |index| index as usize % self.replicas as usize),
            Router::Random => {
                let targets: Vec<usize> = (0..draws.len()).map(|_| self.any(&mut choice)).collect();
                self.run_split(draws, rate, observer, |index| targets[index as usize])
            }
            Router::PowerOfTwo(age) => {
                self.run_windows(draws, rate, age.0, observer, &mut |loads: &[u64]| {
                    let (first, second) = (self.any(&mut choice), self.any(&mut choice));
                    if loads[second] < loads[first] { second } else { first }
                })
            }
            Router::LeastLoaded(age) => {
                self.run_windows(draws, rate, age.0, observer, &mut |loads: &[u64]| {
                    // Starting at a random place keeps ties from piling up on the first replica.
                    let start = self.any(&mut choice);
                    let count = loads.len();
                    let at = |offset: usize| (start + offset) % count;
                    let best = (0..count).min_by_key(|offset| loads[at(*offset)]);
                    at(best.unwrap_or(0))
                })
            }
        }
    }

    fn any(&self, choice: &mut ChaCha8Rng) -> usize {
        let index = (uniform(choice) * f64::from(self.replicas)) as usize;
        index.min(self.replicas as usize - 1)
    }

    fn run_split<O: Observer>(
        &self,
        draws: &Draws,
        rate: f64,
        observer: &mut O,
        target: impl Fn(u32) -> usize,
    ) -> (Totals, EngineTime) {
        let mut replicas: Vec<Replica<'_>> = (0..self.replicas).map(|_| self.replica()).collect();
        for (index, request) in draws.at_rate(rate).enumerate() {
            let id = index as u32;
            // Now and then the replicas catch up, so that queues of the future stay small.
            if id.is_multiple_of(CATCH_UP * self.replicas) {
                if observer.enough() {
                    break;
                }
                for replica in &mut replicas {
                    replica.advance(request.arrival, observer);
                }
            }
            replicas[target(id)].enqueue(id, request);
        }
        settle(replicas, observer)
    }

    fn run_windows<O: Observer>(
        &self,
        draws: &Draws,
        rate: f64,
        age: f64,
        observer: &mut O,
        route: &mut dyn FnMut(&[u64]) -> usize,
    ) -> (Totals, EngineTime) {
        let mut replicas: Vec<Replica<'_>> = (0..self.replicas).map(|_| self.replica()).collect();
        let mut loads = vec![0; replicas.len()];
        let age = EngineTime::from_seconds(age).0;
        let mut requests = draws.at_rate(rate).enumerate().peekable();
        while let Some((_, next)) = requests.peek() {
            if observer.enough() {
                break;
            }
            // Reports are made at whole multiples of their age; age 0 is a fresh report each time.
            let arrival = next.arrival.0;
            let start = arrival - arrival.checked_rem(age).unwrap_or(0);
            let end = start.saturating_add(age.max(1));
            for (replica, load) in replicas.iter_mut().zip(&mut loads) {
                replica.advance(EngineTime(start), observer);
                *load = replica.load();
            }
            let inside = |entry: &(usize, Request)| entry.1.arrival.0 < end;
            while let Some((index, request)) = requests.next_if(inside) {
                let target = route(&loads);
                if replicas[target].enqueue(index as u32, request) {
                    loads[target] += 1;
                }
            }
        }
        settle(replicas, observer)
    }
}

/// Lets every replica finish and adds up, in order; stops early with the observer.
fn settle<O: Observer>(replicas: Vec<Replica<'_>>, observer: &mut O) -> (Totals, EngineTime) {
    let mut totals = Totals::default();
    let mut span = EngineTime(0);
    for mut replica in replicas {
        if !observer.enough() {
            replica.finish(observer);
        }
        totals.add(replica.totals());
        span = span.max(replica.now());
    }
    (totals, span)
}
