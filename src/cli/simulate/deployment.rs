//! From options and a scenario to the deployment and its workloads: names are looked up, sizes are
//! checked, and everything that is wrong is said with what to change.

use std::collections::BTreeMap;

use super::args::{DeploymentArguments, SimulateArguments};
use super::memory::too_small;
use super::read;
use crate::cli::{Failure, Source, say_error};
use crate::demand::{Service, Workload};
use crate::engine::{
    CallClass, CallMeans, CallShape, ClusterModel, Deployment, FirstToken, LatencyLimits, Layout,
    Patience, Prefill, PrefillPool, ReplicaModel, Router, Scheduler, Transfer,
};
use crate::hardware::{
    Accelerator, MeasuredStepTime, Precision, Provenance, Roofline, accelerators, models,
};
use crate::report::{DeploymentWords, StackSource};
use crate::scenario::{Scenario, known_names, layout_faults};
use crate::study::{ServingStack, speed_doubt};
use crate::units::{BytesPerSecond, Factor, Seconds};

/// What a scenario gives to begin with.
pub(in crate::cli) struct Base {
    pub(in crate::cli) scenario: Scenario,
    workloads: Vec<String>,
    /// Decimal year of the central case.
    pub(in crate::cli) year: f64,
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage(message.into())
}

/// A thing by its name: the scenario's own, or one that ships with the program.
pub(in crate::cli) fn find<'a, T>(
    own: Option<&'a BTreeMap<String, T>>,
    shipped: &'a BTreeMap<String, T>,
    what: &str,
    name: &str,
) -> Result<&'a T, Failure> {
    let found = own.and_then(|own| own.get(name)).or_else(|| shipped.get(name));
    let known = shipped.keys().chain(own.into_iter().flat_map(BTreeMap::keys));
    let names: std::collections::BTreeSet<&str> = known.map(String::as_str).collect();
    found.ok_or_else(|| usage(format!("there is no {what} `{name}`: {}", known_names(name, names))))
}

impl Base {
    /// Reads the scenario, if one is named.
    pub(super) fn load(arguments: &SimulateArguments) -> Result<Option<Self>, Failure> {
        let Some(config) = &arguments.scenario else { return Ok(None) };
        let source = Source { config: Some(config.clone()), set: arguments.set.clone() };
        let year = arguments.year.map(|year| f64::from(year) + 0.5);
        Self::of(&source, &arguments.workload, year).map(Some)
    }

    /// These workloads of a scenario at a decimal year, the middle of its first one if none is
    /// given.
    pub(in crate::cli) fn of(
        source: &Source,
        workloads: &[String],
        year: Option<f64>,
    ) -> Result<Self, Failure> {
        let scenario = source.text()?.scenario()?;
        if workloads.is_empty() {
            return Err(usage(format!(
                "of a scenario, --workload says which of its workloads is served: {}",
                known_names("", scenario.workloads.keys().map(String::as_str))
            )));
        }
        for name in workloads {
            find(Some(&scenario.workloads), &BTreeMap::new(), "workload", name)?;
        }
        let horizon = &scenario.horizon;
        let year = year.unwrap_or(f64::from(horizon.first_year) + 0.5);
        if !(horizon.first_year..=horizon.last_year).contains(&(year as u16)) {
            return Err(usage(format!(
                "--year {year:.0} lies outside the scenario: it reaches from {} to {}",
                horizon.first_year,
                horizon.last_year,
                year = year.floor(),
            )));
        }
        Ok(Self { workloads: workloads.to_vec(), year, scenario })
    }

    /// The first workload, with its name and its deployment.
    pub(in crate::cli) fn first(&self) -> (&str, &Workload, &Deployment) {
        let name = &self.workloads[0];
        (name, &self.scenario.workloads[name], &self.scenario.deployments[name])
    }
}

/// Serving stack where none is named: the quickest to a first token of those recorded.
const USUAL_STACK: &str = "vllm";

