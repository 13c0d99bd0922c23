//! The command as it is typed: what it prints and writes, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn frontier(folder: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    let folder = folder.to_str().expect("a plain path");
    program.args(["frontier", "--out", folder]).args(arguments).output().expect("it starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn table_csv_and_charts_say_what_each_result_is() {
    let folder = TempDir::new().expect("room");
    let names = ["--accelerator", "gb200,vera_rubin", "--mode", "disaggregated"];
    let output = frontier(folder.path(), &names);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.starts_with("DeepSeek-R1: At 50 tokens/s per user "), "{table}");
    for part in ["fitted", "bound", "measured", "GB200 NVL72, fp4", "computed", "2026-03-23"] {
        assert!(table.contains(part), "no `{part}` in {table}");
    }
    assert!(table.lines().all(|line| line.chars().count() <= 110), "{table}");
    let mut files: Vec<String> = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, ["frontier.csv", "frontier_deepseek_r1.png", "frontier_deepseek_r1.svg"]);
    let csv = fs::read(folder.path().join("frontier.csv")).expect("written");
    let mut reader = csv::Reader::from_reader(&*csv);
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| header.iter().position(|own| own == name).expect("a column");
    let [tag, output, total] =
        ["provenance", "output_tokens_per_s_per_gpu", "total_tokens_per_s_per_gpu"].map(column);
    let mut tags = Vec::new();
    for row in reader.records() {
        let row = row.expect("a whole row");
        let number = |index: usize| row[index].parse::<f64>().expect("a number");
        // 8,192 prompt tokens for 1,024: a ninth of all tokens is output.
        assert!((number(total) / number(output) - 9.0).abs() < 1e-9);
        tags.push(row[tag].to_owned());
    }
    tags.dedup();
    assert_eq!(tags, ["fitted", "bound", "measured"]);
}

#[test]
fn results_do_not_depend_on_threads() {
    let run = |threads: &str| {
        let folder = TempDir::new().expect("room");
        let names = ["--accelerator", "b200,gb300", "--threads", threads, "--json"];
        let output = frontier(folder.path(), &names);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let files = ["frontier.csv", "frontier_deepseek_r1.png", "frontier_deepseek_r1.svg"];
        let read = |name: &str| fs::read(folder.path().join(name)).expect("written");
        (output.stdout, files.map(read))
    };
    assert!(run("1") == run("2"), "bytes differ");
}

#[test]
fn json_has_the_figures_of_the_table() {
    let folder = TempDir::new().expect("room");
    let options = ["--accelerator", "gb300", "--speed", "30,5000", "--json", "--no-charts"];
    let output = frontier(folder.path(), &options);
    let json: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
    let curve = &json["models"][0]["curves"][0];
    assert_eq!(curve["provenance"], "fitted");
    let [slow, fast] = [&curve["points"][0], &curve["points"][1]];
    assert_eq!((&slow["reached"], &fast["reached"]), (&true.into(), &false.into()));
    let number = |name: &str| slow[name].as_f64().expect("a number");
    let per_gpu = number("output_tokens_per_s_per_gpu");
    // 2.12 kW and 4.55 USD an hour.
    let per_mw = number("output_tokens_per_s_per_mw_it");
    assert!((per_mw / (per_gpu / 2_120.0 * 1e6) - 1.0).abs() < 1e-9);
    let price = number("usd_per_million_output_tokens");
    let rent = curve["rent_usd_per_gpu_hour"].as_f64().expect("a number");
    assert!((price / (rent / 3_600.0 / per_gpu * 1e6) - 1.0).abs() < 1e-9);
    assert!(!folder.path().join("frontier_deepseek_r1.png").exists());
}

#[test]
fn own_measurements_stand_beside_the_published_ones() {
    let folder = TempDir::new().expect("room");
    let file = folder.path().join("own.csv");
    let rows = "system,model,precision,isl,osl,tpot_ms,output_tok_s_per_gpu,measured\n\
                gb300,deepseek-ai/DeepSeek-R1,fp4,8192,1024,25,1234.5,2026-11-20\n";
    fs::write(&file, rows).expect("room");
    let file = file.to_str().expect("a plain path");
    let options = ["--accelerator", "gb300", "--no-charts", "--measured", file];
    let table = text(&frontier(folder.path(), &options).stdout);
    let row = table.lines().find(|line| line.contains("2026-11-20")).expect("the row");
    assert!(row.contains("40.0") && row.contains("measured"), "{row}");
    assert!(row.contains("1230") || row.contains("1235") || row.contains("1234"), "{row}");
}

