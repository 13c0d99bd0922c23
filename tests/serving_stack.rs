//! What a serving stack adds to first tokens, as it is typed: users wait for it, leave because of
//! it and are told whose it is.

use std::process::Command;

use serde_json::Value;

/// A run that must succeed; what it prints.
fn told(command: &str, arguments: &[&str]) -> String {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    let output = program.arg(command).args(arguments).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("results are UTF-8")
}

fn json(command: &str, arguments: &[&str]) -> Value {
    serde_json::from_str(&told(command, &[arguments, &["--json"]].concat())).expect("valid JSON")
}

/// The table of a simulation without its line breaks.
fn table(arguments: &[&str]) -> String {
    told("simulate", arguments).split_whitespace().collect::<Vec<&str>>().join(" ")
}

fn value(of: &Value) -> f64 {
    of["value"].as_f64().unwrap_or_else(|| panic!("no value in {of}"))
}

/// A figure of the first workload of a simulation.
fn figure(found: &Value, field: &str) -> f64 {
    value(&found["workloads"][0][field])
}

#[test]
fn users_of_a_closed_loop_are_as_many_as_the_figures_say() {
    let short = ["--output", "20", "--requests", "200000", "--concurrency", "60"];
    let shared = ["--stack", "sglang"];
    let apart = ["--stack", "vllm", "--disaggregated", "1P3D"];
    for serving in [&shared[..], &apart] {
        let found = json("simulate", &[&short[..], serving].concat());
        // Little's law: nobody thinks between two calls.
        let rate = figure(&found, "completed_requests_per_s");
        let users = rate * figure(&found, "e2e_mean_ms") * 1e-3;
        assert!((users / 60.0 - 1.0).abs() < 0.02, "{serving:?}: {users}");
        // A stack takes a fifth of the time and more, so it is seen here.
        let steps = found["deployment"]["first_token_steps"].as_f64().expect("a number");
        assert!(steps * figure(&found, "tpot_mean_ms") > 0.2 * figure(&found, "e2e_mean_ms"));
    }
}

#[test]
fn a_stack_takes_nothing_from_the_capacity() {
    let capacity = |stack| {
        let found = json("simulate", &["--requests", "2000", "--output", "20", "--stack", stack]);
        found["traffic"]["capacity_requests_per_s"].as_f64().expect("a capacity")
    };
    assert!((capacity("sglang") - capacity("none")).abs() < 1e-9);
}

#[test]
fn users_leave_when_they_have_not_seen_a_token_in_time() {
    let run = |stack, timeout| {
        let few = ["--requests", "200000", "--stack", stack, "--timeout", timeout];
        json("simulate", &few)
    };
    let abandoned = |found: &Value| figure(found, "abandoned_share");
    // The engine's tokens come within 60 ms, those of SGLang take 22 steps more of 6 ms at least.
    assert!(abandoned(&run("none", "100 ms")) < 0.001);
    assert!(abandoned(&run("sglang", "100 ms")) > 0.999);
    for (timeout, limit) in [("250 ms", 250.0), ("300 ms", 300.0)] {
        let found = run("sglang", timeout);
        let share = abandoned(&found);
        assert!((0.05..0.5).contains(&share), "{timeout}: {share}");
        // Who stays has seen a token in time. The pace of a call is not known before its end, so
        // a few are some per cent late.
        let (median, late) = (figure(&found, "ttft_p50_ms"), figure(&found, "ttft_p99_ms"));
        assert!(median < limit && late < 1.1 * limit, "{timeout}: {median} {late}");
    }
    // Contexts that are handed over wait for the stack too.
    let apart = ["--disaggregated", "1P3D", "--requests", "40000", "--stack", "vllm"];
    let patient = json("simulate", &[&apart[..], &["--timeout", "10 s"]].concat());
    let tired = json("simulate", &[&apart[..], &["--timeout", "150 ms"]].concat());
    assert!(abandoned(&patient) < 0.001 && figure(&patient, "ttft_p50_ms") > 300.0, "{patient}");
    assert!(abandoned(&tired) > 0.9, "{tired}");
}

