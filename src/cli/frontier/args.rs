//! What is typed behind `sparkgap frontier`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::Threads;
use crate::cli::simulate::read;
use crate::demand::LengthTable;
use crate::hardware::Precision;
use crate::report::Measure;
use crate::study::ServingMode;
use crate::time::FleetTime;
use crate::units::Seconds;

/// Fastest and slowest speed of a user that is asked for, output tokens per second.
const SPEEDS: (f64, f64) = (0.1, 10_000.0);

/// Options of `frontier`.
#[derive(Debug, Clone, Args)]
pub struct FrontierArguments {
    /// Accelerators of the catalogue or the scenario, or all of them
    #[arg(
        long,
        value_name = "A,B|all",
        value_delimiter = ',',
        default_value = "b200,gb200,gb300,vera_rubin,mi450,mtia_450"
    )]
    pub accelerator: Vec<String>,
    /// Models of the catalogue or the scenario
    #[arg(long, value_name = "M,N", value_delimiter = ',', default_value = "deepseek_r1")]
    pub model: Vec<String>,
    /// Prompt tokens of a call: `8192`, `uniform(500, 1000)`, `lognormal(1000, 1.0)`
    #[arg(long, value_name = "TOKENS", value_parser = read::lengths, default_value = "8192")]
    pub prompt: LengthTable,
    /// Output tokens of a call, thinking included
    #[arg(long, value_name = "TOKENS", value_parser = read::lengths, default_value = "1024")]
    pub output: LengthTable,
    /// Part of the prompt that the prefix cache holds
    #[arg(long, value_name = "SHARE", value_parser = read::share, default_value = "0%")]
    pub cached: f64,
    /// Date of the software: 2027-03
    #[arg(long, value_name = "DATE", value_parser = FleetTime::parse, default_value = "2026-12",
          conflicts_with = "year")]
    pub month: FleetTime,
    /// The same by its year, at its middle
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(2020..=2060))]
    pub year: Option<u16>,
    /// Output tokens per second and user that are listed, 0.1 to 10000
    #[arg(long, value_name = "X,Y", value_delimiter = ',', value_parser = speed,
          default_value = "10,15,20,30,50,75,100,150,200,300")]
    pub speed: Vec<f64>,
    /// Format of the weights: fp4, int4, fp8, bf16 [default: fp4 where the hardware has it, else
    /// fp8]
    #[arg(long, value_name = "FORMAT", value_parser = read::named::<Precision>)]
    pub precision: Option<Precision>,
    /// Prefill beside decode (aggregated) or on replicas of its own (disaggregated) [default: the
    /// better one at each speed]
    #[arg(long, value_name = "MODE", value_parser = read::named::<ServingMode>)]
    pub mode: Option<ServingMode>,
    /// Time to first token at most, without a queue
    #[arg(long, value_name = "TIME", value_parser = read::duration)]
    pub ttft: Option<Seconds>,
    /// Expected tokens per decode step by speculative decoding [default: the model's]
    #[arg(long, value_name = "N", value_parser = read::tokens_per_step)]
    pub tokens_per_step: Option<f64>,
    /// Measured points of your own beside the published ones: CSV, plain or gzip
    /// (docs/frontier.md has its columns)
    #[arg(long, value_name = "FILE")]
    pub measured: Option<PathBuf>,
    /// Scenario file (RON) or the name of a shipped scenario, whose accelerators, rents and models
    /// take the place of the catalogue's of the same names
    #[arg(long, value_name = "SCENARIO")]
    pub scenario: Option<PathBuf>,
    /// Put another value at a path of the scenario (repeatable)
    #[arg(long = "set", value_name = "PATH=VALUE", requires = "scenario")]
    pub set: Vec<String>,
    /// Draw one large panel: per GPU, per MW or per USD [default: all three]
    #[arg(long, value_name = "WHAT")]
    pub per: Option<Per>,
    /// Folder for frontier.csv and the charts
    #[arg(long, value_name = "DIR", default_value = "out/frontier")]
    pub out: PathBuf,
    /// Print JSON instead of the table (docs/frontier.md has its fields)
    #[arg(long)]
    pub json: bool,
    /// Print the finding of each model only
    #[arg(long)]
    pub quiet: bool,
    /// Draw no charts
    #[arg(long)]
    pub no_charts: bool,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
}

/// What a chart counts output tokens per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Per {
    /// Tokens per second of a GPU
    Gpu,
    /// Tokens per second of a megawatt of IT power
    Mw,
    /// Tokens for a dollar of rent
    Usd,
}

impl From<Per> for Measure {
    fn from(per: Per) -> Self {
        match per {
            Per::Gpu => Self::Gpu,
            Per::Mw => Self::Megawatt,
            Per::Usd => Self::Dollar,
        }
    }
}

/// Output tokens per second and user.
fn speed(text: &str) -> Result<f64, String> {
    let speed = read::above_zero(text)?;
    let legal = (SPEEDS.0..=SPEEDS.1).contains(&speed);
    let wrong = || format!("allowed are {} to {} tokens/s", SPEEDS.0, SPEEDS.1);
    legal.then_some(speed).ok_or_else(wrong)
}
