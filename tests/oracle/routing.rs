//! Clusters behind every router against slow replicas behind a router written from its
//! description, one step at a time where calls follow from calls.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::Rng;
use rand::rngs::ChaCha8Rng;
use sparkgap::demand::{ArrivalTimes, Gaps, Interarrival, Shape};
use sparkgap::engine::{
    CallClass, CallLaws, CallShape, CallStreams, ClusterModel, Completion, Draws, FirstToken,
    Latencies, LatencyLimits, Lengths, Load, Observer, Pattern, Prefill, PrefillPool, ReplicaModel,
    Request, Retained, Router, Scheduler, Totals, Traffic, Transfer, run_cluster, scaled_table,
    simulate_cluster,
};
use sparkgap::hardware::{Roofline, StepTime};
use sparkgap::rng::StreamKey;
use sparkgap::time::EngineTime;
use sparkgap::units::{Bytes, BytesPerSecond, Factor, Seconds};

use crate::naive::{Naive, Setting};
use crate::naive_state::Turn;

/// Slow replicas behind a router.
struct Pool<'a> {
    replicas: Vec<Naive<'a>>,
    router: &'a Router,
    choice: ChaCha8Rng,
    /// Age of the load reports, picoseconds.
    age: Option<u64>,
    /// Number of the last report.
    report: Option<u64>,
    /// What the last report said of each replica, and what was sent since.
    loads: Vec<u64>,
    sent: usize,
}

impl<'a> Pool<'a> {
    fn new(
        (model, step_time): (&'a ReplicaModel, &'a StepTime),
        count: u32,
        requests: usize,
        choice: ChaCha8Rng,
    ) -> Self {
        let setting = Setting {
            step_time,
            scheduler: &model.scheduler,
            first_token: model.first_token,
            kv_tokens: model.kv_tokens,
            growth: (model.roofline.tokens_per_step * 256.0).round() as u64,
            order: &[],
        };
        let age = match &model.router {
            Router::RoundRobin | Router::Random => None,
            Router::PowerOfTwo(age) | Router::LeastLoaded(age) | Router::SessionAffinity(age) => {
                Some(EngineTime::from_seconds(age.0).0)
            }
        };
        Self {
            replicas: (0..count).map(|_| Naive::new(setting, requests)).collect(),
            router: &model.router,
            choice,
            age,
            report: None,
            loads: vec![0; count as usize],
            sent: 0,
        }
    }

    /// The report of the last whole multiple of its age, if it is a new one.
    fn read_report(&mut self, now: u64) {
        let Some(age) = self.age.filter(|age| *age > 0) else { return };
        let number = now / age;
        if self.report.replace(number) != Some(number) {
            self.read_loads(number * age);
        }
    }

    fn read_loads(&mut self, at: u64) {
        for (replica, load) in self.replicas.iter_mut().zip(&mut self.loads) {
            replica.advance(at);
            *load = replica.load();
        }
    }

    /// Two replicas by the upper and the lower half of one random number.
    fn any_two(&mut self) -> [usize; 2] {
        let (drawn, count) = (self.choice.next_u64(), self.replicas.len() as u64);
        [drawn >> 32, drawn % (1 << 32)].map(|half| (half * count / (1 << 32)) as usize)
    }

    fn send(&mut self, id: usize, request: Request) {
        self.read_report(request.arrival.0);
        if self.age == Some(0) {
            self.read_loads(request.arrival.0);
        }
        let count = self.replicas.len();
        let target = match self.router {
            Router::RoundRobin => self.sent % count,
            Router::Random => self.any_two()[0],
            Router::PowerOfTwo(_) | Router::SessionAffinity(_) => {
                let [first, second] = self.any_two();
                if self.loads[second] < self.loads[first] { second } else { first }
            }
            Router::LeastLoaded(_) => {
                let start = self.any_two()[0];
                let order = (0..count).map(|offset| (start + offset) % count);
                order.min_by_key(|place| self.loads[*place]).unwrap()
            }
        };
        self.sent += 1;
        self.loads[target] += 1;
        self.replicas[target].push(id, Turn { request, follows: None });
    }

