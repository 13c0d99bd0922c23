//! The serving engine against the roofline, against processor sharing and against a slow
//! reference.

use proptest::prelude::*;
use sparkgap::engine::{
    CallShape, Draws, Layout, Load, Observer, Prefill, Replica, ReplicaModel, Request, Router,
    Scheduler, scaled_table, simulate_cluster,
};
use sparkgap::hardware::{
    KV_UNIT, Precision, Roofline, StepTime, StepWork, TICK_BITS, accelerators, models,
};
use sparkgap::rng::StreamKey;
use sparkgap::time::EngineTime;

use crate::naive::{Naive, Times};

#[derive(Default)]
struct Recorder {
    first: Vec<Option<u64>>,
    times: Vec<Option<Times>>,
}

impl Observer for Recorder {
    fn first_token(&mut self, id: u32, at: EngineTime) {
        self.first[id as usize] = Some(at.0);
    }
    fn finished(&mut self, id: u32, request: &Request, first_token: EngineTime, at: EngineTime) {
        assert!(first_token >= request.arrival && at >= first_token);
        assert_eq!(self.first[id as usize], Some(first_token.0));
        let times = Times { first_token: first_token.0, finish: at.0 };
        assert_eq!(self.times[id as usize].replace(times), None);
    }
}

fn recorder(count: usize) -> Recorder {
    Recorder { first: vec![None; count], times: vec![None; count] }
}

fn scheduler(max_sequences: u32, token_budget: u32, prefill: Prefill) -> Scheduler {
    Scheduler { max_sequences, token_budget, prefill }
}

fn request(arrival: u64, prompt: u32, cached: u32, output: u32) -> Request {
    Request { arrival: EngineTime(arrival), prompt, cached, output, counted: true }
}

fn deepseek_on_gb300() -> Roofline {
    Roofline::new(&accelerators()["gb300"], &models()["deepseek_r1"], 8, Precision::Fp4, 1.0)
}

#[test]
fn a_lone_request_takes_exactly_its_roofline() {
    let roofline = deepseek_on_gb300();
    let step_time = StepTime::new(&roofline);
    for prefill in [Prefill::Chunked, Prefill::Blocking] {
        let limits = scheduler(64, 2_048, prefill);
        let mut replica = Replica::new(&step_time, &limits, 1 << 20);
        let mut seen = recorder(1);
        let start = 7_000_000;
        assert!(replica.enqueue(0, request(start, 5_000, 1_000, 300)));
        replica.finish(&mut seen);
        let times = seen.times[0].unwrap();

        // 4,000 tokens to compute in chunks of 2,048, each behind all that came before.
        let mut ticks = 0;
        let mut seconds = 0.0;
        for (chunk, context) in [(2_048u64, 1_000u64), (1_952, 3_048)] {
            let pairs: u64 = (1..=chunk).map(|token| context + token).sum();
            let work = StepWork {
                prefill: chunk,
                prefill_context: context,
                prefill_attention: pairs,
                ..StepWork::default()
            };
            ticks += step_time.ticks(&work);
            seconds += roofline.seconds(0.0, 0.0, chunk as f64, context as f64, pairs as f64);
        }
        assert_eq!(times.first_token - start, ticks >> TICK_BITS);
        let ttft = (times.first_token - start) as f64 * 1e-12;
        assert!((ttft / seconds - 1.0).abs() < 1e-6, "{ttft} {seconds}");
        for step in 0..299u64 {
            let kv = (5_000 + step) * KV_UNIT;
            ticks += step_time.ticks(&StepWork { decode: 1, kv, ..StepWork::default() });
            seconds += roofline.seconds(1.0, 5_000.0 + step as f64, 0.0, 0.0, 0.0);
        }
        assert_eq!(times.finish - start, ticks >> TICK_BITS);
        let e2e = (times.finish - start) as f64 * 1e-12;
        assert!((e2e / seconds - 1.0).abs() < 1e-6, "{e2e} {seconds}");
        // What the checks of a scenario say of it.
        let model = ReplicaModel {
            roofline,
            kv_tokens: 1 << 20,
            gpus: 8,
            scheduler: limits,
            router: Router::RoundRobin,
        };
        let lone = model.lone_call(&CallShape::fixed(5_000, 0.2, 300));
        let ttft = (times.first_token - start) as f64 * 1e-12;
        assert!((lone.ttft.0 / ttft - 1.0).abs() < 1e-6, "{lone:?} {ttft}");
        let tpot = roofline.seconds(1.0, 5_000.0, 0.0, 0.0, 0.0) / roofline.tokens_per_step;
        assert!((lone.tpot.0 / tpot - 1.0).abs() < 1e-12, "{lone:?} {tpot}");
    }
}