const HEAD: &str = "system,model,precision,speculative,isl,osl,tpot_ms,output_tok_s_per_gpu\n";

#[test]
fn rows_that_cannot_be_shown_are_named() {
    let folder = TempDir::new().expect("room");
    let file = folder.path().join("own.csv");
    let place = file.to_str().expect("a plain path").to_owned();
    let said = |rows: &str| {
        fs::write(&file, format!("{HEAD}{rows}")).expect("room");
        let options = ["--accelerator", "gb300", "--no-charts", "--quiet", "--measured", &place];
        let output = frontier(folder.path(), &options);
        (output.status.code(), text(&output.stderr))
    };
    let good = "gb300,deepseek-ai/DeepSeek-R1,fp4,,8192,1024,25,1234.5\n";
    assert_eq!(said(good), (Some(0), String::new()));
    let strange = "gb30,deepseek_r1,fp4,,8192,1024,25,1\ngb300,deepseek_r2,fp4,,8192,1024,25,1\n";
    let short = "gb300,deepseek_r1,fp4,,1024,1024,25,1\n";
    let (code, mixed) = said(&format!("{good}{strange}{short}"));
    assert_eq!(code, Some(0), "{mixed}");
    for words in [
        "own.csv: 2 of 4 rows are left out: ",
        "1 of the unknown accelerator `gb30` (did you mean `gb300`?)",
        "1 of the unknown model `deepseek_r2` (did you mean `deepseek_r1`?)",
        "own.csv: 1 of 2 known rows are not shown",
    ] {
        assert!(mixed.contains(words), "no `{words}` in {mixed}");
    }
    let (code, none) = said(strange);
    assert_eq!(code, Some(2), "{none}");
    assert!(none.contains("none of its 2 rows can be shown"), "{none}");
}

#[test]
fn dates_and_words_of_measured_rows_are_read_or_refused() {
    let folder = TempDir::new().expect("room");
    let file = folder.path().join("own.csv");
    let place = file.to_str().expect("a plain path").to_owned();
    let head = "system,model,precision,mode,speculative,isl,osl,tpot_ms,output_tok_s_per_gpu,\
                measured\n";
    let said = |cells: &str, date: &str| {
        let row = format!("gb300,deepseek_r1,{cells},8192,1024,25,1234.5,{date}\n");
        fs::write(&file, format!("{head}{row}")).expect("room");
        let options = ["--accelerator", "gb300", "--no-charts", "--measured", &place];
        let output = frontier(folder.path(), &options);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for (cells, date, words) in [
        ("fp4,agg,no", "May 2026", "own.csv, line 2: `measured` is `May 2026`: write a date as "),
        ("fp-4,agg,no", "2026-05", "own.csv, line 2: `precision` is `fp-4`: write fp4 "),
        ("fp4,both,no", "2026-05", "own.csv, line 2: `mode` is `both`: write agg "),
        ("fp4,agg,maybe", "2026-05", "own.csv, line 2: `speculative` is `maybe`: write yes "),
    ] {
        let (code, _, error) = said(cells, date);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(words), "no `{words}` in {error}");
    }
    // In capitals it is the same word: the row says that it was speculative.
    let (code, table, error) = said("FP4,Disagg,Yes", "2026-05");
    assert_eq!(code, Some(0), "{error}");
    assert!(table.contains("fp4 spec") && table.contains("2026-05"), "{table}");
    assert!(!table.contains("software of today"), "{table}");
    let (code, table, _) = said("fp4,agg,no", "");
    assert_eq!(code, Some(0));
    assert_eq!(table.matches("software of today").count(), 2, "the row and the note:\n{table}");
}

