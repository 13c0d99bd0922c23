//! Layouts with a measured step time: the engine takes it, closed forms take it, and what changes
//! after the measurement changes it.

use std::sync::Mutex;

use sparkgap::engine::{
    CallMeans, Completion, Observer, Replica, ReplicaModel, Request, fluid_capacity,
};
use sparkgap::fleet::{Draw, ServingInputs, draw_world};
use sparkgap::hardware::StepTime;
use sparkgap::scenario::{Scenario, ScenarioText};
use sparkgap::time::{EngineTime, FleetTime};
use sparkgap::units::Seconds;

const SMALL: &str = include_str!("data/small.ron");
/// 10 ms, at least 5 ms more, 50 us a token, 100 us a sequence, 0.2 us a context token.
const LAW: &str = "(base: \"10 ms\", floor: \"5 ms\", per_token: \"50 us\", \
    per_sequence: \"100 us\", per_context_token: \"200 ns\", kv_tokens: 20000, \
    as_of: \"2028-01\", source: \"a log\")";
/// A release that triples the work of a token.
const RELEASE: &str = "releases={\"big\": (label: \"Big\", on: \"2029-03\", slip: \"0 s\", \
    work: 3, requests: 1, source: \"assumption\", as_of: \"2026-06\")}";

/// The small scenario with this step time of chat on GB300.
fn scenario(law: &str, more: &[&str]) -> Scenario {
    let mut text = ScenarioText::of(SMALL, "small.ron").unwrap();
    let layout =
        format!("deployments.chat.layouts.gb300=(gpus: 4, precision: fp4, step_time: {law})");
    text.set(&layout).unwrap();
    more.iter().for_each(|option| text.set(option).unwrap());
    text.scenario().unwrap()
}

/// Chat on GB300 at a speed, for calls of these means.
fn replica(scenario: &Scenario, calls: &CallMeans, speed: f64) -> ReplicaModel {
    let deployment = &scenario.deployments["chat"];
    let (hardware, llm) = (&scenario.hardware["gb300"], &scenario.models[&deployment.model]);
    let place = (&deployment.layouts["gb300"], deployment);
    ReplicaModel::new(hardware, llm, place, calls, speed).unwrap()
}

fn speed(scenario: &Scenario, year: f64) -> f64 {
    let measured = scenario.deployments["chat"].layouts["gb300"].measured_on();
    let workload = ("chat", &scenario.workloads["chat"]);
    scenario.central_speed(workload, &scenario.hardware["gb300"], measured, year)
}

fn calls(prompt: f64, output: f64) -> CallMeans {
    CallMeans {
        prompt,
        cached: 0.0,
        output,
        prompt_spread: 1.0,
        cached_spread: 1.0,
        output_spread: 1.0,
    }
}

struct Ends(Vec<Completion>);

impl Observer for Ends {
    fn finished(&mut self, done: &Completion) {
        self.0.push(*done);
    }
}

/// TTFT and the time of the tokens after the first, of a lone request.
fn lone(model: &ReplicaModel, prompt: u32, output: u32) -> (f64, f64) {
    let step_time = StepTime::new(&model.roofline);
    let mut replica = Replica::new(&step_time, &model.scheduler, model.kv_tokens);
    assert!(replica.enqueue(0, Request::new(EngineTime(0), prompt, output)));
    let mut ends = Ends(Vec::new());
    replica.finish(&mut ends);
    let ttft = ends.0[0].first_token.seconds();
    (ttft, ends.0[0].finish.seconds() - ttft)
}

fn close(ours: f64, exact: f64, tolerance: f64) {
    assert!((ours - exact).abs() <= tolerance, "{ours} is not {exact}");
}

#[test]
fn a_lone_request_takes_what_the_law_says() {
    let model = replica(&scenario(LAW, &[]), &calls(400.0, 3.0), 1.0);
    assert_eq!((model.kv_tokens, model.gpus), (20_000, 4));
    // 40 tokens are below the floor, 400 above; then one sequence with 400 and 401 tokens.
    close(lone(&model, 40, 1).0, 10e-3 + 5e-3, 1e-11);
    let (ttft, rest) = lone(&model, 400, 3);
    close(ttft, 10e-3 + 400.0 * 50e-6, 1e-11);
    close(rest, 2.0 * (10e-3 + 5e-3 + 100e-6) + (400.0 + 401.0) * 0.2e-6, 1e-11);
    // 5,000 tokens come in chunks of 4,096 and the rest, both bound by their tokens.
    close(lone(&model, 5_000, 1).0, 2.0 * 10e-3 + 5_000.0 * 50e-6, 1e-11);
    let fast = replica(&scenario(LAW, &[]), &calls(400.0, 3.0), 2.0);
    close(lone(&fast, 400, 1).0, 15e-3, 1e-11);
}

#[test]
fn the_fluid_capacity_by_hand() {
    let law = LAW.replace("200 ns", "0 s");
    let model = replica(&scenario(&law, &[]), &calls(100.0, 101.0), 1.0);
    // 101 steps of a call, 100 of them decode. A batch of 50.5 decodes 50 sequences: 10 + 5 + 5 ms;
    // every other step holds a prompt of 100 tokens: 150 tokens are 7.5 ms in place of 5.
    let step = 20e-3 + 0.5 * 2.5e-3;
    let fluid = fluid_capacity(&model, &calls(100.0, 101.0), Some(Seconds(step))).unwrap();
    close(fluid.batch, 50.5, 1e-3);
    close(fluid.calls_per_second, 50.5 / (101.0 * step), 1e-4);
    close(fluid.calls_per_second_per_gpu, fluid.calls_per_second / 4.0, 1e-12);
    // Memory binds at 20,000 tokens: 150.5 of context and half a block each make 126 sequences,
    // more than the scheduler's 64.
    let free = fluid_capacity(&model, &calls(100.0, 101.0), None).unwrap();
    close(free.batch, 64.0, 1e-9);
    let small = LAW.replace("20000", "1585");
    let short = "workloads.chat.prompt=(shape: fixed, mean: constant(\"100 tokens\"))";
    let tight = replica(&scenario(&small, &[short]), &calls(100.0, 101.0), 1.0);
    close(fluid_capacity(&tight, &calls(100.0, 101.0), None).unwrap().batch, 10.0, 1e-9);
}

