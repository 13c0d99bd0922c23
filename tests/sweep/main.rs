//! Sweeps as they are typed: points, resuming, faults and where they are shown.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sparkgap::report::metric_names;
use sparkgap::scenario::{ScenarioError, ScenarioText};
use sparkgap::study::{Combine, Sweep, Watch, read_unit};
use tempfile::TempDir;

mod faults;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// Three axes: values, a range and cases; two of the eight points are the same scenario.
const AXES: &str = r#"[
    (name: "requests", path: "surfaces.app.requests",
        values: [constant("4 requests/day"), constant("40 requests/day")]),
    (name: "slip", label: "Slip of own sites", path: "sites.*.slip",
        range: (from: "0 months", to: "12 months", count: 2)),
    (name: "power", cases: {"as planned": {}, "the same": {"sites.hall.pue": 1.2}}),
]"#;

fn sweep_text(axes: &str, rest: &str) -> String {
    format!(
        "// A sweep for the tests.\nSweep(\n    name: \"tested\",\n    description: \"\",\n    \
         base: \"small.ron\",\n    set: {{\"sampling.worlds\": 2}},\n    axes: {axes},\n    \
         {rest}\n)\n"
    )
}

const GRID: &str = "combine: grid,\n    heatmap: (x: \"slip\", y: \"requests\", metric: \
                    \"gap_candidate_gpus_p50\", year: 2030),";

fn read(text: &str) -> Result<Sweep, ScenarioError> {
    Sweep::read(ScenarioText::plain(text, "tested.ron"), Path::new(DATA), &metric_names())
}

fn sound(text: &str) -> Sweep {
    read(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A folder with a sweep file and its base.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("tested.ron"), text).expect("room");
    fs::copy(Path::new(DATA).join("small.ron"), folder.path().join("small.ron")).expect("room");
    folder
}

fn command(folder: &TempDir, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    command.arg("sweep").arg(folder.path().join("tested.ron")).arg("--out").arg(out).args(more);
    command
}

fn run(folder: &TempDir, out: &Path, more: &[&str]) -> Output {
    command(folder, out, more).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
}

/// Every file below a folder with its bytes, measurements of serving left out.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(path).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with(".serving") {
                    open.push(path);
                }
            } else {
                let name = path.strip_prefix(folder).expect("below").to_path_buf();
                // What is written aside is renamed at any time.
                if let Ok(bytes) = fs::read(&path) {
                    found.insert(name, bytes);
                }
            }
        }
    }
    found
}

fn units(out: &Path) -> Vec<PathBuf> {
    let mut units: Vec<PathBuf> = contents(out)
        .into_keys()
        .filter(|name| name.extension().is_some_and(|end| end == "json"))
        .map(|name| out.join(name))
        .collect();
    units.sort();
    units
}

#[test]
fn a_grid_counts_like_a_clock() {
    let sweep = sound(&sweep_text(AXES, GRID));
    assert_eq!(sweep.count(), 8);
    let steps: Vec<Vec<usize>> = (0..8).map(|point| sweep.steps(point)).collect();
    assert_eq!(steps[0], [0, 0, 0]);
    assert_eq!(steps[1], [0, 0, 1]);
    assert_eq!(steps[2], [0, 1, 0]);
    assert_eq!(steps[7], [1, 1, 1]);
    assert_eq!(
        sweep.in_words(&steps[3]),
        "requests = constant(\"4 requests/day\"), slip = 12 months, power = the same"
    );
    // What a point says is what its scenario holds; nothing else changes.
    let scenario = sweep.scenario(&steps[3]).expect("sound");
    assert_eq!(scenario.sites["hall"].slip.text(), "12 months");
    assert_eq!(scenario.sampling.worlds, 2);
    let points = sweep.points(Watch::nobody()).expect("sound");
    assert_eq!(points.len(), 8);
    // The second case says what the base says: one answer for both.
    for pair in points.chunks(2) {
        assert_eq!(pair[0].hash, pair[1].hash);
    }
    assert_eq!(points[3].hash, scenario.hash());
    assert_ne!(points[0].hash, points[2].hash);
}

#[test]
fn zipped_axes_go_together() {
    let axes = r#"[
        (name: "a", path: "sampling.seed", values: [1, 2, 3]),
        (name: "b", path: "sites.hall.pue", range: (from: 1.0, to: 1.44, count: 3, log: true)),
    ]"#;
    let sweep = sound(&sweep_text(axes, "combine: zip,"));
    assert_eq!((sweep.combine, sweep.count()), (Combine::Zip, 3));
    assert_eq!(sweep.steps(1), [1, 1]);
    // The geometric mean of 1 and 1.44.
    assert_eq!(sweep.labels(&[1, 1]), ["2", "1.2"]);
    assert_eq!(sweep.scenario(&[2, 2]).expect("sound").sampling.seed, 3);
}

