//! What is typed: the command line as clap sees it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::calibrate::CalibrateArguments;
use super::frontier::FrontierArguments;
use super::simulate::SimulateArguments;
use super::size::SizeArguments;
use super::validate::ValidateArguments;
use super::worth::WorthArguments;
use crate::scenario::{DEFAULT, ScenarioError, ScenarioText};

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
    /// One base scenario along axes: a tidy table and a heatmap; resumes where it was stopped
    Sweep(SweepArguments),
    /// Write a commented scenario to start from
    Init(InitArguments),
    /// Say what a field of a scenario means: form, unit, range, default, who uses it
    Explain(ExplainArguments),
    /// One deployment, request by request: latencies, throughput, goodput and their errors
    Simulate(Box<SimulateArguments>),
    /// Tokens per GPU, per MW and per USD against the speed a user sees, with measured points
    Frontier(Box<FrontierArguments>),
    /// The model against recorded runs and published throughputs, and the fit of its efficiencies
    Validate(ValidateArguments),
    /// Fewest GPUs, best layout and prefill:decode ratio for a load at an SLO, on each accelerator:
    /// power, rent, cost per million tokens
    Size(Box<SizeArguments>),
    /// Step-time coefficients of a deployment from its own request log of vLLM
    Calibrate(CalibrateArguments),
    /// Loss of load of a reliability test system (two-state units against an hourly load)
    Adequacy(Box<AdequacyArguments>),
    /// What a site, contract or pool is worth: equivalent firm capacity, ELCC, capacity credit
    Worth(WorthArguments),
    /// Print the completion script of a shell
    Completions(CompletionsArguments),
    /// Print the manual page, or write the pages of every command
    Man(ManArguments),
}

/// Which scenario, and what is changed in it.
#[derive(Debug, Clone, Args)]
pub struct Source {
    /// Scenario file (RON) or the name of a shipped scenario; `muse_spark` when left out
    pub config: Option<PathBuf>,
    /// Put another value at a path, for example 'sites.*.slip=3 months' (repeatable)
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub set: Vec<String>,
}

impl Source {
    /// The text of the scenario with every change applied, in the order given.
    pub(super) fn text(&self) -> Result<ScenarioText, ScenarioError> {
        let mut text = match &self.config {
            Some(path) => ScenarioText::open(path)?,
            None => ScenarioText::open(DEFAULT)?,
        };
        self.set.iter().try_for_each(|option| text.set(option))?;
        Ok(text)
    }

    /// What the scenario is called where it is read from.
    pub(super) fn name(&self) -> String {
        self.config.as_ref().map_or_else(|| DEFAULT.to_owned(), |path| path.display().to_string())
    }
}

/// How many threads work.
#[derive(Debug, Clone, Copy, Args)]
pub struct Threads {
    /// Threads [default: all cores]; results do not depend on it
    #[arg(long = "threads", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub count: Option<u32>,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// Which scenario
    #[command(flatten)]
    pub source: Source,
    /// Worlds: joint draws of everything uncertain [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub worlds: Option<u32>,
    /// Inner samples of failures and surges in each world [default: the scenario's]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub inner: Option<u32>,
    /// Seed of every random stream [default: the scenario's]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
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
    /// Which scenario
    #[command(flatten)]
    pub source: Source,
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

/// Options of `sweep`.
#[derive(Debug, Clone, Args)]
pub struct SweepArguments {
    /// Sweep file (RON)
    pub config: PathBuf,
    /// Folder that gets the results and keeps every finished point
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
    /// Print the finding only, and no progress
    #[arg(long)]
    pub quiet: bool,
    /// Draw no heatmap
    #[arg(long)]
    pub no_charts: bool,
}

/// By what the probability of loss of load is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AdequacyBy {
    /// Hour of the day
    Hour,
    /// Week of the period
    Week,
    /// Month of the year
    Month,
}

/// Options of `adequacy`.
#[derive(Debug, Clone, Args)]
pub struct AdequacyArguments {
    /// System file (RON) or the name of a shipped system: rbts, rts79, three_areas, rack_test,
    /// hourly_a, hourly_b
    pub config: PathBuf,
    /// Samples of the whole period [default: the system's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub samples: Option<u32>,
    /// Work the risk out exactly, by convolution or from all joint states, instead of simulating it
    #[arg(long, conflicts_with_all = ["samples", "seed", "monte_carlo"])]
    pub exact: bool,
    /// Firm capacity that must be added for a risk: 'LOLE 2.4 h/yr', 'LOLE 0.1 d/yr', 'LOLEv 0.2
    /// /yr', 'EUE 10 MWh/yr', 'NEUE 20 ppm'; without /yr it is of the period
    #[arg(long, value_name = "RISK")]
    pub firm_for: Option<String>,
    /// What a part is worth, as ELCC, EFC and capacity credit: UNIT (one of a group), UNIT:all,
    /// AREA/UNIT, link:NAME (repeatable)
    #[arg(long, value_name = "PART")]
    pub elcc: Vec<String>,
    /// Area in which firm capacity or load is added [default: for --elcc where the part is or leads
    /// to, for --firm-for all in proportion to their largest load]
    #[arg(long, value_name = "AREA")]
    pub area: Option<String>,
    /// Find capacities from samples where they could be found exactly (so do --samples and --seed)
    #[arg(long)]
    pub monte_carlo: bool,
    /// Print the probability of loss of load by hour of the day, week or month
    #[arg(long, value_name = "KIND")]
    pub by: Option<AdequacyBy>,
    /// Seed of every random stream [default: the system's]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
    /// Folder that gets adequacy.csv and summary.json
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print summary.json instead of the table
    #[arg(long)]
    pub json: bool,
}

/// Options of `init`.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// File to write; one that is there is left alone
    #[arg(default_value = "scenario.ron")]
    pub file: PathBuf,
    /// Write a variant of the default scenario instead: some values changed, with comments
    #[arg(long)]
    pub variant: bool,
    /// Write a copy of a shipped scenario instead
    #[arg(long, value_name = "NAME", conflicts_with = "variant")]
    pub from: Option<String>,
}

/// Options of `completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArguments {
    /// Which shell
    pub shell: clap_complete::Shell,
}

/// Options of `man`.
#[derive(Debug, Clone, Args)]
pub struct ManArguments {
    /// Folder for the pages of every command; the main page goes to stdout when left out
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
