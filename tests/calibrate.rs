//! Calibration on request logs: a log that the engine wrote with a known step time gives it back,
//! and what cannot be used is refused with its place and its fix.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use sparkgap::engine::{CallShape, Completion, Observer, Replica, ReplicaModel, Request};
use sparkgap::hardware::{COEFFICIENT_NAMES, StepTime};
use sparkgap::scenario::{Scenario, ScenarioText};
use sparkgap::study::{
    CalibrationFault, EngineLimits, ServedCall, ServingEntry, ServingSample, ServingTable,
    StepCoefficients, Unserved, fit_all, hold_out,
};
use sparkgap::time::{EngineTime, FleetTime};
use tempfile::TempDir;

const SMALL: &str = include_str!("data/small.ron");

const LIMITS: EngineLimits = EngineLimits { max_sequences: 24, token_budget: 512, kv_tokens: None };
/// Base, floor, of a token, of a sequence, of a context token.
const TRUTH: StepCoefficients =
    StepCoefficients { seconds: [4e-3, 9e-3, 8e-5, 2e-5, 3e-7], kv_tokens: 1_000_000 };

struct Log(Vec<ServedCall>);

impl Observer for Log {
    fn finished(&mut self, done: &Completion) {
        let call = &mut self.0[done.id as usize];
        call.first_token = done.first_token.seconds();
        call.last_token = done.finish.seconds();
    }
}

/// A log of so many requests, spread by a fixed sequence without a generator of chance.
fn log(count: u32) -> Vec<ServedCall> {
    let mut arrival = 0;
    let calls = (0..count).map(|id| {
        arrival += 40_000_000_000 + u64::from(id * 7_919 % 101) * 1_500_000_000;
        let (prompt, output) = (40 + id * 4_801 % 700, 20 + id * 1_301 % 60);
        let arrival = EngineTime(arrival - 40_000_000_000);
        ServedCall { arrival, prompt, output, first_token: 0.0, last_token: 0.0 }
    });
    let mut log = Log(calls.collect());
    let replica = TRUTH.replica(&LIMITS);
    let step_time = StepTime::new(&TRUTH.roofline());
    let mut replica = Replica::new(&step_time, &replica.scheduler, TRUTH.kv_tokens);
    for (id, call) in log.0.iter().enumerate() {
        assert!(replica.enqueue(id as u32, Request::new(call.arrival, call.prompt, call.output)));
    }
    replica.finish(&mut log);
    log.0
}

#[test]
fn the_step_time_of_a_log_is_found_again() {
    let calls = log(80);
    let found = hold_out(&calls, &LIMITS).unwrap();
    println!("{found:?}");
    // First tokens well below a second hardly count in the fit.
    for (errors, allowed) in found.errors.iter().zip([0.2, 0.03, 0.03]) {
        assert!(errors.iter().all(|error| error.abs() < allowed), "{:?}", found.errors);
    }
    // Single terms trade against each other; what steps cost does not.
    let fitted = fit_all(&calls, &LIMITS).unwrap();
    let (ours, truth) = (fitted.coefficients.roofline(), TRUTH.roofline());
    let steps = [(4.0, 1_500.0, 0.0), (16.0, 6_000.0, 0.0), (8.0, 3_000.0, 504.0)];
    for (decode, context, prompt) in steps {
        let ratio = ours.seconds(decode, context, prompt, 0.0, 0.0)
            / truth.seconds(decode, context, prompt, 0.0, 0.0);
        assert!((ratio - 1.0).abs() < 0.06, "{decode} {context} {prompt}: {ratio}");
    }
    assert!(fitted.loss < 0.02, "{}", fitted.loss);
}

#[test]
fn the_step_time_of_one_step_by_hand() {
    let roofline = TRUTH.roofline();
    // 10 sequences and no prompt: 4 ms, the floor of 9 ms, 10 x 20 us, 5,000 x 0.3 us.
    assert!((roofline.seconds(10.0, 5_000.0, 0.0, 0.0, 0.0) - 14.7e-3).abs() < 1e-9);
    // 490 prompt tokens more: 500 tokens of 80 us are above the floor.
    assert!((roofline.seconds(10.0, 5_000.0, 490.0, 0.0, 0.0) - 45.7e-3).abs() < 1e-9);
}

