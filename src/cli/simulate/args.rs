//! What is typed behind `sparkgap simulate`.

use std::path::PathBuf;

use clap::Args;

use super::read;
use crate::cli::args::Threads;
use crate::demand::{Interarrival, LengthTable, PrefixHits, TraceFormat};
use crate::engine::{CallShape, Prefill};
use crate::hardware::Precision;
use crate::units::{BytesPerSecond, Seconds};

/// Options of `simulate`.
#[derive(Debug, Clone, Args)]
#[command(allow_negative_numbers = true)]
pub struct SimulateArguments {
    /// Scenario file (RON) or the name of a shipped scenario, to take a deployment from: then
    /// --workload is needed, and every other option overrides. Without one, options say it all
    pub scenario: Option<PathBuf>,
    /// Put another value at a path of the scenario (repeatable)
    #[arg(long = "set", value_name = "PATH=VALUE", requires = "scenario")]
    pub set: Vec<String>,
    /// Workloads of the scenario that share the deployment of the first one
    #[arg(long, value_name = "A,B", value_delimiter = ',', requires = "scenario")]
    pub workload: Vec<String>,
    /// Relative shares of their calls [default: equal]
    #[arg(long, value_name = "X,Y", value_delimiter = ',', value_parser = read::above_zero,
          requires = "workload")]
    pub shares: Vec<f64>,
    /// Their priorities, 0 (served first) to 3 [default: 0 for all]
    #[arg(long, value_name = "I,J", value_delimiter = ',', requires = "workload",
          value_parser = clap::value_parser!(u8).range(0..4))]
    pub priorities: Vec<u8>,
    /// Year of the scenario's central case, at its middle [default: the first]
    #[arg(long, value_name = "YEAR", requires = "scenario",
          value_parser = clap::value_parser!(u16).range(2020..=2060))]
    pub year: Option<u16>,
    /// What serves
    #[command(flatten)]
    pub deployment: DeploymentArguments,
    /// What is sent
    #[command(flatten)]
    pub traffic: TrafficArguments,
    /// Serving stack: what clients wait for a first token beyond the engine's steps, as recorded
    /// runs of it show: vllm, sglang, trtllm, or none [default: the scenario's, or vllm].
    /// Ignored for a scenario's measured step time, which has its own in it; none by default for
    /// --step-time
    #[arg(long, value_name = "NAME", value_parser = read::stack)]
    pub stack: Option<String>,
    /// Promised time to first token of each call [default: the scenario's, or 1 s]
    #[arg(long, value_name = "TIME", value_parser = read::duration)]
    pub ttft: Option<Seconds>,
    /// Promised mean time per output token of each call [default: the scenario's, or 50 ms]
    #[arg(long, value_name = "TIME", value_parser = read::duration)]
    pub tpot: Option<Seconds>,
    /// Requests of all replications together [default: enough for a steady state; of a trace, its
    /// first N]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub requests: Option<u64>,
    /// Independent repetitions, each with its own warm-up; standard errors come from their spread
    /// [default: 10, fewer where several clusters repeat each other]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub replications: Option<u32>,
    /// Seed of every random stream
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
    /// Print JSON instead of the table (docs/simulate.md has its fields)
    #[arg(long)]
    pub json: bool,
}

