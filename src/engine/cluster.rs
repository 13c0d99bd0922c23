//! A cluster of equal replicas behind a router.
//!
//! Routers that do not look at load split the requests beforehand, and replicas run one after
//! another. Routers that do look act on load reports of a physical age: between two reports every
//! replica runs alone through the window. A router adds what it has itself sent since the report.

use super::Scheduler;
use super::curve::{LatencyLimits, SloLimit};
use super::draws::Draws;
use super::first_token::FirstToken;
use super::load::Load;
use super::model::ReplicaModel;
use super::replica::Replica;
use super::request::{Completion, Latencies, Observer, Request};
use super::router::Routing;
use super::totals::Totals;
use super::window::Window;
use crate::hardware::StepTime;
use crate::rng::StreamKey;
use crate::time::EngineTime;

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
    let requests = draws.at_rate(load.calls_per_second);
    let (totals, span) = cluster.run(requests, key, &mut latencies);
    ClusterOutcome { latencies, totals, span }
}

/// Latencies with limits: knows when more than 1 % of the counted requests have missed one, so
/// that a run that has failed need not go on.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    pub(super) latencies: Latencies,
    first_token: FirstToken,
    ttft: u64,
    tpot: u64,
    allowed: u64,
    late: u64,
    slow: u64,
}

impl Watch {
    pub(super) fn new(limits: LatencyLimits, first_token: FirstToken, counted: u64) -> Self {
        Self {
            latencies: Latencies::default(),
            first_token,
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
    #[inline]
    fn finished(&mut self, done: &Completion) {
        if !done.counted {
            return;
        }
        let done = &self.first_token.seen(done);
        self.late += u64::from(done.ttft().0 > self.ttft);
        self.slow += u64::from(done.tpot().is_some_and(|tpot| tpot.0 > self.tpot));
        self.latencies.finished(done);
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

impl<'a> Cluster<'a> {
    /// One of its replicas, idle and empty.
    pub(super) fn replica(&self) -> Replica<'a> {
        let scheduler: &Scheduler = &self.model.scheduler;
        let replica = Replica::new(self.step_time, scheduler, self.model.kv_tokens);
        replica.behind(self.model.first_token)
    }

    /// Runs requests that come in order of arrival, to the end or until the observer has seen
    /// enough.
    pub(super) fn run<O: Observer>(
        &self,
        requests: impl Iterator<Item = Request>,
        key: StreamKey,
        observer: &mut O,
    ) -> (Totals, EngineTime) {
        let mut replicas: Vec<Replica<'_>> = (0..self.replicas).map(|_| self.replica()).collect();
        let mut routing = Routing::new(&self.model.router, self.replicas, key.stream("routing"));
        let mut window = Window::new(routing.report_age(), self.replicas);
        let mut requests = requests.peekable();
        let mut id = 0u32;
        while !observer.enough() && window.open(&mut requests) {
            if window.needs_reports() {
                for (replica, load) in replicas.iter_mut().zip(&mut routing.loads) {
                    replica.advance(window.start, observer);
                    *load = replica.load() as u32;
                }
            }
            window.route(&replicas[0], &mut routing);
            for (place, replica) in replicas.iter_mut().enumerate() {
                for (number, request) in window.of_replica(place) {
                    if !replica.enqueue(id.wrapping_add(number), request) {
                        observer.rejected(&request);
                    }
                }
                replica.advance(window.end, observer);
                if window.ends_with_reports() {
                    routing.loads[place] = replica.load() as u32;
                }
            }
            id = id.wrapping_add(window.len());
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
        totals.add(&replica.totals());
        span = span.max(replica.now());
    }
    (totals, span)
}
