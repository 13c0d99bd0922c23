//! Clusters under traffic whose calls depend on each other, against what is known of them exactly.

use sparkgap::demand::{Interarrival, RateProfile, Shape};
use sparkgap::engine::{
    CallClass, CallShape, ClusterModel, ClusterRun, FirstToken, LatencyLimits, Patience, Pattern,
    Prefill, PrefillPool, ReplicaModel, Router, Scheduler, Sessions, Traffic, Transfer,
    run_cluster, scaled_table,
};
use sparkgap::hardware::Roofline;
use sparkgap::rng::StreamKey;
use sparkgap::units::{Bytes, BytesPerSecond, Factor, Seconds};

fn replica(router: Router) -> ReplicaModel {
    ReplicaModel {
        roofline: Roofline::affine(10e-3, 30e-6, 17.4e-9, 35e-6),
        kv_tokens: 100_000,
        gpus: 1,
        scheduler: Scheduler { max_sequences: 64, token_budget: 2_048, prefill: Prefill::Chunked },
        router,
        first_token: FirstToken::NONE,
    }
}

fn cluster(router: Router, replicas: u32) -> ClusterModel {
    ClusterModel { replica: replica(router), replicas, prefill: None }
}

fn class(name: &str) -> CallClass {
    let table = |sigma, mean| scaled_table(&Shape::Lognormal(sigma), mean).unwrap();
    CallClass {
        name: name.to_owned(),
        share: 1.0,
        calls: CallShape {
            prompt: table(1.0, 500.0),
            output: table(0.8, 100.0),
            ..CallShape::fixed(1, 0.0, 1)
        },
        priority: 0,
        limits: LatencyLimits { ttft_p99: Seconds(0.5), tpot_p99: Seconds(0.02) },
        patience: None,
    }
}

fn stack(steps: f64, prompt_token: f64) -> FirstToken {
    FirstToken { steps: Factor(steps), prompt_token: Seconds(prompt_token) }
}

fn open(calls_per_second: f64) -> Pattern {
    let gaps = Interarrival::Poisson;
    Pattern::Open { calls_per_second, gaps, profile: None, sessions: None }
}

fn run(
    model: &ClusterModel,
    classes: Vec<CallClass>,
    pattern: Pattern,
    requests: u64,
) -> ClusterRun {
    let traffic = Traffic { classes, pattern, requests, not_counted: (0.2, 0.1) };
    run_cluster(model, &traffic, StreamKey::world(7, 0))
}

fn routers() -> [Router; 5] {
    let age = Seconds(0.25);
    // The last one asks anew for every request.
    [
        Router::RoundRobin,
        Router::Random,
        Router::PowerOfTwo(age),
        Router::SessionAffinity(age),
        Router::LeastLoaded(Seconds(0.0)),
    ]
}

/// Users who would try again but never lose patience force the run in order of steps.
fn in_order(class: &CallClass) -> CallClass {
    let retry_after = Seconds(1.0);
    let patience = Patience {
        timeout: Seconds(4_000.0),
        exponential: false,
        retry: 1.0,
        retry_after,
        attempts: 2,
    };
    CallClass { patience: Some(patience), ..class.clone() }
}

#[test]
fn running_in_order_of_steps_equals_running_in_windows() {
    for router in routers() {
        for prefill in [Prefill::Chunked, Prefill::Blocking] {
            let mut model = cluster(router.clone(), 5);
            model.replica.scheduler.prefill = prefill;
            model.replica.first_token = stack(6.0, 11e-6);
            let classes = vec![class("a"), CallClass { priority: 1, share: 0.5, ..class("b") }];
            let patient = classes.iter().map(in_order).collect();
            let windows = run(&model, classes, open(120.0), 20_000);
            let steps = run(&model, patient, open(120.0), 20_000);
            assert_eq!(windows.decode.completed, 20_000);
            assert!(windows.classes == steps.classes, "{router:?}");
            assert_eq!((windows.decode, windows.span), (steps.decode, steps.span), "{router:?}");
            assert_eq!(windows.gaps.count(), steps.gaps.count());
        }
    }
}