/// What serves.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What serves")]
pub struct DeploymentArguments {
    /// Model of the catalogue or the scenario [default: llama_8b]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Accelerator of the catalogue or the scenario [default: h100, or the scenario's reference]
    #[arg(long, value_name = "NAME")]
    pub accelerator: Option<String>,
    /// GPUs of a replica [default: 1, or the scenario's layout]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_096))]
    pub gpus: Option<u32>,
    /// Format of the weights: fp4, int4, fp8, bf16 [default: fp8, or the scenario's layout]
    #[arg(long, value_name = "FORMAT", value_parser = read::named::<Precision>)]
    pub precision: Option<Precision>,
    /// Ranks of data-parallel attention of a replica, for models with experts [default: the
    /// scenario's layout, or the fewest of at most 8 GPUs (latent attention: of one)]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_096),
          conflicts_with = "step_time")]
    pub attention_ranks: Option<u32>,
    /// Replicas; above 256 they are split into clusters with a router each [default: 8]
    #[arg(long, value_name = "N", conflicts_with = "disaggregated",
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub replicas: Option<u32>,
    /// Prefill and decode replicas apart, as in 2P6D. A call has its first token when a decode
    /// replica has taken it in
    #[arg(long, value_name = "xPyD", value_parser = read::disaggregated)]
    pub disaggregated: Option<(u32, u32)>,
    /// Outgoing link of a prefill replica [default: scale-up link of one of its GPUs]
    #[arg(long, value_name = "BANDWIDTH", value_parser = read::bandwidth,
          requires = "disaggregated")]
    pub link: Option<BytesPerSecond>,
    /// Fixed time of each transfer [default: 1 ms]
    #[arg(long, value_name = "TIME", value_parser = read::non_negative,
          requires = "disaggregated")]
    pub link_latency: Option<Seconds>,
    /// Which replica gets a request: round_robin, random, power_of_two, least_loaded,
    /// session_affinity [default: power_of_two, or the scenario's]
    #[arg(long, value_name = "NAME", value_parser = read::router)]
    pub router: Option<String>,
    /// Age of the load reports that it acts on [default: 1 s]
    #[arg(long, value_name = "TIME", value_parser = read::non_negative)]
    pub report_interval: Option<Seconds>,
    /// Prompts in chunks beside decode steps (chunked), or in steps of their own (blocking)
    /// [default: chunked, or the scenario's]
    #[arg(long, value_name = "KIND", value_parser = read::named::<Prefill>)]
    pub prefill: Option<Prefill>,
    /// Sequences in a batch at most [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_sequences: Option<u32>,
    /// Tokens of a step at most [default: 2048]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub token_budget: Option<u32>,
    /// Measured step time in place of a model on an accelerator: of a step, of each sequence,
    /// context token and prompt token, as in '10 ms, 30 us, 17.4 ns, 35 us'
    #[arg(long, value_name = "T,T,T,T", value_parser = read::step_time, requires = "kv_tokens",
          conflicts_with_all = ["model", "accelerator", "precision", "disaggregated", "scenario"])]
    pub step_time: Option<[f64; 4]>,
    /// Context tokens that fit into a replica [default: what the weights leave of the memory]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(16..))]
    pub kv_tokens: Option<u64>,
    /// Tokens that speculative decoding gains per step [default: the model's, mostly 1]
    #[arg(long, value_name = "X", value_parser = read::tokens_per_step)]
    pub tokens_per_step: Option<f64>,
}

/// How long calls are; what is not given is that of the scenario, or the usual.
#[derive(Debug, Clone, Args)]
pub struct CallLengths {
    /// Prompt tokens: 750, 'uniform(500, 1000)', 'lognormal(1000, 1.0)' (mean and sigma),
    /// 'empirical(NAME)' or 'empirical(NAME, MEAN)' [default: uniform(500, 1000)]
    #[arg(long, value_name = "LAW", value_parser = read::lengths)]
    pub prompt: Option<LengthTable>,
    /// Output tokens, likewise [default: uniform(200, 500)]
    #[arg(long, value_name = "LAW", value_parser = read::lengths)]
    pub output: Option<LengthTable>,
    /// Share of each prompt that the prefix cache holds for everyone [default: 0%]
    #[arg(long, value_name = "SHARE", value_parser = read::share)]
    pub cached: Option<f64>,
}

impl CallLengths {
    /// Calls with what is given in place of theirs. A given output has its thinking in it.
    pub(in crate::cli) fn in_place_of(&self, mut calls: CallShape) -> CallShape {
        calls.prompt = self.prompt.clone().unwrap_or(calls.prompt);
        calls.cached = self.cached.unwrap_or(calls.cached);
        if let Some(output) = &self.output {
            (calls.output, calls.thinking) = (output.clone(), None);
        }
        calls
    }
}

