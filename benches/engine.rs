//! Speed of the serving engine: event queue, step time, one replica under several loads, a cluster
//! behind its router, one serving point.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sparkgap::demand::Shape;
use sparkgap::engine::{
    CallShape, Deployment, Draws, FirstToken, Latencies, LatencyLimits, Layout, Load, Prefill,
    Replica, ReplicaModel, Router, Scheduler, fluid_capacity, measure, scaled_table,
    simulate_cluster,
};
use sparkgap::event_queue::{Event, EventQueue};
use sparkgap::hardware::{KV_UNIT, Precision, Roofline, StepTime, StepWork, accelerators, models};
use sparkgap::rng::{StreamKey, exponential};
use sparkgap::units::Seconds;

fn hold(c: &mut Criterion) {
    let mut stream = StreamKey::world(1, 0).stream("hold");
    let gaps: Vec<u64> = (0..65_536).map(|_| (exponential(&mut stream) * 1e9) as u64).collect();
    let mut group = c.benchmark_group("event queue hold");
    for size in [16u32, 4_096] {
        let mut queue = EventQueue::with_capacity(size as usize);
        for id in 0..size {
            queue.push(Event { time: gaps[id as usize], kind: 0, id });
        }
        let mut index = 0;
        group.throughput(Throughput::Elements(1));
        group.bench_function(size.to_string(), |b| {
            b.iter(|| {
                let event = queue.pop().unwrap_or(Event { time: 0, kind: 0, id: 0 });
                index = (index + 1) & 65_535;
                queue.push(Event { time: event.time + gaps[index], ..event });
            });
        });
    }
}

fn step(c: &mut Criterion) {
    let accelerator = &accelerators()["gb300"];
    let roofline = Roofline::new(accelerator, &models()["deepseek_r1"], 8, Precision::Fp4, 1.0);
    let step_time = StepTime::new(&roofline);
    let work = StepWork { decode: 200, kv: 200 * 3_000 * KV_UNIT, ..StepWork::default() };
    c.bench_function("step time", |b| b.iter(|| step_time.ticks(black_box(&work))));
}

/// 10 ms + 30 us a sequence + 17.4 ns a context token, prompts 35 us a token; prompts of 1,000
/// and outputs of 400 tokens, lognormal.
fn reference() -> (Roofline, CallShape) {
    let calls = CallShape {
        prompt: table(1.0, 1_000.0),
        output: table(0.8, 400.0),
        ..CallShape::fixed(1, 0.0, 1)
    };
    (Roofline::affine(10e-3, 30e-6, 17.4e-9, 35e-6), calls)
}

fn table(sigma: f64, mean: f64) -> sparkgap::demand::LengthTable {
    scaled_table(&Shape::Lognormal(sigma), mean).expect("a lognormal law needs no file")
}

/// A fast replica whose batch is about 600 at this load.
fn large() -> Roofline {
    Roofline::affine(10e-3, 10e-6, 3e-9, 4e-6)
}

/// One call from its random numbers to its histograms: arrival, queue, prefill, decode, end.
fn one_replica(c: &mut Criterion) {
    let (roofline, calls) = reference();
    let (usual, fast) = (StepTime::new(&roofline), StepTime::new(&large()));
    let mut group = c.benchmark_group("one replica");
    let count = 100_000;
    group.throughput(Throughput::Elements(u64::from(count)));
    group.sample_size(20);
    let draws = Draws::new(&calls, count, (0, count), StreamKey::world(2, 0));
    // Step time, context tokens, sequences, calls per second.
    let cases = [
        ("5 %", &usual, 1_000_000, 256, 0.68),
        ("80 %", &usual, 1_000_000, 256, 10.8),
        ("batch 600", &fast, 4_000_000, 2_048, 47.0),
        ("tight memory", &usual, 160_000, 256, 9.5),
    ];
    for prefill in [Prefill::Blocking, Prefill::Chunked] {
        for (name, step_time, kv_tokens, max_sequences, rate) in cases {
            let limits = Scheduler { max_sequences, token_budget: 2_048, prefill };
            group.bench_function(format!("{prefill:?}, {name}"), |b| {
                b.iter(|| {
                    let mut replica = Replica::new(step_time, &limits, kv_tokens);
                    let mut latencies = Latencies::default();
                    for (id, request) in draws.at_rate(rate).enumerate() {
                        if id % 64 == 0 {
                            replica.advance(request.arrival, &mut latencies);
                        }
                        replica.enqueue(id as u32, request);
                    }
                    replica.finish(&mut latencies);
                    latencies.e2e.count()
                });
            });
        }
    }
    group.finish();
}

/// One call through the router of 256 replicas whose load reports are a second old.
fn cluster(c: &mut Criterion) {
    let (roofline, calls) = reference();
    let mut group = c.benchmark_group("256 replicas");
    let count = 400_000;
    group.throughput(Throughput::Elements(u64::from(count)));
    group.sample_size(10);
    let age = Seconds(1.0);
    for router in [Router::RoundRobin, Router::PowerOfTwo(age), Router::LeastLoaded(age)] {
        let name = format!("{router:?}");
        let model = ReplicaModel {
            roofline,
            kv_tokens: 1_000_000,
            gpus: 8,
            scheduler: Scheduler {
                max_sequences: 256,
                token_budget: 2_048,
                prefill: Prefill::Chunked,
            },
            router,
            first_token: FirstToken::NONE,
        };
        let load = Load { calls_per_second: 256.0 * 10.8, calls: calls.clone() };
        group.bench_function(name, |b| {
            b.iter(|| simulate_cluster(&model, 256, &load, count, StreamKey::world(2, 0)));
        });
    }
    group.finish();
}

fn point(c: &mut Criterion) {
    let layout =
        Layout { gpus: 8, precision: Precision::Fp4, attention_ranks: None, step_time: None };
    let deployment = Deployment {
        model: "muse_base".to_owned(),
        layouts: [("gb300".to_owned(), layout.clone())].into(),
        scheduler: Scheduler {
            max_sequences: 1_024,
            token_budget: 8_192,
            prefill: Prefill::Chunked,
        },
        router: Router::PowerOfTwo(Seconds(1.0)),
        first_token: FirstToken::NONE,
        source: None,
        as_of: None,
    };
    let (_, calls) = reference();
    let (accelerator, llm) = (&accelerators()["gb300"], &models()["muse_base"]);
    let means = calls.means();
    let place = (&layout, &deployment);
    let Some(model) = ReplicaModel::new(accelerator, llm, place, &means, 1.0) else {
        return;
    };
    let tpot = Seconds(0.04);
    c.bench_function("fluid capacity", |b| {
        b.iter(|| {
            let model = ReplicaModel::new(accelerator, llm, place, &means, 1.0);
            model.and_then(|model| fluid_capacity(&model, black_box(&means), Some(tpot)))
        });
    });
    let limits = LatencyLimits { ttft_p99: Seconds(1.5), tpot_p99: tpot };
    let mut group = c.benchmark_group("serving point");
    group.sample_size(10);
    group.bench_function("muse_base on 8 GB300", |b| {
        b.iter(|| measure(&model, &calls, limits, StreamKey::world(1, 0)));
    });
    group.finish();
}

criterion_group!(benches, hold, step, one_replica, cluster, point);
criterion_main!(benches);
