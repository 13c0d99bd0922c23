//! Checks of what lies outside the repository: the results of a run, and the public traces that
//! the shipped length tables were made from. Both need files, so they are left out of a plain
//! `cargo test`; `.ci/run` says where the files are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sparkgap::demand::{LengthTable, length_tables};

fn folder(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    PathBuf::from(path.unwrap_or_else(|| panic!("set {variable} to a folder")))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()))
}

/// The folder of results that was written last.
fn newest(out: &Path) -> PathBuf {
    let entries = fs::read_dir(out).expect("the output folder").filter_map(Result::ok);
    let summaries = entries.map(|entry| entry.path().join("summary.json"));
    let dated = summaries.filter_map(|path| {
        let written = fs::metadata(&path).and_then(|file| file.modified()).ok()?;
        Some((written, path))
    });
    let (_, path) = dated.max().expect("a folder with summary.json");
    path.parent().expect("it lies in a folder").to_path_buf()
}

/// Share of the commonest colour and number of colours of a picture.
fn colours(path: &Path) -> (f64, usize) {
    let file = std::io::BufReader::new(fs::File::open(path).expect("the chart"));
    let mut decoder = png::Decoder::new(file);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().expect("it is a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("it fits in memory")];
    let frame = reader.next_frame(&mut pixels).expect("it is whole");
    assert!(frame.width >= 600 && frame.height >= 300, "{} x {}", frame.width, frame.height);
    let mut counts: BTreeMap<&[u8], usize> = BTreeMap::new();
    for pixel in pixels[..frame.buffer_size()].chunks(frame.color_type.samples()) {
        *counts.entry(pixel).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let most = counts.values().max().expect("it has pixels");
    (*most as f64 / all as f64, counts.len())
}

#[test]
#[ignore = "reads the results of a run in SPARKGAP_OUT: see .ci/run"]
fn the_last_run_answers_for_seven_years_with_a_chart() {
    let results = newest(&folder("SPARKGAP_OUT"));
    let summary: Value = serde_json::from_str(&read(&results.join("summary.json"))).expect("JSON");
    let years = summary["years"].as_array().expect("years");
    let calendar: Vec<u64> = years.iter().filter_map(|year| year["year"].as_u64()).collect();
    assert_eq!(calendar, [2026, 2027, 2028, 2029, 2030, 2031, 2032]);
    for year in years {
        assert!(year["gap_gpus"]["p50"]["value"].is_number(), "{year}");
    }
    let (background, count) = colours(&results.join("gap.png"));
    assert!(background < 0.95 && count > 20, "{count} colours, {background} of one");
}

/// Mean of one column of a table with a header.
fn csv_mean(text: &str, column: &str) -> f64 {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().expect("a header").clone();
    let index = header.iter().position(|name| name == column).expect("the column");
    let values: Vec<f64> = rows
        .records()
        .map(|row| row.expect("a row")[index].trim().parse().expect("a number"))
        .collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn json_lines_mean(text: &str, field: &str) -> f64 {
    let value = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        line[field].as_f64().expect("a number")
    };
    let values: Vec<f64> = text.lines().map(value).collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean of a field in a table of `field,value,probability`.
fn weighted_mean(text: &str, field: &str) -> f64 {
    let rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let rows = rows.filter(|row| row[0] == field);
    let number = |text: &str| text.parse::<f64>().expect("a number");
    let terms: Vec<(f64, f64)> = rows.map(|row| (number(row[1]), number(row[2]))).collect();
    assert!(!terms.is_empty(), "no field `{field}`");
    let weight: f64 = terms.iter().map(|term| term.1).sum();
    terms.iter().map(|(value, probability)| value * probability).sum::<f64>() / weight
}

/// Area under the quantile function.
fn mean_of(table: &LengthTable) -> f64 {
    let knots = table.quantiles.windows(2);
    knots.map(|pair| (pair[1].0 - pair[0].0) * f64::midpoint(pair[0].1, pair[1].1)).sum()
}

fn trace_mean(traces: &Path, table: &str) -> f64 {
    let (trace, part) = table.rsplit_once('_').expect("a trace and a part of it");
    let prompt = part == "prompt";
    match trace {
        "azure2023_conversation" | "azure2023_code" => {
            let kind = if trace.ends_with("code") { "code" } else { "conv" };
            let text = read(&traces.join(format!("AzureLLMInferenceTrace_{kind}.csv")));
            csv_mean(&text, if prompt { "ContextTokens" } else { "GeneratedTokens" })
        }
        "mooncake_conversation" => {
            let text = read(&traces.join("conversation_trace.jsonl"));
            json_lines_mean(&text, if prompt { "input_length" } else { "output_length" })
        }
        _ => {
            let (pool, field) = match table.strip_prefix("servegen_mm_image_") {
                Some("text_prompt") => ("mm-image".to_owned(), "text_tokens"),
                Some("image_tokens") => ("mm-image".to_owned(), "image_tokens"),
                Some(_) => ("mm-image".to_owned(), "output_tokens"),
                None => {
                    let pool = trace.trim_start_matches("servegen_").replace('_', "-");
                    (pool, if prompt { "input_tokens" } else { "output_tokens" })
                }
            };
            let text = read(&traces.join(format!("{pool}_length_pmf_rate_weighted.csv")));
            weighted_mean(&text, field)
        }
    }
}

#[test]
#[ignore = "reads the unpacked public traces in SPARKGAP_TRACES: see .ci/run"]
fn the_length_tables_have_the_means_of_their_traces() {
    let traces = folder("SPARKGAP_TRACES");
    assert_eq!(length_tables().len(), 17);
    for (name, table) in length_tables() {
        let mean = trace_mean(&traces, name);
        println!("{name:<34} trace {mean:>10.2}  table {:>10.2}", mean_of(table));
        assert!((table.mean / mean - 1.0).abs() < 1e-3, "{name}: {} and {mean}", table.mean);
        assert!((mean_of(table) / mean - 1.0).abs() < 2e-3, "{name}: {}", mean_of(table));
    }
}
