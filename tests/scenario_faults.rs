//! Broken scenarios: each says what is wrong, where, and how to put it right.

use std::path::Path;

use sparkgap::scenario::{Network, Scenario, ScenarioError, System};

fn default() -> &'static str {
    Scenario::embedded_text()
}

/// The default with one piece of text exchanged; the piece must be there.
fn with(old: &str, new: &str) -> String {
    assert!(default().contains(old), "the default has no `{old}`");
    default().replacen(old, new, 1)
}

/// Line of a piece of text, from 1.
fn line_of(text: &str, piece: &str) -> usize {
    let at = text.find(piece).unwrap_or_else(|| panic!("no `{piece}`"));
    text[..at].matches('\n').count() + 1
}

fn fault(text: &str) -> ScenarioError {
    Scenario::from_ron(text, "plan.ron").expect_err("the text is broken")
}

/// One exchange: the report holds all parts, and the first fault stands on the line of `new`.
fn assert_fault(old: &str, new: &str, parts: &[&str]) {
    let text = with(old, new);
    let error = fault(&text);
    let report = error.render(false);
    for part in parts {
        assert!(report.contains(part), "no `{part}` in:\n{report}");
    }
    assert_eq!(error.exit_code(), 2);
    assert_eq!(error.faults()[0].place.line, line_of(&text, new), "{report}");
}

#[test]
fn faults_of_single_values_are_shown_where_they_stand() {
    // What to exchange, what for, parts of the report.
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "amount: facility_power(\"500 MW\")",
            "amount: facility_power(500)",
            &["power needs its unit", "\"2 GW\"", "sites.prometheus.phases[0].amount"],
        ),
        (
            "amount: facility_power(\"500 MW\")",
            "amount: facility_power(\"2 GWh\")",
            &["unknown power unit `GWh`", "W, kW, MW, GW", "plan.ron:"],
        ),
        (
            "slip_correlation: \"50%\"",
            "slip_corelation: \"50%\"",
            &["unknown field `slip_corelation`", "did you mean `slip_correlation`?"],
        ),
        (
            "volume: remainder",
            "volume: remander",
            &["unknown kind `remander`", "did you mean `remainder`?", "per_daily_user"],
        ),
        (
            "value: \"triangular(-20, -10, 0) %/yr\"",
            "value: \"triangular(-120, -10, 0) %/yr\"",
            &["out of range", "between -99.9%/yr and 10000%/yr"],
        ),
        (
            "\"us_canada\": \"55%\"",
            "\"us_canada\": \"155%\"",
            &["share `155%` is out of range", "between 0% and 100%", "regions.us_canada"],
        ),
        ("hour: 21)", "hour: \"nine\")", &["nine", "integer", "events.new_years_eve.when"]),
        (
            "value: \"lognormal(p10 1, p90 6) M users\"",
            "value: \"lognormal(p10 6, p90 1) M users\"",
            &["lognormal takes 0 < p10 <= p90"],
        ),
        (
            "value: \"uniform(2.8, 3.5) USD/gpu-h\"",
            "value: \"uniform(3.5, 2.8) USD/gpu-h\"",
            &["uniform takes low <= high"],
        ),
        (
            "value: \"uniform(2.8, 3.5) USD/gpu-h\"",
            "value: \"unifrom(2.8, 3.5) USD/gpu-h\"",
            &["unknown distribution `unifrom`", "triangular, uniform"],
        ),
        (
            "decide_on: \"2026-12\"",
            "decide_on: \"2026-13\"",
            &["`2026-13` is not a date", "2029-Q3"],
        ),
        ("seed: 42)", "seed: -42)", &["sampling.seed"]),
    ];
    for (old, new, parts) in cases {
        assert_fault(old, new, parts);
    }
}

