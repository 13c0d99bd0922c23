//! The serving engine against the roofline and against processor sharing.

use sparkgap::engine::{
    CallShape, Completion, Draws, FirstToken, Layout, Load, Observer, Prefill, Replica,
    ReplicaModel, Request, Router, Scheduler, scaled_table, simulate_cluster,
};
use sparkgap::hardware::{
    KV_UNIT, Precision, Roofline, StepTime, StepWork, TICK_BITS, accelerators, models,
};
use sparkgap::rng::StreamKey;
use sparkgap::time::EngineTime;

/// First token and end of one request, picoseconds.
#[derive(Default)]
struct Lone(Option<(u64, u64)>);

impl Observer for Lone {
    fn finished(&mut self, done: &Completion) {
        let times = (done.first_token.0, done.finish.0);
        assert_eq!(self.0.replace(times), None);
    }
}

fn scheduler(max_sequences: u32, token_budget: u32, prefill: Prefill) -> Scheduler {
    Scheduler { max_sequences, token_budget, prefill }
}

fn request(arrival: u64, prompt: u32, cached: u32, output: u32) -> Request {
    Request { cached, ..Request::new(EngineTime(arrival), prompt, output) }
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
        let mut seen = Lone::default();
        let start = 7_000_000;
        assert!(replica.enqueue(0, request(start, 5_000, 1_000, 300)));
        replica.finish(&mut seen);
        let (first_token, finish) = seen.0.unwrap();

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
        assert_eq!(first_token - start, ticks >> TICK_BITS);
        let ttft = (first_token - start) as f64 * 1e-12;
        assert!((ttft / seconds - 1.0).abs() < 1e-6, "{ttft} {seconds}");
        for step in 0..299u64 {
            let kv = (5_000 + step) * KV_UNIT;
            ticks += step_time.ticks(&StepWork { decode: 1, kv, ..StepWork::default() });
            seconds += roofline.seconds(1.0, 5_000.0 + step as f64, 0.0, 0.0, 0.0);
        }
        assert_eq!(finish - start, ticks >> TICK_BITS);
        let e2e = (finish - start) as f64 * 1e-12;
        assert!((e2e / seconds - 1.0).abs() < 1e-6, "{e2e} {seconds}");
        // What the checks of a scenario say of it.
        let model = ReplicaModel {
            roofline,
            kv_tokens: 1 << 20,
            gpus: 8,
            scheduler: limits,
            router: Router::RoundRobin,
            first_token: FirstToken::NONE,
        };
        let lone = model.lone_call(&CallShape::fixed(5_000, 0.2, 300));
        let ttft = (first_token - start) as f64 * 1e-12;
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
    let mut seen = Lone::default();
    replica.enqueue(0, request(0, 100, 0, 202));
    replica.finish(&mut seen);
    // One prefill step, then 201 tokens in 101 steps.
    assert_eq!(seen.0.unwrap().1, EngineTime::from_seconds(1.02).0);
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
    fn finished(&mut self, done: &Completion) {
        self.0 += u128::from((done.finish - done.first_token).0);
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

#[test]
fn books_balance_behind_every_router() {
    let accelerator = &accelerators()["gb300"];
    let layout =
        Layout { gpus: 8, precision: Precision::Fp4, attention_ranks: None, step_time: None };
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
            first_token: FirstToken::NONE,
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
