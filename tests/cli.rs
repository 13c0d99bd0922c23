//! The program as it is typed: exit codes, what goes to stdout and stderr, which files appear.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

const SMALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/small.ron");
const ALL_FILES: [&str; 7] = [
    "adequacy.csv",
    "gap.png",
    "gap.svg",
    "run.ron",
    "summary.json",
    "worlds.parquet",
    "years.csv",
];

fn program() -> Command {
    Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"))
}

fn sparkgap(arguments: &[&str]) -> Output {
    program().args(arguments).output().expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("results are UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are UTF-8")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}

/// Runs the small scenario into a folder of its own.
fn run_small(out: &Path, more: &[&str]) -> Output {
    let fixed = ["run", SMALL, "--worlds", "3", "--inner", "1", "--no-cache", "--out", text(out)];
    sparkgap(&[&fixed, more].concat())
}

/// The one folder of results in an output folder.
fn results(out: &Path) -> PathBuf {
    let entries = fs::read_dir(out).expect("the output folder").map(|entry| entry.expect("entry"));
    let folders: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(|name| name != ".serving"))
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [
        &["--wrolds", "3"][..],
        &["run", "--worlds", "0"],
        &["run", "--worlds", "many"],
        &["adequacy"],
    ] {
        let output = sparkgap(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty());
        assert!(stderr(&output).contains("Usage") || stderr(&output).contains("error"));
    }
    assert!(stderr(&sparkgap(&["--wrolds", "3"])).contains("--worlds"), "a near name is offered");
}