#[test]
fn a_frontier_below_a_measurement_is_warned_of() {
    let folder = TempDir::new().expect("room");
    let file = folder.path().join("own.csv");
    let row = |system: &str, tpot: f64, rate: f64| {
        format!("{system},deepseek_r1,fp4,no,8192,1024,{tpot},{rate}\n")
    };
    // More than it can do, at a speed that it does not reach, and a point that is far below it.
    let rows =
        [row("vera_rubin", 20.0, 1e5), row("vera_rubin", 0.01, 5.0), row("gb300", 20.0, 9.0)];
    fs::write(&file, HEAD.to_owned() + &rows.concat()).expect("room");
    let own = ["--measured", file.to_str().expect("a plain path")];
    let names = ["--accelerator", "gb300,vera_rubin", "--mode", "disaggregated", "--no-charts"];
    let table = text(&frontier(folder.path(), &[&names[..], &own].concat()).stdout);
    let flowing = table.split_whitespace().collect::<Vec<&str>>().join(" ");
    let warning = "Warning: the frontier of Vera Rubin NVL72 lies below 2 of 2 measured points of \
                   DeepSeek-R1 (down to 0.06 of what was measured, 1 at a speed that it does not \
                   reach): a bound below a measurement is none.";
    assert!(flowing.contains(warning), "{table}");
    assert_eq!(flowing.matches("Warning: ").count(), 1, "{table}");
    assert!(table.contains("0.06 !") && table.contains("beyond !"), "{table}");
    let json = frontier(folder.path(), &[&names[..], &own, &["--json"]].concat()).stdout;
    let json: Value = serde_json::from_slice(&json).expect("valid JSON");
    assert_eq!(json["models"][0]["warnings"].as_array().map(Vec::len), Some(1), "{json}");
    let measured = json["models"][0]["measured"].as_array().expect("a list");
    let beyond = measured.iter().filter(|own| own["beyond_the_frontier"] == true);
    assert_eq!(beyond.count(), 1, "{json}");
}

#[test]
fn formats_and_speculation_of_measured_points_are_told_apart() {
    let folder = TempDir::new().expect("room");
    let file = folder.path().join("own.csv");
    let rows = ["int4,yes", "int4,no", "fp4,yes"];
    let rows = rows.map(|kind| format!("gb300,kimi_k2,{kind},8192,1024,25,777\n"));
    fs::write(&file, HEAD.to_owned() + &rows.concat()).expect("room");
    let own = ["--measured", file.to_str().expect("a plain path")];
    let options = ["--accelerator", "gb300", "--model", "kimi_k2"];
    let table = text(&frontier(folder.path(), &[&options[..], &own].concat()).stdout);
    let kinds: Vec<String> = table
        .lines()
        .filter(|line| line.ends_with("measured"))
        .map(|line| line.split_whitespace().skip(2).take(2).collect::<Vec<&str>>().join(" "))
        .collect();
    assert_eq!(kinds, ["int4 spec", "int4 6990", "fp4 spec"], "{table}");
    let svg = fs::read_to_string(folder.path().join("frontier_kimi_k2.svg")).expect("written");
    for words in ["measured, speculative decoding", "hollow: another format than the line (int4)"] {
        assert!(svg.contains(words), "no `{words}`");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_fix() {
    let folder = TempDir::new().expect("room");
    let own = folder.path().join("own.csv");
    fs::write(&own, "system,model,isl,osl,tpot_ms,output_tok_s_per_gpu\nb200,m,1,1,-1,1\n")
        .expect("room");
    let own = own.to_str().expect("a plain path");
    let (empty, header) = (folder.path().join("empty.csv"), folder.path().join("header.csv"));
    fs::write(&empty, "").expect("room");
    fs::write(&header, "a,b\n").expect("room");
    let (empty, header) = (empty.to_str().expect("plain"), header.to_str().expect("plain"));
    let cases: [(&[&str], i32, &str); 8] = [
        (
            &["--measured", empty],
            2,
            "the file is empty. Columns are accelerator (or system), model",
        ),
        (&["--measured", header], 2, "no row below the header `a,b`. Columns are accelerator"),
        (&["--accelerator", "gb30"], 2, "did you mean `gb300`?"),
        (&["--model", "llama"], 2, "there is no model `llama`"),
        (&["--speed", "0"], 2, "it must be a number above zero"),
        (&["--measured", own], 2, "own.csv, line 2: `tpot_ms` is `-1`"),
        (&["--measured", "/nowhere/own.csv"], 1, "cannot be read"),
        (&["--accelerator", "h100"], 2, "none of these accelerators serves"),
    ];
    for (arguments, code, words) in cases {
        let output = frontier(folder.path(), arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words) && !said.contains("panicked"), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_scenario_lends_its_accelerators_and_rents() {
    let folder = TempDir::new().expect("room");
    let options = ["--accelerator", "gb300", "--no-charts", "--json", "--scenario", "muse_spark"];
    let rent = |more: &[&str]| {
        let output = frontier(folder.path(), &[&options, more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let json: Value = serde_json::from_slice(&output.stdout).expect("valid JSON");
        json["models"][0]["curves"][0]["rent_usd_per_gpu_hour"].as_f64().expect("a number")
    };
    assert_eq!(rent(&["--set", "hardware.gb300.rent=9 USD/gpu-h"]), 9.0);
    assert!(rent(&[]) < 9.0);
}
