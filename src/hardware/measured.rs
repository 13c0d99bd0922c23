//! Published and own measurements of serving: what a user and what a GPU got at once. Points that
//! ship with the program are embedded from `configs/`; a user's file has the same columns or those
//! of InferenceX dumps. Nothing is compared or fitted here.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::Precision;
use crate::time::FleetTime;

const SHIPPED: &str = include_str!("../../configs/measured_points.csv");

static POINTS: LazyLock<Vec<MeasuredPoint>> = LazyLock::new(|| {
    read(SHIPPED.as_bytes(), "measured_points.csv")
        .expect("the embedded table is well formed: a test reads it")
});

/// First bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Names of systems in public dumps, where the catalogue has another.
const SYSTEMS: [(&str, &str); 5] = [
    ("h100_sxm", "h100"),
    ("h200_sxm", "h200"),
    ("b200_sxm", "b200"),
    ("b300_sxm", "b300"),
    ("vr200", "vera_rubin"),
];

/// How the names of models begin in dumps, without their publishers, and what the catalogue calls
/// them. DeepSeek-V3 and R1 are one architecture; so are Llama 3.1 and 3.3 of one size.
const MODELS: [(&str, &str); 22] = [
    ("deepseek-v3.2", "deepseek_v32"),
    ("deepseek-v3", "deepseek_r1"),
    ("deepseek-r1", "deepseek_r1"),
    ("deepseek-v4-pro", "deepseek_v4_pro"),
    ("kimi-k2", "kimi_k2"),
    ("minimax-m2", "minimax_m2"),
    ("glm-5", "glm_5"),
    ("glm-4.6", "glm_46"),
    ("gpt-oss-120b", "gpt_oss_120b"),
    ("gpt-oss-20b", "gpt_oss_20b"),
    ("qwen3-235b", "qwen3_235b"),
    ("qwen3-32b", "qwen3_32b"),
    ("qwen3-30b", "qwen3_30b"),
    ("qwen3-8b", "qwen3_8b"),
    ("qwen3-coder-480b", "qwen3_480b"),
    ("qwen3.5-397b", "qwen35_397b"),
    ("llama-2-70b", "llama2_70b"),
    ("llama-3.1-70b", "llama_70b"),
    ("llama-3.3-70b", "llama_70b"),
    ("llama-3.1-8b", "llama_8b"),
    ("llama-3.1-405b", "llama_405b"),
    ("llama-4-maverick", "llama4_maverick"),
];

/// Formats of the weights; another one is shown and not compared.
const PRECISIONS: [(&str, Option<Precision>); 7] = [
    ("fp4", Some(Precision::Fp4)),
    ("nvfp4", Some(Precision::Fp4)),
    ("mxfp4", Some(Precision::Fp4)),
    ("int4", Some(Precision::Int4)),
    ("fp8", Some(Precision::Fp8)),
    ("bf16", Some(Precision::Bf16)),
    ("other", None),
];
const PRECISION_WORDS: &str = "write fp4 (nvfp4, mxfp4), int4, fp8, bf16, or other, which is shown \
                               and not compared, or leave it empty";

/// Whether decoding was speculative.
const SPECULATIVE: [(&str, bool); 6] =
    [("yes", true), ("y", true), ("true", true), ("no", false), ("n", false), ("false", false)];
const SPECULATIVE_WORDS: &str = "write yes (y, true) or no (n, false), or leave it empty";

/// Whether prefill had GPUs of its own.
const MODES: [(&str, bool); 4] =
    [("agg", false), ("aggregated", false), ("disagg", true), ("disaggregated", true)];
const MODE_WORDS: &str = "write agg (aggregated) or disagg (disaggregated), or leave it empty";

/// One measured operating point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasuredPoint {
    /// Accelerator by its name in the catalogue, or as written where that has none.
    pub accelerator: String,
    /// Model by its name in the catalogue, or as written where that has none.
    pub model: String,
    /// The model as published.
    pub published_model: String,
    /// Format of the weights; none where it is another one or not said.
    pub precision: Option<Precision>,
    /// Whether decoding was speculative, where that is known.
    pub speculative: Option<bool>,
    /// Whether prefill had GPUs of its own, where that is known.
    pub disaggregated: Option<bool>,
    /// Prompt tokens of a call.
    pub prompt: f64,
    /// Output tokens of a call.
    pub output: f64,
    /// GPUs of the deployment, where they are known.
    pub gpus: Option<f64>,
    /// Requests in flight, where they are known.
    pub concurrency: Option<f64>,
    /// Output tokens per second that one user saw.
    pub tokens_per_second_per_user: f64,
    /// Output tokens per second and GPU, prefill GPUs included.
    pub output_tokens_per_second_per_gpu: f64,
    /// When it was measured or published: `2026-05-22`; empty where that is not said.
    pub measured: String,
    /// By whom, and where.
    pub source: String,
}

