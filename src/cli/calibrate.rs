//! `sparkgap calibrate`: from a request log of vLLM to the step time of the deployment.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::args::CalibrateArguments;
use super::{Failure, print};
use crate::demand::{PrefixHits, Trace, TraceFormat};
use crate::report::write_folder;
use crate::study::{
    COEFFICIENT_NAMES, COEFFICIENTS, COMPARED, CalibrationFault, EngineLimits, Fitted, HoldOut,
    ServedCall, fit_all, hold_out, served_calls,
};

/// Longest file of limits, bytes.
const LONGEST_META: u64 = 4 << 20;
/// Columns of the statistics of a latency.
const POINTS: [&str; 4] = ["mean", "p50", "p90", "p99"];

/// Error of a mean from which on a fit is called no description.
const POOR: f64 = 0.2;

/// What is read of the file of limits that lies beside a log.
#[derive(Debug, Default, Deserialize)]
struct Meta {
    #[serde(default)]
    engine_kwargs: EngineOptions,
    #[serde(default)]
    kv_cache: KvCache,
}

#[derive(Debug, Default, Deserialize)]
struct EngineOptions {
    max_num_seqs: Option<u32>,
    max_num_batched_tokens: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
struct KvCache {
    num_kv_tokens: Option<u64>,
}

/// The file that is written, and printed with `--json`.
#[derive(Debug, Serialize)]
struct Calibration {
    /// The log.
    source: String,
    requests: usize,
    max_sequences: u32,
    token_budget: u32,
    kv_tokens: Option<u64>,
    /// Where the limits come from.
    limits_from: String,
    /// Context tokens that the replay holds.
    replayed_kv_tokens: u64,
    /// Fitted on all requests.
    coefficients: Vec<Coefficient>,
    /// Fitted on the first half alone.
    first_half: Vec<Coefficient>,
    first_half_requests: usize,
    /// Simulated over recorded, less 1, in the second half, of a fit on the first.
    hold_out: Vec<Compared>,
}

#[derive(Debug, Serialize)]
struct Coefficient {
    name: &'static str,
    value: String,
    standard_error: String,
    seconds: f64,
    standard_error_seconds: f64,
}

#[derive(Debug, Serialize)]
struct Compared {
    latency: &'static str,
    statistic: &'static str,
    recorded_seconds: f64,
    error: f64,
}

fn usage(message: String) -> Failure {
    Failure::Usage(message)
}

/// Fits, checks on the second half, prints and writes.
pub(super) fn calibrate(arguments: &CalibrateArguments) -> Result<(), Failure> {
    let calls = calls_of(&arguments.log)?;
    let (limits, limits_from) = limits(arguments)?;
    let file = arguments.log.display().to_string();
    let wrong = |fault: CalibrationFault| usage(format!("{file}: {fault}"));
    let held = hold_out(&calls, &limits).map_err(wrong)?;
    let all = fit_all(&calls, &limits).map_err(wrong)?;
    let calibration = Calibration {
        source: file,
        requests: calls.len(),
        max_sequences: limits.max_sequences,
        token_budget: limits.token_budget,
        kv_tokens: limits.kv_tokens,
        limits_from,
        replayed_kv_tokens: all.coefficients.kv_tokens,
        coefficients: coefficients(&all),
        first_half: coefficients(&held.fitted),
        first_half_requests: held.fitted_rows,
        hold_out: compared(&held),
    };
    if let Some(out) = &arguments.out {
        write(out, &calibration)?;
    }
    if arguments.json {
        // Plain numbers and text keys: serialising them cannot fail.
        return print(&(serde_json::to_string_pretty(&calibration).unwrap_or_default() + "\n"));
    }
    print(&table(&calibration, arguments.out.as_deref()))
}

/// How well the first half of a log foretells the second, with the limits of the `meta.json` that
/// lies beside it.
pub(super) fn held_out(log: &Path) -> Result<HoldOut, Failure> {
    let arguments = CalibrateArguments {
        log: log.to_owned(),
        meta: None,
        max_sequences: None,
        token_budget: None,
        kv_tokens: None,
        out: None,
        json: false,
    };
    let (limits, _) = limits(&arguments)?;
    let wrong = |fault: CalibrationFault| usage(format!("{}: {fault}", log.display()));
    hold_out(&calls_of(log)?, &limits).map_err(wrong)
}

/// The requests of a log.
fn calls_of(log: &Path) -> Result<Vec<ServedCall>, Failure> {
    let mut trace = Trace::open(log, Some(TraceFormat::Vllm), PrefixHits::None)?;
    let mut rows = Vec::new();
    while let Some(row) = trace.next() {
        rows.push((row?, trace.served()));
    }
    served_calls(&rows).map_err(|fault| usage(format!("{}: {fault}", log.display())))
}

fn write(out: &Path, calibration: &Calibration) -> Result<(), Failure> {
    let name = out.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.ok_or_else(|| usage(format!("--out {}: name a file", out.display())))?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let text = ron::ser::to_string_pretty(calibration, ron::ser::PrettyConfig::default());
    let text =
        format!("// Step time of a deployment: sparkgap calibrate\n{}\n", text.unwrap_or_default());
    write_folder(folder.unwrap_or(Path::new(".")), &[(&name, text.into_bytes())])?;
    Ok(())
}

/// The limits of the engine and where they come from: options go before the file.
fn limits(arguments: &CalibrateArguments) -> Result<(EngineLimits, String), Failure> {
    let beside = arguments.log.with_file_name("meta.json");
    let path = arguments.meta.clone().or_else(|| beside.is_file().then_some(beside));
    let meta = path.as_deref().map(read_meta).transpose()?.unwrap_or_default();
    let mut from = Vec::new();
    let mut told = |name: &str, option: bool, file: bool| {
        from.push(match (option, file, &path) {
            (true, ..) => format!("{name} from its option"),
            (false, true, Some(path)) => format!("{name} from {}", path.display()),
            _ => format!("{name} assumed never to be short"),
        });
    };
    let engine = &meta.engine_kwargs;
    let max_sequences = arguments.max_sequences.or(engine.max_num_seqs);
    let token_budget = arguments.token_budget.or(engine.max_num_batched_tokens);
    let kv_tokens = arguments.kv_tokens.or(meta.kv_cache.num_kv_tokens);
    told("sequences", arguments.max_sequences.is_some(), engine.max_num_seqs.is_some());
    told("token budget", arguments.token_budget.is_some(), engine.max_num_batched_tokens.is_some());
    told("memory", arguments.kv_tokens.is_some(), meta.kv_cache.num_kv_tokens.is_some());
    let missing = |option: &str, field: &str| {
        usage(format!(
            "{}: the limits of the engine are not known: give {option} N, or --meta FILE with \
             `engine_kwargs.{field}`",
            arguments.log.display()
        ))
    };
    let max_sequences = max_sequences.ok_or_else(|| missing("--max-sequences", "max_num_seqs"))?;
    let token_budget =
        token_budget.ok_or_else(|| missing("--token-budget", "max_num_batched_tokens"))?;
    if max_sequences == 0 || token_budget < max_sequences || kv_tokens.is_some_and(|kv| kv < 64) {
        return Err(usage(format!(
            "{max_sequences} sequences, {token_budget} tokens of a step and {} context tokens: \
             allowed are 1 or more sequences, as many tokens of a step or more, and 64 context \
             tokens or more",
            kv_tokens.map_or("enough".to_owned(), |kv| kv.to_string())
        )));
    }
    Ok((EngineLimits { max_sequences, token_budget, kv_tokens }, from.join(", ")))
}

fn read_meta(path: &Path) -> Result<Meta, Failure> {
    let failed = |cause: String| usage(format!("{}: {cause}: correct --meta", path.display()));
    let size = fs::metadata(path).map_err(|cause| failed(cause.to_string()))?.len();
    if size > LONGEST_META {
        return Err(failed("more than 4 MiB".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|cause| failed(cause.to_string()))?;
    serde_json::from_str(&text).map_err(|cause| failed(cause.to_string()))
}

/// A duration in the unit in which it is easily read.
fn duration(seconds: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "us")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds >= *unit).unwrap_or((1e-9, "ns"));
    format!("{:.4} {name}", seconds / unit)
}

fn coefficients(fitted: &Fitted) -> Vec<Coefficient> {
    let one = |index: usize| {
        let (seconds, error) = (fitted.coefficients.seconds[index], fitted.errors[index]);
        Coefficient {
            name: COEFFICIENT_NAMES[index],
            value: duration(seconds),
            standard_error: duration(error),
            seconds,
            standard_error_seconds: error,
        }
    };
    (0..COEFFICIENTS).map(one).collect()
}

fn compared(held: &HoldOut) -> Vec<Compared> {
    let mut rows = Vec::new();
    for (latency, (errors, recorded)) in
        COMPARED.into_iter().zip(held.errors.iter().zip(&held.recorded))
    {
        for (statistic, (error, recorded)) in POINTS.into_iter().zip(errors.iter().zip(recorded)) {
            rows.push(Compared { latency, statistic, recorded_seconds: *recorded, error: *error });
        }
    }
    rows
}

fn table(found: &Calibration, out: Option<&Path>) -> String {
    let mut text = format!(
        "Step time from {} requests of {}\n\n  t = base + max(floor, per_token x (sequences + \
         prompt tokens))\n      + per_sequence x sequences + per_context_token x context \
         tokens\n\n",
        found.requests, found.source
    );
    for coefficient in &found.coefficients {
        let Coefficient { name, value, standard_error, .. } = coefficient;
        text += &format!("  {name:<18} {value:>12} +- {standard_error}\n");
    }
    text += &format!(
        "\nForetold: a fit on the first {} by arrival, all replayed, error over the others\n\n  \
         {:<5}{:>9}{:>9}{:>9}{:>9}\n",
        found.first_half_requests, "", "mean", "P50", "P90", "P99"
    );
    for rows in found.hold_out.chunks(POINTS.len()) {
        let cells = rows.iter().map(|row| format!("{:>+7.2} %", 100.0 * row.error));
        text += &format!("  {:<5}{}\n", rows[0].latency.to_uppercase(), cells.collect::<String>());
    }
    let means = found.hold_out.iter().filter(|row| row.statistic == POINTS[0]);
    if means.clone().any(|row| row.error.abs() > POOR) {
        text += "\n  This does not describe the deployment: a mean is off by more than a fifth.\n";
        text += "  Are --max-sequences, --token-budget and --kv-tokens those of the engine?\n";
    }
    text += &format!(
        "\n  The coefficients above are fitted on all requests; +- is one standard error \
         (jackknife over\n  groups of requests). {} sequences, {} tokens of a step, {} context \
         tokens replayed:\n  {}.\n",
        found.max_sequences, found.token_budget, found.replayed_kv_tokens, found.limits_from
    );
    let written = |out: &Path| format!("  Written to {}.\n", PathBuf::from(out).display());
    text + &out.map_or(String::new(), written)
}