/// What to exchange, what for, parts of the report.
const MISFITS: &[(&str, &str, &[&str])] = &[
    (
        "accelerator: \"mtia_400\"",
        "accelerator: \"mtia_40\"",
        &[
            "unknown accelerator `mtia_40`",
            "did you mean `mtia_400`?",
            "known: b200",
            "sites.mtia.phases[0].accelerator",
        ],
    ),
    (
        "model: \"muse_frontier\"",
        "model: \"muse_fronteer\"",
        &["unknown model `muse_fronteer`", "did you mean `muse_frontier`?"],
    ),
    (
        "region: \"asia_pacific\"",
        "region: \"asia-pacific\"",
        &["unknown region", "did you mean `asia_pacific`?", "sites.leased_asia.region"],
    ),
    (
        "profile: \"flat\"",
        "profile: \"even\"",
        &["unknown profile `even`", "known: campus_work, consumer, flat, mixed"],
    ),
    (
        "empirical(\"servegen_m_mid_output\")",
        "empirical(\"servegen_m_middle_output\")",
        &["unknown length table", "did you mean `servegen_m_mid_output`?"],
    ),
    (
        "regions: {\"us_canada\": \"85%\", \"europe\": \"15%\"}",
        "regions: {\"us_canada\": \"85%\", \"europe\": \"5%\"}",
        &["sum to 90.0 %, not 100 %", "candidate.regions"],
    ),
    (
        "time_zones: [(\"5.5 h\", 0.55)",
        "time_zones: [(\"5.5 h\", NaN)",
        &["parts of the time zones must be numbers of 0 or more"],
    ),
    (
        "end: \"2031-12-14\"",
        "end: \"2026-06-01\"",
        &["the contract ends on 2026-06-01", "2026-11-15", "contracts.coreweave_1.end"],
    ),
    (
        "workloads: [\"instant\", \"thinking\", \"hidden\", \"background\"]",
        "workloads: []",
        &["a surface needs workloads", "workloads"],
    ),
    (
        "slip: \"0 months\",\n            slip_correlation",
        "slip: \"normal(1, 3) months\",\n            slip_correlation",
        &["must not be negative", "lognormal", "sites.fleet_2025.slip"],
    ),
    (
        "ttft_p99: \"500 ms\"",
        "ttft_p99: \"0 ms\"",
        &["must be above zero", "workloads.hidden.service.ttft_p99"],
    ),
    ("epoch: \"1 h\"", "epoch: \"7 min\"", &["divide the hour", "horizon.epoch"]),
    ("last_year: 2032", "last_year: 2025", &["last_year 2025 lies before first_year 2026"]),
    ("worlds: 100,", "worlds: 0,", &["worlds must be 1 to 20000"]),
    ("name: \"muse_spark\"", "name: \"../etc/plan\"", &["part of file names"]),
    (
        "\"h100\": (gpus: 8, precision: fp8)",
        "\"h100\": (gpus: 16, precision: fp8)",
        &["a replica of 16 GPUs does not fit", "8 in reach"],
    ),
    (
        "\"h100\": (gpus: 8, precision: fp8)",
        "\"h100\": (gpus: 8, precision: fp8, attention_ranks: Some(3))",
        &["3 attention ranks do not split 8 GPUs evenly", "one of 1, 2, 4, 8"],
    ),
    (
        "\"h100\": (gpus: 8, precision: fp8)",
        "\"h100\": (gpus: 8, precision: bf16)",
        &["GB of weights", "H100 SXM with 640 GB", "fewer bits"],
    ),
    (
        "when: yearly(month: 12, day: 31, hour: 21)",
        "when: yearly(month: 2, day: 30, hour: 25)",
        &["no day 30 in month 2", "the hour must be 0 to 23"],
    ),
    (
        "volume: per_daily_user(",
        "volume: remainder, note: (",
        &["unknown field `note`", "known: label, volume, calls"],
    ),
    (
        "value: \"triangular(15, 40, 100) M users\"",
        "value: \"triangular(0.1, 0.2, 0.3) M users\"",
        &["the cap of a logistic growth must not lie below its start"],
    ),
    (
        "tokens: (\n                    value: \"653 tokens\"",
        "tokens: (\n                    value: \"653k tokens\"",
        &["images of more than a million tokens", "workloads.instant.images.tokens"],
    ),
    ("months: [1.0, 1.0,", "months: [1.0,", &["`months` has 11 values, not 12"]),
    (
        "signed: \"2026-03-31\"",
        "signed: \"2028\"",
        &[
            "signed on 2028-01-01, after its first tranche of 2027-02-15",
            "coreweave_2.prepay.signed",
        ],
    ),
    (
        "workloads: [\"instant\", \"thinking\", \"contemplating\", \"agentic\", \"proactive\",\n",
        "workloads: [\"instant\", \"thinkin\", \"contemplating\", \"agentic\", \"proactive\",\n",
        &["unknown workload `thinkin`", "did you mean `thinking`?", "workloads[1]"],
    ),
    (
        "share: constant((\n                    value: \"triangular(10, 20, 40) %\"",
        "share: constant((\n                    value: \"triangular(10, 20, 90) %\"",
        &["training lends may reach 115 % of the site", "sites.prometheus.training.share"],
    ),
    ("pue: 1.25", "pue: 0.9", &["a PUE lies between 1 and 3", "sites.crusoe.pue"]),
];