impl MeasuredPoint {
    /// The date of the software that it ran on, where it has one.
    #[must_use]
    pub fn date(&self) -> Option<FleetTime> {
        FleetTime::parse(&self.measured).ok()
    }

    /// Prompt and output tokens per second and GPU.
    #[must_use]
    pub fn total_tokens_per_second_per_gpu(&self) -> f64 {
        self.output_tokens_per_second_per_gpu * (self.prompt + self.output) / self.output
    }
}

/// A table of measured points that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}: {fault}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct MeasuredError {
    /// The file.
    pub file: String,
    /// The line at fault, from 1.
    pub line: Option<u64>,
    /// What is wrong.
    pub fault: MeasuredFault,
}

/// What is wrong with a table of measured points.
#[derive(Debug, thiserror::Error)]
pub enum MeasuredFault {
    /// The file cannot be opened, read or unpacked.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A row or the header does not have the form of the table.
    #[error(
        "{0}. Columns are accelerator (or system), model, isl, osl; tok_s_per_user or tpot_ms; \
         output_tok_s_per_gpu, or tok_s_per_gpu with metric total or output; and, if known, \
         precision, mode, speculative, gpus, concurrency, measured, source"
    )]
    Row(String),
    /// A value that does not fit.
    #[error("`{name}` is `{value}`: {allowed}")]
    Value {
        /// Name of the column.
        name: &'static str,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
}

/// The points that ship with the program, in the order of their file.
#[must_use]
pub fn measured_points() -> &'static [MeasuredPoint] {
    &POINTS
}

/// Reads a user's table, plain or gzip. Lines that begin with `#` are comments; columns may come
/// in any order, and unknown ones are passed over.
///
/// # Errors
/// With file and line: a file that cannot be read, a column that is missing, a value out of range,
/// a word or a date that is not known.
pub fn read_measured(path: &Path) -> Result<Vec<MeasuredPoint>, MeasuredError> {
    let file = path.display().to_string();
    let io = |cause| MeasuredError { file: file.clone(), line: None, fault: cause };
    let mut bytes = std::fs::read(path).map_err(|cause| io(cause.into()))?;
    if bytes.starts_with(&GZIP) {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&*bytes).read_to_end(&mut plain).map_err(|cause| io(cause.into()))?;
        bytes = plain;
    }
    read(&bytes, &file)
}

/// A row as it stands in a file.
#[derive(Deserialize)]
struct Row {
    #[serde(alias = "system")]
    accelerator: String,
    model: String,
    published_model: Option<String>,
    precision: Option<String>,
    speculative: Option<String>,
    mode: Option<String>,
    isl: f64,
    osl: f64,
    gpus: Option<f64>,
    concurrency: Option<f64>,
    tok_s_per_user: Option<f64>,
    tpot_ms: Option<f64>,
    tok_s_per_gpu: Option<f64>,
    metric: Option<String>,
    output_tok_s_per_gpu: Option<f64>,
    measured: Option<String>,
    source: Option<String>,
}

fn read(bytes: &[u8], file: &str) -> Result<Vec<MeasuredPoint>, MeasuredError> {
    let mut reader =
        csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(bytes);
    let mut points = Vec::new();
    let mut rows = reader.deserialize::<Row>();
    while let Some(row) = rows.next() {
        let failed = |line, fault| MeasuredError { file: file.to_owned(), line, fault };
        let row = row.map_err(|cause| {
            let line = cause.position().map(csv::Position::line);
            failed(line, MeasuredFault::Row(reason(&cause)))
        })?;
        // The reader stands behind the row, so its line is the one before.
        let point = point(row, file);
        points.push(point.map_err(|fault| {
            failed(Some(rows.reader().position().line().saturating_sub(1)), fault)
        })?);
    }
    if points.is_empty() {
        let header = rows.reader_mut().headers().cloned().unwrap_or_default();
        let header = header.iter().collect::<Vec<_>>().join(",");
        let what = match header.is_empty() {
            true => "the file is empty".to_owned(),
            false => format!("there is no row below the header `{header}`"),
        };
        let fault = MeasuredFault::Row(what);
        return Err(MeasuredError { file: file.to_owned(), line: None, fault });
    }
    Ok(points)
}

/// What the CSV reader says, without its own place.
fn reason(cause: &csv::Error) -> String {
    match cause.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.kind().to_string(),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} values where the header has {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8 text".to_owned(),
        _ => cause.to_string(),
    }
}