/// The serving stack asked for, that of the scenario's deployment, or the usual one; and whose it
/// is.
pub(in crate::cli) fn stack_of(
    asked: Option<&str>,
    base: Option<&Base>,
) -> (StackSource, ServingStack) {
    let recorded = |name: &str| match ServingStack::named(name) {
        Some(stack) => (StackSource::Recorded(name.to_owned()), stack),
        None => (StackSource::None, ServingStack::default()),
    };
    let (Some(base), None) = (base, asked) else { return recorded(asked.unwrap_or(USUAL_STACK)) };
    let together = base.first().2.first_token;
    if together.is_none() {
        return (StackSource::None, ServingStack::default());
    }
    // Prefill apart is in no deployment of a scenario: its clients wait as recorded ones do.
    let apart = recorded(USUAL_STACK).1.apart;
    (StackSource::Scenario, ServingStack { together, apart })
}

/// Puts a serving stack on top of the engine's first tokens. A measured step time has that of its
/// log in it already, whatever is asked for; on one that was typed by hand there is one where it is
/// asked for.
pub(super) fn put_on_top(
    asked: Option<&str>,
    base: Option<&Base>,
    (model, words): (&mut ClusterModel, &mut DeploymentWords),
) {
    if words.stack == StackSource::StepTime {
        let measured = words.measured.is_some();
        if let Some(name) = asked.filter(|_| measured) {
            say_error(&format!(
                "warning: --stack {name} is ignored: the step time was measured with the serving \
                 stack of its log in it"
            ));
        }
        if measured || asked.is_none() {
            return;
        }
    }
    let (source, stack) = stack_of(asked, base);
    model.replica.first_token = if model.prefill.is_some() { stack.apart } else { stack.together };
    words.stack = source;
}

/// The deployment and how it is called.
pub(super) fn deployment(
    arguments: &DeploymentArguments,
    base: Option<&Base>,
    calls: &CallMeans,
) -> Result<(ClusterModel, DeploymentWords), Failure> {
    let scheduler = scheduler(arguments, base)?;
    let router = router(arguments, base)?;
    let (replica, transfer, mut words) = match arguments.step_time {
        Some(times) => (
            measured(arguments, times, scheduler, router),
            None,
            DeploymentWords {
                model: "measured step time".to_owned(),
                accelerator: "GPUs".to_owned(),
                ranks: 1,
                provenance: Provenance::Stated,
                stack: StackSource::StepTime,
                ..DeploymentWords::default()
            },
        ),
        None => priced(arguments, base, (scheduler, router), calls)?,
    };
    let (prefill, decode) = arguments.disaggregated.unwrap_or((0, arguments.replicas.unwrap_or(8)));
    let ranks = words.ranks;
    let gpus = match replica.gpus * ranks {
        1 => "1 GPU".to_owned(),
        gpus => format!("{gpus} GPUs"),
    };
    let replicas = match prefill {
        0 if decode == 1 => format!("1 replica of {gpus}"),
        0 => format!("{decode} replicas of {gpus} each"),
        _ => format!("{prefill} prefill and {decode} decode replicas of {gpus} each"),
    };
    let (name, age) = told(&replica.router);
    let reports = |age: Seconds| format!(" with load reports up to {} s old", age.0);
    words.router = format!("{name} router{}", age.map_or(String::new(), reports));
    let split = if ranks > 1 { format!(" in {ranks} attention ranks") } else { String::new() };
    words.layout = format!("{replicas}{split}{}", words.layout);
    if prefill > 0 && words.measured.is_some() {
        // What was measured is an engine that prefills and decodes.
        words.provenance = Provenance::Stated;
    }
    let prefill = transfer.filter(|_| prefill > 0).map(|transfer| PrefillPool {
        replica: replica.clone(),
        replicas: prefill * ranks,
        transfer,
    });
    let model = ClusterModel { replica, replicas: decode * ranks, prefill };
    let clusters = crate::study::clusters_of(&model);
    let decode = model.replicas;
    let fewest = model.prefill.as_ref().map_or(decode, |pool| decode.min(pool.replicas));
    if fewest < clusters {
        return Err(usage(format!(
            "so many replicas make {clusters} clusters of at most {}, and each needs at least one \
             prefill and one decode replica: give at least {clusters} of both",
            crate::study::CLUSTER
        )));
    }
    Ok((model, words))
}

