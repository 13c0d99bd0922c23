//! What is typed behind `sparkgap size`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use crate::cli::args::Threads;
use crate::cli::simulate::{CallLengths, read};
use crate::demand::Interarrival;
use crate::hardware::Precision;
use crate::study::ServingMode;
use crate::time::FleetTime;
use crate::units::Seconds;

/// Options of `size`.
#[derive(Debug, Clone, Args)]
#[command(allow_negative_numbers = true, group(ArgGroup::new("load").required(true)))]
pub struct SizeArguments {
    /// Scenario file (RON) or the name of a shipped scenario, to take calls, promises and model
    /// from: then --workload is needed, and every other option overrides
    pub scenario: Option<PathBuf>,
    /// Put another value at a path of the scenario (repeatable)
    #[arg(long = "set", value_name = "PATH=VALUE", requires = "scenario")]
    pub set: Vec<String>,
    /// Workload of the scenario
    #[arg(long, value_name = "NAME", requires = "scenario")]
    pub workload: Option<String>,
    /// Date of the software: a year (its middle) or a month, as in 2028 or 2028-03 [default:
    /// 2026-12, or the scenario's first year]
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub year: Option<f64>,
    /// Model of the catalogue or the scenario; needed without a scenario
    #[arg(long, value_name = "NAME", required_unless_present = "scenario")]
    pub model: Option<String>,
    /// Accelerators of the catalogue or the scenario, or all of them
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "all")]
    pub accelerator: Vec<String>,
    /// Formats of the weights that may be used: fp4, fp8, bf16 [default: the scenario's layout;
    /// else fp4 where the accelerator computes it, fp8 where not]
    #[arg(long, value_name = "A,B", value_delimiter = ',',
          value_parser = read::named::<Precision>)]
    pub precision: Vec<Precision>,
    /// Ways of serving that are allowed: aggregated, disaggregated [default: both]
    #[arg(long, value_name = "A,B", value_delimiter = ',',
          value_parser = read::named::<ServingMode>)]
    pub mode: Vec<ServingMode>,
    /// The load, requests per second
    #[arg(long, value_name = "R", value_parser = rate, group = "load")]
    pub rate: Option<f64>,
    /// The load, output tokens per second
    #[arg(long, value_name = "R", value_parser = read::above_zero, group = "load")]
    pub tokens_per_s: Option<f64>,
    /// How long calls are
    #[command(flatten)]
    pub lengths: CallLengths,
    /// Gaps between requests: poisson, 'gamma(CV)', 'weibull(CV)' [default: poisson]
    #[arg(long, value_name = "LAW", value_parser = read::arrivals)]
    pub arrivals: Option<Interarrival>,
    /// Serving stack: what clients wait for a first token beyond the engine's steps, as recorded
    /// runs of it show: vllm, sglang, trtllm, or none [default: the scenario's, or vllm]
    #[arg(long, value_name = "NAME", value_parser = read::stack)]
    pub stack: Option<String>,
    /// Time to first token at the 99th percentile [default: the scenario's, or 1 s]
    #[arg(long, value_name = "TIME", value_parser = promise)]
    pub ttft: Option<Seconds>,
    /// Mean time per output token of a call at the 99th percentile [default: the scenario's, or
    /// 50 ms]
    #[arg(long, value_name = "TIME", value_parser = promise)]
    pub tpot: Option<Seconds>,
    /// Simulate every size at the whole load on fresh seeds; exit code 3 where one is not verified
    #[arg(long)]
    pub verify: bool,
    /// Independent repetitions of that [default: as many as it takes to tell, at least 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000),
          requires = "verify")]
    pub replications: Option<u32>,
    /// Seed of every random stream
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
    /// Print JSON instead of the table (docs/size.md has its fields)
    #[arg(long)]
    pub json: bool,
    /// Folder that gets sizes.csv and size.json
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Requests per second that the engine's clock can count, and replicas that can be counted.
fn rate(text: &str) -> Result<f64, String> {
    let rate = read::rate(text)?;
    let legal = (1e-3..=1e7).contains(&rate);
    legal.then_some(rate).ok_or_else(|| "allowed are 0.001 to 1e7 requests per second".to_owned())
}

/// A promise that a run of bearable length can show to hold.
fn promise(text: &str) -> Result<Seconds, String> {
    let time = read::duration(text)?;
    let legal = (1e-6..=3_600.0).contains(&time.0);
    legal.then_some(time).ok_or_else(|| "allowed are 1 us to 3600 s".to_owned())
}

/// A decimal year: the middle of a year, or the begin of a month or day.
fn date(text: &str) -> Result<f64, String> {
    let year = match text.trim().parse::<u16>() {
        Ok(year) => f64::from(year) + 0.5,
        Err(_) => FleetTime::parse(text)?.decimal_year(),
    };
    let legal = (2020.0..2061.0).contains(&year);
    legal.then_some(year).ok_or_else(|| format!("`{text}`: allowed are 2020 to 2060"))
}