/// What the catalogue calls a system of a public dump; the name itself where it has no other.
#[must_use]
pub fn accelerator_known_as(name: &str) -> &str {
    let known = SYSTEMS.iter().find(|(published, _)| published.eq_ignore_ascii_case(name));
    known.map_or(name, |(_, known)| known)
}

/// What the catalogue calls a model of a public dump, whatever its publisher and variant; none
/// where it has no model of that shape. Distilled models have the shape of another one.
#[must_use]
pub fn model_known_as(name: &str) -> Option<&'static str> {
    let short = name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let begins = |(published, _): &&(&str, &str)| short.starts_with(published);
    let known = MODELS.iter().find(begins).filter(|_| !short.contains("distill"));
    known.map(|(_, known)| *known)
}

fn positive(name: &'static str, value: f64) -> Result<f64, MeasuredFault> {
    let allowed = "it must be a number above zero";
    let legal = value > 0.0 && value.is_finite();
    let fault = || MeasuredFault::Value { name, value: value.to_string(), allowed };
    legal.then_some(value).ok_or_else(fault)
}

fn point(row: Row, file: &str) -> Result<MeasuredPoint, MeasuredFault> {
    let missing = |name| MeasuredFault::Row(format!("neither value of `{name}` is there"));
    let (prompt, output) = (positive("isl", row.isl)?, positive("osl", row.osl)?);
    let user = match (row.tok_s_per_user, row.tpot_ms) {
        (Some(speed), _) => positive("tok_s_per_user", speed)?,
        (None, Some(tpot)) => 1e3 / positive("tpot_ms", tpot)?,
        (None, None) => return Err(missing("tok_s_per_user or tpot_ms")),
    };
    let per_gpu = match (row.output_tok_s_per_gpu, row.tok_s_per_gpu) {
        (Some(rate), _) => positive("output_tok_s_per_gpu", rate)?,
        (None, Some(rate)) => {
            let rate = positive("tok_s_per_gpu", rate)?;
            let metric = [("output", 1.0), ("total", output / (prompt + output))];
            let allowed = "write total (prompt and output tokens) or output";
            let word = Some(row.metric.unwrap_or_default());
            rate * known("metric", word, &metric, allowed)?.unwrap_or(1.0)
        }
        (None, None) => return Err(missing("output_tok_s_per_gpu or tok_s_per_gpu")),
    };
    Ok(MeasuredPoint {
        accelerator: accelerator_known_as(&row.accelerator).to_owned(),
        model: model_known_as(&row.model).unwrap_or(&row.model).to_owned(),
        published_model: row.published_model.unwrap_or(row.model),
        precision: known("precision", row.precision, &PRECISIONS, PRECISION_WORDS)?.flatten(),
        speculative: known("speculative", row.speculative, &SPECULATIVE, SPECULATIVE_WORDS)?,
        disaggregated: known("mode", row.mode, &MODES, MODE_WORDS)?,
        prompt,
        output,
        gpus: row.gpus,
        concurrency: row.concurrency,
        tokens_per_second_per_user: user,
        output_tokens_per_second_per_gpu: per_gpu,
        measured: dated(row.measured.unwrap_or_default())?,
        source: row.source.unwrap_or_else(|| file.to_owned()),
    })
}

/// What a word of a column means, in capitals or not; `None` where the column or its value is not
/// there.
fn known<T: Copy>(
    name: &'static str,
    word: Option<String>,
    meanings: &[(&str, T)],
    allowed: &'static str,
) -> Result<Option<T>, MeasuredFault> {
    let Some(value) = word else { return Ok(None) };
    match meanings.iter().find(|(known, _)| known.eq_ignore_ascii_case(&value)) {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => Err(MeasuredFault::Value { name, value, allowed }),
    }
}

