//! `sparkgap simulate`: one deployment under its traffic, request by request.

mod args;
pub(super) mod deployment;
mod memory;
pub(super) mod read;
mod traffic;

pub use args::{CallLengths, DeploymentArguments, SimulateArguments, TrafficArguments};

use std::path::Path;
use std::time::Instant;

use self::deployment::{Base, put_on_top};
use super::progress::{bar, watch_interrupt};
use super::{Failure, print, use_threads};
use crate::demand::{PrefixHits, Trace, TraceError, TraceRow};
use crate::engine::{CallClass, ClusterModel, LONGEST_STEP};
use crate::report::{DeploymentWords, SimulationReport, simulation_json, simulation_table};
use crate::study::{
    CLUSTER, LengthSums, Watch, clusters_of, deployment_capacity, mixed_means, replay_deployment,
    simulate_deployment,
};

/// Simulates a deployment and prints what its calls experience.
pub(super) fn simulate(arguments: &SimulateArguments) -> Result<(), Failure> {
    // clap lets a requirement go where what is required is in conflict with something given.
    if let Some((option, other)) = arguments.lonely() {
        return Err(Failure::Usage(format!(
            "{option} means nothing without {other}: add it, or leave {option} out"
        )));
    }
    let base = Base::load(arguments)?;
    let classes = deployment::classes(arguments, base.as_ref())?;
    let means = mixed_means(&classes).ok_or_else(|| Failure::Usage("no calls".to_owned()))?;
    let (mut model, mut words) =
        deployment::deployment(&arguments.deployment, base.as_ref(), &means)?;
    put_on_top(arguments.stack.as_deref(), base.as_ref(), (&mut model, &mut words));
    words.arrivals = traffic::arrivals(&arguments.traffic);
    keeps_time(&model, &classes, arguments.traffic.trace.is_some())?;
    let stop = watch_interrupt(Failure::Interrupted);
    use_threads(arguments.threads)?;
    if let Some(file) = &arguments.traffic.trace {
        return replay(arguments, file, &model, &words, &classes);
    }
    let sent = traffic::sent(arguments, model, classes, means)?;
    let begun = Instant::now();
    let bar = bar(0, "simulating", arguments.json);
    let watch = Watch { begun: &|shards| bar.set_length(shards), done: &|| bar.inc(1), stop };
    let simulated = simulate_deployment(&sent.simulation, watch);
    bar.finish_and_clear();
    let (outcome, cpu_seconds) = simulated.ok_or(Failure::Interrupted)?;
    let simulation = &sent.simulation;
    let report = SimulationReport {
        outcome: &outcome,
        deployment: &simulation.deployment,
        words: &words,
        classes: &simulation.traffic.classes,
        capacity: Some(sent.capacity),
        rate: sent.rate,
        concurrency: arguments.traffic.concurrency,
        trace: None,
        advised: sent.advised,
        replications: simulation.replications,
        seed: arguments.seed,
        seconds: (begun.elapsed().as_secs_f64(), cpu_seconds),
    };
    tell(arguments, &report)
}

/// Longest prompt of a trace that is thought of before it is read, tokens.
const LONGEST_PROMPT: f64 = 1_048_576.0;

/// No step may be longer than the engine's clock holds.
fn keeps_time(model: &ClusterModel, classes: &[CallClass], trace: bool) -> Result<(), Failure> {
    let longest = classes.iter().map(|class| class.calls.prompt.at(1.0)).fold(0.0, f64::max);
    let prompt = if trace { LONGEST_PROMPT } else { longest };
    let prefill = model.prefill.as_ref().map(|pool| &pool.replica);
    let replicas = prefill.into_iter().chain([&model.replica]);
    let seconds = replicas.map(|replica| replica.longest_step(prompt).0).fold(0.0, f64::max);
    if seconds <= LONGEST_STEP.0 {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "a step could take {seconds:.0} s, and the engine's clock holds {:.0} s: lower \
         --token-budget, --max-sequences or --kv-tokens, or shorten the step time",
        LONGEST_STEP.0
    )))
}

fn tell(arguments: &SimulateArguments, report: &SimulationReport<'_>) -> Result<(), Failure> {
    print(&if arguments.json { simulation_json(report) } else { simulation_table(report) })
}

/// Requests of a trace, as long as they can be read.
struct Rows {
    trace: Trace,
    left: u64,
    sums: LengthSums,
    count: u64,
    last: f64,
    fault: Option<TraceError>,
}

impl Iterator for Rows {
    type Item = TraceRow;

    fn next(&mut self) -> Option<TraceRow> {
        self.left = self.left.checked_sub(1)?;
        match self.trace.next()? {
            Ok(row) => {
                let part = |tokens: u32| (f64::from(tokens), f64::from(tokens).powi(2));
                self.sums.add(1.0, [row.prompt, row.cached, row.output].map(part));
                self.count += 1;
                self.last = row.arrival.seconds();
                Some(row)
            }
            Err(fault) => {
                self.fault = Some(fault);
                self.left = 0;
                None
            }
        }
    }
}

/// Replays a trace once.
fn replay(
    arguments: &SimulateArguments,
    file: &Path,
    model: &ClusterModel,
    words: &DeploymentWords,
    classes: &[CallClass],
) -> Result<(), Failure> {
    let usage = |message: &str| Err(Failure::Usage(message.to_owned()));
    let [class] = classes else {
        return usage("a trace has one kind of calls: name one --workload");
    };
    if arguments.replications.is_some_and(|count| count > 1) {
        return usage("a trace is replayed once: leave out --replications");
    }
    if clusters_of(model) > 1 {
        return usage(&format!("a trace is replayed on one cluster of at most {CLUSTER} replicas"));
    }
    let traffic = &arguments.traffic;
    let hits = traffic.prefix_hits.unwrap_or(PrefixHits::None);
    let trace = Trace::open(file, traffic.format, hits)?;
    let trace = trace.at_speed(traffic.speed.unwrap_or(1.0))?;
    let left = arguments.requests.unwrap_or(u64::MAX);
    let mut rows =
        Rows { trace, left, sums: LengthSums::default(), count: 0, last: 0.0, fault: None };
    let begun = Instant::now();
    let (outcome, cpu_seconds) = replay_deployment(model, class, &mut rows, arguments.seed);
    if let Some(fault) = rows.fault {
        return Err(fault.into());
    }
    let Some(means) = rows.sums.means() else {
        return usage("the trace has no requests with tokens of prompt and output");
    };
    let name = file.display().to_string();
    tell(
        arguments,
        &SimulationReport {
            outcome: &outcome,
            deployment: model,
            words,
            classes,
            capacity: deployment_capacity(model, &means),
            rate: (rows.last > 0.0).then(|| (rows.count - 1).max(1) as f64 / rows.last),
            concurrency: None,
            trace: Some((&name, rows.trace.counts().skipped_empty)),
            advised: None,
            replications: 1,
            seed: arguments.seed,
            seconds: (begun.elapsed().as_secs_f64(), cpu_seconds),
        },
    )
}
