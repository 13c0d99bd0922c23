//! `sparkgap size`: sizes against a queue worked out exactly, orders that must hold, reasons for
//! refusals; the command as it is typed is in its module.

mod command;
#[path = "../support/hand_worked.rs"]
mod hand_worked;

use hand_worked::hand_worked;
use sparkgap::cli::Failure;
use sparkgap::demand::Interarrival;
use sparkgap::engine::{CallClass, CallShape, LatencyLimits, Pattern, Traffic};
use sparkgap::hardware::{Accelerator, Llm, accelerators, models};
use sparkgap::report::{SizeReport, StackSource};
use sparkgap::study::{
    LaterPromise, Refusal, ServingMode, ServingStack, Simulation, SizeQuestion, SizedAccelerator,
    Sizing, Verdict, Watch, best_precision, later_promises, simulate_deployment, size, verify_size,
};
use sparkgap::time::FleetTime;
use sparkgap::units::Seconds;

const BOTH: [ServingMode; 2] = [ServingMode::Aggregated, ServingMode::Disaggregated];

fn question<'a>(
    on: &'a [(&'a str, &'a Accelerator)],
    llm: &'a Llm,
    calls: CallShape,
    rate: f64,
    (ttft, tpot): (f64, f64),
) -> SizeQuestion<'a> {
    let limits = LatencyLimits { ttft_p99: Seconds(ttft), tpot_p99: Seconds(tpot) };
    let name = "calls".to_owned();
    SizeQuestion {
        accelerators: on
            .iter()
            .map(|(name, accelerator)| SizedAccelerator {
                name,
                accelerator,
                speed: 1.0,
                precisions: vec![best_precision(accelerator)],
                measured: None,
            })
            .collect(),
        llm,
        class: CallClass { name, share: 1.0, calls, priority: 0, limits, patience: None },
        rate,
        gaps: Interarrival::Poisson,
        stack: ServingStack::default(),
        modes: BOTH.to_vec(),
        seed: 1,
    }
}

fn sizes(question: &SizeQuestion<'_>) -> Vec<Sizing> {
    size(question, Watch::nobody()).expect("nobody stops it")
}

fn gpus(question: &SizeQuestion<'_>) -> u64 {
    sizes(question)[0].as_ref().expect("it can be served").gpus
}

/// P(W <= t) of an M/D/1 queue, t in service times (Erlang 1909; Crommelin 1932).
fn waits_at_most(load: f64, t: f64) -> f64 {
    let mut sum = 0.0;
    let mut factorial = 1.0;
    for k in 0..=(t.floor() as u32) {
        let x = load * (f64::from(k) - t);
        factorial *= f64::from(k.max(1));
        sum += x.powi(k as i32) / factorial * (-x).exp();
    }
    (1.0 - load) * sum
}

/// Prompts that fill a step and one token of output: a replica is a server with one service time,
/// known from the data sheet, and calls wait as in M/D/1.
#[test]
fn one_replica_or_two_as_an_exact_queue_says() {
    let mut h100 = hand_worked();
    (h100.scale_up_domain, h100.unit.gpus, h100.unit.serving) = (1, 1, 1);
    let on = [("h100", &h100)];
    // 8.03e9 weights at 8 bits, 32 layers of 32 heads of 128; half of 1.979 PFLOP/s.
    let tokens = 8_192.0;
    let work = 2.0 * 8.03e9 * tokens + 4.0 * 32.0 * 32.0 * 128.0 * tokens * (tokens + 1.0) / 2.0;
    let service = 32.0 * 50e-6 + work / (0.5 * 1.979e15);
    let load = 0.5;
    // Three service times are too long for 1.5 % of the calls, four and a half for
    // 0.2 %.
    let beyond = [3.0, 4.5].map(|t| 1.0 - waits_at_most(load, t));
    assert!(beyond[0] > 0.012 && beyond[1] < 0.004, "{beyond:?}");
    for (t, expected) in [(3.0, 2), (4.5, 1)] {
        let calls = CallShape::fixed(8_192, 0.0, 1);
        let limits = (service * (1.0 + t), 10.0);
        let mut question = question(&on, &models()["llama_8b"], calls, load / service, limits);
        question.modes = vec![ServingMode::Aggregated];
        let found = sizes(&question).remove(0).expect("it can be served");
        assert_eq!((found.replicas, found.gpus), (expected, expected), "{t}: {found:?}");
        if expected == 1 {
            // What the queue says of the calls that are late, within the errors of the sample.
            let late = found.seen.late;
            let doubt = 4.0 * late.standard_error + 1e-4;
            assert!((late.mean - beyond[1]).abs() < doubt, "{late:?} {}", beyond[1]);
        }
    }
}