    /// When the first step of all starts, and where.
    fn next_step(&self) -> (u64, usize) {
        let steps = self.replicas.iter().enumerate();
        steps.map(|(place, replica)| (replica.next_step(), place)).min().unwrap()
    }

    /// Makes one step of a replica; what it has done with it: first token and end of each.
    fn step(&mut self, place: usize) -> Vec<(usize, u64, u64)> {
        let replica = &mut self.replicas[place];
        let before = replica.so_far().done.len();
        replica.advance(replica.next_step() + 1);
        let seen = replica.so_far();
        let times = |id: &usize| {
            let fate = seen.fates[*id];
            (*id, fate.first_token.unwrap(), fate.finish.unwrap())
        };
        seen.done[before..].iter().map(times).collect()
    }

    /// Lets every replica run out; latencies are those behind a serving stack.
    fn settle(self, requests: &[Request], stack: FirstToken) -> Cluster {
        let mut cluster =
            Cluster { latencies: Latencies::default(), totals: Totals::default(), span: 0 };
        for replica in self.replicas {
            let outcome = replica.finish();
            cluster.totals.add(&outcome.totals);
            for (request, fate) in requests.iter().zip(&outcome.fates) {
                let (Some(first_token), Some(finish)) = (fate.first_token, fate.finish) else {
                    continue;
                };
                cluster.span = cluster.span.max(finish);
                let more = beyond(stack, request, first_token, finish);
                cluster.latencies.finished(&Completion {
                    id: 0,
                    class: 0,
                    counted: request.counted,
                    arrival: request.arrival,
                    first_token: EngineTime(first_token + more),
                    finish: EngineTime(finish + more),
                    prompt: request.prompt,
                    output: request.output,
                    retained: Retained::NONE,
                });
            }
        }
        cluster
    }
}

/// What a client waits for a first token beyond the engine, and for all that follow.
fn beyond(stack: FirstToken, request: &Request, first_token: u64, finish: u64) -> u64 {
    let tpot = (finish - first_token).checked_div(u64::from(request.output) - 1).unwrap_or(0);
    let prompt = stack.prompt_token.0 * 1e12 * f64::from(request.prompt);
    (stack.steps.0 * tpot as f64 + prompt) as u64
}

/// What becomes of the requests of a cluster.
#[derive(Debug, PartialEq, Eq)]
struct Cluster {
    latencies: Latencies,
    totals: Totals,
    span: u64,
}

fn shape() -> CallShape {
    let length = |mean| scaled_table(&Shape::Lognormal(0.8), mean).unwrap();
    CallShape { prompt: length(60.0), output: length(50.0), ..CallShape::fixed(1, 0.3, 1) }
}

fn replica(router: Router, kv_tokens: u64) -> ReplicaModel {
    ReplicaModel {
        roofline: Roofline::affine(10e-3, 30e-6, 17.4e-9, 35e-6),
        kv_tokens,
        gpus: 8,
        scheduler: Scheduler { max_sequences: 24, token_budget: 256, prefill: Prefill::Chunked },
        router,
        first_token: FirstToken::NONE,
    }
}

fn routers(age: f64) -> [Router; 5] {
    let age = Seconds(age);
    [
        Router::RoundRobin,
        Router::Random,
        Router::PowerOfTwo(age),
        Router::LeastLoaded(age),
        Router::SessionAffinity(age),
    ]
}

fn agree(router: &Router, replicas: u32, requests: u32, rate: f64) -> u64 {
    let model = replica(router.clone(), 2_000);
    let key = StreamKey::world(51, 0);
    let load = Load { calls_per_second: rate, calls: shape() };
    let outcome = simulate_cluster(&model, replicas, &load, requests, key);
    let counted = (requests / 3, requests - requests / 10);
    let draws = Draws::new(&load.calls, requests, counted, key);
    let all: Vec<Request> = draws.at_rate(rate).collect();
    let step_time = StepTime::new(&model.roofline);
    let mut pool = Pool::new((&model, &step_time), replicas, all.len(), key.stream("routing"));
    for (id, request) in all.iter().enumerate() {
        pool.send(id, *request);
    }
    let expected = pool.settle(&all, FirstToken::NONE);
    let (latencies, totals) = (outcome.latencies, outcome.totals);
    let told = Cluster { latencies, totals, span: outcome.span.0 };
    assert_eq!(told.totals, expected.totals, "{router:?}");
    assert!(told == expected, "{router:?}");
    assert_eq!(told.totals.completed, u64::from(requests));
    told.totals.preemptions
}

