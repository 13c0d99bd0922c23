//! `sparkgap size` as it is typed: its table, its files and its refusals.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use sparkgap::hardware::{Precision, accelerators};
use tempfile::TempDir;

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

/// What a first token waits for beyond the engine can be what breaks the promise: then that is
/// said, and not that a lone call keeps it.
#[test]
fn a_serving_stack_that_breaks_the_promise_is_named() {
    let load = ["--model", "deepseek_r1", "--accelerator", "gb200", "--precision", "fp4"];
    let calls = ["--rate", "10", "--prompt", "800", "--output", "500", "--json"];
    let promises = ["--mode", "disaggregated", "--ttft", "150 ms", "--tpot", "50 ms"];
    let of = |more: &[&str]| {
        let output = typed(&[&load[..], &calls, &promises, more].concat());
        let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), json["accelerators"][0].clone())
    };
    let (code, row) = of(&[]);
    let refusal = row["refusal"].as_str().expect("a sentence");
    assert_eq!(code, Some(3));
    for part in ["already breaks the SLO: TTFT ", " > 150 ms", "serving stack's (--stack)"] {
        assert!(refusal.contains(part), "no `{part}` in {refusal}");
    }
    let (code, row) = of(&["--stack", "none"]);
    assert_eq!((code, row["gpus"].as_u64()), (Some(0), Some(8)), "{row}");
}

/// A measured step time has its serving stack in it, and nothing published speaks of it.
#[test]
fn a_measured_step_time_takes_no_stack_and_no_published_ratio() {
    let small = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/small.ron");
    let layouts = "deployments.chat.layouts={\"gb300\": (gpus: 1, precision: fp4), \
        \"vera_rubin\": (gpus: 1, precision: fp4), \"gb200\": (gpus: 1, precision: fp4, \
        step_time: (base: \"10 ms\", floor: \"5 ms\", per_token: \"50 us\", \
        per_sequence: \"20 us\", per_context_token: \"20 ns\", kv_tokens: 200000, \
        as_of: \"2026-06\", source: \"a log\"))}";
    let what = [small, "--workload", "chat", "--set", layouts, "--accelerator", "gb200,b200"];
    let model = ["--set", "deployments.chat.model=\"gpt_oss_120b\"", "--rate", "5"];
    let run = |more: &[&str]| {
        let output = typed(&[&what[..], &model, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let rows = |mode: &str, stack: &str| {
        let text = run(&["--json", "--mode", mode, "--stack", stack]);
        let json: Value = serde_json::from_str(&text).expect("JSON");
        ["gb200", "b200"].map(|name| {
            let list = json["accelerators"].as_array().expect("a list");
            list.iter().find(|row| row["accelerator"] == name).expect("a row").clone()
        })
    };
    for mode in ["aggregated", "disaggregated"] {
        let (with, without) = (rows(mode, "sglang"), rows(mode, "none"));
        // What was measured is an engine that prefills and decodes: apart it is a statement.
        let tag = if mode == "aggregated" { "measured" } else { "stated" };
        assert_eq!(with[0]["provenance"], tag);
        assert_eq!(with[0]["published_points"], 0, "{}", with[0]);
        assert!(with[1]["published_points"].as_u64() > Some(0), "{}", with[1]);
        // The same to the last digit, whatever stack is named; computed rows have it.
        assert_eq!(with[0]["first_token_steps"], 0.0);
        assert_eq!(with[0], without[0], "{mode}");
        assert!(with[1]["first_token_steps"].as_f64() > Some(20.0), "{}", with[1]);
        assert!(with[1]["ttft_p99_ms"].as_f64() > without[1]["ttft_p99_ms"].as_f64());
    }
    let flowing = run(&["--stack", "sglang"]);
    let flowing = flowing.split_whitespace().collect::<Vec<&str>>().join(" ");
    let told = "The measured step time on gb200 has its serving stack in it: none is added there, \
                whatever --stack says. Elsewhere: TTFT is the engine's and what SGLang adds";
    assert!(flowing.contains(told), "{flowing}");
    assert!(flowing.contains("Measured: the step time of the scenario's own layout"), "{flowing}");
}

/// Long outputs of a wide law push others out of a memory that is filled with mean calls to the
/// brim: the limit that whoever runs it would set is set, and said.
#[test]
fn sequences_are_limited_to_what_memory_holds() {
    let load = ["--model", "llama_70b", "--accelerator", "h100", "--rate", "4", "--stack", "none"];
    let calls = ["--prompt", "800", "--output", "lognormal(3000, 1.0)"];
    let promises = ["--ttft", "2 s", "--tpot", "200 ms", "--mode", "aggregated"];
    let all = [&load[..], &calls, &promises].concat();
    let output = typed(&[&all[..], &["--json"]].concat());
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let row = &json["accelerators"][0];
    let number = |name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{name}: {row}"));
    assert_eq!(row["max_sequences_set_by_memory"], true, "{row}");
    // Context of a mean call: 800 and half of 3,000 e (the spread of a lognormal of 1), in 0.9 of
    // the memory less the weights, 160 kB a token.
    let gpus = number("gpus_per_replica");
    let held = (0.9 * 80e9 * gpus - 70.6e9) / 327_680.0 * 2.0;
    let most = 0.9 * held / (800.0 + 1_500.0 * std::f64::consts::E);
    assert!((number("max_sequences_per_replica") / most - 1.0).abs() < 0.03, "{row} {most}");
    assert!(number("batch_per_replica") <= number("max_sequences_per_replica"), "{row}");
    let table = String::from_utf8(typed(&all).stdout).expect("UTF-8");
    let flowing = table.split_whitespace().collect::<Vec<&str>>().join(" ");
    let limit = number("max_sequences_per_replica");
    let told = format!("at most: {limit} on h100 (nine tenths of what fills the memory");
    assert!(flowing.contains(&told), "no `{told}` in {table}");
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