#[test]
fn both_commands_take_the_same_stack_and_name_it() {
    let few = ["--requests", "2000"];
    let size = ["--model", "llama_8b", "--accelerator", "h100", "--rate", "5"];
    let simulated = json("simulate", &few);
    let sized = json("size", &size);
    let (one, other) = (&simulated["deployment"], &sized["question"]);
    assert_eq!((&one["serving_stack"], &other["serving_stack"]), (&"vllm".into(), &"vllm".into()));
    for field in ["first_token_steps", "first_token_us_per_prompt_token"] {
        assert!(one[field].as_f64() > Some(1.0), "{one}");
        assert_eq!(one[field], other[field]);
    }
    assert!(table(&few).contains("the engine's and what vLLM adds in recorded runs: 6.0 decode"));
    assert!(told("size", &size).contains("what vLLM adds in recorded runs"));
    let none = [&few[..], &["--stack", "none"]].concat();
    assert!(table(&none).contains("TTFT is that of the engine: no serving stack is on top."));
    let found = json("simulate", &none);
    assert_eq!(found["deployment"]["first_token_steps"], 0.0);
    assert_eq!(found["deployment"]["serving_stack"], "none");
}

/// The instant workload of the default scenario on a few replicas.
const INSTANT: [&str; 7] =
    ["muse_spark", "--workload", "instant", "--replicas", "2", "--requests", "4000"];
/// A step time that was measured on its layout.
const MEASURED: &str = "deployments.instant.layouts.gb300.step_time=(base: \"4 ms\", floor: \
    \"5 ms\", per_token: \"10 us\", per_sequence: \"20 us\", per_context_token: \"10 ns\", as_of: \
    \"2026-08\", source: \"a log\")";

#[test]
fn hardware_that_was_measured_keeps_the_stack_of_the_scenario() {
    // Under the source of the shipped fit it would count as stated.
    let set = [
        "--set",
        "hardware.gb300.efficiency.provenance=measured",
        "--set",
        "hardware.gb300.efficiency.source=\"own runs\"",
    ];
    let found = json("simulate", &[&INSTANT[..], &set].concat());
    let deployment = &found["deployment"];
    assert_eq!(
        (&deployment["provenance"], &deployment["serving_stack"]),
        (&"measured".into(), &"scenario".into())
    );
    assert_eq!(deployment["first_token_steps"], 6.0);
}

#[test]
fn a_measured_step_time_has_its_stack_and_its_progress_told() {
    let measured = [&INSTANT[..], &["--set", MEASURED]].concat();
    let found = json("simulate", &measured);
    let deployment = &found["deployment"];
    assert_eq!(deployment["serving_stack"], "step_time");
    assert_eq!(deployment["first_token_steps"], 0.0);
    let said = table(&measured);
    assert!(said.contains("the serving stack of its log is in the step time, and none is on top"));
    assert!(!said.contains("TTFT is that of the engine"), "{said}");
    assert!(
        said.contains("Step time: measured, as its source says (a log), with the older"),
        "{said}"
    );
    // Two years later the same step time runs on better software.
    let later = [&measured[..], &["--year", "2028"]].concat();
    let factor = json("simulate", &later)["deployment"]["software_progress_since_measured"].clone();
    let factor = factor.as_f64().expect("a factor");
    assert!(factor > 1.05, "{factor}");
    let words = format!(
        "as its source says (a log), times the software progress since: {factor:.2} times as fast"
    );
    assert!(table(&later).contains(&words), "{}", table(&later));
    // A stack that is asked for is not put on top of it, as in `size`, and that is said.
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    let asked = [&["simulate"][..], &measured, &["--stack", "sglang", "--json"]].concat();
    let output = command.args(asked).output().unwrap();
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(warning.contains("--stack sglang is ignored"), "{warning}");
    let asked: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(asked["deployment"]["serving_stack"], "step_time");
    assert_eq!(asked["workloads"], found["workloads"]);
    // On replicas of one kind each it is no measurement.
    let apart = ["muse_spark", "--workload", "instant", "--disaggregated", "1P1D"];
    let apart = [&apart[..], &["--requests", "2000", "--set", MEASURED]].concat();
    assert_eq!(json("simulate", &apart)["deployment"]["provenance"], "stated");
    assert!(table(&apart).contains("an engine that does both was measured"), "{}", table(&apart));
}
