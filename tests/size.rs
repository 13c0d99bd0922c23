//! `sparkgap size`: sizes against a queue worked out exactly, orders that must hold, reasons for
//! refusals, and the command as it is typed.

#[path = "support/hand_worked.rs"]
mod hand_worked;

use std::fs;
use std::process::{Command, Output};

use hand_worked::hand_worked;
use serde_json::Value;
use sparkgap::cli::Failure;
use sparkgap::demand::Interarrival;
use sparkgap::engine::{CallClass, CallShape, LatencyLimits, Pattern, Traffic};
use sparkgap::hardware::{Accelerator, Llm, Precision, accelerators, models};
use sparkgap::report::SizeReport;
use sparkgap::study::{
    LaterPromise, Refusal, ServingMode, ServingStack, Simulation, SizeQuestion, SizedAccelerator,
    Sizing, Verdict, Watch, best_precision, later_promises, simulate_deployment, size, verify_size,
};
use sparkgap::time::FleetTime;
use sparkgap::units::Seconds;
use tempfile::TempDir;

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
    assert!(matches!(soon, Refusal::Ttft { lone } if lone.0 > 1e-3), "{soon:?}");
    let fast = refusal("llama_8b", usual(), (1.0, 1e-4));
    assert!(matches!(fast, Refusal::Tpot { lone } if lone.0 > 1e-4), "{fast:?}");
    let long = refusal("llama_405b", CallShape::fixed(8_000_000, 0.0, 10), (3_600.0, 1.0));
    assert!(matches!(long, Refusal::Context { .. }), "{long:?}");
}