#[test]
fn what_does_not_fit_together_is_shown_where_it_stands() {
    for (old, new, parts) in MISFITS {
        if *old == "value: \"triangular(15, 40, 100) M users\"" {
            // The report names `cap`, whose value starts a line earlier.
            let report = fault(&with(old, new)).render(false);
            assert!(report.contains(parts[0]) && report.contains("daily_users.cap"), "{report}");
            continue;
        }
        assert_fault(old, new, parts);
    }
}

#[test]
fn the_value_is_underlined() {
    let text = with("pue: 1.25", "pue: 0.9");
    let report = fault(&text).render(false);
    let lines: Vec<&str> = report.lines().collect();
    let source = lines.iter().position(|line| line.contains("pue: 0.9")).expect("the line");
    let value: usize = lines[source].chars().collect::<String>().find("0.9").expect("the value");
    let value = lines[source][..value].chars().count();
    let marks: Vec<usize> = lines[source + 1]
        .chars()
        .enumerate()
        .filter(|(column, c)| *column > 4 && matches!(c, '─' | '┬'))
        .map(|(column, _)| column)
        .collect();
    assert_eq!(marks, [value, value + 1, value + 2], "{report}");
    assert!(!report.contains('\u{1b}'));
    assert!(fault(&text).render(true).contains('\u{1b}'));
}

#[test]
fn all_faults_are_said_at_once() {
    let text = with("pue: 1.25", "pue: 0.9")
        .replacen("profile: \"flat\"", "profile: \"even\"", 1)
        .replacen("end: \"2031-12-14\"", "end: \"2026-06-01\"", 1);
    let error = fault(&text);
    let found: Vec<(usize, &str)> =
        error.faults().iter().map(|fault| (fault.place.line, fault.path.as_str())).collect();
    assert_eq!(
        found,
        [
            (line_of(&text, "\"even\""), "workloads.background.profile"),
            (line_of(&text, "pue: 0.9"), "sites.crusoe.pue"),
            (line_of(&text, "2026-06-01"), "contracts.coreweave_1.end"),
        ]
    );
}

#[test]
fn a_missing_comma_and_a_missing_field_are_named() {
    let text = with("reference: \"gb300\",", "reference: \"gb300\"");
    let error = fault(&text);
    let report = error.render(false);
    assert!(report.contains("comma"), "{report}");
    assert_eq!(error.faults()[0].place.line, line_of(&text, "criterion: ("), "{report}");
    let report = fault(&with("reference: \"gb300\",", "")).render(false);
    assert!(report.contains("the field `reference` is missing"), "{report}");
}

#[test]
fn a_name_given_twice_is_a_fault() {
    let text = with("\"crusoe\": (", "\"leased\": (");
    let error = fault(&text);
    assert!(error.faults()[0].message.contains("`leased` is given twice"), "{error}");
    let second = text.rfind("\"leased\": (").expect("there are two");
    assert_eq!(error.faults()[0].place.line, text[..second].matches('\n').count() + 1);
}