#[test]
fn a_log_that_is_too_short_or_too_long_for_its_memory_is_refused() {
    let calls = log(41);
    assert_eq!(hold_out(&calls[..39], &LIMITS), Err(CalibrationFault::TooFew(39)));
    let limits = EngineLimits { kv_tokens: Some(100), ..LIMITS };
    assert!(matches!(fit_all(&calls, &limits), Err(CalibrationFault::TooLong { .. })));
}

fn line(call: &ServedCall) -> String {
    let arrival = call.arrival.seconds();
    format!(
        "{{\"arrival_time\": {}, \"input_toks\": {}, \"output_toks\": {}, \"queued_ts\": {}, \
         \"first_token_ts\": {}, \"last_token_ts\": {}}}\n",
        1e6 + arrival,
        call.prompt,
        call.output,
        50.0 + arrival,
        50.0 + call.first_token,
        50.0 + call.last_token
    )
}

fn calibrate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("sparkgap").unwrap();
    command.current_dir(folder).arg("calibrate").arg("log.jsonl").args(arguments);
    command.output().unwrap()
}

#[test]
fn the_command_prints_and_writes_what_it_found() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = log(44).iter().map(line).collect();
    fs::write(folder.path().join("log.jsonl"), text).unwrap();
    let meta = "{\"engine_kwargs\": {\"max_num_seqs\": 24, \"max_num_batched_tokens\": 512}}";
    fs::write(folder.path().join("meta.json"), meta).unwrap();
    let output = calibrate(folder.path(), &["--out", "mine.ron", "--as-of", "2027-03", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["hold_out"].as_array().unwrap().len(), 12);
    assert_eq!(found["coefficients"].as_array().unwrap().len(), 5);
    assert!(found["limits_from"].as_str().unwrap().contains("sequences from meta.json"));
    let written = fs::read_to_string(folder.path().join("mine.ron")).unwrap();
    assert!(written.contains("the first 22") && written.contains("Foretold"), "{written}");
    // It goes into a layout as it is, comments and all.
    let mut text = ScenarioText::of(SMALL, "small.ron").unwrap();
    text.set(&format!("deployments.chat.layouts.gb300.step_time={written}")).unwrap();
    let scenario = text.scenario().unwrap();
    let measured = scenario.deployments["chat"].layouts["gb300"].step_time.as_ref().unwrap();
    assert_eq!((measured.kv_tokens, measured.as_of), (None, FleetTime::parse("2027-03").unwrap()));
    for (name, seconds) in COEFFICIENT_NAMES.iter().zip(measured.coefficients()) {
        let fitted = found["coefficients"].as_array().unwrap();
        let fitted = fitted.iter().find(|one| one["name"] == **name).unwrap();
        let number = |field: &str| fitted[field].as_f64().unwrap();
        let (value, error) = (number("seconds"), number("standard_error_seconds"));
        assert!((seconds - value).abs() <= (0.05 * error).max(1e-5 * value), "{name}: {seconds}");
    }
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("sparkgap").unwrap();
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// A folder with a log in Unix time of March 2027, what its engine was, and the small scenario.
fn recorded_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let unix =
        |call: &ServedCall| line(call).replace("\"arrival_time\": 1", "\"arrival_time\": 1805");
    let text: String = log(44).iter().map(unix).collect();
    fs::write(folder.path().join("log.jsonl"), text).unwrap();
    let meta = "{\"engine_kwargs\": {\"max_num_seqs\": 24, \"max_num_batched_tokens\": 512, \
                \"tensor_parallel_size\": 2}, \"kv_cache\": {\"num_kv_tokens\": 50000}}";
    fs::write(folder.path().join("meta.json"), meta).unwrap();
    fs::write(folder.path().join("small.ron"), SMALL).unwrap();
    folder
}

const INTO: [&str; 8] = [
    "--out",
    "mine.ron",
    "--scenario",
    "small.ron",
    "--workload",
    "chat",
    "--accelerator",
    "gb300",
];

