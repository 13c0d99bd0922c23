//! `sparkgap simulate` as it is typed: what it prints, what it refuses, and that a planner would
//! be told when a deployment is too small.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn simulate(arguments: &[&str]) -> Output {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    program.arg("simulate").args(arguments).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("results are UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

/// A text without its line breaks.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// A run that must succeed, as JSON.
fn json(arguments: &[&str]) -> Value {
    let output = simulate(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("valid JSON")
}

fn value(of: &Value) -> f64 {
    of["value"].as_f64().unwrap_or_else(|| panic!("no value in {of}"))
}

/// A run that must be refused: exit code 2, nothing on stdout, and these words in the message.
fn refused(arguments: &[&str], words: &[&str]) {
    let output = simulate(arguments);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?}: no `{word}` in {said}");
    }
}

#[test]
fn the_default_prints_a_finding_figures_and_what_they_rest_on() {
    let output = simulate(&["--requests", "400000"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
    let table = stdout(&output);
    assert!(table.starts_with("8 GPUs complete "), "{table}");
    for part in [
        "75.0 % of capacity",
        "TTFT",
        "TPOT",
        "ITL",
        "E2E",
        "queue wait",
        "P50",
        "P90",
        "P99",
        "within the SLO",
        "goodput",
        "output tokens",
        "per GPU",
        "preemptions per 1000 calls",
        "busy",
        "batch",
        "Llama 3.1 8B in fp8",
        "H100",
        "power_of_two",
        "poisson",
        "seed 1",
        "10 replications",
        "one standard error over 10 independent runs",
        "1.6 %",
        "±",
        "requests per CPU-second",
        "times real time",
        "100 % of capacity:",
    ] {
        assert!(flowing(&table).contains(part), "no `{part}` in\n{table}");
    }
    let widest = table.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    assert!(widest <= 100, "{widest} columns:\n{table}");
}

#[test]
fn json_has_its_fields_with_units_and_errors() {
    let found = json(&["--requests", "400000"]);
    assert_eq!(found["schema_version"], 1);
    assert_eq!(found["overloaded"], false);
    assert_eq!(found["deployment"]["gpus"], 8);
    assert_eq!(found["sample"]["replications"], 10);
    assert_eq!(found["sample"]["requests"], 400_000);
    let calls = &found["workloads"][0];
    for latency in ["ttft", "tpot", "e2e", "queue_wait"] {
        let points = ["mean", "p50", "p90", "p99"].map(|p| &calls[format!("{latency}_{p}_ms")]);
        assert!(points.iter().all(|point| value(point) > 0.0), "{latency}");
        assert!(points[0]["standard_error"].as_f64() > Some(0.0), "{latency}");
        assert!(value(points[1]) <= value(points[2]) && value(points[2]) <= value(points[3]));
    }
    // Rates and the batch belong together: Little's law over the time after the first token.
    let rate = value(&calls["completed_requests_per_s"]);
    let offered = found["traffic"]["offered_requests_per_s"].as_f64().expect("a rate");
    assert!((rate / offered - 1.0).abs() < 0.02, "{rate} of {offered}");
    assert!((value(&calls["output_tokens_per_s"]) / rate / 350.0 - 1.0).abs() < 0.01);
    assert!((value(&calls["prompt_tokens_per_s"]) / rate / 750.0 - 1.0).abs() < 0.01);
    let share = value(&calls["attainment_share"]);
    assert!((share - 1.0).abs() < 1e-9, "{share}");
    for field in [
        "itl_p99_ms",
        "queue_growth_requests_per_s",
        "busy_share",
        "mean_batch",
        "context_read_tokens_per_step",
        "preemptions_per_1000_requests",
        "found_prompt_share",
    ] {
        assert!(found["replicas"][field]["value"].is_number(), "{field}");
    }
    let context = value(&found["replicas"]["context_read_tokens_per_step"]);
    let batch = value(&found["replicas"]["mean_batch"]);
    // Prompts of 750 tokens and half of what is written, long outputs counted by their length.
    let expected = 750.0 + (350.0 + 300.0 * 300.0 / 12.0 / 350.0) / 2.0;
    assert!((context / batch / expected - 1.0).abs() < 0.02, "{context} {batch}");
    assert!(found["speed"]["requests_per_cpu_s"].as_f64() > Some(0.0));
}

#[test]
fn threads_change_nothing_but_the_speed() {
    let told = |threads: &str, seed: &str| {
        let common = ["--requests", "40000", "--replicas", "300", "--seed", seed];
        let table = stdout(&simulate(&[&common[..], &["--threads", threads]].concat()));
        let at = table.find("\nSpeed: ").expect("the last line");
        let mut found = json(&[&common[..], &["--threads", threads]].concat());
        assert!(found["speed"].take().is_object());
        (table[..at].to_owned(), found.to_string())
    };
    let one = told("1", "5");
    assert!(one.0.contains("2 clusters of at most 256"), "{}", one.0);
    assert!(one == told("2", "5") && one == told("7", "5"));
    // Another seed gives another mean, not only another line that names it.
    let mean = |told: &str| told.split("ttft_mean_ms").nth(1).map(|rest| rest[..30].to_owned());
    assert_ne!(mean(&one.1), mean(&told("1", "6").1));
}

#[test]
fn a_load_for_24_gpus_fails_on_2_and_holds_on_24() {
    // The capacity of one replica is that of a fluid batch; 24 of them are asked for 75 % of it.
    let one = json(&["--replicas", "1", "--requests", "20000"]);
    let capacity = one["traffic"]["capacity_requests_per_s"].as_f64().expect("a capacity");
    let rate = (capacity * 24.0 * 0.75).to_string();
    let with = |replicas| json(&["--rate", &rate, "--replicas", replicas, "--requests", "400000"]);
    let (few, many) = (with("2"), with("24"));
    let of = |found: &Value, field: &str| value(&found["workloads"][0][field]);
    assert_eq!((&few["overloaded"], &many["overloaded"]), (&true.into(), &false.into()));
    assert!(of(&few, "attainment_share") < 0.01, "{}", of(&few, "attainment_share"));
    assert!(of(&many, "attainment_share") > 0.99, "{}", of(&many, "attainment_share"));
    // What two GPUs complete is below their capacity, and the rest of the arrivals waits.
    let (done, growth) = (
        of(&few, "completed_requests_per_s"),
        value(&few["replicas"]["queue_growth_requests_per_s"]),
    );
    assert!(done < 2.0 * capacity && done > 1.6 * capacity, "{done} of {capacity}");
    let arrived = of(&few, "arrived_requests_per_s");
    assert!((growth - (arrived - done)).abs() < 1e-6 * arrived, "{growth} {arrived} {done}");
    let said = few["finding"].as_str().expect("a finding");
    assert!(said.starts_with("Overloaded: ") && said.contains("the queue grows by"), "{said}");
    assert!(said.contains("grow with the length of the run"), "{said}");
    // Every call of a longer run waits longer: that is what the finding warns of.
    let longer = json(&["--rate", &rate, "--replicas", "2", "--requests", "800000"]);
    let ratio = of(&longer, "ttft_p99_ms") / of(&few, "ttft_p99_ms");
    assert!((1.8..2.2).contains(&ratio), "{ratio}");
}

#[test]
fn runs_that_are_too_short_are_said_to_be() {
    let said = |requests| {
        let found = json(&["--requests", requests]);
        assert_eq!(found["overloaded"], false);
        found["finding"].as_str().expect("a finding").to_owned()
    };
    assert!(said("10000").contains("too short for a steady state: give --requests "));
    assert!(!said("400000").contains("too short"));
}

#[test]
fn a_closed_loop_keeps_its_users_busy() {
    let found = json(&["--concurrency", "100", "--requests", "100000"]);
    let calls = &found["workloads"][0];
    // Little's law: users are throughput times time in the system.
    let users = value(&calls["completed_requests_per_s"]) * value(&calls["e2e_mean_ms"]) * 1e-3;
    assert!((users / 100.0 - 1.0).abs() < 0.02, "{users}");
    assert_eq!(found["overloaded"], false);
    assert!(found["traffic"]["offered_requests_per_s"].is_null());
}

#[test]
fn prefill_apart_keeps_prompts_out_of_the_gaps() {
    let common = ["--requests", "100000", "--rate", "100"];
    let apart = json(&[&common[..], &["--disaggregated", "2P6D"]].concat());
    let together = json(&[&common[..], &["--replicas", "8"]].concat());
    assert_eq!(
        (&apart["deployment"]["gpus"], &together["deployment"]["gpus"]),
        (&8.into(), &8.into())
    );
    assert_eq!(apart["deployment"]["prefill_replicas"], 2);
    let gap = |found: &Value| value(&found["replicas"]["itl_p99_ms"]);
    assert!(gap(&apart) < gap(&together), "{} {}", gap(&apart), gap(&together));
    assert!(value(&apart["replicas"]["prefill_busy_share"]) > 0.0);
    // A slow link is a slow first token: 750 tokens of 65,536 bytes at 1 GB/s take 49 ms.
    let slow =
        ["--disaggregated", "2P6D", "--link", "1 GB/s", "--rate", "10", "--requests", "20000"];
    let fast = ["--disaggregated", "2P6D", "--rate", "10", "--requests", "20000"];
    let mean = |arguments: &[&str]| value(&json(arguments)["workloads"][0]["ttft_mean_ms"]);
    let more = mean(&slow) - mean(&fast);
    assert!((49.0..65.0).contains(&more), "{more}");
}

#[test]
fn a_measured_step_time_serves_as_it_says() {
    // 100 steps of 10 ms and one of prefill, nothing else: 64 places give 63.4 calls per second.
    let times = ["--step-time", "10 ms, 0 s, 0 s, 0 s", "--kv-tokens", "1000000"];
    let calls = ["--prompt", "100", "--output", "101", "--replicas", "1", "--max-sequences", "64"];
    let few = ["--load", "20%", "--requests", "40000", "--token-budget", "10000"];
    let found = json(&[&times[..], &calls, &few].concat());
    let capacity = found["traffic"]["capacity_requests_per_s"].as_f64().expect("a capacity");
    assert!((capacity / (64.0 / 1.01) - 1.0).abs() < 0.02, "{capacity}");
    let calls = &found["workloads"][0];
    assert!((value(&calls["tpot_mean_ms"]) - 10.0).abs() < 1e-6, "{calls}");
    // A call arrives amid a step, waits for its end and takes one; alone it takes one.
    let ttft = value(&calls["ttft_mean_ms"]);
    assert!(ttft > 10.0 && ttft < 15.0, "{ttft}");
}

#[test]
fn time_in_steps_is_added_up_beyond_64_bits() {
    // Ten runs of 100 days, three quarters of each in steps of 200 s: 6e19 ps.
    let times = ["--step-time", "200 s, 0 s, 0 s, 0 s", "--kv-tokens", "100000"];
    let calls = ["--prompt", "10", "--output", "11", "--replicas", "1", "--max-sequences", "1"];
    let found = json(&[&times[..], &calls].concat());
    let run = found["sample"]["run_s"].as_f64().expect("a time");
    assert!(run > 8e6, "{run}");
    let busy = value(&found["replicas"]["busy_share"]);
    assert!((busy - 0.75).abs() < 0.03, "{busy}");
}

#[test]
fn sessions_leave_their_context_and_impatient_users_leave() {
    let turns = ["--turns", "4", "--think", "5 s", "--router", "session_affinity"];
    let found = json(&[&turns[..], &["--rate", "80", "--requests", "100000"]].concat());
    assert!(value(&found["replicas"]["found_prompt_share"]) > 0.5);
    let leave = ["--load", "150%", "--timeout", "500 ms", "--requests", "600000"];
    let gone = json(&leave);
    let back = json(&[&leave[..], &["--retry", "50%", "--retry-after", "1 s"]].concat());
    let of = |found: &Value, field: &str| value(&found["workloads"][0][field]);
    assert!(of(&gone, "abandoned_share") > 0.2 && of(&gone, "retried_share") == 0.0);
    let tried = of(&back, "retried_share") / of(&back, "abandoned_share");
    assert!((tried - 0.5).abs() < 0.03, "{tried}");
    // With users who leave, the queue does not grow.
    assert_eq!(gone["overloaded"], false);
    assert!(gone["finding"].as_str().is_some_and(|said| said.contains("given up by their users")));
}

#[test]
fn a_scenario_gives_calls_layout_and_promises() {
    let found = json(&["muse_spark", "--workload", "instant", "--requests", "100000"]);
    assert_eq!(found["deployment"]["model"], "Muse Instant (117B/5.1B proxy) in fp4");
    assert_eq!(found["deployment"]["gpus_per_replica"], 2);
    assert_eq!(found["workloads"][0]["slo_ttft_ms"], 1500.0);
    let later = ["--year", "2030", "--accelerator", "vera_rubin", "--ttft", "200 ms"];
    let base = ["muse_spark", "--workload", "instant", "--requests", "100000"];
    let other = json(&[&base[..], &later].concat());
    assert_eq!(other["deployment"]["accelerator"], "Vera Rubin NVL72");
    assert_eq!(other["workloads"][0]["slo_ttft_ms"], 200.0);
    let both = ["muse_spark", "--workload", "instant,proactive", "--requests", "100000"];
    let shared = json(&[&both[..], &["--priorities", "0,1", "--shares", "3,1"]].concat());
    let counted = [0, 1]
        .map(|index| shared["workloads"][index]["counted_requests"].as_f64().expect("a count"));
    assert!((counted[0] / counted[1] / 3.0 - 1.0).abs() < 0.05, "{counted:?}");
    assert_eq!(shared["workloads"][1]["name"], "proactive");
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_fix() {
    refused(&["--rate", "0"], &["--rate", "nothing would ever arrive"]);
    refused(
        &["--rate", "1e9"],
        &["times the capacity", "do not fit into memory", "lower the rate"],
    );
    refused(&["--model", "lama_8b"], &["did you mean `llama_8b`?"]);
    refused(&["--accelerator", "h1000"], &["did you mean `h100`?"]);
    let fits = ["leave no room for context", "it takes --gpus 8, or another --accelerator"];
    refused(&["--model", "llama_405b"], &fits);
    let never = [
        "in fp8 it takes",
        "H100 SXM has 8 GPUs in reach",
        "--gpus 7 with --precision fp4",
        "another --accelerator",
    ];
    refused(&["--model", "deepseek_r1"], &never);
    let heads = ["64 query heads of Llama 3.1 70B", "GPUs of a replica: one of 1, 2, 4, 8"];
    for gpus in ["3", "5", "6", "7"] {
        refused(&["--model", "llama_70b", "--gpus", gpus], &heads);
    }
    refused(
        &[
            "muse_spark",
            "--workload",
            "instant",
            "--set",
            "deployments.instant.layouts.gb300.gpus=3",
        ],
        &["3 GPUs of an attention rank", "deployments.instant.layouts.gb300.gpus"],
    );
    refused(&["--gpus", "16"], &["H100 SXM has 8 in reach"]);
    refused(&["--prompt", "uniform(9, 2)"], &["the lower end comes first"]);
    refused(&["--prompt", "empirical(azure2023_chat_prompt)"], &["did you mean"]);
    refused(&["--output", "0"], &["allowed are 1 to"]);
    refused(&["--rate", "5", "--load", "50%"], &["cannot be used with"]);
    refused(&["--load", "0.75"], &["75%"]);
    refused(&["--precision", "int3"], &["fp4", "bf16"]);
    refused(&["--router", "power_of_tow"], &["did you mean `power_of_two`?"]);
    refused(&["--router", "random", "--report-interval", "1 s"], &["reads no load reports"]);
    refused(&["--token-budget", "64"], &["--max-sequences"]);
    refused(&["--workload", "instant"], &["SCENARIO"]);
    refused(&["muse_spark"], &["--workload", "instant"]);
    refused(&["muse_spark", "--workload", "instnat"], &["did you mean `instant`?"]);
    refused(&["muse_spark", "--workload", "instant", "--shares", "1,2"], &["2 values for 1"]);
    refused(&["muse_spark", "--workload", "instant", "--accelerator", "mi355x"], &["no layout"]);
    refused(&["--step-time", "1 ms, 2 us"], &["four times are needed"]);
    refused(&["--step-time", "1 ms, 0, 0, 0"], &["--kv-tokens"]);
    refused(&["--disaggregated", "2P"], &["2P6D"]);
    refused(&["--disaggregated", "1P300D"], &["at least 2 of both"]);
    refused(&["--think", "5 s"], &["--turns"]);
    refused(&["--concurrency", "100", "--think", "5 s"], &["--turns"]);
    refused(&["--rate", "50", "--speed", "3"], &["--trace"]);
    refused(&["--replicas", "4", "--link", "1 GB/s"], &["--disaggregated"]);
    refused(&["muse_spark", "--workload", "instant", "--year", "2040"], &["from 2026 to 2032"]);
    refused(&["--step-time", "300 s, 0 s, 0 s, 0 s", "--kv-tokens", "100000"], &["clock"]);
    refused(&["--timeout", "1 s", "--attempts", "3"], &["--retry"]);
    refused(&["--kv-tokens", "500"], &["a mean call needs"]);
    refused(&["--requests", "50"], &["at least --requests 200"]);
    refused(&["--rate", "1e-9"], &["independent runs"]);
    refused(&["--rate", "0.001", "--requests", "1000000"], &["the clock ends"]);
    refused(&["--attention-ranks", "2", "--gpus", "2"], &["no experts"]);
    refused(&["--diurnal", "1.5"], &["allowed are 0 (constant) to 1"]);
    refused(&["--arrivals", "pareto(2)"], &["gamma(cv)"]);
}

/// Writes a trace into a folder.
fn trace(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, text).expect("a temporary file");
    path
}

#[test]
fn traces_of_every_format_are_replayed_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                 2023-11-16 18:17:03.9799600,374,44\n2023-11-16 18:17:04.0319569,396,109\n\
                 2023-11-16 18:17:04.0781490,879,0\n";
    let mooncake = "{\"timestamp\": 0, \"input_length\": 1024, \"output_length\": 50, \
                    \"hash_ids\": [0, 1]}\n{\"timestamp\": 3000, \"input_length\": 1030, \
                    \"output_length\": 60, \"hash_ids\": [0, 1, 2]}\n";
    let vllm = "{\"arrival_time\": 0.5, \"input_toks\": 100, \"output_toks\": 20}\n\
                {\"arrival_time\": 0.9, \"input_toks\": 200, \"output_toks\": 30}\n";
    for (name, text, skipped) in
        [("azure.csv", azure, 1), ("mooncake.jsonl", mooncake, 0), ("vllm.jsonl", vllm, 0)]
    {
        let path = trace(&folder, name, text);
        let path = path.to_str().expect("a plain name");
        let found = json(&["--trace", path]);
        assert_eq!(found["sample"]["requests"], 2, "{name}");
        assert_eq!(found["traffic"]["trace_rows_skipped"], skipped, "{name}");
        assert_eq!(found["workloads"][0]["counted_requests"], 2, "{name}");
        assert!(found["workloads"][0]["ttft_p99_ms"]["standard_error"].is_null(), "{name}");
        let table = flowing(&stdout(&simulate(&["--trace", path])));
        assert!(table.contains("replayed once") && table.contains("no standard errors"), "{table}");
        assert!(!table.contains('±'), "{table}");
    }
    let path = trace(&folder, "again.jsonl", mooncake);
    let path = path.to_str().expect("a plain name");
    let prefill = |hits: &str| {
        value(&json(&["--trace", path, "--prefix-hits", hits])["workloads"][0]["ttft_p99_ms"])
    };
    // Nothing of the first call can be found, so the mean shows it.
    assert!(prefill("unlimited") <= prefill("none"));
    refused(&["--trace", path, "--prompt", "5"], &["cannot be used with"]);
    refused(&["--trace", path, "--replications", "3"], &["replayed once"]);
    refused(&["--trace", path, "--replicas", "300"], &["at most 256 replicas"]);
    refused(&["--trace", path, "--speed", "1e9"], &["1e-6 to 1e6"]);
}

#[test]
fn a_fault_in_a_trace_ends_the_run_with_its_place_and_no_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "{\"arrival_time\": 0.5, \"input_toks\": 100, \"output_toks\": 20}\n\
                {\"arrival_time\": 0.4, \"input_toks\": 200, \"output_toks\": 30}\n";
    let path = trace(&folder, "late.jsonl", text);
    let path = path.to_str().expect("a plain name");
    refused(&["--trace", path], &["late.jsonl, line 2", "sort the rows by time"]);
    refused(&["--trace", path, "--json"], &["line 2"]);
    let empty = trace(&folder, "empty.jsonl", "");
    refused(&["--trace", empty.to_str().expect("a plain name")], &["an empty file"]);
    let output = simulate(&["--trace", "no_such_trace.csv"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("no_such_trace.csv"));
}

#[test]
fn a_rate_that_swings_is_measured_over_whole_periods() {
    let found = json(&["--diurnal", "0.8@1 min", "--load", "40%", "--replications", "2"]);
    let measured = found["sample"]["measured_s"].as_f64().expect("a time");
    assert!((measured - 60.0).abs() < 1.0, "{measured}");
    let arrived = value(&found["workloads"][0]["arrived_requests_per_s"]);
    let offered = found["traffic"]["offered_requests_per_s"].as_f64().expect("a rate");
    assert!((arrived / offered - 1.0).abs() < 0.02, "{arrived} {offered}");
}

#[test]
fn the_step_time_says_how_far_it_is_backed() {
    let few = ["--requests", "2000", "--replications", "2"];
    let of = |more: &[&str]| {
        let found = json(&[&few, more].concat());
        let deployment = found["deployment"].clone();
        let finding = found["finding"].as_str().expect("a sentence").to_owned();
        (deployment, finding)
    };
    let (fitted, finding) = of(&[]);
    assert_eq!(fitted["provenance"], "fitted");
    let factor = |name: &str| fitted[name].as_f64().expect("a number");
    assert!(factor("speed_factor_low") < 1.0 && factor("speed_factor_high") > 1.0, "{fitted}");
    assert!(!finding.contains("Step times"), "{finding}");
    let (bound, finding) = of(&["--accelerator", "mi450"]);
    assert_eq!(bound["provenance"], "bound");
    assert!(finding.contains("a bound, not a forecast"), "{finding}");
    let (stated, finding) =
        of(&["--step-time", "10 ms, 30 us, 17.4 ns, 35 us", "--kv-tokens", "500000"]);
    assert_eq!(stated["provenance"], "stated");
    assert!(stated["speed_factor_low"].is_null(), "{stated}");
    assert!(finding.contains("stated, not fitted"), "{finding}");
    let table = flowing(&stdout(&simulate(&[&few[..], &["--prompt", "1234"]].concat())));
    let words = "Step time: fitted to measurements of this hardware or its generation; all steps";
    assert!(table.contains(words), "{table}");
    assert!(table.contains("1234 prompt tokens"), "what was given is not rounded: {table}");
    // The mean of a scenario's calls has no such form.
    let made = ["muse_spark", "--workload", "instant", "--accelerator", "gb300"];
    let table = flowing(&stdout(&simulate(&[&few[..], &made].concat())));
    assert!(table.contains("prompt tokens (51.3 % cached)"), "what was made is: {table}");
}