/// The same queue with several servers, near a cliff: every seed finds a size within what every
/// other one leaves open, and each size holds in a longer simulation with a seed of its own.
#[test]
fn seeds_agree_within_their_range_and_every_size_holds_when_it_is_simulated_anew() {
    let mut h100 = hand_worked();
    (h100.scale_up_domain, h100.unit.gpus, h100.unit.serving) = (1, 1, 1);
    let on = [("h100", &h100)];
    let tokens = 8_192.0;
    let work = 2.0 * 8.03e9 * tokens + 4.0 * 32.0 * 32.0 * 128.0 * tokens * (tokens + 1.0) / 2.0;
    let service = 32.0 * 50e-6 + work / (0.5 * 1.979e15);
    let limits = (3.0 * service, 10.0);
    let mut question =
        question(&on, &models()["llama_8b"], CallShape::fixed(8_192, 0.0, 1), 0.0, limits);
    (question.rate, question.modes) = (4.0 / service, vec![ServingMode::Aggregated]);
    let seeds = [1, 2, 3, 4, 5];
    let found = seeds.map(|seed| {
        question.seed = seed;
        sizes(&question).remove(0).expect("it can be served")
    });
    for one in &found {
        let (low, high) = one.sampled;
        assert!(low <= one.gpus && one.gpus <= high && high <= low + 3, "{low} {high}");
        assert!(found.iter().all(|other| low <= other.gpus && other.gpus <= high), "{low} {high}");
        let pattern = Pattern::Open {
            calls_per_second: question.rate,
            gaps: question.gaps,
            profile: None,
            sessions: None,
        };
        let classes = vec![question.class.clone()];
        let traffic = Traffic { classes, pattern, requests: 2_000_000, not_counted: (0.2, 0.1) };
        let deployment = one.model.clone();
        let simulation = Simulation { deployment, traffic, replications: 10, seed: 4_321 };
        let (outcome, _) = simulate_deployment(&simulation, Watch::nobody()).expect("it runs");
        let within = outcome.workloads[0].shares[0];
        assert!(within.mean - within.standard_error > 0.99, "{} GPUs: {within:?}", one.gpus);
        // And not by far: with a replica fewer it is not more than open.
        let fewer = verify_size(&question, one, None, 99).fewer[0];
        assert_ne!(fewer, Some(Verdict::Holds), "{} GPUs", one.gpus);
    }
}

fn report<'a>(
    question: &'a SizeQuestion<'a>,
    sizings: &'a [Sizing],
    named: &'a [String],
    later: &'a [LaterPromise],
    run: impl Fn(&SizeReport<'_>),
) {
    let (checks, published) = (vec![None; sizings.len()], vec![None; sizings.len()]);
    let software = FleetTime::of_decimal_year(2026.9);
    run(&SizeReport {
        question,
        sizings,
        checks: &checks,
        published: &published,
        stack: StackSource::None,
        named,
        later,
        software,
        seconds: 0.0,
    });
}