#[test]
fn replicas_that_nothing_comes_back_to_need_not_stop_for_each_other() {
    for router in routers() {
        for (timeout, prefill) in [(4_000.0, Prefill::Chunked), (0.4, Prefill::Blocking)] {
            let mut model = cluster(router.clone(), 5);
            model.replica.scheduler.prefill = prefill;
            // Half of the patience of those who are not patient. A load report counts out users
            // who leave after it in the step in flight, if their contexts are known by then, which
            // is earlier in one of the two: with many late ones, routers that read reports differ.
            let reads = matches!(router, Router::PowerOfTwo(_) | Router::SessionAffinity(_));
            if !reads || timeout > 1.0 {
                model.replica.first_token = stack(12.0, 11e-6);
            }
            let transfer = Transfer {
                bytes_per_token: Bytes(100e3),
                bandwidth: BytesPerSecond(2e9),
                latency: Seconds(3e-3),
            };
            let pool = PrefillPool { replica: replica(router.clone()), replicas: 3, transfer };
            model.prefill = Some(pool);
            let gone = |retry: f64| {
                let mut class = in_order(&class("a"));
                let patience = class.patience.as_mut().unwrap();
                (patience.timeout, patience.retry, patience.attempts) =
                    (Seconds(timeout), retry, 1);
                vec![class]
            };
            let free = run(&model, gone(0.0), open(120.0), 20_000);
            let steps = run(&model, gone(1.0), open(120.0), 20_000);
            assert!(free.classes == steps.classes, "{router:?}");
            let sums = |run: &ClusterRun| (run.prefill, run.decode, run.span);
            assert_eq!(sums(&free), sums(&steps), "{router:?}");
            assert_eq!(free.gaps.count(), steps.gaps.count());
            assert_eq!(free.classes[0].abandoned > 0, timeout < 1.0, "{router:?}");
        }
    }
}

#[test]
fn a_closed_loop_keeps_its_users() {
    for router in routers() {
        let pattern = Pattern::Closed { concurrency: 96 };
        let outcome = run(&cluster(router, 4), vec![class("a")], pattern, 20_000);
        let (tally, sums) = (&outcome.classes[0], outcome.decode);
        assert_eq!(sums.completed, 20_000);
        // Little: throughput times time in the system is the number of users.
        let time = (outcome.measured.1 - outcome.measured.0).seconds();
        let rate = tally.done as f64 / time;
        let users = rate * tally.latencies.e2e.mean() * 1e-12;
        assert!((users / 96.0 - 1.0).abs() < 0.02, "{users}");
    }
}

#[test]
fn users_of_a_closed_loop_wait_for_the_serving_stack_too() {
    let transfer = Transfer {
        bytes_per_token: Bytes(1e5),
        bandwidth: BytesPerSecond(5e10),
        latency: Seconds(1e-3),
    };
    for apart in [false, true] {
        let mut model = cluster(Router::PowerOfTwo(Seconds(0.25)), 4);
        // As long as 40 tokens more, where a call has a hundred.
        model.replica.first_token = stack(40.0, 100e-6);
        let entry = ReplicaModel { first_token: FirstToken::NONE, ..model.replica.clone() };
        let pool = PrefillPool { replica: entry, replicas: 3, transfer };
        model.prefill = apart.then_some(pool);
        let pattern = Pattern::Closed { concurrency: 96 };
        let outcome = run(&model, vec![class("a")], pattern, 20_000);
        let tally = &outcome.classes[0];
        let time = (outcome.measured.1 - outcome.measured.0).seconds();
        // Little's law on what is reported, as users see it.
        let users = tally.done as f64 / time * tally.latencies.e2e.mean() * 1e-12;
        assert!((users / 96.0 - 1.0).abs() < 0.02, "{users}");
        // Those who wait for the stack are not on a replica.
        let inside = (outcome.decode.occupancy + outcome.prefill.occupancy) as f64;
        let inside = inside / outcome.span.0 as f64;
        assert!(inside < 0.85 * 96.0, "{inside}");
    }
}

#[test]
fn sessions_find_their_context_where_they_were_served() {
    let sessions = Some(Sessions {
        turns: 5.0,
        think: Seconds(2.0),
        added: scaled_table(&Shape::Lognormal(0.5), 100.0).unwrap(),
    });
    let run = |router| {
        let gaps = Interarrival::Poisson;
        let sessions = sessions.clone();
        let pattern = Pattern::Open { calls_per_second: 60.0, gaps, profile: None, sessions };
        let mut model = cluster(router, 4);
        model.replica.kv_tokens = 400_000;
        run(&model, vec![class("chat")], pattern, 20_000)
    };
    let age = Seconds(0.25);
    let (stay, roam) = (run(Router::SessionAffinity(age)), run(Router::PowerOfTwo(age)));
    let share = |run: &ClusterRun| run.decode.found as f64 / run.decode.owed_prefill as f64;
    // Four of five turns have a past; by chance a quarter of them comes to the same replica.
    assert!(share(&stay) > 0.7, "{}", share(&stay));
    let ratio = share(&roam) / share(&stay);
    assert!((0.2..0.3).contains(&ratio), "{ratio}");
    assert!(stay.classes[0].latencies.ttft.mean() < roam.classes[0].latencies.ttft.mean());
}