#[test]
fn every_router_sends_every_request_where_its_description_says() {
    for (replicas, rate) in [(4, 90.0), (7, 160.0)] {
        let mut preemptions = 0;
        for age in [0.0, 0.05, 1.0, 30.0] {
            let requests = if age == 0.0 { 600 } else { 4_500 };
            for router in routers(age) {
                preemptions += agree(&router, replicas, requests, rate);
            }
        }
        assert!(preemptions > 1_000, "{preemptions}");
    }
}

fn class(calls: CallShape) -> CallClass {
    CallClass {
        name: "calls".to_owned(),
        share: 1.0,
        calls,
        priority: 0,
        limits: LatencyLimits { ttft_p99: Seconds(1.0), tpot_p99: Seconds(0.1) },
        patience: None,
    }
}

/// Equal calls of a fixed number of users, each coming back when he has seen the end of his call.
fn closed_loop(model: &ReplicaModel, replicas: u32, users: u32, requests: usize) -> Cluster {
    let step_time = StepTime::new(&model.roofline);
    let choice = StreamKey::world(52, 0).stream("routing");
    let mut pool = Pool::new((model, &step_time), replicas, requests, choice);
    let mut coming: BinaryHeap<Reverse<u64>> = (0..users).map(|_| Reverse(0)).collect();
    let (mut all, mut left) = (Vec::new(), requests - users as usize);
    loop {
        let (step, place) = pool.next_step();
        let arrival = coming.peek().map_or(u64::MAX, |next| next.0);
        if step.min(arrival) == u64::MAX {
            return pool.settle(&all, model.first_token);
        }
        pool.read_report(step.min(arrival));
        if arrival <= step {
            coming.pop();
            let plain = Request::new(EngineTime(arrival), 60, 50);
            let request = Request { cached: 18, ..plain };
            pool.send(all.len(), request);
            all.push(request);
            continue;
        }
        for (id, first_token, finish) in pool.step(place) {
            if left > 0 {
                left -= 1;
                let more = beyond(model.first_token, &all[id], first_token, finish);
                coming.push(Reverse(finish + more));
            }
        }
    }
}

#[test]
fn closed_loops_agree_behind_every_router() {
    let stack = FirstToken { steps: Factor(6.5), prompt_token: Seconds(11e-6) };
    let stacks = [(FirstToken::NONE, 70), (stack, 110)];
    let ways = stacks.into_iter().flat_map(|stack| {
        routers(0.0).into_iter().chain(routers(0.25)).map(move |router| (router, stack))
    });
    for (router, (first_token, concurrency)) in ways {
        // Room for 17 of the 24 calls of a replica when they are as long as they get.
        let model = ReplicaModel { first_token, ..replica(router.clone(), 1_900) };
        let traffic = Traffic {
            classes: vec![class(CallShape::fixed(60, 0.3, 50))],
            pattern: Pattern::Closed { concurrency },
            requests: 2_000,
            not_counted: (0.0, 0.0),
        };
        let whole = ClusterModel { replica: model.clone(), replicas: 3, prefill: None };
        let outcome = run_cluster(&whole, &traffic, StreamKey::world(52, 0));
        let expected = closed_loop(&model, 3, concurrency, 2_000);
        assert_eq!(outcome.decode, expected.totals, "{router:?}");
        assert!(outcome.classes[0].latencies == expected.latencies, "{router:?}");
        assert_eq!(outcome.span.0, expected.span);
        assert!(outcome.decode.preemptions > 100, "{:?}", outcome.decode);
    }
}