#[test]
fn the_written_scenario_serves_as_was_measured() {
    let folder = recorded_folder();
    let output = calibrate(folder.path(), &INTO);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let check = run(folder.path(), &["check", "mine.ron"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let scenario = Scenario::load(folder.path().join("mine.ron")).unwrap();
    let (workload, deployment) = (&scenario.workloads["chat"], &scenario.deployments["chat"]);
    let layout = &deployment.layouts["gb300"];
    let measured = layout.step_time.as_ref().unwrap();
    assert_eq!((layout.gpus, measured.as_of), (2, FleetTime::parse("2027-03-14").unwrap()));
    assert!(measured.kv_tokens.unwrap() >= 50_000);
    // A lone request on its date: exactly what the written coefficients say.
    let (hardware, llm) = (&scenario.hardware["gb300"], &scenario.models[&deployment.model]);
    let date = layout.measured_on();
    let year = measured.as_of.decimal_year();
    let speed = scenario.central_speed(("chat", workload), hardware, date, year);
    let calls = CallShape::central(workload, year).unwrap().means();
    let place = (layout, deployment);
    let model = ReplicaModel::new(hardware, llm, place, &calls, speed).unwrap();
    let step_time = StepTime::new(&model.roofline);
    let mut replica = Replica::new(&step_time, &model.scheduler, model.kv_tokens);
    assert!(replica.enqueue(0, Request::new(EngineTime(0), 700, 2)));
    let call = ServedCall {
        arrival: EngineTime(0),
        prompt: 700,
        output: 2,
        first_token: 0.0,
        last_token: 0.0,
    };
    let mut ends = Log(vec![call]);
    replica.finish(&mut ends);
    let [base, floor, token, sequence, context] = measured.coefficients();
    let ttft = base + floor.max(700.0 * token);
    let last = ttft + base + floor.max(token) + sequence + 700.0 * context;
    assert!((ends.0[0].first_token - ttft).abs() < 1e-11, "{} {ttft}", ends.0[0].first_token);
    assert!((ends.0[0].last_token - last).abs() < 2e-11, "{} {last}", ends.0[0].last_token);
}

#[test]
fn every_command_says_that_it_was_measured() {
    let folder = recorded_folder();
    assert!(calibrate(folder.path(), &INTO).status.success());
    let json = |arguments: &[&str]| -> serde_json::Value {
        let output = run(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let on = ["mine.ron", "--workload", "chat", "--accelerator", "gb300", "--json"];
    let few = ["--replicas", "2", "--requests", "2000"];
    let found = json(&[&["simulate"][..], &on, &few].concat());
    assert_eq!(found["deployment"]["provenance"], "measured");
    assert_eq!(found["deployment"]["gpus"], 4);
    let found = json(&[&["size"][..], &on, &["--rate", "20", "--mode", "aggregated"]].concat());
    assert_eq!(found["accelerators"][0]["provenance"], "measured", "{found}");
    let found = json(&["run", "mine.ron", "--worlds", "2", "--no-charts", "--no-cache", "--json"]);
    assert_eq!(found["serving"][0]["accelerator"], "gb300");
    assert_eq!(found["serving"][0]["basis"], "fitted");
    assert_eq!(found["serving"][0]["measured"][0], "chat");
    assert_eq!(found["serving"][1]["measured"].as_array().unwrap().len(), 0);
    let table = run(folder.path(), &["run", "mine.ron", "--worlds", "2", "--no-charts"]);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("step times measured (chat on gb300)"), "{table}");
    // It says nothing of another layout.
    let other = [&["simulate"][..], &on, &few, &["--gpus", "1"]].concat();
    let output = run(folder.path(), &other);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("measured on 2 GPUs in fp4"));
}

#[test]
fn a_log_of_something_else_is_warned_of_wherever_it_is_read() {
    let folder = recorded_folder();
    let meta = "{\"model\": \"Qwen/Qwen3-32B\", \"engine_kwargs\": {\"max_num_seqs\": 24, \
                \"max_num_batched_tokens\": 512, \"tensor_parallel_size\": 2, \"dtype\": \
                \"bfloat16\"}, \"kv_cache\": {\"num_kv_tokens\": 50000}, \"hardware\": \
                {\"device_name\": \"NVIDIA GeForce RTX 4090\"}}";
    fs::write(folder.path().join("meta.json"), meta).unwrap();
    let output = calibrate(folder.path(), &[&INTO[..], &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let scenario = Scenario::load(folder.path().join("mine.ron")).unwrap();
    let layout = &scenario.deployments["chat"].layouts["gb300"];
    let sides = [
        "the device is NVIDIA GeForce RTX 4090, not GB300 NVL72 (`gb300`)",
        "the model is Qwen/Qwen3-32B, not ",
        "the weights are bfloat16, not fp4",
    ];
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    let source = layout.step_time.as_ref().unwrap().source.clone();
    for side in sides {
        assert!(warning.contains(side), "{side} in {warning}");
        assert!(source.contains(side), "{side} in {source}");
        assert!(found["warnings"][0].as_str().unwrap().contains(side), "{side} in {found}");
    }
    assert!(source.contains("NOT MEASURED HERE"), "{source}");
    assert_eq!(found["recorded"]["device"], "NVIDIA GeForce RTX 4090");
    let on = ["simulate", "mine.ron", "--workload", "chat", "--accelerator", "gb300"];
    let few = ["--replicas", "2", "--requests", "2000"];
    let output = run(folder.path(), &[&on[..], &few].concat());
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let table = table.split_whitespace().collect::<Vec<&str>>().join(" ");
    assert!(table.contains("NOT MEASURED HERE, the device is NVIDIA GeForce RTX"), "{table}");
    assert!(!table.contains("measured on this hardware"), "{table}");
    // Of the same device, model and format there is nothing to say.
    let own = meta.replace("NVIDIA GeForce RTX 4090", "NVIDIA GB300").replace("bfloat16", "nvfp4");
    let label = &scenario.models[&scenario.deployments["chat"].model].label;
    let own = own.replace("Qwen/Qwen3-32B", label);
    fs::write(folder.path().join("meta.json"), own).unwrap();
    let output = calibrate(folder.path(), &INTO);
    assert!(output.status.success() && output.stderr.is_empty());
    let scenario = Scenario::load(folder.path().join("mine.ron")).unwrap();
    let layout = &scenario.deployments["chat"].layouts["gb300"];
    let source = &layout.step_time.as_ref().unwrap().source;
    assert!(source.ends_with(" in nvfp4 on NVIDIA GB300"), "{source}");
}

/// Eta of no call, as if it had been measured.
fn unserved() -> ServingTable {
    let sample = |year| ServingSample { year, eta: None, unserved: Some(Unserved::Promises) };
    let entry = ServingEntry { samples: vec![sample(2026.0), sample(2032.0)] };
    ServingTable {
        workloads: vec!["chat".to_owned()],
        accelerators: vec!["gb300".to_owned()],
        entries: vec![Some(entry)],
    }
}

#[test]
fn what_a_measured_step_time_cannot_serve_is_not_mended_with_gpus() {
    let mut text = ScenarioText::of(SMALL, "small.ron").unwrap();
    let said = unserved().check_of(&text.scenario().unwrap(), "chat", "gb300").unwrap_err();
    assert!(said.contains("give deployments.chat.layouts.gb300 more GPUs"), "{said}");
    let step = "(base: \"4 ms\", floor: \"5 ms\", per_token: \"10 us\", per_sequence: \"20 us\", \
                per_context_token: \"10 ns\", as_of: \"2026-08\", source: \"my log\")";
    text.set(&format!("deployments.chat.layouts.gb300.step_time={step}")).unwrap();
    let scenario = text.scenario().unwrap();
    let said = unserved().check_of(&scenario, "chat", "gb300").unwrap_err();
    assert!(said.contains("its step time there was measured (my log)"), "{said}");
    assert!(said.contains("take `step_time` out of deployments.chat.layouts.gb300"), "{said}");
    assert!(!said.contains("give deployments"), "{said}");
    // What is neither the reference nor the candidate may serve nothing.
    assert_eq!(unserved().check_of(&scenario, "chat", "h100"), Ok(()));
}

#[test]
fn coefficients_that_a_log_does_not_determine_are_named() {
    let folder = recorded_folder();
    // Twenty-two requests tell little: a second fit on twice as many is another one.
    let output = calibrate(folder.path(), &["--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let named = found["not_determined"].as_array().unwrap();
    assert!(!named.is_empty(), "{found}");
    let output = calibrate(folder.path(), &[]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = table.lines().find(|line| line.contains("Not determined by this log"));
    for name in named {
        assert!(line.unwrap().contains(name.as_str().unwrap()), "{table}");
    }
}

#[test]
fn a_scenario_that_no_run_takes_ends_with_2() {
    let folder = recorded_folder();
    // A lone call takes 13.1 ms a token: beside others it takes longer.
    let strict = SMALL.replace("tpot_p99: \"50 ms\"", "tpot_p99: \"13.5 ms\"");
    assert_ne!(strict, SMALL);
    fs::write(folder.path().join("small.ron"), strict).unwrap();
    let output = calibrate(folder.path(), &INTO);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot serve `chat`") && said.contains("was measured"), "{said}");
    // It is there all the same, and sound: only `run` measures what it serves.
    assert!(run(folder.path(), &["check", "mine.ron"]).status.success());
    let refused = run(folder.path(), &["run", "mine.ron", "--worlds", "2", "--no-charts"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("take `step_time` out"));
}

#[test]
fn what_no_scenario_can_take_is_refused_before_the_fit() {
    let folder = recorded_folder();
    let refused = |arguments: &[&str], said: &[&str]| {
        let output = calibrate(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(said.iter().all(|part| error.contains(part)), "{said:?} in {error}");
        assert!(!folder.path().join("mine.ron").exists());
    };
    refused(&INTO[..6], &["--accelerator"]);
    refused(&INTO[2..], &["--out"]);
    refused(&INTO[..4], &["--workload"]);
    let with = |place: usize, name: &'static str| {
        let mut changed = INTO;
        changed[place] = name;
        changed
    };
    refused(&with(5, "chatt"), &["workload `chatt`", "chat"]);
    refused(&with(7, "gb301"), &["accelerator `gb301`", "gb300"]);
    refused(&with(7, "h100"), &["`chat` on `h100`", "--precision"]);
    refused(&[&INTO[..], &["--gpus", "100"]].concat(), &["100 GPUs", "1 to 64"]);
    refused(&[&INTO[..], &["--as-of", "1999"]].concat(), &["--as-of", "2000 and 2100"]);
    let odd = ["--gpus 3", "a replica of 2 GPUs", "2 or a multiple"];
    refused(&[&INTO[..], &["--gpus", "3"]].concat(), &odd);
    let itself = with(1, "small.ron");
    refused(&itself, &["the scenario itself"]);
    let meta = "{\"engine_kwargs\": {\"max_num_seqs\": 24, \"max_num_batched_tokens\": 512}}";
    fs::write(folder.path().join("meta.json"), meta).unwrap();
    refused(&INTO, &["--gpus", "tensor_parallel_size"]);
    // Eight batches are not one, whatever GPUs are stated.
    let ranks = "{\"engine_kwargs\": {\"max_num_seqs\": 24, \"max_num_batched_tokens\": 512, \
                 \"tensor_parallel_size\": 2, \"data_parallel_size\": 8}}";
    fs::write(folder.path().join("meta.json"), ranks).unwrap();
    let said = ["meta.json", "`engine_kwargs.data_parallel_size` is 8", "one rank", "--gpus 2"];
    refused(&INTO, &said);
    refused(&[&INTO[..], &["--gpus", "16"]].concat(), &said);
    fs::write(folder.path().join("meta.json"), meta).unwrap();
    let old: String = log(44).iter().map(line).collect();
    fs::write(folder.path().join("log.jsonl"), old).unwrap();
    refused(&INTO[..2], &["log.jsonl", "--as-of DATE"]);
}

#[test]
fn what_cannot_be_calibrated_on_is_refused_at_the_door() {
    let folder = tempfile::tempdir().unwrap();
    let log: Vec<String> = log(44).iter().map(line).collect();
    let refused = |text: &str, arguments: &[&str], said: &[&str]| {
        fs::write(folder.path().join("log.jsonl"), text).unwrap();
        let output = calibrate(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(said.iter().all(|part| error.contains(part)), "{said:?} in {error}");
    };
    let limits = ["--max-sequences", "24", "--token-budget", "512"];
    let whole = log.concat();
    refused(&whole, &[], &["log.jsonl", "--max-sequences"]);
    refused(&whole, &["--max-sequences", "24"], &["--token-budget"]);
    refused(&whole, &["--max-sequences", "24", "--token-budget", "2"], &["24 sequences"]);
    refused("", &limits, &["log.jsonl", "empty"]);
    refused(&log[0], &limits, &["log.jsonl", "1 requests", "at least 40"]);
    let blind = whole.replacen("\"queued_ts\"", "\"other\"", 1);
    refused(&blind, &limits, &["request 1", "queued_ts"]);
    let late = whole.replacen("\"queued_ts\": 50", "\"queued_ts\": 5000", 1);
    refused(&late, &limits, &["request 1", "first_token_ts"]);
    let swapped = log[1].clone() + &log[0] + &log[2..].concat();
    refused(&swapped, &limits, &["log.jsonl, line 2", "sort the rows"]);
    let small = [&limits[..], &["--kv-tokens", "128"]].concat();
    refused(&whole, &small, &["--kv-tokens", "request"]);
}
