//! Checks of what lies outside the repository: the results of a run, and the public traces that
//! the shipped length tables were made from, which the readers of traces read whole. All need
//! files, so they are left out of a plain `cargo test`; `.ci/run` says where the files are.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sparkgap::demand::{LengthTable, PrefixHits, Trace, TraceRow, length_tables};
use sparkgap::study::{COMPARED, EngineLimits, hold_out, served_calls};

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

/// A recorded trace: its place, rows, seconds from the first arrival to the last, and the tokens
/// that a prefix cache without limit holds, the last two found by hand and by another program.
struct Recorded {
    place: &'static str,
    rows: usize,
    span: f64,
    cached: u64,
}

const RECORDED: [Recorded; 6] = [
    Recorded {
        place: "traces/azure2023/AzureLLMInferenceTrace_conv.csv.gz",
        rows: 19_366,
        span: 3501.721937,
        cached: 0,
    },
    Recorded {
        place: "traces/azure2023/AzureLLMInferenceTrace_code.csv.gz",
        rows: 8819,
        span: 3435.948056,
        cached: 0,
    },
    Recorded {
        place: "traces/mooncake-fast25/conversation_trace.jsonl.gz",
        rows: 12_031,
        span: 3536.999,
        cached: 54_098_293,
    },
    Recorded {
        place: "traces/mooncake-fast25/synthetic_trace.jsonl.gz",
        rows: 3993,
        span: 1022.025,
        cached: 39_852_448,
    },
    Recorded {
        place: "validation/vllm/rtx4090-llama-3.1-8b/requests.jsonl",
        rows: 300,
        span: 29.1005213,
        cached: 0,
    },
    Recorded {
        place: "validation/vllm/rtxpro6000-qwen3-32b/requests.jsonl",
        rows: 300,
        span: 29.1222135,
        cached: 0,
    },
];

/// Sum of a number in every line: what stands after a mark, up to what is no digit.
fn sum_after(text: &str, mark: &str) -> u64 {
    let number = |line: &str| {
        let rest = line.split(mark).nth(1).expect("every line has the field");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u64>().expect("a number")
    };
    text.lines().map(number).sum()
}

/// Tokens of the prompts and of the outputs, by splitting the text.
fn split_totals(path: &Path) -> (u64, u64) {
    let bytes = fs::read(path).expect("the trace");
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut plain = flate2::read::GzDecoder::new(bytes.as_slice());
        plain.read_to_string(&mut text).expect("it is gzip");
    } else {
        text = String::from_utf8(bytes).expect("it is text");
    }
    if let Some(rows) = text.strip_prefix("TIMESTAMP,ContextTokens,GeneratedTokens\r\n") {
        let fields: Vec<Vec<&str>> = rows.lines().map(|row| row.split(',').collect()).collect();
        let sum = |index: usize| fields.iter().map(|row| row[index].parse::<u64>().unwrap()).sum();
        return (sum(1), sum(2));
    }
    let names = if text.contains("input_length") {
        ["\"input_length\": ", "\"output_length\": "]
    } else {
        ["\"input_toks\": ", "\"output_toks\": "]
    };
    (sum_after(&text, names[0]), sum_after(&text, names[1]))
}

#[test]
#[ignore = "reads the recorded traces in SPARKGAP_RECORDED: see .ci/run"]
fn the_recorded_traces_are_read_whole() {
    let folder = folder("SPARKGAP_RECORDED");
    for recorded in RECORDED {
        let path = folder.join(recorded.place);
        let mut trace = Trace::open(&path, None, PrefixHits::Unlimited).expect("a known trace");
        let rows: Vec<TraceRow> = trace.by_ref().map(|row| row.expect("a row")).collect();
        let total =
            |tokens: fn(&TraceRow) -> u32| rows.iter().map(|row| u64::from(tokens(row))).sum();
        let found: (u64, u64) = (total(|row| row.prompt), total(|row| row.output));
        let cached: u64 = total(|row| row.cached);
        let span = rows[rows.len() - 1].arrival.seconds();
        println!("{:<60} {:>6} rows {found:?} {cached} {span}", recorded.place, rows.len());
        assert_eq!((rows.len(), trace.counts().skipped_empty), (recorded.rows, 0));
        assert_eq!(found, split_totals(&path), "{}", recorded.place);
        assert_eq!(cached, recorded.cached, "{}", recorded.place);
        assert!((span - recorded.span).abs() < 1e-6, "{}: {span}", recorded.place);
    }
}

/// The second half of a log of vLLM, foretold from its first half: largest error allowed of TTFT,
/// TPOT and E2E (mean, P50, P90, P99).
struct Logged {
    place: &'static str,
    limits: EngineLimits,
    allowed: [[f64; 4]; 3],
}

const LOGGED: [Logged; 2] = [
    Logged {
        place: "validation/vllm/rtxpro6000-qwen3-32b/requests.jsonl",
        limits: EngineLimits { max_sequences: 128, token_budget: 2_048, kv_tokens: None },
        allowed: [[0.10, 0.05, 0.05, 0.10], [0.05; 4], [0.05; 4]],
    },
    Logged {
        place: "validation/vllm/rtx4090-llama-3.1-8b/requests.jsonl",
        limits: EngineLimits { max_sequences: 256, token_budget: 2_048, kv_tokens: Some(41_408) },
        // A handful of calls that are preempted again and again make up the P99 of TPOT.
        allowed: [[0.10, 0.05, 0.05, 0.10], [0.05, 0.05, 0.05, 0.12], [0.05; 4]],
    },
];

#[test]
#[ignore = "reads the recorded traces in SPARKGAP_RECORDED: see .ci/run"]
fn recorded_traces_are_foretold_from_their_first_half() {
    let folder = folder("SPARKGAP_RECORDED");
    for Logged { place, limits, allowed } in LOGGED {
        let mut trace = Trace::open(folder.join(place), None, PrefixHits::None).expect("a log");
        let mut rows = Vec::new();
        while let Some(row) = trace.next() {
            rows.push((row.expect("a row"), trace.served()));
        }
        let calls = served_calls(&rows).expect("a whole log");
        let found = hold_out(&calls, &limits).expect("enough requests");
        println!("{place}: {:?} {:?}", found.fitted.coefficients, found.fitted.errors);
        println!("loss {:.4}", found.fitted.loss);
        for (name, (errors, allowed)) in COMPARED.iter().zip(found.errors.iter().zip(allowed)) {
            println!("  {name:<5} {:?}", errors.map(|error| format!("{:+.2} %", 100.0 * error)));
            for (error, allowed) in errors.iter().zip(allowed) {
                assert!(error.abs() <= allowed, "{place} {name} {errors:?}");
            }
        }
    }
}