fn scheduler(arguments: &DeploymentArguments, base: Option<&Base>) -> Result<Scheduler, Failure> {
    let usual = Scheduler { max_sequences: 256, token_budget: 2_048, prefill: Prefill::Chunked };
    let own = base.map_or(usual, |base| base.first().2.scheduler.clone());
    let max_sequences = arguments.max_sequences.unwrap_or(own.max_sequences);
    let token_budget = arguments.token_budget.unwrap_or(own.token_budget);
    if token_budget < max_sequences {
        return Err(usage(format!(
            "a token budget of {token_budget} is smaller than {max_sequences} sequences, each of \
             which takes a token of every step: raise --token-budget or lower --max-sequences"
        )));
    }
    let prefill = arguments.prefill.unwrap_or(own.prefill);
    Ok(Scheduler { max_sequences, token_budget, prefill })
}

/// The name of a router, and the age of the reports that it reads.
fn told(router: &Router) -> (&'static str, Option<Seconds>) {
    match router {
        Router::RoundRobin => ("round_robin", None),
        Router::Random => ("random", None),
        Router::PowerOfTwo(age) => ("power_of_two", Some(*age)),
        Router::LeastLoaded(age) => ("least_loaded", Some(*age)),
        Router::SessionAffinity(age) => ("session_affinity", Some(*age)),
    }
}

fn router(arguments: &DeploymentArguments, base: Option<&Base>) -> Result<Router, Failure> {
    let usual = Router::PowerOfTwo(Seconds(1.0));
    let (own, known) = base.map_or(told(&usual), |base| told(&base.first().2.router));
    let age = arguments.report_interval.or(known).unwrap_or(Seconds(1.0));
    let router = match arguments.router.as_deref().unwrap_or(own) {
        "round_robin" => Router::RoundRobin,
        "random" => Router::Random,
        "least_loaded" => Router::LeastLoaded(age),
        "session_affinity" => Router::SessionAffinity(age),
        _ => Router::PowerOfTwo(age),
    };
    if arguments.report_interval.is_some() && told(&router).1.is_none() {
        return Err(usage(
            "this router reads no load reports: leave out --report-interval, or use \
             --router power_of_two, least_loaded or session_affinity",
        ));
    }
    Ok(router)
}

/// A replica of measured step times.
fn measured(
    arguments: &DeploymentArguments,
    [base, sequence, context, prompt]: [f64; 4],
    scheduler: Scheduler,
    router: Router,
) -> ReplicaModel {
    let mut roofline = Roofline::affine(base, sequence, context, prompt);
    roofline.tokens_per_step = arguments.tokens_per_step.unwrap_or(1.0);
    let kv_tokens = arguments.kv_tokens.unwrap_or(0);
    let gpus = arguments.gpus.unwrap_or(1);
    ReplicaModel { roofline, kv_tokens, gpus, scheduler, router, first_token: FirstToken::NONE }
}