#[test]
fn nonsense_is_refused_without_a_panic() {
    let noise: String =
        (0..1_000_000_u64).map(|n| char::from((n * 7919 % 95 + 32) as u8)).collect();
    let brackets = "(".repeat(1_000_000);
    let lists = format!("(name: {}", "[".repeat(100_000));
    let maps = format!("(regions: {}", "{\"a\":(time_zones:".repeat(10_000));
    let nul = with("name: \"muse_spark\"", "name: \"muse\0spark\"");
    let cut = default().split_at(default().len() / 2).0.to_owned();
    let binary: String = (0..5_000_u32).filter_map(|n| char::from_u32(n * 13)).collect();
    for text in ["", " ", "()", "// only a comment", "/*", "\"", "\0\0", "#![", "é", "(name:"] {
        assert!(!fault(text).render(true).is_empty());
    }
    for text in [noise, brackets, lists, maps, nul, cut, binary] {
        let report = fault(&text).render(false);
        assert!(report.contains("plan.ron:") && report.len() < 20_000, "{}", report.len());
        assert!(!report.contains('\0'));
    }
}

#[test]
fn every_cut_of_the_default_is_refused_in_place() {
    // Cuts in the middle of everything: strings, numbers, comments, names.
    for at in (0..default().len()).step_by(997) {
        if let (true, Some(text)) = (at > 0, default().get(..at)) {
            let error = fault(text);
            assert!(error.faults()[0].place.line <= text.matches('\n').count() + 1);
            assert!(!error.render(false).is_empty());
        }
    }
}

#[test]
fn files_that_cannot_be_read_are_told_from_bad_ones() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for path in [folder.path().to_owned(), folder.path().join("missing.ron")] {
        let error = Scenario::load(&path).expect_err("not a file");
        assert!(matches!(error, ScenarioError::Read { .. }) && error.exit_code() == 1);
        assert!(error.render(false).contains("cannot read"));
    }
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written to");
        path
    };
    let empty = Scenario::load(write("empty.ron", b"")).expect_err("empty");
    assert_eq!(empty.exit_code(), 2);
    let broken = write("latin.ron", b"(\n name: \"caf\xe9\",\n)");
    let error = Scenario::load(&broken).expect_err("not UTF-8");
    assert!(error.exit_code() == 2 && error.render(false).contains("not UTF-8"), "{error}");
    assert_eq!(error.faults()[0].place.line, 2);
    let good = write("good.ron", default().as_bytes());
    assert_eq!(Scenario::load(good).map(|scenario| scenario.name).ok(), Some("muse_spark".into()));
}

#[test]
fn systems_are_checked_too() {
    let text = std::fs::read_to_string(Path::new("configs/systems/hourly_a.ron")).expect("a file");
    let broken = |old: &str, new: &str| {
        assert!(text.contains(old));
        let report = System::from_ron(&text.replacen(old, new, 1), "system.ron");
        report.expect_err("broken").render(false)
    };
    assert!(broken("[5, 6, 7, 8]", "[5, 6, 7]").contains("3 hours here, 4 in the load"));
    assert!(broken("failure: 0.1", "failure: 1.1").contains("probability"));
    assert!(broken("count: 3", "cuont: 3").contains("did you mean `count`?"));
    assert!(broken("hourly([25, 28, 27, 24])", "hourly([])").contains("0 hours"));
    assert!(broken("constant(10)", "constant(inf)").contains("0 or more"));
}