#[test]
fn what_the_weights_leave_is_the_memory_where_none_is_stated() {
    let free = LAW.replace("kv_tokens: 20000, ", "");
    let measured = replica(&scenario(&free, &[]), &calls(400.0, 3.0), 1.0);
    let computed = scenario(LAW, &["deployments.chat.layouts.gb300.step_time=remove"]);
    let computed = replica(&computed, &calls(400.0, 3.0), 1.0);
    assert_eq!(measured.kv_tokens, computed.kv_tokens);
    assert_ne!(measured.roofline, computed.roofline);
}

#[test]
fn a_replica_that_does_not_hold_its_calls_is_refused() {
    let refused = |law: &str, said: &[&str]| {
        let mut text = ScenarioText::of(SMALL, "small.ron").unwrap();
        let layout =
            format!("deployments.chat.layouts.gb300=(gpus: 4, precision: fp4, step_time: {law})");
        text.set(&layout).unwrap();
        let error = text.scenario().expect_err(law).to_string();
        assert!(said.iter().all(|part| error.contains(part)), "{said:?} in {error}");
    };
    // Prompts of 626 tokens in the mean, lognormal of 0.8: 626 exp(0.8 2.326 - 0.32) = 2,923 at the
    // 99th percentile, and 86 tokens of output.
    let memory = |tokens: &str| LAW.replace("20000", tokens);
    refused(&memory("64"), &["64 context tokens does not hold the calls of `chat`", "mean one"]);
    refused(&memory("2990"), &["2990 context tokens", "99th percentile 30"]);
    scenario(&memory("3020"), &[]);
    // Left out, it is what the weights leave: millions of tokens, each of which takes a second.
    let derived = LAW.replace("kv_tokens: 20000, ", "").replace("200 ns", "1 s");
    refused(&derived, &["context tokens takes", "at most 25 s"]);
}

#[test]
fn only_what_came_after_the_measurement_counts() {
    let plain = scenario(LAW, &[RELEASE]);
    let date = FleetTime::parse("2028-01").unwrap();
    close(speed(&plain, date.decimal_year()), 1.0, 1e-12);
    // What the hardware makes of its peaks is in the measurement.
    let doubtful = scenario(LAW, &[RELEASE, "hardware.gb300.realised=0.1"]);
    assert_eq!(speed(&plain, 2030.0), speed(&doubtful, 2030.0));
    // Software goes on as before, work per token falls by a tenth a year, the release triples it.
    let hardware = &plain.hardware["gb300"];
    let ceiling = hardware.software.ceiling.central();
    let at = |time| hardware.software.multiplier(ceiling, time);
    let exact = |year: u16, release: f64| {
        let time = FleetTime::start_of_year(year);
        let work = 0.9_f64.powf(time.decimal_year() - date.decimal_year()) * release;
        at(time) / at(date) / work
    };
    close(speed(&plain, 2029.0) / exact(2029, 1.0), 1.0, 1e-9);
    close(speed(&plain, 2030.0) / exact(2030, 3.0), 1.0, 1e-9);
    // A measurement after the release holds it: before, a token was a third of the work.
    let late = scenario(&LAW.replace("2028-01", "2030-01"), &[RELEASE]);
    close(speed(&late, 2030.0), 1.0, 1e-12);
    close(speed(&late, 2028.0) * speed(&plain, 2030.0), 1.0, 1e-9);
}

#[test]
fn the_worlds_take_the_same_speed() {
    let scenario = scenario(LAW, &["hardware.gb300.realised=lognormal(p10 0.5, p90 2)"]);
    let speeds = |draw: Draw<'_>| {
        let seen = Mutex::new(Vec::new());
        let rate = |inputs: &ServingInputs<'_>| {
            if (inputs.workload, inputs.accelerator) == ("chat", "gb300") {
                seen.lock().unwrap().push((inputs.year, inputs.speed));
            }
            1.0
        };
        let drawn = draw_world(&scenario, draw, &rate);
        assert!(!drawn.sources.is_empty());
        seen.into_inner().unwrap()
    };
    let central = speeds(Draw::central());
    assert!(central.len() > 3);
    for (year, seen) in central {
        close(seen / speed(&scenario, year), 1.0, 1e-9);
    }
    // In a world work and software are drawn; at the measurement all of them agree.
    for world in 0..5 {
        let drawn = speeds(Draw::of_world(7, world));
        let then = drawn.iter().find(|(year, _)| *year == 2028.0).unwrap();
        close(then.1, 1.0, 1e-12);
    }
}

#[test]
fn a_wider_replica_was_not_measured() {
    let measured = scenario(LAW, &[]);
    assert_eq!(measured.deployments["chat"].layouts["gb300"].doubled(), None);
    let rack = measured.deployments["chat"].layouts["vera_rubin"].doubled().unwrap();
    assert_eq!(rack.gpus, 2);
}