/// MI450 comes after 2026: with these rents it is cheapest, and recommended only to those who ask
/// for it. Vera Rubin is next by the GPU, and a node of B300 is cheapest by the unit.
#[test]
fn what_cannot_be_had_is_not_recommended_and_whole_units_are_named() {
    let names = ["mi450", "vera_rubin", "b300"];
    let mut own = names.map(|name| accelerators()[name].clone());
    own[0].rent = accelerators()["mtia_400"].rent.clone();
    own[1].rent = accelerators()["mi355x"].rent.clone();
    let on = [0, 1, 2].map(|place| (names[place], &own[place]));
    let calls = CallShape::fixed(1_000, 0.0, 200);
    let question = question(&on, &models()["llama_8b"], calls, 5.0, (1.0, 0.05));
    let sizings = sizes(&question);
    report(&question, &sizings, &["all".to_owned()], &[], |report| {
        let text = report.finding();
        assert_eq!(report.cheapest(), Some(1), "{text}");
        assert!(text.contains("cheapest on 1 GPU of Vera Rubin"), "{text}");
        assert!(text.contains("whole units are rented for this load alone it is 1 unit of B300"));
        assert!(text.ends_with("Left out as not yet delivered: mi450."), "{text}");
        let table = sparkgap::report::size_table(report);
        assert!(table.contains("\nmi450* ") && table.contains("\nb300  "), "{table}");
    });
    // By name, or where there is nothing else.
    report(&question, &sizings, &names.map(str::to_owned), &[], |report| {
        assert!(!report.finding().contains("Left out"), "{}", report.finding());
        assert_eq!(report.cheapest(), Some(0));
    });
    let only = SizeQuestion { accelerators: question.accelerators[..1].to_vec(), ..question };
    report(&only, &sizings[..1], &["all".to_owned()], &[], |report| {
        let text = report.finding();
        assert!(text.contains("MI450") && text.ends_with("not yet delivered at that date."));
    });
}

/// A prompt whose computation alone takes nearly all of its promise: a little more time, and far
/// fewer replicas do.
#[test]
fn what_the_promise_costs_is_said_where_it_costs_much() {
    let mut h100 = hand_worked();
    (h100.scale_up_domain, h100.unit.gpus, h100.unit.serving) = (1, 1, 1);
    let on = [("h100", &h100)];
    let ask = |ttft: f64| {
        let calls = CallShape::fixed(8_192, 0.0, 1);
        let mut question = question(&on, &models()["llama_8b"], calls, 8.0, (ttft, 10.0));
        question.modes = vec![ServingMode::Aggregated];
        question
    };
    for (ttft, said) in [(0.3, true), (3.0, false)] {
        let question = ask(ttft);
        let sizings = sizes(&question);
        let later = later_promises(&question, 0, Watch::nobody()).expect("nobody stops it");
        let now = sizings[0].as_ref().expect("it can be served").gpus;
        let gpus: Vec<u64> = later.iter().filter_map(|later| later.gpus).collect();
        assert!(gpus.len() == 3 && gpus.is_sorted_by(|a, b| a >= b), "{gpus:?}");
        let again = ask(1.5 * ttft);
        assert_eq!(sizes(&again)[0].as_ref().map(|sized| sized.gpus).ok(), Some(gpus[1]));
        report(&question, &sizings, &[], &later, |report| {
            let price = report.price_of_promise();
            assert_eq!(price.is_some(), said, "{now} {gpus:?}");
            let last = format!("{} at {}", gpus[2], if said { "600 ms" } else { "6 s" });
            assert!(price.is_none_or(|text| text.contains(&last)));
        });
    }
}

#[test]
fn more_load_and_stricter_promises_never_need_fewer_gpus() {
    let on = [("gb300", &accelerators()["gb300"])];
    let llm = &models()["llama_70b"];
    let of = |rate, ttft, tpot| {
        gpus(&question(&on, llm, CallShape::fixed(1_000, 0.0, 200), rate, (ttft, tpot)))
    };
    let loads = [5.0, 10.0, 40.0, 80.0, 160.0].map(|rate| of(rate, 0.6, 0.04));
    assert!(loads.is_sorted() && loads[4] > loads[0], "{loads:?}");
    let tpots = [0.1, 0.04, 0.02].map(|tpot| of(100.0, 0.6, tpot));
    assert!(tpots.is_sorted() && tpots[2] > tpots[0], "{tpots:?}");
    let ttfts = [4.0, 0.1, 0.06].map(|ttft| of(100.0, ttft, 0.04));
    assert!(ttfts.is_sorted() && ttfts[2] > ttfts[0], "{ttfts:?}");
}

