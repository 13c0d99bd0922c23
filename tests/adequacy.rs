//! `sparkgap adequacy` as it is typed: what it prints and writes, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn sparkgap(arguments: &[&str]) -> Output {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    program.args(arguments).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("results are UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn adequacy_needs_only_a_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/systems/rbts.ron");
    let output = sparkgap(&["adequacy", path, "--samples", "20", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let system: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    assert_eq!(system["risk"]["samples"], 20);
    assert!(system["risk"]["lole_hours"]["mean"].is_number());
    let by_name = sparkgap(&["adequacy", "rbts", "--samples", "20", "--json"]);
    assert_eq!(by_name.stdout, output.stdout);
    let output = sparkgap(&["adequacy", path, "--samples", "20", "--by", "month"]);
    let text = stdout(&output);
    assert!(text.contains("LOLE") && text.contains("+-") && text.contains("h/yr"), "{text}");
    assert!(text.contains("MWh/yr") && text.contains("December"), "{text}");
    let output = sparkgap(&["adequacy", "rbts", "--exact"]);
    assert!(stdout(&output).contains("1.0915") && !stdout(&output).contains("+-"));
    let output = sparkgap(&["adequacy", "hourly_b", "--exact", "--by", "month"]);
    let text = stdout(&output);
    assert!(text.contains("h per 6 h") && text.contains("is no year: by week"), "{text}");
    let output = sparkgap(&["adequacy", "rbts", "--exact", "--json"]);
    let exact: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    assert_eq!((&exact["risk"]["hours"], &exact["method"]), (&8_736.into(), &"exact".into()));
    let asked = ["adequacy", "rbts", "--firm-for", "LOLE 2.4 h/yr", "--elcc", "hydro_20"];
    let output = sparkgap(&asked);
    assert!(stdout(&output).contains("may be taken away"), "{}", stdout(&output));
    assert!(stdout(&output).contains("one of hydro_20, 20 MW"), "{}", stdout(&output));
    for (system, option, value, told) in [
        ("rbts", "--firm-for", "LOLE 2.4", "three words"),
        ("rbts", "--firm-for", "EUE 2.4 h", "`h` is no unit of EUE: MWh"),
        ("rbts", "--firm-for", "CVaR 2.4 h", "`CVaR` is not a risk"),
        ("rbts", "--firm-for", "LOLE x h", "`x` is no number"),
        ("rbts", "--elcc", "hydro_2", "did you mean `hydro_20`?"),
        ("rbts", "--elcc", "link:a", "no link is called `a`"),
        ("rbts", "--area", "rbts", "name one of them"),
        ("three_areas", "--area", "sauth", "did you mean `south`?"),
        ("three_areas", "--elcc", "gas", "known: centre/coal_100"),
        ("three_areas", "--elcc", "centre/coal_10", "did you mean `centre/coal_100`?"),
        ("three_areas", "--elcc", "link:south", "no link is called"),
    ] {
        let output = sparkgap(&["adequacy", system, option, value]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    let output = sparkgap(&["adequacy", "hourly_a", "--firm-for", "LOLE 2.4 h/yr"]);
    assert!(stderr(&output).contains("the period has 4 hours"), "{}", stderr(&output));
    assert_eq!(sparkgap(&["adequacy", "rbts", "--exact", "--seed", "3"]).status.code(), Some(2));
}

#[test]
fn adequacy_of_areas_is_printed_and_written() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("areas");
    let typed = out.to_string_lossy().into_owned();
    let asked = ["adequacy", "three_areas", "--samples", "30", "--out", &typed];
    let output = sparkgap(&asked);
    let text = stdout(&output);
    for word in ["area", "north", "LOLE h/yr", "link", "centre-south", "mean flow MW"] {
        assert!(text.contains(word), "no {word}: {text}");
    }
    assert_eq!(names(&out), ["adequacy.csv", "summary.json"]);
    let table = fs::read_to_string(out.join("adequacy.csv")).expect("it is written");
    assert!(table.starts_with("area,measure,unit,mean,standard_error\n"), "{table}");
    for row in ["(system),LOLE,h/yr,", "north,EUE,MWh/yr,", "link:north-centre,full,h/yr,"] {
        assert!(table.lines().any(|line| line.starts_with(row)), "no {row}");
    }
    assert!(table.contains("south,LOLP hour 18,probability,"));
    let summary = fs::read(out.join("summary.json")).expect("it is written");
    let json = sparkgap(&[&asked[..], &["--json"]].concat());
    assert_eq!(json.stdout, summary);
    // Threads change nothing.
    let alone = sparkgap(&[&asked[..], &["--json", "--threads", "1"]].concat());
    assert_eq!(alone.stdout, summary);
    // Too many joint states to be asked again and again: from samples, with a word.
    let output = sparkgap(&["adequacy", "hourly_a", "--firm-for", "LOLEv 0.1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("hours in their order"), "{}", stderr(&output));
    assert!(stdout(&output).contains("two standard errors"), "{}", stdout(&output));
}
