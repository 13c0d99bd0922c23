//! `sparkgap explain` and the audit of `sparkgap check`, as they are typed and as they count.

use std::process::{Command, Output};

use sparkgap::scenario::describe::FieldDescription;
use sparkgap::scenario::{Audit, AuditedValue, Origin, Scenario, audit};

const SMALL: &str = include_str!("data/small.ron");

fn sparkgap(arguments: &[&str]) -> Output {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    program.args(arguments).output().expect("the program starts")
}

/// What is printed by a command that must go well.
fn told(arguments: &[&str]) -> String {
    let output = sparkgap(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    assert!(errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}

fn explained(path: &str) -> String {
    told(&["explain", path])
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

#[test]
fn without_a_path_every_section_has_a_line() {
    let text = told(&["explain"]);
    for section in &FieldDescription::scenario().parts {
        let line = text.lines().find(|line| line.trim_start().starts_with(&section.path));
        holds(line.unwrap_or_else(|| panic!("no {}", section.path)), &[&section.meaning]);
    }
}

#[test]
fn a_path_of_a_message_is_explained_with_its_value_and_source() {
    let text = explained("sites.prometheus.phases[0].on");
    holds(
        &text,
        &[
            "sites.<name>.phases[i].on\n",
            "Planned date of acceptance.",
            "date `\"2029-Q3\"`",
            "must be given",
            "used by   supply:",
            // The phase's own date and source, from the file of the default scenario.
            "\"2026-03-01\" in the default scenario, at sites.prometheus.phases[0].on",
            "source    Meta: 1 GW in 2026; Epoch: 1 GW by 2026-05",
            "as of     2025-11",
        ],
    );
}

#[test]
fn kinds_may_be_left_out_of_a_path() {
    let with = explained("surfaces.whatsapp.daily_users.exponential.start");
    let without = explained("surfaces.whatsapp.daily_users.start");
    assert_eq!(with.replace(".exponential", ""), without.replace(".exponential", ""));
    holds(&without, &["daily_users.exponential.start\n", "triangular(2.0, 2.1, 2.2) B users"]);
    holds(&without, &["source    Meta: more than 2 B daily users", "units     users"]);
    // Where nothing says which kind is meant, all are told; a part that they share, once.
    let both = explained("events.<name>.when.hour");
    holds(&both, &["when.yearly.hour\n", "when.dates.hour\n", "0 to 23"]);
    assert_eq!(explained("surfaces.*.daily_users.start.source").matches("meaning").count(), 1);
}

#[test]
fn patterns_are_paths_without_a_value() {
    for path in ["sites.*.pue", "sites.<name>.pue"] {
        let text = explained(path);
        holds(&text, &["Facility power over IT power.", "range     1 to 3"]);
        assert!(!text.contains("value"), "{text}");
    }
    holds(&explained("sites.nowhere.pue"), &["the default scenario has nothing at sites.nowhere"]);
    holds(&explained("sites.prometheus.pue"), &["value     1.3 in the default scenario"]);
}

#[test]
fn a_struct_lists_its_fields_and_a_growth_law_its_value() {
    holds(&explained("sites.prometheus"), &["    pue ", "    phases ", "What is delivered when."]);
    holds(&explained("sites"), &["    <name>.pue "]);
    let law = explained("surfaces.whatsapp.daily_users");
    holds(&law, &["exponential(start: \"triangular(2.0, 2.1, 2.2) B users\", growth: "]);
    holds(&law, &["growth law, number of users", "    logistic(..) "]);
    holds(&explained("workloads.instant.volume"), &["value     remainder in the default"]);
}

#[test]
fn every_pattern_can_be_asked_for() {
    let scenario = serde_json::to_value(Scenario::embedded()).expect("plain data");
    FieldDescription::scenario().walk(&mut |field| {
        let found = sparkgap::scenario::describe::find(&field.path, &scenario);
        let paths: Vec<&str> = match &found {
            Ok(found) => found.iter().map(|found| found.field.path.as_str()).collect(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(paths, [field.path.as_str()]);
    });
}

#[test]
fn an_unknown_path_ends_with_2_and_names_the_known_ones() {
    for (path, parts) in [
        ("sites.prometheus.pu", &["`pu` is unknown in `sites.<name>`", "did you mean `pue`?"][..]),
        ("sits", &["`sits` is unknown", "did you mean `sites`?", "known: name, "]),
        ("events.x.when.minute", &["in `events.<name>.when`", "known: yearly, dates, month"]),
        ("name.first", &["`first` is unknown in `name`", "there is none to choose from"]),
        ("sites.a.phases[x].on", &["`x` is unknown in `sites.<name>.phases`"]),
        ("....", &[]),
        ("\u{fc}[]", &["is unknown"]),
    ] {
        let output = sparkgap(&["explain", path]);
        let said = String::from_utf8_lossy(&output.stderr);
        holds(&said, parts);
        assert!(!said.contains("panicked"), "{said}");
        let code = if parts.is_empty() { 0 } else { 2 };
        assert_eq!(output.status.code(), Some(code), "{path}: {said}");
    }
}

fn small(old: &str, new: &str) -> Audit {
    assert!(SMALL.contains(old), "no `{old}`");
    let text = SMALL.replacen(old, new, 1);
    audit(&Scenario::from_ron(&text, "small.ron").expect("a sound scenario"))
}

fn at<'a>(audit: &'a Audit, path: &str) -> &'a AuditedValue {
    let found = audit.values.iter().find(|value| value.path == path);
    found.unwrap_or_else(|| panic!("no fact at {path}"))
}

#[test]
fn facts_without_a_source_are_found_and_choices_are_none() {
    let before = small("small", "small");
    let surfaces: Vec<&str> = before
        .of(Origin::Unsourced)
        .map(|value| value.path.as_str())
        .filter(|path| path.starts_with("surfaces."))
        .collect();
    let by_hand = [
        "daily_users.exponential.start",
        "daily_users.exponential.growth",
        "adoption.constant",
        "requests.constant",
        "regions.east",
        "regions.west",
    ];
    assert_eq!(surfaces, by_hand.map(|field| format!("surfaces.app.{field}")));
    // A struct's source covers what has none of its own, however deep.
    assert_eq!(at(&before, "contracts.first.tranches[0].share").origin, Origin::Assumed);
    assert_eq!(at(&before, "profiles.day.hours").text, "24 values");
    for choice in ["sampling", "horizon", "criterion", "decide_on", "deployments", "name"] {
        let counted = before.values.iter().any(|value| value.path.starts_with(choice));
        assert!(!counted, "{choice} is no fact");
    }
    for choice in ["service", "reach"] {
        let path = format!("workloads.chat.{choice}");
        assert!(!before.values.iter().any(|value| value.path.starts_with(&path)), "{choice}");
    }
}

#[test]
fn a_source_moves_a_fact_from_one_count_to_another() {
    let counts = |audit: &Audit| {
        [Origin::Sourced, Origin::Assumed, Origin::Unsourced].map(|of| audit.of(of).count())
    };
    let [sourced, assumed, without] = counts(&small("small", "small"));
    let old = "adoption: constant(\"50%\")";
    let after = small(old, "adoption: constant((value: \"50%\", source: \"a survey\"))");
    assert_eq!(counts(&after), [sourced + 1, assumed, without - 1]);
    let after = small(old, "adoption: constant((value: \"50%\", source: \"assumption: half\"))");
    assert_eq!(counts(&after), [sourced, assumed + 1, without - 1]);
    let mixed = "adoption: constant((value: \"50%\", source: \"a survey; year: assumption\"))";
    assert_eq!(counts(&small(old, mixed)), [sourced, assumed + 1, without - 1]);
    assert_eq!(
        at(&after, "surfaces.app.adoption.constant").source.as_deref(),
        Some("assumption: half")
    );
}

#[test]
fn widths_are_the_ratio_of_p90_to_p10() {
    let width = |law: &str| {
        let audit = small("slip: \"lognormal(p10 1, p90 9) months\"", &format!("slip: \"{law}\""));
        at(&audit, "sites.hall.slip").width
    };
    let near = |found: Option<f64>, wanted: f64| {
        let found = found.expect("an uncertain value");
        assert!((found / wanted - 1.0).abs() < 1e-9, "{found} is not {wanted}");
    };
    // By hand: a lognormal by its definition; uniform(0, 10) has P10 = 1 and P90 = 9;
    // triangular(0, 0, 1) has quantile 1 - sqrt(1 - u).
    near(width("lognormal(p10 1, p90 9) months"), 9.0);
    near(width("uniform(0, 10) days"), 9.0);
    near(width("triangular(0, 0, 1) days"), (1.0 - 0.1_f64.sqrt()) / (1.0 - 0.9_f64.sqrt()));
    assert_eq!(width("choice(0, 1) days"), Some(f64::INFINITY));
    assert_eq!(width("3 days"), None);
    // Growth of -10 to 10 % a year multiplies a year by 0.92 at P10 and by 1.08 at P90.
    let growth = small("triangular(-20, -10, 0) %/yr", "uniform(-10, 10) %/yr");
    near(at(&growth, "workloads.chat.work_per_token").width, 1.08 / 0.92);
    let growth = small("triangular(-20, -10, 0) %/yr", "uniform(-0.1, 0.1) /yr");
    near(at(&growth, "workloads.chat.work_per_token").width, 1.08 / 0.92);
    let widest = growth.widest();
    assert!(widest.windows(2).all(|pair| pair[0].width >= pair[1].width));
    assert_eq!(widest[0].path, "contracts.first.slip");
}

#[test]
fn a_misspelt_name_of_the_default_is_noticed() {
    let text = explained("sites.prometheu.slip");
    holds(&text, &["nothing at sites.prometheu.slip (did you mean `prometheus`?)"]);
    assert!(!explained("sites.elsewhere_entirely.slip").contains("did you mean"));
}

#[test]
fn check_prints_counts_facts_without_a_source_and_the_widest() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/small.ron");
    let text = told(&["check", file]);
    let audit = small("small", "small");
    let without = audit.of(Origin::Unsourced).count();
    assert!(without > 20, "the list must be long for this test");
    holds(
        &text,
        &[
            &format!("{without} without a source\n"),
            "    surfaces.app.adoption.constant: 50%\n",
            &format!("    and {} more: --all lists them\n", without - 20),
            // 4 over 0.3.
            "     13.3x  contracts.first.slip: lognormal(p10 0.3, p90 4) months\n",
        ],
    );
    assert!(!text.contains("market.limit"), "{text}");
    let all = told(&["check", file, "--all"]);
    holds(&all, &["    market.limit: 50 gpus\n"]);
    assert!(!all.contains("--all"), "{all}");
}

#[test]
fn an_override_is_not_covered_by_what_stood_around_it() {
    use sparkgap::scenario::{Origin, ScenarioText, audit};
    let count = |options: &[&str]| {
        let mut text = ScenarioText::open("muse_spark").unwrap_or_else(|error| panic!("{error}"));
        for option in options {
            text.set(option).unwrap_or_else(|error| panic!("{error}"));
        }
        let scenario = text.scenario().unwrap_or_else(|error| panic!("{error}"));
        audit(&scenario).of(Origin::Unsourced).count()
    };
    assert_eq!(count(&[]), 0);
    assert_eq!(count(&["sites.crusoe.pue=1.3", "sites.hyperion.assistant_share=8%"]), 2);
    let sourced = "sites.crusoe.slip=(value: \"3 months\", source: \"assumption: mine\")";
    assert_eq!(count(&[sourced]), 0);
}