/// A replica of a model on an accelerator, by its roofline, and how its contexts are handed on.
fn priced(
    arguments: &DeploymentArguments,
    base: Option<&Base>,
    (scheduler, router): (Scheduler, Router),
    calls: &CallMeans,
) -> Result<(ReplicaModel, Option<Transfer>, DeploymentWords), Failure> {
    let scenario = base.map(|base| &base.scenario);
    let reference = scenario.map_or("h100", |scenario| &scenario.reference);
    let accelerator_name = arguments.accelerator.as_deref().unwrap_or(reference);
    let own = scenario.map(|scenario| &scenario.hardware);
    let accelerator = find(own, accelerators(), "accelerator", accelerator_name)?;
    let usual = base.map_or("llama_8b", |base| &base.first().2.model);
    let model_name = arguments.model.as_deref().unwrap_or(usual);
    let own = scenario.map(|scenario| &scenario.models);
    let llm = find(own, models(), "model", model_name)?;
    let mut llm = llm.scaled(llm.size.central());
    if let Some(tokens) = arguments.tokens_per_step {
        llm.tokens_per_step = Factor(tokens);
    }
    let layout = layout(arguments, base, accelerator_name)?;
    let speed = base.map_or(accelerator.realised.central().0, |base| {
        let (name, workload, _) = base.first();
        let measured = layout.measured_on();
        base.scenario.central_speed((name, workload), accelerator, measured, base.year)
    });
    let deployment = Deployment {
        model: model_name.to_owned(),
        layouts: BTreeMap::new(),
        scheduler,
        router,
        first_token: FirstToken::NONE,
        source: None,
        as_of: None,
    };
    if let Some(fault) = layout_faults(&layout, &deployment, accelerator, &llm).first() {
        let own = fault.help.as_deref().unwrap_or_default();
        let help = too_small(&layout, accelerator, &llm).unwrap_or_else(|| own.to_owned());
        return Err(usage(format!("{}: {help}", fault.message)));
    }
    let replica = ReplicaModel::new(accelerator, &llm, (&layout, &deployment), calls, speed)
        .ok_or_else(|| usage("the model does not fit: give it more GPUs"))?;
    let ranks = layout.width(&llm).ranks;
    let given = arguments.kv_tokens.map(|tokens| tokens / u64::from(ranks));
    let kv_tokens = given.unwrap_or(replica.kv_tokens);
    let link: BytesPerSecond = arguments.link.unwrap_or(accelerator.scale_up);
    let transfer = Transfer {
        bytes_per_token: llm.kv_per_token,
        bandwidth: link,
        latency: arguments.link_latency.unwrap_or(Seconds(1e-3)),
    };
    let links = match arguments.disaggregated {
        Some(_) => format!(", links of {} GB/s", link.0 / 1e9),
        None => String::new(),
    };
    let backed = backed(&layout, accelerator, speed);
    let words = DeploymentWords {
        model: format!("{} in {}", llm.label, format!("{:?}", layout.precision).to_lowercase()),
        accelerator: accelerator.label.clone(),
        layout: links + &backed.layout,
        ranks,
        ..backed
    };
    Ok((ReplicaModel { kv_tokens, ..replica }, Some(transfer), words))
}

/// What the step times of a layout rest on: a measurement of it, divided by a software progress of
/// `speed` since, or the accelerator's.
fn backed(layout: &Layout, accelerator: &Accelerator, speed: f64) -> DeploymentWords {
    if let Some(date) = layout.measured_on() {
        return DeploymentWords {
            layout: format!(", step time measured on {date}"),
            provenance: Provenance::Measured,
            measured: layout.step_time.as_ref().map(|measured| measured.source.clone()),
            progress: Some(speed),
            stack: StackSource::StepTime,
            ..DeploymentWords::default()
        };
    }
    let provenance = accelerator.provenance();
    DeploymentWords {
        provenance,
        doubt: (provenance != Provenance::Measured).then(|| speed_doubt(accelerator)),
        ..DeploymentWords::default()
    }
}

fn layout(
    arguments: &DeploymentArguments,
    base: Option<&Base>,
    accelerator: &str,
) -> Result<Layout, Failure> {
    let own = base.and_then(|base| base.first().2.layouts.get(accelerator));
    if let (None, Some(base), None) = (own, base, arguments.gpus) {
        let (name, _, deployment) = base.first();
        let known = deployment.layouts.keys().map(String::as_str);
        return Err(usage(format!(
            "the scenario has no layout of `{name}` on `{accelerator}`: give --gpus and \
             --precision, or another --accelerator ({})",
            known_names("", known)
        )));
    }
    let usual =
        Layout { gpus: 1, precision: Precision::Fp8, attention_ranks: None, step_time: None };
    let own = own.unwrap_or(&usual);
    let gpus = arguments.gpus.unwrap_or(own.gpus);
    // Ranks that are stated for another number of GPUs say nothing about this one.
    let stated = own.attention_ranks.filter(|_| gpus == own.gpus);
    Ok(Layout {
        gpus,
        precision: arguments.precision.unwrap_or(own.precision),
        attention_ranks: arguments.attention_ranks.or(stated),
        step_time: measured_as_stated(arguments, own, accelerator)?,
    })
}