fn typed(arguments: &[&str]) -> Output {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    program.arg("size").args(arguments).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const SMALL: [&str; 6] = ["--model", "llama_8b", "--rate", "20", "--accelerator", "h100,b200"];

#[test]
fn the_table_has_what_a_planner_asks_for() {
    let output = typed(&[&SMALL[..], &["--verify", "--replications", "3"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stderr.is_empty(), "{}", said(&output));
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    let flowing = table.split_whitespace().collect::<Vec<&str>>().join(" ");
    for part in [
        "20 requests/s (7000 output tokens/s) within the SLO is cheapest on ",
        "USD per million output tokens",
        "GPUs",
        "units",
        "layout",
        "TTFT P99",
        "TPOT P99",
        "load %",
        "limit",
        "MW IT",
        "MW site",
        "USD/M out",
        "fitted",
        "verified",
        "one fewer",
        "PUE of 1.10",
        "Software of 2026-12",
        "Seed 1",
    ] {
        assert!(flowing.contains(part), "no `{part}` in\n{table}");
    }
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest <= 100, "{widest} columns:\n{table}");
}

/// A size that publications speak against says so, and every size says how far it may be off.
#[test]
fn a_size_says_how_sure_it_is() {
    let load = ["--model", "gpt_oss_120b", "--rate", "200", "--accelerator", "gb200,b200,mi450"];
    let json: Value =
        serde_json::from_slice(&typed(&[&load[..], &["--json"]].concat()).stdout).expect("JSON");
    let table = String::from_utf8(typed(&load).stdout).expect("UTF-8");
    let (_, sure) = table.split_once("\nhow sure ").expect("the block");
    for row in json["accelerators"].as_array().expect("a list") {
        let name = row["accelerator"].as_str().expect("a name");
        let line = sure.lines().find(|line| line.starts_with(name)).expect("a line");
        let cells: Vec<&str> = line.split_whitespace().collect();
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"));
        assert_eq!(cells[1], row["provenance"].as_str().expect("a word"));
        assert_eq!(cells[2], format!("{:.0}", number("gpus_low").max(1.0)), "{line}");
        assert_eq!(cells[3], format!("{:.0}", number("gpus_high")), "{line}");
        assert!(number("gpus_low") < number("gpus") && number("gpus") < number("gpus_high"));
        let warned = table.contains(&format!("Warning: for gpt-oss-120b on {name} "));
        match row["computed_over_published"].as_f64() {
            Some(ratio) => assert_eq!(warned, ratio > 1.5, "{name} {ratio}:\n{table}"),
            None => assert!(!warned && row["published_points"] == 0, "{row}"),
        }
    }
    // The facts behind it: MLPerf has 12,274 tokens/s of it on a GPU of a GB200 NVL72.
    let warnings = json["warnings"].as_array().expect("a list");
    assert!(warnings.iter().any(|text| text.to_string().contains("on gb200 ")), "{json}");
}

#[test]
fn what_nothing_serves_ends_with_3() {
    let load = ["--model", "deepseek_r1", "--rate", "2", "--accelerator", "h100"];
    let output = typed(&load);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("none of these accelerators can serve"), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("the weights do not fit"));
    let output = typed(&[&load[..], &["--json"]].concat());
    assert_eq!(output.status.code(), Some(3));
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(json["accelerators"][0]["refusal"].is_string(), "{json}");
    // One that serves is enough.
    let rest = ["--model", "deepseek_r1", "--rate", "2", "--accelerator", "h100,gb300"];
    assert_eq!(typed(&rest).status.code(), Some(0));
}

#[test]
fn what_was_asked_for_is_echoed_as_it_was_given() {
    let load = ["--model", "llama_8b", "--rate", "20.25", "--accelerator", "h100"];
    let calls = ["--prompt", "8191", "--output", "123", "--cached", "12.345%"];
    let promises = ["--ttft", "812.5 ms", "--tpot", "48.75 ms"];
    let table = typed(&[&load[..], &calls, &promises].concat()).stdout;
    let table = String::from_utf8(table).expect("UTF-8");
    let flowing = table.split_whitespace().collect::<Vec<&str>>().join(" ");
    let asked = "Load: 20.25 requests/s of 8191 prompt tokens (12.345 % cached) and 123 output \
                 tokens on average to Llama 3.1 8B; SLO: TTFT 812.5 ms and TPOT 48.75 ms";
    assert!(flowing.contains(asked), "{table}");
    assert!(flowing.starts_with("20.25 requests/s (2490.75 output tokens/s)"), "{table}");
}

#[test]
fn json_adds_up_and_does_not_depend_on_threads() {
    let run = |threads: &str| {
        let output = typed(&[&SMALL[..], &["--json", "--threads", threads]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        output.stdout
    };
    let one = run("1");
    assert!(one == run("3"), "the bytes depend on the number of threads");
    let found: Value = serde_json::from_slice(&one).expect("valid JSON");
    assert_eq!(found["schema_version"], 2);
    let list = found["accelerators"].as_array().expect("a list");
    assert_eq!(list.len(), 2);
    let mut last = 0.0;
    for row in list {
        let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"));
        let name = row["accelerator"].as_str().expect("a name");
        let accelerator = &accelerators()[name];
        let rent = accelerator.rent.central().0 * number("paid_gpus");
        assert!((number("usd_per_hour") / rent - 1.0).abs() < 1e-9);
        // 20 requests/s of 350 output and 1,100 tokens in all.
        let per_hour = number("usd_per_hour") / 3_600.0;
        assert!((number("usd_per_million_output_tokens") / (per_hour / 7e-3) - 1.0).abs() < 1e-9);
        assert!((number("usd_per_million_total_tokens") / (per_hour / 22e-3) - 1.0).abs() < 1e-9);
        let megawatts = number("paid_gpus") * accelerator.power.0 * 1e-6;
        assert!((number("it_mw") / megawatts - 1.0).abs() < 1e-9);
        assert!((number("facility_mw") / number("it_mw") - 1.1).abs() < 1e-9);
        assert!(number("ttft_p99_ms") <= 1_000.0 && number("tpot_p99_ms") <= 50.0);
        assert!(number("usd_per_hour") >= last);
        last = number("usd_per_hour");
        assert_eq!(row["provenance"], "fitted");
    }
}

#[test]
fn files_are_written_and_refusals_are_in_them() {
    let folder = TempDir::new().expect("a temporary folder");
    let out = folder.path().join("sizes");
    let place = out.to_str().expect("UTF-8");
    let load = ["--model", "llama_405b", "--tokens-per-s", "2000", "--ttft", "5 s"];
    let rest = ["--accelerator", "h100,gb300", "--precision", "bf16", "--out", place];
    let output = typed(&[load, rest].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let csv = fs::read_to_string(out.join("sizes.csv")).expect("written");
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows.len(), 3);
    assert!(
        rows[0].starts_with("accelerator,label,available,delivered,provenance,refusal,gpus,"),
        "{csv}"
    );
    assert!(rows[1].starts_with("gb300,") && rows[2].starts_with("h100,"), "{csv}");
    let json: Value =
        serde_json::from_slice(&fs::read(out.join("size.json")).expect("written")).expect("JSON");
    let refused = &json["accelerators"][1];
    assert!(refused["refusal"].as_str().is_some() && refused["gpus"].is_null(), "{refused}");
    assert_eq!(json["accelerators"][0]["precision"], serde_json::json!(Precision::Bf16));
}

#[test]
fn a_scenario_gives_calls_and_promises() {
    let arguments = ["muse_spark", "--workload", "instant", "--year", "2028", "--rate", "50"];
    let rest = ["--accelerator", "gb300", "--json"];
    let output = typed(&[&arguments[..], &rest].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(found["question"]["software"].as_str().expect("a date").starts_with("2028-0"));
    assert!(found["accelerators"][0]["gpus"].as_u64() > Some(0), "{found}");
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_fix() {
    let model = ["--model", "llama_8b"];
    let cases: [(&[&str], &[&str]); 9] = [
        (&model, &["--rate", "--tokens-per-s"]),
        (&["--rate", "3"], &["--model"]),
        (&["--model", "lama_8b", "--rate", "3"], &["no model `lama_8b`", "llama_8b"]),
        (
            &["--model", "llama_8b", "--rate", "3", "--accelerator", "gb30"],
            &["no accelerator `gb30`", "gb300"],
        ),
        (&["--model", "llama_8b", "--rate", "0"], &["above zero"]),
        (&["--model", "llama_8b", "--rate", "3", "--ttft", "1"], &["ms"]),
        (&["--model", "llama_8b", "--rate", "3", "--year", "1999"], &["2020 to 2060"]),
        (&["--model", "llama_8b", "--rate", "3", "--replications", "4"], &["--verify"]),
        (&["muse_spark", "--rate", "3"], &["--workload"]),
    ];
    for (arguments, words) in cases {
        let output = typed(arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty() && !text.contains("panicked"), "{text}");
        for word in words {
            assert!(text.contains(word), "{arguments:?}: no `{word}` in {text}");
        }
    }
}
