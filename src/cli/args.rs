//! What is typed: the command line as clap sees it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// How much external GPU capacity do we need, year by year, and how sure are we?
///
/// Without a subcommand it runs the embedded default scenario.
#[derive(Debug, Parser)]
#[command(name = "sparkgap", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    /// What to do; `run` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Options of `run`, when no subcommand is given.
    #[command(flatten)]
    pub run: RunArguments,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// From a scenario to the yearly capacity gap: table, chart and files
    Run(RunArguments),
    /// Read a scenario and say what is wrong with it, without running it
    Check(CheckArguments),
    /// Say what a field of a scenario means: form, unit, range, default, who uses it
    Explain(ExplainArguments),
    /// Loss of load of a reliability test system (two-state units against an hourly load)
    Adequacy(AdequacyArguments),
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// Scenario file (RON); the embedded default scenario when left out
    pub config: Option<PathBuf>,
    /// Worlds: joint draws of everything uncertain [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub worlds: Option<u32>,
    /// Inner samples of failures and surges in each world [default: the scenario's]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub inner: Option<u32>,
    /// Seed of every random stream [default: the scenario's]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Threads [default: all cores]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub threads: Option<u32>,
    /// Folder that gets a folder of results for each scenario
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,
    /// Print summary.json instead of the table
    #[arg(long)]
    pub json: bool,
    /// Print the finding only, and no progress
    #[arg(long)]
    pub quiet: bool,
    /// Draw no charts
    #[arg(long)]
    pub no_charts: bool,
    /// Measure all serving curves anew and store none
    #[arg(long)]
    pub no_cache: bool,
}

/// Options of `check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// Scenario file (RON); the embedded default scenario when left out
    pub config: Option<PathBuf>,
    /// List all values without a source, and all uncertain ones
    #[arg(long)]
    pub all: bool,
}

/// Options of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArguments {
    /// Path as in messages (`sites.prometheus.phases[0].on`) or a pattern (`sites.*.pue`); the
    /// sections when left out
    pub path: Option<String>,
}

/// Options of `adequacy`.
#[derive(Debug, Clone, Args)]
pub struct AdequacyArguments {
    /// System file (RON)
    pub config: PathBuf,
    /// Samples of the whole period [default: the system's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: Option<u32>,
    /// Seed of every random stream [default: the system's]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Threads [default: all cores]; results do not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub threads: Option<u32>,
    /// Print JSON instead of the table
    #[arg(long)]
    pub json: bool,
}