#[test]
fn a_lone_call_takes_prefill_transfer_and_decode() {
    let transfer = Transfer {
        bytes_per_token: Bytes(1e5),
        bandwidth: BytesPerSecond(5e9),
        latency: Seconds(3e-3),
    };
    let entry = replica(Router::RoundRobin);
    let prefill = Some(PrefillPool { replica: entry.clone(), replicas: 2, transfer });
    let model = ClusterModel { replica: entry, replicas: 1, prefill };
    let calls = CallShape::fixed(1_000, 0.0, 51);
    let class = CallClass { calls, ..class("a") };
    let traffic = Traffic {
        classes: vec![class],
        pattern: open(1e-3),
        requests: 50,
        not_counted: (0.0, 0.0),
    };
    let outcome = run_cluster(&model, &traffic, StreamKey::world(1, 0));
    // 1000 tokens at 35 us behind the base of a step; 1e8 bytes at 5e9 bytes/s; 50 steps.
    let ttft = 0.010 + 0.035 + 0.020 + 0.003;
    let decode: f64 = (0..50).map(|step| 0.01 + 30e-6 + 17.4e-9 * f64::from(1_000 + step)).sum();
    let latencies = &outcome.classes[0].latencies;
    assert!((latencies.ttft.mean() * 1e-12 / ttft - 1.0).abs() < 1e-7);
    assert!((latencies.e2e.mean() * 1e-12 / (ttft + decode) - 1.0).abs() < 1e-7);
    assert_eq!((outcome.prefill.completed, outcome.decode.completed), (50, 50));
    assert_eq!(outcome.decode.prefilled, 0);
}

#[test]
fn prefill_replicas_keep_prompts_out_of_decode_steps() {
    let transfer = Transfer {
        bytes_per_token: Bytes(1e5),
        bandwidth: BytesPerSecond(5e10),
        latency: Seconds(1e-3),
    };
    let entry = replica(Router::PowerOfTwo(Seconds(0.1)));
    let prefill = Some(PrefillPool { replica: entry.clone(), replicas: 3, transfer });
    let apart = ClusterModel { replica: entry.clone(), replicas: 3, prefill };
    let mut together = ClusterModel { replica: entry, replicas: 6, prefill: None };
    together.replica.scheduler.prefill = Prefill::Blocking;
    let outcome = |model: &ClusterModel| run(model, vec![class("a")], open(90.0), 20_000);
    let (apart, together) = (outcome(&apart), outcome(&together));
    assert_eq!((apart.decode.completed, together.decode.completed), (20_000, 20_000));
    // No gap of a separate decode step holds a prompt.
    assert!(apart.gaps.largest() < 20_000_000_000, "{}", apart.gaps.largest());
    assert!(together.gaps.largest() > 40_000_000_000, "{}", together.gaps.largest());
}