/// What is sent.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is sent")]
pub struct TrafficArguments {
    /// How long calls are
    #[command(flatten)]
    pub lengths: CallLengths,
    /// Requests per second to the whole deployment
    #[arg(long, value_name = "R", value_parser = read::rate, group = "amount")]
    pub rate: Option<f64>,
    /// The same as a share of what the replicas complete when they never run out of calls
    /// [default: 75%]
    #[arg(long, value_name = "SHARE", value_parser = read::load, group = "amount")]
    pub load: Option<f64>,
    /// A closed loop: so many users, each with one request at a time
    #[arg(long, value_name = "N", group = "amount",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub concurrency: Option<u32>,
    /// Replay recorded requests once (Azure CSV, Mooncake or vLLM JSON lines; plain or gzip)
    #[arg(long, value_name = "FILE", group = "amount",
          conflicts_with_all = ["prompt", "output", "cached"])]
    pub trace: Option<PathBuf>,
    /// Format of the trace: azure, mooncake, vllm [default: that of its first line]
    #[arg(long, value_name = "FORMAT", requires = "trace",
          value_parser = read::named::<TraceFormat>)]
    pub format: Option<TraceFormat>,
    /// Play the trace so many times faster
    #[arg(long, value_name = "X", value_parser = read::above_zero, requires = "trace")]
    pub speed: Option<f64>,
    /// Prefix cache that the blocks of a Mooncake trace are looked up in: none, unlimited or its
    /// tokens [default: none]
    #[arg(long, value_name = "SIZE", value_parser = read::prefix_hits, requires = "trace")]
    pub prefix_hits: Option<PrefixHits>,
    /// Gaps between requests: poisson, 'gamma(CV)', 'weibull(CV)' [default: poisson]
    #[arg(long, value_name = "LAW", value_parser = read::arrivals,
          conflicts_with_all = ["concurrency", "trace"])]
    pub arrivals: Option<Interarrival>,
    /// A rate that swings like a sine around its mean, as in 0.5 (a day) or '0.5@1 h'; whole
    /// periods are simulated
    #[arg(long, value_name = "SWING[@PERIOD]", value_parser = read::diurnal,
          conflicts_with_all = ["concurrency", "trace"])]
    pub diurnal: Option<(f64, Seconds)>,
    /// Sessions of so many turns on average (geometric); the rate is that of the turns
    #[arg(long, value_name = "N", value_parser = read::turns,
          conflicts_with_all = ["concurrency", "trace"])]
    pub turns: Option<f64>,
    /// Mean time between an answer and the next turn [default: 30 s]
    #[arg(long, value_name = "TIME", value_parser = read::non_negative, requires = "turns")]
    pub think: Option<Seconds>,
    /// Tokens that a later turn adds to the conversation [default: 100]
    #[arg(long, value_name = "LAW", value_parser = read::lengths, requires = "turns")]
    pub added: Option<LengthTable>,
    /// Users leave after this time without a first token: all of them, or 'exponential(TIME)'
    #[arg(long, value_name = "TIME", value_parser = read::timeout)]
    pub timeout: Option<(Seconds, bool)>,
    /// Share of them that try again
    #[arg(long, value_name = "SHARE", value_parser = read::share, requires = "timeout")]
    pub retry: Option<f64>,
    /// Time until they do [default: 5 s]
    #[arg(long, value_name = "TIME", value_parser = read::non_negative, requires = "retry")]
    pub retry_after: Option<Seconds>,
    /// Times that a call is tried at most, the first included [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000),
        requires = "retry")]
    pub attempts: Option<u32>,
}

impl SimulateArguments {
    /// An option that means nothing without another, which is missing: both.
    pub(super) fn lonely(&self) -> Option<(&'static str, &'static str)> {
        let (sent, deployed) = (&self.traffic, &self.deployment);
        let (turns, trace) = (sent.turns.is_some(), sent.trace.is_some());
        let apart = deployed.disaggregated.is_some();
        let pairs = [
            (sent.think.is_some(), turns, "--think", "--turns"),
            (sent.added.is_some(), turns, "--added", "--turns"),
            (sent.format.is_some(), trace, "--format", "--trace"),
            (sent.speed.is_some(), trace, "--speed", "--trace"),
            (sent.prefix_hits.is_some(), trace, "--prefix-hits", "--trace"),
            (deployed.link.is_some(), apart, "--link", "--disaggregated"),
            (deployed.link_latency.is_some(), apart, "--link-latency", "--disaggregated"),
        ];
        let lonely = |(given, other, ..): &&(bool, bool, _, _)| *given && !*other;
        pairs.iter().find(lonely).map(|(_, _, option, other)| (*option, *other))
    }
}
