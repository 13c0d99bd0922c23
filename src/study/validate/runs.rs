//! Recorded runs of whole deployments, one row a run: what was deployed, what was sent, and the
//! mean latencies that came of it. Reading only; nothing is compared here.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use crate::engine::Layout;
use crate::hardware::Precision;
use crate::units::Seconds;

/// First bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Replicas of one role.
#[derive(Debug, Clone, PartialEq)]
pub struct Workers {
    /// How many.
    pub count: u32,
    /// Layout of one.
    pub layout: Layout,
}

/// One recorded run in a closed loop.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredRun {
    /// Line of the file.
    pub line: u64,
    /// Accelerator as the file calls it.
    pub system: String,
    /// Model as the file calls it.
    pub model: String,
    /// Format of the weights as the file calls it.
    pub format: String,
    /// Serving engine.
    pub backend: String,
    /// Its version, where it is said.
    pub version: String,
    /// Date of the run, `2026-02-06`, where it is said.
    pub measured: Option<String>,
    /// Prompt tokens of a call, at most.
    pub prompt: u32,
    /// Output tokens of a call, at most.
    pub output: u32,
    /// Calls in flight, over the whole deployment.
    pub concurrency: u32,
    /// All GPUs of the deployment.
    pub gpus: u32,
    /// Replicas that decode, or do both.
    pub decode: Workers,
    /// Replicas that prefill for them, where there are any.
    pub prefill: Option<Workers>,
    /// Mean time to first token.
    pub ttft: Seconds,
    /// Mean time per output token.
    pub tpot: Seconds,
    /// Output tokens per second and GPU.
    pub throughput: f64,
}

impl MeasuredRun {
    /// Whether prompts had GPUs of their own: `agg` or `disagg`.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        if self.prefill.is_some() { "disagg" } else { "agg" }
    }

    /// The model without the name of its publisher.
    #[must_use]
    pub fn short_model(&self) -> &str {
        self.model.rsplit('/').next().unwrap_or(&self.model)
    }
}

/// A file of runs that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}: {fault}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct RunsError {
    /// The file.
    pub file: String,
    /// The line at fault, from 1.
    pub line: Option<u64>,
    /// What is wrong.
    pub fault: String,
}

/// A row as it stands in the file.
#[derive(Deserialize)]
struct Row {
    system: String,
    model: String,
    precision: String,
    mode: String,
    #[serde(default)]
    backend: String,
    #[serde(default)]
    backend_version: String,
    measured: Option<String>,
    isl: u32,
    osl: u32,
    concurrency: u32,
    gpus: u32,
    tp: Option<u32>,
    pp: Option<u32>,
    attention_dp: Option<u32>,
    prefill_workers: Option<u32>,
    prefill_tp: Option<u32>,
    prefill_pp: Option<u32>,
    prefill_attention_dp: Option<u32>,
    decode_workers: Option<u32>,
    decode_tp: Option<u32>,
    decode_pp: Option<u32>,
    decode_attention_dp: Option<u32>,
    ttft_ms: f64,
    tpot_ms: f64,
    output_tok_s_per_gpu: f64,
}

/// Reads a file of runs, plain or gzip; unknown columns are passed over.
///
/// # Errors
/// With file and line: a file that cannot be read, a column that is missing, a value out of range.
pub fn read_runs(path: &Path) -> Result<Vec<MeasuredRun>, RunsError> {
    let file = path.display().to_string();
    let failed = |line, fault| RunsError { file: file.clone(), line, fault };
    let unreadable = |cause: std::io::Error| failed(None, format!("cannot be read: {cause}"));
    let mut bytes = std::fs::read(path).map_err(unreadable)?;
    if bytes.starts_with(&GZIP) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&*bytes).read_to_end(&mut plain).map_err(unreadable)?;
        bytes = plain;
    }
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(&*bytes);
    let wrong =
        |cause: csv::Error| failed(cause.position().map(csv::Position::line), reason(&cause));
    let head = reader.headers().map_err(wrong)?.clone();
    let mut runs = Vec::new();
    // Lines are counted here: after CRLF the reader's own count is one behind.
    let (mut line, mut counted) = (1, 0);
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let byte = record.position().map_or(0, csv::Position::byte) as usize;
        let until = bytes.len().min(byte + 1);
        line += bytes[counted..until].iter().filter(|byte| **byte == b'\n').count() as u64;
        counted = until;
        let row: Row =
            record.deserialize(Some(&head)).map_err(|cause| failed(Some(line), reason(&cause)))?;
        runs.push(run(row, line).map_err(|fault| failed(Some(line), fault))?);
    }
    Ok(runs)
}