/// Replicas that prefill and hand their contexts, one after the other, to those that decode.
fn apart(model: &ClusterModel, all: &[Request], key: StreamKey) -> (Totals, Cluster) {
    let PrefillPool { replica, replicas, transfer } = model.prefill.as_ref().unwrap();
    let step_time = StepTime::new(&replica.roofline);
    let count = all.len();
    let mut first = Pool::new((replica, &step_time), *replicas, count, key.stream("routing"));
    let choice = key.stream("decode routing");
    let mut second = Pool::new((&model.replica, &step_time), model.replicas, count, choice);
    let mut links = vec![0; *replicas as usize];
    let mut handed: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    let mut next = 0;
    loop {
        let (prefill, decode) = (first.next_step(), second.next_step());
        let arrival = all.get(next).map_or(u64::MAX, |request| request.arrival.0);
        let context = handed.peek().map_or(u64::MAX, |context| context.0.0);
        let now = prefill.0.min(decode.0).min(arrival).min(context);
        if now == u64::MAX {
            let sums = first.settle(all, FirstToken::NONE).totals;
            return (sums, second.settle(all, FirstToken::NONE));
        }
        first.read_report(now);
        second.read_report(now);
        if now == arrival {
            first.send(next, Request { output: 1, ..all[next] });
            next += 1;
        } else if now == context {
            let Reverse((at, id)) = handed.pop().unwrap();
            second.send(id, Request { arrival: EngineTime(at), handed: true, ..all[id] });
        } else if now == decode.0 {
            second.step(decode.1);
        } else {
            for (id, _, finish) in first.step(prefill.1) {
                let bytes = transfer.bytes_per_token.0 * f64::from(all[id].prompt);
                let time = EngineTime::from_seconds(bytes / transfer.bandwidth.0).0;
                let link = &mut links[prefill.1];
                *link = finish.max(*link) + time;
                let latency = EngineTime::from_seconds(transfer.latency.0).0;
                handed.push(Reverse((*link + latency, id)));
            }
        }
    }
}

#[test]
fn contexts_handed_from_prefill_to_decode_replicas_agree() {
    let transfer = Transfer {
        bytes_per_token: Bytes(1e5),
        bandwidth: BytesPerSecond(4e8),
        latency: Seconds(2e-3),
    };
    let (requests, rate, key) = (2_000u64, 100.0, StreamKey::world(53, 0));
    for (entry, router) in routers(0.25).into_iter().zip(routers(0.1).into_iter().rev()) {
        let pool = PrefillPool { replica: replica(entry.clone(), 2_000), replicas: 2, transfer };
        let decode = replica(router.clone(), 1_500);
        let model = ClusterModel { replica: decode, replicas: 4, prefill: Some(pool) };
        let gaps = Interarrival::Poisson;
        let pattern = Pattern::Open { calls_per_second: rate, gaps, profile: None, sessions: None };
        let traffic =
            Traffic { classes: vec![class(shape())], pattern, requests, not_counted: (0.0, 0.0) };
        let outcome = run_cluster(&model, &traffic, key);
        // The same arrivals and lengths, which other tests hold to their laws.
        let gaps = Gaps::new(&Interarrival::Poisson);
        let times = ArrivalTimes::new(rate, gaps, None, key.stream("arrivals"));
        let (laws, mut streams) = (CallLaws::new(&shape()), CallStreams::new(key, ""));
        let end = EngineTime::from_seconds(requests as f64 / rate);
        let request = |at: EngineTime| {
            let Lengths { prompt, cached, output } = streams.next(&laws);
            Request { cached, counted: at < end, ..Request::new(at, prompt, output) }
        };
        let all: Vec<Request> = times.take(requests as usize).map(request).collect();
        let (prefill, expected) = apart(&model, &all, key);
        assert_eq!((outcome.prefill, outcome.decode), (prefill, expected.totals), "{router:?}");
        assert!(outcome.classes[0].latencies == expected.latencies, "{router:?}");
        assert_eq!(outcome.span.0, expected.span);
        assert!(outcome.decode.preemptions > 100, "{:?}", outcome.decode);
    }
}