#[test]
fn a_missing_file_ends_with_1() {
    for command in ["run", "check", "adequacy"] {
        let output = sparkgap(&[command, "no_such_file.ron"]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        let said = stderr(&output);
        assert!(said.contains("no_such_file.ron") && !said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_wrong_scenario_ends_with_2_and_is_shown() {
    let folder = folder();
    let path = folder.path().join("wrong.ron");
    let small = fs::read_to_string(SMALL).expect("the small scenario");
    let wrong = small.replacen("pue: 1.2", "pue: 0.2", 1);
    fs::write(&path, &wrong).expect("a temporary file");
    let line = wrong[..wrong.find("pue: 0.2").expect("exchanged")].matches('\n').count() + 1;
    for command in ["check", "run"] {
        let output = sparkgap(&[command, text(&path)]);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
        let said = stderr(&output);
        assert!(said.contains(&format!("wrong.ron:{line}:")), "{said}");
        assert!(said.contains("Help: "), "{said}");
        let lines: Vec<&str> = said.lines().collect();
        let shown = lines.iter().position(|line| line.contains("pue: 0.2")).expect("the line");
        let value: Vec<char> = lines[shown].chars().collect();
        let marks: Vec<char> = lines[shown + 1].chars().collect();
        let column = value.windows(3).position(|part| part == ['0', '.', '2']).expect("the value");
        let marked: Vec<usize> =
            (0..marks.len()).filter(|at| matches!(marks[*at], '─' | '┬')).collect();
        assert_eq!(marked, [column, column + 1, column + 2], "{said}");
        // Not a terminal: no colours.
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn a_sound_scenario_is_checked() {
    let output = sparkgap(&["check"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).starts_with("ok: muse_spark (muse_spark)"));
    assert!(output.stderr.is_empty());
    let output = sparkgap(&["check", SMALL]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("2026 to 2032, 3 worlds x 1 inner years, seed 7"));
}

#[test]
fn a_run_writes_all_files_and_can_be_repeated() {
    let folder = folder();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let output = run_small(&first, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let first = results(&first);
    assert_eq!(names(&first), ALL_FILES);
    let table = stdout(&output);
    for part in ["2026", "2032", "Criterion", "3 worlds x 1 inner years", "seed 7"] {
        assert!(table.contains(part), "no `{part}` in {table}");
    }

    let again = first.join("run.ron");
    let output = sparkgap(&["run", text(&again), "--no-cache", "--out", text(&second)]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(stdout(&output), table);
    let second = results(&second);
    assert_eq!(first.file_name(), second.file_name());
    for name in ALL_FILES {
        let (a, b) = (fs::read(first.join(name)), fs::read(second.join(name)));
        assert!(a.expect("written") == b.expect("written"), "{name} differs");
    }
}

#[test]
fn what_the_command_line_overrides_is_in_run_ron() {
    let folder = folder();
    let out = folder.path().join("out");
    let output = run_small(&out, &["--seed", "99", "--worlds=2", "--no-charts"]);
    // A flag given twice is an error of usage.
    assert_eq!(output.status.code(), Some(2));
    let fixed = ["run", SMALL, "--worlds", "2", "--seed", "99", "--no-charts", "--out", text(&out)];
    assert_eq!(sparkgap(&fixed).status.code(), Some(0));
    let results = results(&out);
    assert_eq!(
        names(&results),
        ["adequacy.csv", "run.ron", "summary.json", "worlds.parquet", "years.csv"]
    );
    let kept = fs::read_to_string(results.join("run.ron")).expect("written");
    assert!(kept.contains("worlds: 2") && kept.contains("seed: 99"), "{kept}");
    // Serving points were stored beside the results.
    assert!(!names(&out.join(".serving")).is_empty());
}

/// Names of the fields of a struct of the library, read off its source.
fn fields(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan/result.rs");
    let source = fs::read_to_string(path).expect("the source of the answer");
    let (_, body) = source.split_once(&format!("pub struct {name} {{")).expect("the struct");
    let body = body.split("\n}").next().expect("its end");
    let fields = body.lines().filter_map(|line| line.trim().strip_prefix("pub "));
    fields.filter_map(|field| field.split(':').next()).map(str::to_owned).collect()
}

#[test]
fn json_goes_to_stdout_whole() {
    let folder = folder();
    let output = run_small(folder.path(), &["--json", "--no-charts"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let written = fs::read(results(folder.path()).join("summary.json")).expect("written");
    assert!(output.stdout == written, "stdout is summary.json");
    let summary: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    let years = summary["years"].as_array().expect("years");
    assert_eq!(years.len(), 7);
    let wanted = fields("YearResult");
    assert!(wanted.len() > 20 && wanted.contains(&"gap_gpus".to_owned()), "{wanted:?}");
    for (index, year) in years.iter().enumerate() {
        let year = year.as_object().expect("a year");
        assert_eq!(year["year"], 2026 + index as u64);
        for field in &wanted {
            assert!(!year.get(field).unwrap_or(&Value::Null).is_null(), "{field} is missing");
        }
        assert_eq!(year.len(), wanted.len());
    }
    assert_eq!(summary["provenance"]["worlds"], 3);
}

#[test]
fn quiet_prints_the_finding_only() {
    let folder = folder();
    let output = run_small(folder.path(), &["--quiet", "--no-charts"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output).lines().count(), 1, "{}", stdout(&output));
    // With three worlds that is a first look.
    assert!(stdout(&output).contains("3 worlds are a first look"), "{}", stdout(&output));
    assert!(output.stderr.is_empty(), "{}", stderr(&output));
}

#[test]
fn progress_is_for_terminals() {
    let folder = folder();
    let output = run_small(folder.path(), &["--no-charts"]);
    let said = stderr(&output);
    assert!(said.starts_with("sparkgap ") && said.contains("done in"), "{said}");
    assert!(!said.contains("ETA") && !said.contains(['\r', '\u{1b}']), "{said:?}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn an_output_folder_that_cannot_be_written_is_found_before_the_run() {
    let folder = folder();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").expect("a temporary file");
    // So many worlds that the test would never end if they were simulated first.
    let fixed = ["run", SMALL, "--worlds", "20000", "--inner", "1000", "--no-cache"];
    let output = sparkgap(&[&fixed[..], &["--out", text(&file)]].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("cannot") && said.contains("file"), "{said}");
    assert!(output.stdout.is_empty());
    assert_eq!(names(folder.path()), ["file"]);
    assert_eq!(fs::read_to_string(&file).expect("still there"), "not a folder");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = folder();
    for command in [&["check"][..], &["run", SMALL, "--no-cache", "--json"]] {
        let mut child = program()
            .args(command)
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"));
    }
    assert_eq!(names(&results(&folder.path().join("out"))), ALL_FILES);
}

#[test]
fn a_fault_that_nobody_reads_keeps_its_exit_code() {
    let mut child = program()
        .args(["check", "--set", "sampling.worlds=0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stderr.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
}

/// Starts a run that would take hours, interrupts it as Ctrl-C does and returns how it ended.
#[cfg(unix)]
fn interrupted(out: &Path, wait: Duration) -> (Option<i32>, String) {
    let mut child = program()
        .args(["run", SMALL, "--worlds", "20000", "--inner", "100", "--out", text(out)])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut said = String::new();
    // The first line is said when the handler is in place.
    stderr.read_line(&mut said).expect("a line");
    std::thread::sleep(wait);
    let id = child.id().to_string();
    let killed = Command::new("kill").args(["-INT", &id]).status().expect("kill is a command");
    assert!(killed.success());
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            child.kill().expect("it is our child");
            panic!("the run did not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    stderr.read_to_string(&mut said).expect("the rest");
    (status.code(), said)
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130_and_writes_no_results() {
    let folder = folder();
    // At once, which is while serving is measured; and later, among the worlds.
    for wait in [Duration::ZERO, Duration::from_secs(1)] {
        let (code, said) = interrupted(folder.path(), wait);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.contains("interrupted: no results were written"), "{said}");
        let left = names(folder.path());
        assert!(left.iter().all(|name| name == ".serving"), "{left:?}");
    }
}

/// Runs the small scenario where no file may be larger than some blocks: a disk that fills up.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_leaves_nothing_that_looks_complete() {
    let folder = folder();
    let out = folder.path().join("out");
    let line = format!(
        "trap '' XFSZ; ulimit -f 4; exec '{}' run '{SMALL}' --out '{}'",
        assert_cmd::cargo::cargo_bin!("sparkgap").display(),
        text(&out)
    );
    let output = Command::new("sh").args(["-c", &line]).output().expect("there is a shell");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("cannot write") && !said.contains("panicked"), "{said}");
    let left: Vec<String> = names(&out).into_iter().filter(|name| name != ".serving").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_read_ends_with_1() {
    let folder = folder();
    // A folder, a file that the system does not let be read, a path through a file.
    let through = format!("{SMALL}/more.ron");
    for path in [text(folder.path()), "/proc/self/mem", &through] {
        let output = sparkgap(&["check", path]);
        assert_eq!(output.status.code(), Some(1), "{path}: {}", stderr(&output));
        assert!(stderr(&output).contains("cannot read"), "{path}: {}", stderr(&output));
    }
}

#[test]
fn options_override_and_are_named_in_run_ron() {
    let folder = folder();
    let out = folder.path().join("out");
    let options = ["--set", "sites.hall.pue=1.3", "--set", "surges=remove"];
    let output = run_small(&out, &options);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let run = fs::read_to_string(results(&out).join("run.ron")).expect("it was written");
    assert!(run.contains("pue: 1.3") && !run.contains("\"news\""), "{run}");
    for named in ["path: \"sites.hall.pue\"", "was: \"1.2\"", "from: \"--set\"", "\"--worlds\""] {
        assert!(run.contains(named), "no {named} in:\n{run}");
    }
    let output = sparkgap(&["check", SMALL, "--set", "sites.hall.peu=1.3"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `pue`?"), "{}", stderr(&output));
}

/// A contract on hardware that cannot keep the promises serves nobody: the answer says which, and
/// why.
#[test]
fn what_is_laid_out_and_serves_nothing_is_said() {
    let folder = folder();
    let bought = ["--set", "contracts.first.tranches[0].accelerator=\"h100\""];
    let layout = "deployments.chat.layouts.h100=(gpus: 1, precision: fp8, step_time: (base: \
        \"90 ms\", floor: \"5 ms\", per_token: \"1 us\", per_sequence: \"1 us\", \
        per_context_token: \"0 s\", kv_tokens: 20000, as_of: \"2026-06\", source: \"log\"))";
    let more = ["--json", "--no-charts", "--set", layout];
    let output = run_small(folder.path(), &[&bought[..], &more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let told = "`h100` serves nothing of `chat` as of 2026 and 2032, though the scenario lays it \
                out there: not even a lone call keeps ttft_p99 and tpot_p99.";
    assert_eq!(summary["caveats"][0], told);
    assert!(stderr(&output).contains(told), "{}", stderr(&output));
}

/// What is typed over a fit is no fit any more, wherever the tag is shown.
#[test]
fn an_efficiency_set_by_hand_is_tagged_stated() {
    let set = ["--set", "hardware.gb300.efficiency.memory=90%"];
    let said = "hardware.gb300 is tagged `stated`, not `fitted`";
    let checked = |more: &[&str]| stdout(&sparkgap(&[&["check", SMALL], more].concat()));
    assert!(checked(&set).contains(said), "{}", checked(&set));
    assert!(!checked(&[]).contains("is tagged"));
    // A source of its own makes no fit of somebody's own, a source and its date do.
    let own = ["--set", "hardware.gb300.efficiency.source=our runs of 2026-10"];
    let date = ["--set", "hardware.gb300.efficiency.fitted=2026-10"];
    assert!(checked(&[set, own].concat()).contains(said));
    assert!(!checked(&[set, own, date].concat()).contains("is tagged"));
    // Step times are made of the hardware too, and no word makes them measured.
    for change in ["memory_bandwidth=20 TB/s", "software.ceiling=5"] {
        assert!(checked(&["--set", &format!("hardware.gb300.{change}")]).contains(said));
    }
    let tag = ["--set", "hardware.gb300.efficiency.provenance=measured"];
    assert!(checked(&[set, tag].concat()).contains("tagged `stated`, not `measured`"));
    let folder = folder();
    let basis = |more: &[&str]| {
        let output = run_small(folder.path(), &[&["--json", "--no-charts"], more].concat());
        let summary: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let list = summary["serving"].as_array().expect("a list").clone();
        let of = list.iter().find(|of| of["accelerator"] == "gb300").expect("the accelerator");
        of["basis"].as_str().expect("a word").to_owned()
    };
    assert_eq!((basis(&[]), basis(&set)), ("fitted".to_owned(), "stated".to_owned()));
    // Scenarios as they were run keep their tags when they are read again.
    for entry in fs::read_dir(folder.path()).expect("a folder") {
        let again = entry.expect("an entry").path().join("run.ron");
        let written = fs::read_to_string(&again).expect("written");
        let checked = stdout(&sparkgap(&["check", text(&again)]));
        assert_eq!(checked.contains(said), written.contains("90%"), "{checked}");
    }
    let options = ["frontier", "--accelerator", "gb300", "--no-charts", "--json", "--out"];
    let scenario = ["--scenario", SMALL];
    let output = sparkgap(&[&options[..], &[text(folder.path())], &scenario, &set].concat());
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["models"][0]["curves"][0]["provenance"], "stated", "{}", stderr(&output));
}