/// What the CSV reader says, without its own place.
fn reason(cause: &csv::Error) -> String {
    match cause.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.kind().to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} values where the header has {expected_len} columns")
        }
        _ => cause.to_string(),
    }
}

fn positive(name: &str, value: f64) -> Result<f64, String> {
    let legal = value > 0.0 && value.is_finite();
    legal.then_some(value).ok_or_else(|| format!("`{name}` is {value}: it must be above zero"))
}

/// Widest layout and most workers of a role.
const WIDEST: u32 = 1_024;
/// Most calls in flight.
const MOST_IN_FLIGHT: u32 = 1_000_000;
/// Longest prompt and output.
const LONGEST: u32 = 1_000_000;

fn within(name: &str, value: u32, least: u32, most: u32) -> Result<(), String> {
    let legal = (least..=most).contains(&value);
    legal.then_some(()).ok_or_else(|| format!("`{name}` is {value}: from {least} to {most}"))
}

/// Format of the weights by its name in dumps.
fn precision(word: &str) -> Result<Precision, String> {
    match word.to_ascii_lowercase().as_str() {
        "fp4" | "nvfp4" | "mxfp4" => Ok(Precision::Fp4),
        "int4" => Ok(Precision::Int4),
        "fp8" => Ok(Precision::Fp8),
        "bf16" | "fp16" => Ok(Precision::Bf16),
        _ => Err(format!("`precision` is `{word}`: one of fp4, int4, fp8, bf16")),
    }
}

fn run(row: Row, line: u64) -> Result<MeasuredRun, String> {
    let format = precision(&row.precision)?;
    let workers = |[count, tensor, pipeline, ranks]: [Option<u32>; 4]| {
        for width in [count, tensor, pipeline, ranks].into_iter().flatten() {
            within("a width or number of workers", width, 1, WIDEST)?;
        }
        let [count, tensor, pipeline, ranks] =
            [count, tensor, pipeline, ranks].map(|width| width.unwrap_or(1));
        let gpus = tensor * pipeline * ranks;
        within("a replica's number of GPUs", gpus, 1, WIDEST)?;
        let layout =
            Layout { gpus, precision: format, attention_ranks: Some(ranks), step_time: None };
        Ok::<Workers, String>(Workers { count, layout })
    };
    let decode = [row.decode_workers, row.decode_tp, row.decode_pp, row.decode_attention_dp];
    let prefill = [row.prefill_workers, row.prefill_tp, row.prefill_pp, row.prefill_attention_dp];
    let (decode, prefill) = match row.mode.as_str() {
        "agg" => (workers([None, row.tp, row.pp, row.attention_dp])?, None),
        "disagg" => (workers(decode)?, Some(workers(prefill)?)),
        other => return Err(format!("`mode` is `{other}`: agg or disagg")),
    };
    within("isl", row.isl, 1, LONGEST)?;
    within("osl", row.osl, 2, LONGEST)?;
    within("concurrency", row.concurrency, 1, MOST_IN_FLIGHT)?;
    let all = |workers: &Workers| u64::from(workers.count) * u64::from(workers.layout.gpus);
    let gpus = all(&decode) + prefill.as_ref().map_or(0, all);
    if gpus != u64::from(row.gpus) {
        let said = row.gpus;
        return Err(format!("`gpus` is {said}, but the widths and workers make {gpus}"));
    }
    Ok(MeasuredRun {
        line,
        system: row.system,
        model: row.model,
        format: row.precision,
        backend: row.backend,
        version: row.backend_version,
        measured: row.measured.filter(|date| !date.is_empty()),
        prompt: row.isl,
        output: row.osl,
        concurrency: row.concurrency,
        gpus: row.gpus,
        decode,
        prefill,
        ttft: Seconds(positive("ttft_ms", row.ttft_ms)? * 1e-3),
        tpot: Seconds(positive("tpot_ms", row.tpot_ms)? * 1e-3),
        throughput: positive("output_tok_s_per_gpu", row.output_tok_s_per_gpu)?,
    })
}
