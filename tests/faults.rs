//! Broken scenarios and the reports that they must give, word for word: what is wrong, where it
//! stands, what is allowed and how to put it right. The reports are in `tests/snapshots`; set
//! `INSTA_UPDATE=always` to write them anew, and read what changed.

use std::fmt::Write;

use sparkgap::scenario::Scenario;

const SMALL: &str = include_str!("data/small.ron");

/// The first layout of the small scenario: chat on GB300.
const FIRST_LAYOUT: &str = "\"gb300\": (gpus: 1, precision: fp4)";

/// Name of the snapshot, what to exchange in the small scenario, what for.
const BROKEN: &[(&str, &str, &str)] = &[
    ("bare_number", "slip: \"lognormal(p10 1, p90 9) months\"", "slip: 3"),
    ("number_without_unit", "amount: gpus(\"144 gpus\")", "amount: facility_power(2)"),
    ("energy_for_power", "amount: gpus(\"144 gpus\")", "amount: facility_power(\"2 GWh\")"),
    ("unknown_field", "slip_correlation:", "slip_corelation:"),
    ("unknown_kind", "volume: remainder", "volume: remander"),
    ("unknown_accelerator", "reference: \"gb300\"", "reference: \"gb3000\""),
    ("unknown_accelerator_of_a_phase", "accelerator: \"gb300\"", "accelerator: \"gb30\""),
    ("growth_below_minus_all", "\"triangular(20, 40, 60) %/yr\"", "\"-120 %/yr\""),
    ("share_over_all", "adoption: constant(\"50%\")", "adoption: constant(\"150%\")"),
    ("shares_that_do_not_sum", "{\"east\": \"40%\",", "{\"east\": \"50%\","),
    ("contract_ends_first", "end: \"2031-12-14\"", "end: \"2026-01-31\""),
    ("delivery_after_the_horizon", "on: \"2028-03\"", "on: \"2038-03\""),
    ("delivery_before_the_hardware", "on: \"2025-10\"", "on: \"2015-10\""),
    ("model_does_not_fit", "model: \"muse_small\"", "model: \"muse_frontier\""),
    ("promise_below_a_lone_call", "ttft_p99: \"2 s\"", "ttft_p99: \"2 ms\""),
    ("speed_below_a_lone_call", "tpot_p99: \"50 ms\"", "tpot_p99: \"50 us\""),
    ("not_a_number", "time_zones: [(\"1 h\", 1.0)]", "time_zones: [(\"1 h\", NaN)]"),
    ("not_a_number_in_a_text", "cached: \"30%\"", "cached: \"NaN %\""),
    ("infinite", "start: \"triangular(240, 300, 360) M users\"", "start: \"1e999 users\""),
    ("empty_list", "workloads: [\"chat\", \"summary\"]", "workloads: []"),
    ("empty_phases", "days: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]", "days: []"),
    ("percentiles_exchanged", "lognormal(p10 1, p90 9) months", "lognormal(p10 9, p90 1) months"),
    ("law_out_of_order", "triangular(400, 600, 900)", "triangular(400, 300, 900)"),
    ("unknown_law", "uniform(9, 12) months", "unifrom(9, 12) months"),
    ("date_that_is_none", "decide_on: \"2026-12\"", "decide_on: \"2026-31\""),
    ("missing_comma", "pue: 1.2,", "pue: 1.2"),
    ("missing_field", "region: \"west\",\n            pue", "pue"),
    ("missing_quotes", "reference: \"gb300\"", "reference: gb300"),
    ("given_twice", "pue: 1.2,", "pue: 1.2, pue: 1.3,"),
    ("negative_count", "worlds: 3,", "worlds: -3,"),
    ("open_bracket", "criterion: (interactive_lole", "criterion: interactive_lole"),
    ("no_round_trip", "round_trip: {\"west\": \"90 ms\"}", "round_trip: {}"),
    (
        "step_time_below_zero",
        FIRST_LAYOUT,
        "\"gb300\": (gpus: 1, precision: fp4, step_time: \
        (base: \"4 ms\", floor: \"9 ms\", per_token: \"-80 us\", per_sequence: \"20 us\", \
        per_context_token: \"0.3 ns\", as_of: \"2026-08\", source: \"log\"))",
    ),
    (
        "step_time_of_minutes",
        FIRST_LAYOUT,
        "\"gb300\": (gpus: 1, precision: fp4, step_time: \
        (base: \"4 ms\", floor: \"9 ms\", per_token: \"80 ms\", per_sequence: \"20 us\", \
        per_context_token: \"0.3 ns\", as_of: \"2026-08\", source: \"log\"))",
    ),
    (
        "step_time_without_unit",
        FIRST_LAYOUT,
        "\"gb300\": (gpus: 1, precision: fp4, step_time: \
        (base: \"4 ms\", floor: \"9 ms\", per_token: 80e-6, per_sequence: \"20 us\", \
        per_context_token: \"0.3 ns\", as_of: \"2026-08\", source: \"log\"))",
    ),
    (
        "step_time_of_nothing",
        FIRST_LAYOUT,
        "\"gb300\": (gpus: 1, precision: fp4, step_time: \
        (base: \"0 s\", floor: \"0 s\", per_token: \"0 s\", per_sequence: \"0 s\", \
        per_context_token: \"0 s\", kv_tokens: 5, as_of: \"1996-08\", source: \"log\"))",
    ),
    (
        "step_time_of_ranks",
        FIRST_LAYOUT,
        "\"gb300\": (gpus: 2, attention_ranks: 2, precision: \
        fp4, step_time: (base: \"4 ms\", floor: \"9 ms\", per_token: \"80 us\", per_sequence: \
        \"20 us\", per_context_token: \"0.3 ns\", as_of: \"2026-08\", source: \"log\"))",
    ),
    (
        "step_time_that_breaks_a_promise",
        FIRST_LAYOUT,
        "\"gb300\": (gpus: 1, precision: fp4, \
        step_time: (base: \"40 ms\", floor: \"90 ms\", per_token: \"80 us\", per_sequence: \
        \"20 us\", per_context_token: \"0.3 ns\", as_of: \"2026-08\", source: \"log\"))",
    ),
    ("candidate_out_of_reach", "reach: within(\"200 ms\")", "reach: local"),
];