/// The step time that was measured on the scenario's layout: it says nothing of another one.
fn measured_as_stated(
    arguments: &DeploymentArguments,
    own: &Layout,
    accelerator: &str,
) -> Result<Option<MeasuredStepTime>, Failure> {
    let Some(measured) = &own.step_time else { return Ok(None) };
    let given = [
        ("--model", arguments.model.is_some()),
        ("--gpus", arguments.gpus.is_some_and(|gpus| gpus != own.gpus)),
        ("--precision", arguments.precision.is_some_and(|format| format != own.precision)),
        ("--attention-ranks", arguments.attention_ranks.is_some_and(|ranks| ranks > 1)),
        ("--tokens-per-step", arguments.tokens_per_step.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        None => Ok(Some(measured.clone())),
        Some((option, _)) => Err(usage(format!(
            "the step time on `{accelerator}` was measured on {} GPUs in {} and says nothing of \
             others: leave out {option}, or add \
             --set 'deployments.NAME.layouts.{accelerator}.step_time=remove'",
            own.gpus,
            format!("{:?}", own.precision).to_lowercase()
        ))),
    }
}

/// The workloads that are served, with what they are promised.
pub(super) fn classes(
    arguments: &SimulateArguments,
    base: Option<&Base>,
) -> Result<Vec<CallClass>, Failure> {
    let names = base.map_or(vec!["calls".to_owned()], |base| base.workloads.clone());
    let of_each =
        [("--shares", arguments.shares.len()), ("--priorities", arguments.priorities.len())];
    for (option, count) in of_each {
        if count > 0 && count != names.len() {
            return Err(usage(format!(
                "{option} has {count} values for {} workloads: give one for each",
                names.len()
            )));
        }
    }
    let patience = patience(arguments)?;
    let class = |(index, name): (usize, &String)| {
        let (calls, own) = calls_of(base, name);
        CallClass {
            name: name.clone(),
            share: arguments.shares.get(index).copied().unwrap_or(1.0),
            calls: arguments.traffic.lengths.in_place_of(calls),
            priority: arguments.priorities.get(index).copied().unwrap_or(0),
            limits: LatencyLimits {
                ttft_p99: arguments.ttft.unwrap_or(own.ttft_p99),
                tpot_p99: arguments.tpot.unwrap_or(own.tpot_p99),
            },
            patience,
        }
    };
    Ok(names.iter().enumerate().map(class).collect())
}

/// Calls and promises of a workload of the scenario, or the usual ones. Work that nobody waits
/// for is promised nothing.
pub(in crate::cli) fn calls_of(base: Option<&Base>, name: &str) -> (CallShape, LatencyLimits) {
    let usual =
        |text: &str| read::lengths(text).unwrap_or_else(|_| CallShape::fixed(1, 0.0, 1).prompt);
    let plain = || CallShape {
        prompt: usual("uniform(500, 1000)"),
        output: usual("uniform(200, 500)"),
        ..CallShape::fixed(1, 0.0, 1)
    };
    let Some(base) = base else {
        let limits = LatencyLimits { ttft_p99: Seconds(1.0), tpot_p99: Seconds(0.05) };
        return (plain(), limits);
    };
    let workload = &base.scenario.workloads[name];
    let limits = match workload.service {
        Service::Interactive { ttft_p99, tpot_p99 } => LatencyLimits { ttft_p99, tpot_p99 },
        Service::Deferrable { .. } => {
            let never = Seconds(f64::INFINITY);
            LatencyLimits { ttft_p99: never, tpot_p99: never }
        }
    };
    (CallShape::central(workload, base.year).unwrap_or_else(plain), limits)
}

fn patience(arguments: &SimulateArguments) -> Result<Option<Patience>, Failure> {
    let traffic = &arguments.traffic;
    let Some((timeout, exponential)) = traffic.timeout else { return Ok(None) };
    let retry = traffic.retry.unwrap_or(0.0);
    let retry_after = traffic.retry_after.unwrap_or(Seconds(5.0));
    let attempts = traffic.attempts.unwrap_or(5);
    Ok(Some(Patience { timeout, exponential, retry, retry_after, attempts }))
}
