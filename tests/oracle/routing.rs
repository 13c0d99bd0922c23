//! Clusters behind every router against slow replicas behind a router written from its
//! description.

use sparkgap::demand::Shape;
use sparkgap::engine::{
    CallShape, Completion, Draws, Latencies, Load, Observer, Prefill, ReplicaModel, Request,
    Retained, Router, Scheduler, Totals, scaled_table, simulate_cluster,
};
use sparkgap::hardware::{Roofline, StepTime};
use sparkgap::rng::{StreamKey, uniform};
use sparkgap::time::EngineTime;
use sparkgap::units::Seconds;

use crate::naive::{Naive, Setting};
use crate::naive_state::Turn;

/// Where each request goes, decided with load reports of the slow replicas themselves.
fn route(model: &ReplicaModel, count: usize, requests: &[Request], key: StreamKey) -> Cluster {
    let step_time = StepTime::new(&model.roofline);
    let setting = Setting {
        step_time: &step_time,
        scheduler: &model.scheduler,
        kv_tokens: model.kv_tokens,
        growth: (model.roofline.tokens_per_step * 256.0).round() as u64,
        order: &[],
    };
    let mut replicas: Vec<Naive> =
        (0..count).map(|_| Naive::new(setting, requests.len())).collect();
    let mut choice = key.stream("routing");
    let mut any = || ((uniform(&mut choice) * count as f64) as usize).min(count - 1);
    let age = match &model.router {
        Router::RoundRobin | Router::Random => None,
        Router::PowerOfTwo(age) | Router::LeastLoaded(age) | Router::SessionAffinity(age) => {
            Some(EngineTime::from_seconds(age.0).0)
        }
    };
    let mut reported = vec![0; count];
    let mut window = None;
    for (id, request) in requests.iter().enumerate() {
        if let Some(age) = age {
            // The last report is the one of the last whole multiple of its age.
            let number = request.arrival.0.checked_div(age).unwrap_or(id as u64);
            if window.replace(number) != Some(number) {
                for (replica, load) in replicas.iter_mut().zip(&mut reported) {
                    replica.advance(if age == 0 { request.arrival.0 } else { number * age });
                    *load = replica.load();
                }
            }
        }
        let target = match model.router {
            Router::RoundRobin => id % count,
            Router::Random => any(),
            Router::PowerOfTwo(_) | Router::SessionAffinity(_) => {
                let (first, second) = (any(), any());
                if reported[second] < reported[first] { second } else { first }
            }
            Router::LeastLoaded(_) => {
                let start = any();
                let order = (0..count).map(|offset| (start + offset) % count);
                order.min_by_key(|place| reported[*place]).unwrap()
            }
        };
        reported[target] += 1;
        replicas[target].push(id, Turn { request: *request, follows: None });
    }
    settle(replicas, requests)
}

/// Lets every replica run out.
fn settle(replicas: Vec<Naive<'_>>, requests: &[Request]) -> Cluster {
    let mut cluster =
        Cluster { latencies: Latencies::default(), totals: Totals::default(), span: 0 };
    for replica in replicas {
        let outcome = replica.finish();
        cluster.totals.add(&outcome.totals);
        for (request, fate) in requests.iter().zip(&outcome.fates) {
            let (Some(first_token), Some(finish)) = (fate.first_token, fate.finish) else {
                continue;
            };
            cluster.span = cluster.span.max(finish);
            cluster.latencies.finished(&Completion {
                id: 0,
                class: 0,
                counted: request.counted,
                arrival: request.arrival,
                first_token: EngineTime(first_token),
                finish: EngineTime(finish),
                prompt: request.prompt,
                output: request.output,
                retained: Retained::NONE,
            });
        }
    }
    cluster
}

/// What becomes of the requests of a cluster.
#[derive(Debug, PartialEq, Eq)]
struct Cluster {
    latencies: Latencies,
    totals: Totals,
    span: u64,
}

fn agree(router: Router, replicas: u32, requests: u32, rate: f64) -> u64 {
    let length = |mean| scaled_table(&Shape::Lognormal(0.8), mean).unwrap();
    let calls =
        CallShape { prompt: length(60.0), output: length(50.0), ..CallShape::fixed(1, 0.3, 1) };
    let model = ReplicaModel {
        roofline: Roofline::affine(10e-3, 30e-6, 17.4e-9, 35e-6),
        kv_tokens: 2_000,
        gpus: 8,
        scheduler: Scheduler { max_sequences: 24, token_budget: 256, prefill: Prefill::Chunked },
        router: router.clone(),
    };
    let key = StreamKey::world(51, 0);
    let load = Load { calls_per_second: rate, calls };
    let outcome = simulate_cluster(&model, replicas, &load, requests, key);
    let counted = (requests / 3, requests - requests / 10);
    let draws = Draws::new(&load.calls, requests, counted, key);
    let all: Vec<Request> = draws.at_rate(rate).collect();
    let expected = route(&model, replicas as usize, &all, key);
    let told =
        Cluster { latencies: outcome.latencies, totals: outcome.totals, span: outcome.span.0 };
    assert_eq!(told.totals, expected.totals, "{router:?}");
    assert!(told == expected, "{router:?}");
    assert_eq!(outcome.totals.completed, u64::from(requests));
    told.totals.preemptions
}

#[test]
fn every_router_sends_every_request_where_its_description_says() {
    for (replicas, rate) in [(4, 90.0), (7, 160.0)] {
        let mut preemptions = 0;
        for age in [0.0, 0.05, 1.0, 30.0] {
            let age = Seconds(age);
            let few = if age.0 == 0.0 { 600 } else { 4_500 };
            preemptions += agree(Router::PowerOfTwo(age), replicas, few, rate);
            preemptions += agree(Router::LeastLoaded(age), replicas, few, rate);
            preemptions += agree(Router::SessionAffinity(age), replicas, few, rate);
        }
        preemptions += agree(Router::RoundRobin, replicas, 4_500, rate);
        preemptions += agree(Router::Random, replicas, 4_500, rate);
        assert!(preemptions > 1_000, "{preemptions}");
    }
}