#[test]
fn every_fault_has_its_report() {
    for (name, old, new) in BROKEN {
        assert!(SMALL.contains(old), "{name}: the small scenario has no `{old}`");
        let text = SMALL.replacen(old, new, 1);
        let error = Scenario::from_ron(&text, "plan.ron").err();
        let error = error.unwrap_or_else(|| panic!("{name} is no fault"));
        assert_eq!(error.exit_code(), 2, "{name}");
        let place = &error.faults()[0].place;
        assert!(place.line > 1 && place.file == "plan.ron", "{name}");
        insta::assert_snapshot!(*name, error.render(false));
    }
}

#[test]
fn faults_between_parts_are_all_said_at_once() {
    let exchanges = [
        ("reference: \"gb300\"", "reference: \"gb3000\""),
        ("{\"east\": \"40%\",", "{\"east\": \"50%\","),
        ("end: \"2031-12-14\"", "end: \"2026-01-31\""),
        ("on: \"2028-03\"", "on: \"2038-03\""),
        ("worlds: 3,", "worlds: 0,"),
    ];
    let text = exchanges.iter().fold(SMALL.to_owned(), |text, (old, new)| {
        assert!(text.contains(old));
        text.replacen(old, new, 1)
    });
    let error = Scenario::from_ron(&text, "plan.ron").expect_err("five faults");
    assert_eq!(error.faults().len(), exchanges.len(), "{error}");
    insta::assert_snapshot!("all_at_once", error.render(false));
}

#[test]
fn ten_megabytes_of_nonsense_are_refused_briefly() {
    let mut noise = String::new();
    for number in 0_u64..1_700_000 {
        write!(noise, "{:x}(", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40)
            .expect("memory takes it");
    }
    assert!(noise.len() > 10 << 20);
    let report = Scenario::from_ron(&noise, "noise.ron").expect_err("nonsense").render(false);
    assert!(report.contains("noise.ron:1:") && report.len() < 5_000, "{}", report.len());
}
