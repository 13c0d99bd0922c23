//! The limits of the engine that wrote a log: from options, and from the file that lies beside it.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::args::LimitArguments;
use super::recorded::{self, Recorded};
use super::usage;
use crate::cli::Failure;
use crate::study::EngineLimits;

/// Longest file of limits, bytes.
const LONGEST_META: u64 = 4 << 20;

/// What is read of the file of limits that lies beside a log.
#[derive(Debug, Default, Deserialize)]
struct Meta {
    #[serde(default)]
    engine_kwargs: EngineOptions,
    #[serde(default)]
    kv_cache: KvCache,
    #[serde(default)]
    model: Value,
    #[serde(default)]
    hardware: Hardware,
}

#[derive(Debug, Default, Deserialize)]
struct EngineOptions {
    max_num_seqs: Option<u32>,
    max_num_batched_tokens: Option<u32>,
    tensor_parallel_size: Option<u32>,
    pipeline_parallel_size: Option<u32>,
    data_parallel_size: Option<u32>,
    // Nothing is computed with these: whatever they hold, the log can be read.
    #[serde(default)]
    model: Value,
    #[serde(default)]
    dtype: Value,
    #[serde(default)]
    quantization: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Hardware {
    #[serde(default)]
    device_name: Value,
}

#[derive(Debug, Default, Deserialize)]
struct KvCache {
    num_kv_tokens: Option<u64>,
}

/// The limits, where they come from, and what the file says was measured.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) engine: EngineLimits,
    pub(super) from: String,
    pub(super) recorded: Recorded,
}

/// The limits of the engine and where they come from: options go before the file.
pub(super) fn limits(log: &Path, given: &LimitArguments) -> Result<Limits, Failure> {
    let beside = log.with_file_name("meta.json");
    let path = given.meta.clone().or_else(|| beside.is_file().then_some(beside));
    let meta = path.as_deref().map(read_meta).transpose()?.unwrap_or_default();
    let mut from: Vec<String> = Vec::new();
    let mut told = |name: &str, option: bool, file: bool| {
        from.push(match (option, file, &path) {
            (true, ..) => format!("{name} from its option"),
            (false, true, Some(path)) => format!("{name} from {}", path.display()),
            _ => format!("{name} assumed never to be short"),
        });
    };
    let engine = &meta.engine_kwargs;
    one_rank(path.as_deref(), engine)?;
    let max_sequences = given.max_sequences.or(engine.max_num_seqs);
    let token_budget = given.token_budget.or(engine.max_num_batched_tokens);
    let kv_tokens = given.kv_tokens.or(meta.kv_cache.num_kv_tokens);
    told("sequences", given.max_sequences.is_some(), engine.max_num_seqs.is_some());
    told("token budget", given.token_budget.is_some(), engine.max_num_batched_tokens.is_some());
    told("memory", given.kv_tokens.is_some(), meta.kv_cache.num_kv_tokens.is_some());
    let missing = |option: &str, field: &str| {
        usage(format!(
            "{}: the limits of the engine are not known: give {option} N, or --meta FILE with \
             `engine_kwargs.{field}`",
            log.display()
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
    let stages = engine.pipeline_parallel_size.unwrap_or(1);
    let gpus = engine.tensor_parallel_size.and_then(|width| width.checked_mul(stages));
    let recorded = meta.recorded(gpus);
    let engine = EngineLimits { max_sequences, token_budget, kv_tokens };
    Ok(Limits { engine, from: from.join(", "), recorded })
}

impl Meta {
    /// What it says was measured.
    fn recorded(&self, gpus: Option<u32>) -> Recorded {
        let engine = &self.engine_kwargs;
        let text = |value: &Value| recorded::text(value.as_str()?);
        let model = text(&self.model).or_else(|| text(&engine.model));
        let device = text(&self.hardware.device_name);
        let weights = text(&engine.quantization).or_else(|| text(&engine.dtype));
        Recorded { device, model, weights, gpus }
    }
}

/// A log of several data-parallel ranks is refused: its calls were spread over as many batches,
/// each with its own context memory, and no step time of one replica gives their latencies.
fn one_rank(path: Option<&Path>, engine: &EngineOptions) -> Result<(), Failure> {
    let (Some(path), Some(ranks @ 2..)) = (path, engine.data_parallel_size) else { return Ok(()) };
    let width = engine.tensor_parallel_size.unwrap_or(1);
    let gpus = width.saturating_mul(engine.pipeline_parallel_size.unwrap_or(1));
    Err(usage(format!(
        "{}: `engine_kwargs.data_parallel_size` is {ranks}: the log has the calls of {ranks} \
         batches, each on GPUs of its own, and a step time is that of one: give the log of one \
         rank alone, with --meta FILE in which `data_parallel_size` is 1 or left out, and with \
         --gpus {gpus}, the rank's own share of the {} GPUs",
        path.display(),
        u64::from(gpus) * u64::from(ranks)
    )))
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