/// A date that can be read, or none at all.
fn dated(value: String) -> Result<String, MeasuredFault> {
    if value.is_empty() || FleetTime::parse(&value).is_ok() {
        return Ok(value);
    }
    let allowed = "write a date as 2026-05-22, 2026-05, 2026-Q2 or 2026, or leave it empty for the \
                   software of today";
    Err(MeasuredFault::Value { name: "measured", value, allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_points_count_output_tokens() {
        let points = measured_points();
        assert_eq!(points.len(), 54);
        let find = |published: f64, user: f64| {
            let of = |p: &&MeasuredPoint| {
                (p.total_tokens_per_second_per_gpu() / published - 1.0).abs() < 1e-9
                    && p.tokens_per_second_per_user == user
            };
            points.iter().find(of).expect("a published point")
        };
        // 8k/1k: a ninth of the total; 1k/1k: a half.
        let eight = find(14_952.0, 27.1);
        assert!((eight.output_tokens_per_second_per_gpu - 14_952.0 / 9.0).abs() < 1e-9);
        let one = find(14_659.0, 17.82);
        assert!((one.output_tokens_per_second_per_gpu - 14_659.0 / 2.0).abs() < 1e-9);
        assert_eq!((one.speculative, one.disaggregated), (Some(true), Some(true)));
        // MLPerf counts output already.
        let rubin = points.iter().find(|p| p.accelerator == "vera_rubin").expect("a point");
        assert_eq!(rubin.output_tokens_per_second_per_gpu, 16_332.0);
        assert!(points.iter().all(|p| !p.source.is_empty() && p.measured.len() >= 7));
    }

    #[test]
    fn dumps_are_read_by_their_columns() {
        let text = "system,model,precision,mode,isl,osl,concurrency,gpus,ttft_ms,tpot_ms,\
                    output_tok_s_per_gpu,measured\n\
                    b200_sxm,deepseek-ai/DeepSeek-V3,fp4,disagg,1024,1024,4096,12,5000,40,6800,\n";
        let points = read(text.as_bytes(), "own.csv").unwrap();
        assert_eq!((&*points[0].accelerator, &*points[0].model), ("b200", "deepseek_r1"));
        assert_eq!(points[0].tokens_per_second_per_user, 25.0);
        assert_eq!((&*points[0].source, &*points[0].measured), ("own.csv", ""));
    }

    #[test]
    fn faults_say_where_and_what() {
        let told = |text: &str| read(text.as_bytes(), "own.csv").unwrap_err().to_string();
        let head = "system,model,isl,osl,tpot_ms,output_tok_s_per_gpu\n";
        let below = told(&format!("# own\n{head}b200,m,1,1,20,1\nb200,m,1024,1024,-3,100\n"));
        assert_eq!(below, "own.csv, line 4: `tpot_ms` is `-3`: it must be a number above zero");
        let missing = told("system,model,isl\nb200,m,1\n");
        assert!(missing.starts_with("own.csv, line 2: missing field `osl`. Columns"), "{missing}");
        let word = told(&format!("{head}b200,m,long,1,1,1\n"));
        assert!(word.starts_with("own.csv, line 2: invalid float"), "{word}");
        let few = told(&format!("{head}b200,m\n"));
        assert!(few.starts_with("own.csv, line 2: 2 values where the header has 6"), "{few}");
        let head = "system,model,isl,osl,tpot_ms,tok_s_per_gpu,metric\n";
        let metric = told(&format!("{head}b200,m,1,1,1,1,\n"));
        assert!(metric.contains("`metric` is ``: write total"), "{metric}");
    }

    #[test]
    fn words_and_dates_are_known_or_refused() {
        let head = "system,model,isl,osl,tpot_ms,output_tok_s_per_gpu,precision,mode,speculative,\
                    measured\n";
        let one = |cells: &str| {
            let text = format!("{head}b200,m,1,1,1,1,fp8,agg,no,2026-05\nb200,m,1,1,1,1,{cells}\n");
            read(text.as_bytes(), "own.csv").map(|mut points| points.remove(1))
        };
        let read = |cells: &str| {
            let point = one(cells).unwrap();
            (point.precision, point.disaggregated, point.speculative)
        };
        let wide = Some(Precision::Fp4);
        assert_eq!(read("NVFP4,Disagg,Yes,2026-05-22"), (wide, Some(true), Some(true)));
        assert_eq!(read("fp4,AGGREGATED,y,2026-Q2"), (wide, Some(false), Some(true)));
        assert_eq!(read("other,agg,TRUE,2026"), (None, Some(false), Some(true)));
        assert_eq!(read(",,FALSE,"), (None, None, Some(false)));
        assert_eq!(read(",,,"), (None, None, None));
        assert_eq!(one("fp4,agg,no,").unwrap().date(), None);
        let faults = [
            ("fp-4,agg,no,2026-05", "`precision` is `fp-4`: write fp4"),
            ("fp4,both,no,2026-05", "`mode` is `both`: write agg"),
            ("fp4,agg,maybe,2026-05", "`speculative` is `maybe`: write yes"),
            ("fp4,agg,no,22.05.2026", "`measured` is `22.05.2026`: write a date"),
        ];
        for (cells, said) in faults {
            let told = one(cells).unwrap_err().to_string();
            assert!(told.starts_with(&format!("own.csv, line 3: {said}")), "{told}");
        }
    }
}