#[test]
fn areas_and_links_are_checked_too() {
    let text = std::fs::read_to_string("configs/systems/three_areas.ron").expect("a file");
    let broken = |old: &str, new: &str| {
        assert!(text.contains(old), "no `{old}`");
        let report = Network::from_ron(&text.replacen(old, new, 1), "areas.ron");
        report.expect_err("broken").render(false)
    };
    let unknown = broken("to: \"south\"", "to: \"suoth\"");
    assert!(unknown.contains("no area is called `suoth`"), "{unknown}");
    assert!(unknown.contains("did you mean `south`?"), "{unknown}");
    assert!(unknown.contains("links.centre-south.to"), "{unknown}");
    assert!(broken("to: \"south\"", "to: \"centre\"").contains("from `centre` to itself"));
    assert!(broken("constant(150)", "hourly([1, 2])").contains("2 hours here, 8736 in the load"));
    assert!(broken("constant(150)", "constant(-1)").contains("1: -1"));
    assert!(broken("mttr: \"12 h\"", "mttr: \"0 h\"").contains("mttr must be above zero"));
    let shorter = broken("    areas: {", "    areas: {\n\"east\": (load: hourly([1])),");
    assert!(shorter.contains("the load has 1 hours, that of `centre` 8736"), "{shorter}");
    let both = broken("    areas: {", "    load: hourly([1]),\n    areas: {");
    assert!(both.contains("`load` beside `areas`"), "{both}");
    let error = System::from_ron(&text, "areas.ron").expect_err("several areas");
    assert!(error.render(false).contains("one area is needed"), "{error}");
    let from = |body: &str| {
        let text = format!("(name: \"x\", description: \"\", seed: 1, samples: 1, {body})");
        Network::from_ron(&text, "x.ron").expect_err("broken").render(false)
    };
    assert!(from("areas: {}").contains("0 areas; 1 to 64"));
    assert!(from("units: {}").contains("neither a `load` nor `areas`"));
    assert!(from("load: hourly([1]), links: {}").contains("`links` need `areas`"));
    assert!(from("load: hourly([1, NaN])").contains("2: NaN"));
    assert!(from("load: hourly([1]), firm: constant(1e300)").contains("up to 1e15"));
    let unit = "(capacity: constant(1), count: 4000000000, failures: times(mtbf: \"1 h\", \
                mttr: \"1 h\"))";
    let many = from(&format!("load: hourly([1]), units: {{\"u\": {unit}}}"));
    assert!(many.contains("count must lie between 1 and 1000000"), "{many}");
}

#[test]
fn a_horizon_out_of_all_reach_is_one_fault() {
    let report = |horizon: &str| {
        let old = "horizon: (first_year: 2026, last_year: 2032, ";
        fault(&with(old, &format!("horizon: ({horizon}, "))).render(false)
    };
    let far = report("first_year: 2026, last_year: 65535");
    assert!(far.contains("63510 years are too many"), "{far}");
    let far = report("first_year: 65535, last_year: 65535");
    assert!(far.contains("first_year must lie between 2000 and 2100"), "{far}");
    assert!(!far.contains("lone call") && !far.contains("inf"), "{far}");
}

#[test]
fn a_draw_that_nobody_makes_is_a_fault() {
    let small = include_str!("data/small.ron");
    let report = |old: &str, new: &str| {
        assert!(small.contains(old), "no `{old}`");
        fault(&small.replacen(old, new, 1)).render(false)
    };
    let law = "(value: \"uniform(1, 2) h\", draw: \"x\")";
    for (old, field) in
        [("lasts: \"3 h\"", "lasts"), ("slip: \"lognormal(p10 1, p90 9) months\"", "slip")]
    {
        let report = report(old, &format!("{field}: {law}"));
        assert!(report.contains("cannot share a draw") && report.contains(".draw"), "{report}");
    }
    let year = |draw: &str| format!("(value: \"uniform(40, 60) %\", draw: \"{draw}\")");
    let series = |other: &str| format!("series({{2026: {}, 2030: {}}})", year("a"), year(other));
    let adoption = |other: &str| format!("adoption: {}", series(other));
    let report = report("adoption: constant(\"50%\")", &adoption("b"));
    assert!(report.contains("one draw for all its years") && report.contains("2030"), "{report}");
    let sound = small.replacen("adoption: constant(\"50%\")", &adoption("a"), 1);
    Scenario::from_ron(&sound, "plan.ron").unwrap_or_else(|error| panic!("{error}"));
}