#[test]
fn users_who_leave_come_back_or_not_and_nobody_is_lost() {
    let patience = |retry| Patience {
        timeout: Seconds(1.0),
        exponential: true,
        retry,
        retry_after: Seconds(2.0),
        attempts: 20,
    };
    let impatient = |retry| CallClass { patience: Some(patience(retry)), ..class("a") };
    let model = cluster(Router::PowerOfTwo(Seconds(0.25)), 3);
    let gone = run(&model, vec![impatient(0.0)], open(150.0), 20_000);
    let back = run(&model, vec![impatient(0.8)], open(150.0), 20_000);
    for outcome in [&gone, &back] {
        let sums = outcome.decode;
        assert_eq!(sums.completed + sums.abandoned, sums.arrived);
        assert!(sums.abandoned > 3_000, "{sums:?}");
        // Whoever was served was served in time.
        let tally = &outcome.classes[0];
        assert!(tally.latencies.ttft.count() > 0 && tally.abandoned > 0);
    }
    let share = back.classes[0].retried as f64 / back.classes[0].abandoned as f64;
    assert!((share - 0.8).abs() < 0.03, "{share}");
    // Calls that are tried again come on top of those that were asked for.
    assert_eq!((gone.classes[0].retried, gone.decode.arrived), (0, 20_000));
    assert!(back.decode.arrived > 25_000, "{:?}", back.decode);
    // The patience of a call goes on while its context is on its way and waits for a place.
    let entry = replica(Router::RoundRobin);
    let transfer = Transfer {
        bytes_per_token: Bytes(1e5),
        bandwidth: BytesPerSecond(5e10),
        latency: Seconds(1e-3),
    };
    let prefill = Some(PrefillPool { replica: entry.clone(), replicas: 3, transfer });
    let apart = ClusterModel { replica: entry, replicas: 1, prefill };
    let tired = run(&apart, vec![impatient(0.5)], open(90.0), 20_000);
    assert!(tired.decode.abandoned > 3_000, "{:?}", tired.decode);
    assert_eq!(tired.decode.completed + tired.decode.abandoned, tired.decode.arrived);
    let ttft = tired.classes[0].latencies.ttft.quantile(0.5) as f64 * 1e-12;
    assert!(ttft < 2.0, "{ttft}");
}

#[test]
fn the_measured_time_of_a_closed_loop_holds_its_share_of_the_calls_that_end() {
    // At each instant a call is over in vain, and one in three users is served.
    let patience = Patience {
        timeout: Seconds(0.5),
        exponential: true,
        retry: 0.0,
        retry_after: Seconds(0.0),
        attempts: 1,
    };
    let classes = vec![CallClass { patience: Some(patience), ..class("a") }];
    let pattern = Pattern::Closed { concurrency: 300 };
    let outcome = run(&cluster(Router::RoundRobin, 2), classes, pattern, 40_000);
    let sums = outcome.decode;
    assert!(sums.abandoned > 20_000, "{}", sums.abandoned);
    // Seven tenths of the calls end in it, so of the ones that are done as well.
    let share = outcome.classes[0].done as f64 / sums.completed as f64;
    let time = (outcome.measured.1 - outcome.measured.0).seconds() / outcome.span.seconds();
    assert!((share - 0.7).abs() < 0.05, "{share}");
    // The last long answers lengthen the run.
    assert!((0.55..0.75).contains(&time), "{time}");
}

#[test]
fn the_measured_time_follows_the_rate() {
    for multipliers in [[0.2, 1.8], [1.8, 0.2]] {
        let profile = RateProfile::new(Seconds(4_000.0), &multipliers).unwrap();
        let (gaps, sessions) = (Interarrival::Poisson, None);
        let pattern =
            Pattern::Open { calls_per_second: 20.0, gaps, profile: Some(profile), sessions };
        let outcome = run(&cluster(Router::RoundRobin, 2), vec![class("a")], pattern, 20_000);
        // Poisson: the number of calls that arrive in the middle seven tenths.
        let counted = outcome.classes[0].counted() as f64;
        assert!((counted - 14_000.0).abs() < 4.0 * 14_000_f64.sqrt(), "{counted}");
    }
}

#[test]
fn what_is_put_off_beyond_the_clock_still_comes() {
    let model = cluster(Router::Random, 2);
    let sessions = Some(Sessions {
        turns: 50.0,
        think: Seconds(1e7),
        added: CallShape::fixed(9, 0.0, 1).prompt,
    });
    let (calls_per_second, gaps) = (10.0, Interarrival::Poisson);
    let pattern = Pattern::Open { calls_per_second, gaps, profile: None, sessions };
    let outcome = run(&model, vec![class("a")], pattern, 2_000);
    assert_eq!(outcome.decode.completed + outcome.decode.rejected, 2_000);
    // A byte a second: the queue for the link is longer than the clock.
    let transfer = Transfer {
        bytes_per_token: Bytes(1e5),
        bandwidth: BytesPerSecond(1.0),
        latency: Seconds(0.0),
    };
    let prefill = PrefillPool { replica: replica(Router::Random), replicas: 2, transfer };
    let model = ClusterModel { prefill: Some(prefill), ..model };
    let outcome = run(&model, vec![class("a")], open(10.0), 2_000);
    assert_eq!((outcome.prefill.completed, outcome.decode.completed), (2_000, 2_000));
}