#[test]
fn speculation_makes_the_same_tokens_in_fewer_steps() {
    let mut roofline = Roofline::affine(0.01, 0.0, 0.0, 0.0);
    roofline.tokens_per_step = 2.0;
    let step_time = StepTime::new(&roofline);
    let limits = scheduler(64, 2_048, Prefill::Chunked);
    let mut replica = Replica::new(&step_time, &limits, 1 << 20);
    let mut seen = recorder(1);
    replica.enqueue(0, request(0, 100, 0, 202));
    replica.finish(&mut seen);
    // One prefill step, then 201 tokens in 101 steps.
    assert_eq!(seen.times[0].unwrap().finish, EngineTime::from_seconds(1.02).0);
}

/// Mean time per output token of the state-dependent processor-sharing queue with total rate
/// `n / (a + b n)`: `E[N] / (lambda E[tokens])`.
fn processor_sharing_tpot(a: f64, b: f64, tokens_per_second: f64) -> f64 {
    let (mut weight, mut total, mut mean) = (1.0, 1.0, 0.0);
    for n in 1..5_000 {
        let n = f64::from(n);
        weight *= tokens_per_second * (a + b * n) / n;
        total += weight;
        mean += n * weight;
    }
    mean / total / tokens_per_second
}

/// Sum of the times from first to last token, picoseconds.
struct DecodeTime(u128);

impl Observer for DecodeTime {
    fn first_token(&mut self, _id: u32, _at: EngineTime) {}
    fn finished(&mut self, _id: u32, _request: &Request, first: EngineTime, at: EngineTime) {
        self.0 += u128::from((at - first).0);
    }
}

#[test]
fn free_prefill_and_weightless_context_is_processor_sharing() {
    let (a, b) = (0.010, 30e-6);
    let step_time = StepTime::new(&Roofline::affine(a, b, 0.0, 0.0));
    let limits = scheduler(1 << 20, 1 << 30, Prefill::Chunked);
    for (calls_per_second, sigma, count) in [(2.0, 0.0, 100_000), (20.0, 0.8, 1_000_000)] {
        let output = scaled_table(&sparkgap::demand::Shape::Lognormal(sigma), 400.0).unwrap();
        let calls = CallShape { output, ..CallShape::fixed(50, 0.0, 1) };
        let draws = Draws::new(&calls, count, (0, 0), StreamKey::world(5, 0));
        let mut replica = Replica::new(&step_time, &limits, 1 << 40);
        let mut decode = DecodeTime(0);
        for (id, request) in draws.at_rate(calls_per_second).enumerate() {
            replica.advance(request.arrival, &mut decode);
            replica.enqueue(id as u32, request);
        }
        replica.finish(&mut decode);
        // Against the load of this very run: only its first and last seconds, when the batch
        // fills and empties, are not stationary.
        let tokens = replica.totals().decoded as f64;
        let tpot = decode.0 as f64 * 1e-12 / tokens;
        let exact = processor_sharing_tpot(a, b, tokens / replica.now().seconds());
        let error = tpot / exact - 1.0;
        assert!(error.abs() < 0.002, "{calls_per_second}: {tpot} {exact} {error}");
    }
}

#[derive(Debug, Clone)]
struct Case {
    limits: Scheduler,
    kv_tokens: u64,
    tokens_per_step: f64,
    requests: Vec<Request>,
    window: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let lengths = (0u64..60_000_000_000, 1u32..400, 0.0..1.0f64, 1u32..200);
    let limits = (1u32..40, 1u32..600, any::<bool>());
    let rest = (800u64..8_000, prop::sample::select(vec![1.0, 1.7, 2.6]), 1u64..400);
    (limits, rest, prop::collection::vec(lengths, 1..120)).prop_map(|(limits, rest, lengths)| {
        let prefill = if limits.2 { Prefill::Chunked } else { Prefill::Blocking };
        let mut at = 0;
        let requests = lengths.into_iter().map(|(gap, prompt, cached, output)| {
            at += gap;
            request(at, prompt, (f64::from(prompt) * cached) as u32, output)
        });
        Case {
            limits: scheduler(limits.0, limits.1, prefill),
            kv_tokens: rest.0,
            tokens_per_step: rest.1,
            requests: requests.collect(),
            window: rest.2 * 1_000_000_000,
        }
    })
}