#[test]
fn a_sweep_answers_every_point_and_resumes_to_the_same_bytes() {
    let folder = folder(&sweep_text(AXES, GRID));
    let (whole, other) = (folder.path().join("whole"), folder.path().join("other"));
    let output = run(&folder, &whole, &["--threads", "1"]);
    done(&output);
    let finding = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(finding.starts_with("Gap in 2030 at the median: "), "{finding}");
    let expected = contents(&whole);
    let names: Vec<String> = expected.keys().map(|name| name.display().to_string()).collect();
    let files: Vec<&String> = names.iter().filter(|name| !name.contains("units")).collect();
    assert_eq!(files, ["heatmap.png", "heatmap.svg", "sweep.csv", "sweep.parquet"]);
    assert_eq!(units(&whole).len(), 4, "{names:?}");
    tidy(&expected[Path::new("sweep.csv")]);

    // Other threads, the same bytes. Then: one unit is gone, one torn, one of another program,
    // and one was changed by hand.
    done(&run(&folder, &other, &["--threads", "3", "--quiet"]));
    assert!(contents(&other) == expected, "threads change the bytes");
    let kept = units(&other);
    fs::remove_file(&kept[0]).expect("it is there");
    let text = fs::read_to_string(&kept[1]).expect("it is there");
    fs::write(&kept[1], &text[..text.len() / 2]).expect("room");
    let text = fs::read_to_string(&kept[2]).expect("it is there");
    let foreign = text.replacen("\"version\":\"", "\"version\":\"of another program ", 1);
    assert_ne!(foreign, text);
    fs::write(&kept[2], foreign).expect("room");
    let text = fs::read_to_string(&kept[3]).expect("it is there");
    let changed = text.replacen("\"value\":", "\"value\":1", 1);
    fs::write(&kept[3], changed).expect("room");
    for unit in &kept {
        let hash = unit.file_stem().and_then(|stem| stem.to_str()).expect("a hash");
        assert!(read_unit(&other.join("units"), hash).is_none(), "{hash} counts as sound");
    }
    done(&run(&folder, &other, &[]));
    assert!(contents(&other) == expected, "resuming changes the bytes");

    // Nothing is left to do: nothing is written anew but the tables.
    let before: Vec<_> = units(&other).iter().map(|unit| modified(unit)).collect();
    let output = run(&folder, &other, &["--no-charts"]);
    done(&output);
    assert!(said(&output).contains("0 of 8 points left"), "{}", said(&output));
    let after: Vec<_> = units(&other).iter().map(|unit| modified(unit)).collect();
    assert_eq!(before, after);
}

fn modified(path: &Path) -> std::time::SystemTime {
    fs::metadata(path).and_then(|meta| meta.modified()).expect("a time")
}

/// A row for each point, year and metric, in order; rows agree with what a run says.
fn tidy(csv: &[u8]) {
    let mut reader = csv::Reader::from_reader(csv);
    let header: Vec<String> =
        reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let first = ["point", "hash", "requests", "slip", "power"];
    let last = ["year", "metric", "value", "low", "high", "error"];
    assert_eq!(header, [&first[..], &last[..]].concat());
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let metrics = metric_names();
    assert_eq!(rows.len(), 8 * 7 * metrics.len());
    for (index, row) in rows.iter().enumerate() {
        let (point, year) = (index / (7 * metrics.len()), index / metrics.len() % 7);
        assert_eq!(row[0], (point + 1).to_string());
        assert_eq!(row[3], *["0 months", "12 months"][point / 2 % 2]);
        assert_eq!(row[4], *["as planned", "the same"][point % 2]);
        assert_eq!(row[5], (2026 + year).to_string());
        assert_eq!(row[6], metrics[index % metrics.len()]);
        let value = |at: usize| row[at].parse::<f64>().expect("a number");
        match &row[10] {
            "" => assert!(row[8].is_empty() && row[9].is_empty(), "{row:?}"),
            "90 % rank interval" | "90 % bootstrap interval" | "one standard error" => {
                assert!(value(8) <= value(7) && value(7) <= value(9), "{row:?}");
            }
            other => panic!("{other}"),
        }
    }
    // Ten times the requests of the same people.
    let demand = |point: usize| {
        let row = rows.iter().find(|row| {
            row[0] == point.to_string()
                && &row[5] == "2030"
                && &row[6] == "user_requests_per_day_p50"
        });
        row.expect("the row")[7].parse::<f64>().expect("a number")
    };
    assert!((demand(5) / demand(1) - 10.0).abs() < 1e-9, "{} {}", demand(5), demand(1));
}