#[test]
fn a_size_is_verified_and_a_smaller_one_is_not() {
    let on = [("b200", &accelerators()["b200"])];
    let llm = &models()["llama_70b"];
    let calls = CallShape::fixed(2_000, 0.0, 200);
    let mut question = question(&on, llm, calls, 60.0, (0.5, 0.03));
    for mode in BOTH {
        question.modes = vec![mode];
        let mut sized = sizes(&question).remove(0).expect("it can be served");
        assert_eq!(sized.prefill_replicas > 0, mode == ServingMode::Disaggregated);
        assert!(sized.eta > 0.0 && sized.eta <= 1.0, "{}", sized.eta);
        let check = verify_size(&question, &sized, None, 99);
        assert_eq!(check.verdict, Verdict::Holds, "{mode:?}: {:?}", check.seen);
        // Half of it is not enough.
        sized.model.replicas = (sized.model.replicas / 2).max(1);
        if let Some(pool) = &mut sized.model.prefill {
            pool.replicas = (pool.replicas / 2).max(1);
        }
        let check = verify_size(&question, &sized, None, 99);
        assert_eq!(check.verdict, Verdict::Breaks, "{mode:?}: {:?}", check.seen);
    }
    assert_eq!(Failure::NotVerified("the size".to_owned()).code(), 3);
}

#[test]
fn what_cannot_be_served_says_why() {
    let h100 = [("h100", &accelerators()["h100"])];
    let refusal = |model: &str, calls: CallShape, limits| {
        let question = question(&h100, &models()[model], calls, 1.0, limits);
        sizes(&question).remove(0).expect_err("it cannot be served")
    };
    let usual = || CallShape::fixed(1_000, 0.0, 100);
    // 671 GB at 8 bits beside 8 x 80 GB.
    match refusal("deepseek_r1", usual(), (1.0, 0.05)) {
        Refusal::Weights { needed, gpus, memory } => {
            assert!((needed / 671e9 - 1.0).abs() < 0.01 && gpus == 8, "{needed}");
            assert!((memory / 640e9 - 1.0).abs() < 1e-9);
        }
        other => panic!("{other:?}"),
    }
    let soon = refusal("llama_8b", usual(), (1e-3, 0.05));
    assert!(matches!(soon, Refusal::Ttft { lone, .. } if lone.0 > 1e-3), "{soon:?}");
    let fast = refusal("llama_8b", usual(), (1.0, 1e-4));
    assert!(matches!(fast, Refusal::Tpot { lone } if lone.0 > 1e-4), "{fast:?}");
    let long = refusal("llama_405b", CallShape::fixed(8_000_000, 0.0, 10), (3_600.0, 1.0));
    assert!(matches!(long, Refusal::Context { .. }), "{long:?}");
}

/// With slow collectives long prompts want many GPUs and tokens want one: each promise can be kept,
/// but on different layouts.
#[test]
fn promises_that_no_layout_keeps_together_are_told_so() {
    let mut h100 = hand_worked();
    h100.efficiency.collective_overhead = Seconds(1e-3);
    let on = [("h100", &h100)];
    let refusal = |limits| {
        let calls = CallShape::fixed(30_000, 0.0, 50);
        let mut question = question(&on, &models()["llama_8b"], calls, 1.0, limits);
        question.modes = vec![ServingMode::Aggregated];
        sizes(&question).remove(0).expect_err("it cannot be served")
    };
    let Refusal::Ttft { lone: ttft, .. } = refusal((1e-3, 1.0)) else { panic!("TTFT") };
    let Refusal::Tpot { lone: tpot } = refusal((10.0, 1e-6)) else { panic!("TPOT") };
    match refusal((ttft.0 * 1.01, tpot.0 * 1.01)) {
        Refusal::Either { ttft: first, tpot: each } => {
            assert!(first.0 > ttft.0 * 1.01 || each.0 > tpot.0 * 1.01, "{first:?} {each:?}");
        }
        other => panic!("{other:?}"),
    }
}