/// Runs a case through both replicas, the fast one in windows; returns the preemptions.
fn compare(case: &Case) -> u64 {
    let mut roofline = deepseek_on_gb300();
    roofline.tokens_per_step = case.tokens_per_step;
    roofline.width = 1.0 + 1.5 * (case.tokens_per_step - 1.0);
    let step_time = StepTime::new(&roofline);
    let naive = Naive { step_time: &step_time, scheduler: &case.limits, kv_tokens: case.kv_tokens };
    let expected = naive.run(&case.requests);
    let mut seen = recorder(case.requests.len());
    let mut replica = Replica::new(&step_time, &case.limits, case.kv_tokens);
    let mut edge = 0;
    for (id, request) in case.requests.iter().enumerate() {
        while request.arrival.0 >= edge {
            edge += case.window;
            replica.advance(EngineTime(edge - case.window), &mut seen);
        }
        replica.enqueue(id as u32, *request);
    }
    replica.finish(&mut seen);
    assert_eq!(seen.times, expected.times);
    assert_eq!(replica.totals().preemptions, expected.preemptions);
    expected.preemptions
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(11), ..ProptestConfig::default() })]

    #[test]
    fn the_token_clock_equals_stepping_every_sequence(case in cases()) {
        compare(&case);
    }
}

#[test]
fn the_token_clock_is_exact_under_preemption() {
    let calls = CallShape {
        output: scaled_table(&sparkgap::demand::Shape::Lognormal(0.8), 150.0).unwrap(),
        ..CallShape::fixed(300, 0.2, 1)
    };
    let draws = Draws::new(&calls, 1_500, (0, 0), StreamKey::world(3, 0));
    for (tokens_per_step, rate) in [(1.0, 12.0), (1.7, 25.0), (1.0, 2.0)] {
        for prefill in [Prefill::Chunked, Prefill::Blocking] {
            let case = Case {
                limits: scheduler(48, 512, prefill),
                kv_tokens: 6_000,
                tokens_per_step,
                requests: draws.at_rate(rate).collect(),
                window: 250_000_000_000,
            };
            let preemptions = compare(&case);
            assert_eq!(preemptions > 100, rate > 5.0, "{preemptions} at {rate}");
        }
    }
}

#[test]
fn books_balance_behind_every_router() {
    let accelerator = &accelerators()["gb300"];
    let layout = Layout { gpus: 8, precision: Precision::Fp4, attention_ranks: None };
    let age = sparkgap::units::Seconds(1.0);
    let routers =
        [Router::RoundRobin, Router::Random, Router::PowerOfTwo(age), Router::LeastLoaded(age)];
    let mut means = Vec::new();
    for router in routers {
        let deployment = sparkgap::engine::Deployment {
            model: "gpt_oss_120b".to_owned(),
            layouts: [("gb300".to_owned(), layout.clone())].into(),
            scheduler: scheduler(256, 4_096, Prefill::Chunked),
            router,
            source: None,
            as_of: None,
        };
        let llm = &models()["gpt_oss_120b"];
        let calls = CallShape {
            output: scaled_table(&sparkgap::demand::Shape::Lognormal(0.8), 200.0).unwrap(),
            ..CallShape::fixed(800, 0.5, 1)
        };
        let place = (&layout, &deployment);
        let model = ReplicaModel::new(accelerator, llm, place, &calls.means(), 1.0).unwrap();
        let load = Load { calls_per_second: 780.0, calls };
        // Every replica checks Little's law, tokens and memory when it finishes.
        let outcome = simulate_cluster(&model, 4, &load, 20_000, StreamKey::world(9, 0));
        assert_eq!(outcome.totals.completed, 20_000);
        assert_eq!(outcome.totals.rejected, 0);
        means.push(outcome.latencies.ttft.mean());
    }
    // The less random the split, the shorter the queues.
    assert!(means[3] < means[1] && means[2] < means[1], "{means:?}");
}
