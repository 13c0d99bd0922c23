//! What is typed behind `sparkgap calibrate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::simulate::read;
use crate::hardware::Precision;
use crate::time::FleetTime;

/// Options of `calibrate`.
#[derive(Debug, Clone, Args)]
pub struct CalibrateArguments {
    /// Request log of vLLM (JSON lines, plain or gzip) with queued_ts, first_token_ts and
    /// last_token_ts
    pub log: PathBuf,
    /// Limits of the engine that wrote it
    #[command(flatten)]
    pub limits: LimitArguments,
    /// File (RON) for a scenario that has the step time, where --workload and --accelerator say
    /// what was measured; else for the step time alone, to be put into a layout
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// What the scenario is made of
    #[command(flatten)]
    pub variant: VariantArguments,
    /// Print JSON instead of the table
    #[arg(long)]
    pub json: bool,
}

/// Limits of the engine that wrote a log.
#[derive(Debug, Clone, Default, Args)]
pub struct LimitArguments {
    /// Limits of the engine (JSON) [default: meta.json beside the log, if there is one]
    #[arg(long, value_name = "FILE")]
    pub meta: Option<PathBuf>,
    /// Sequences in a batch at most [default: max_num_seqs of the meta file]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_sequences: Option<u32>,
    /// Tokens of a step at most [default: max_num_batched_tokens of the meta file]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub token_budget: Option<u32>,
    /// Context tokens that fit into memory [default: num_kv_tokens of the meta file, else never
    /// short]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u64).range(64..=1_000_000_000))]
    pub kv_tokens: Option<u64>,
}

/// What is measured in which scenario.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "A scenario with the step time (--out)")]
pub struct VariantArguments {
    /// Scenario that it builds on: a file (RON) or the name of a shipped one [default: muse_spark]
    #[arg(long, value_name = "SCENARIO", requires = "workload")]
    pub scenario: Option<PathBuf>,
    /// Workload that the deployment serves
    #[arg(long, value_name = "NAME", requires_all = ["out", "accelerator"])]
    pub workload: Option<String>,
    /// Accelerator that it ran on
    #[arg(long, value_name = "NAME", requires_all = ["out", "workload"])]
    pub accelerator: Option<String>,
    /// GPUs of the replica [default: tensor_parallel_size of the meta file]
    #[arg(long, value_name = "N", requires = "workload",
          value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub gpus: Option<u32>,
    /// Format of the weights: fp4, int4, fp8, bf16 [default: that of the scenario's layout there]
    #[arg(long, value_name = "FORMAT", requires = "workload",
          value_parser = read::named::<Precision>)]
    pub precision: Option<Precision>,
    /// Date of the log: software progress counts from then on [default: that of its first
    /// arrival]
    #[arg(long, value_name = "DATE", requires = "out", value_parser = date)]
    pub as_of: Option<FleetTime>,
}

fn date(text: &str) -> Result<FleetTime, String> {
    let date = FleetTime::parse(text)?;
    let legal = (2000..=2100).contains(&date.date().0);
    legal.then_some(date).ok_or_else(|| "the year must lie between 2000 and 2100".to_owned())
}