#[test]
fn a_point_is_what_a_run_says() {
    let axes = "[(name: \"seed\", path: \"sampling.seed\", values: [11])]";
    let folder = folder(&sweep_text(axes, "combine: grid,"));
    let out = folder.path().join("out");
    let output = run(&folder, &out, &[]);
    done(&output);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1 points are in sweep.csv.\n");
    let alone = folder.path().join("alone");
    let output = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"))
        .args(["run", "--worlds", "2", "--seed", "11", "--no-charts", "--json", "--out"])
        .args([&alone, &folder.path().join("small.ron")])
        .output()
        .expect("the program starts");
    done(&output);
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mut reader = csv::Reader::from_path(out.join("sweep.csv")).expect("written");
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let value = |metric: &str, column: usize| {
        let row = rows.iter().find(|row| &row[3] == "2028" && row[4] == *metric);
        row.expect("the metric")[column].parse::<f64>().expect("a number")
    };
    let year = &answer["years"][2];
    assert_eq!(rows[0][1], answer["provenance"]["hash"]);
    let gap = &year["gap_gpus"]["p90"];
    assert_eq!(Some(value("gap_candidate_gpus_p90", 5)), gap["value"].as_f64());
    assert_eq!(Some(value("gap_candidate_gpus_p90", 6)), gap["low"].as_f64());
    let lole = &year["lole_own"];
    let (mean, error) = (lole["mean"].as_f64(), lole["standard_error"].as_f64());
    assert_eq!(Some(value("lole_own_h_per_yr_mean", 5)), mean);
    assert_eq!(
        value("lole_own_h_per_yr_mean", 7),
        mean.expect("a mean") + error.expect("an error")
    );
}

/// Waits until so many units are there.
fn wait_for(count: usize, out: &Path, child: &mut Child) {
    let begun = Instant::now();
    while units(out).len() < count {
        assert!(child.try_wait().expect("our child").is_none(), "it ended before");
        assert!(begun.elapsed() < Duration::from_secs(120), "no unit");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(unix)]
#[test]
fn what_is_interrupted_or_killed_goes_on_to_the_same_bytes() {
    let axes = r#"[
        (name: "requests", path: "surfaces.app.requests",
            values: [constant("4 requests/day"), constant("9 requests/day")]),
        (name: "slip", path: "sites.*.slip", range: (from: "0 months", to: "9 months", count: 4)),
    ]"#;
    let text = sweep_text(axes, GRID).replace("worlds\": 2", "worlds\": 12");
    let folder = folder(&text);
    let (whole, other) = (folder.path().join("whole"), folder.path().join("other"));
    done(&run(&folder, &whole, &[]));
    let expected = contents(&whole);
    fs::create_dir(&other).expect("room");
    for signal in ["-INT", "-KILL"] {
        let begin = units(&other).len();
        let mut child = command(&folder, &other, &["--threads", "1"])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        wait_for(begin + 1, &other, &mut child);
        let id = child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill is a command");
        assert!(sent.success());
        let output = child.wait_with_output().expect("it ends");
        if signal == "-INT" {
            assert_eq!(output.status.code(), Some(130), "{}", said(&output));
            let said = said(&output);
            assert!(said.contains("every finished point is kept"), "{said}");
        }
        let kept = units(&other).len();
        assert!(kept > begin && kept < 8, "{kept} units");
        assert!(!other.join("sweep.csv").exists(), "no table of a part");
    }
    done(&run(&folder, &other, &[]));
    let mut resumed = contents(&other);
    resumed.retain(|name, _| !name.to_string_lossy().ends_with(".partial"));
    assert!(resumed == expected, "the bytes depend on the interruption");
}

#[test]
fn the_shipped_sweeps_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/sweeps");
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("shipped sweeps")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert!(!files.is_empty());
    for file in files {
        let sweep = Sweep::load(&file, &metric_names()).unwrap_or_else(|error| panic!("{error}"));
        let points = sweep.points(Watch::nobody()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(points.len(), sweep.count());
        let file = file.file_stem().and_then(|stem| stem.to_str());
        assert_eq!(file, Some(sweep.name.as_str()));
    }
}

#[test]
fn the_sweep_in_the_description_is_sound() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/sweeps.md");
    let text = fs::read_to_string(path).expect("the description");
    let (_, example) = text.split_once("```ron\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let sweep = sound(example);
    assert_eq!((sweep.count(), sweep.axes[2].label.as_str()), (20, "rubin"));
    assert_eq!(
        sweep.points(Watch::nobody()).map_err(|error| error.to_string()).map(|p| p.len()),
        Ok(20)
    );
}
